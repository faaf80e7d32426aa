"""Requests by provider batch files: half the price, answered within a day, found again after a crash."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import aiohttp
import orjson

from kdos.errors import DamageError, EngineError
from kdos.llm.endpoint import Endpoint, refusal_error
from kdos.llm.engine import (
    ChargeAttempt,
    ClosingContext,
    OutOfBudgetError,
    OutOfTimeError,
    StoreReplies,
    charge_nothing,
)
from kdos.llm.limits import MAX_BATCH_SECONDS, MAX_FILE_BYTES, MAX_REPLY_BYTES
from kdos.llm.protocol import REQUEST_FAULT_STATUS, RetryPolicy, is_retryable
from kdos.llm.reply_reader import (
    BatchRow,
    BatchState,
    ProtocolError,
    ServerFaultError,
    completion_of,
    describe_error,
    dump_value,
    parse_json,
    read_batch_list,
    read_batch_rows,
    read_batch_state,
    read_object_id,
)
from kdos.llm.server_profile import Refused, ServerProfile
from kdos.llm.transport import ExchangeError, HttpResponse
from kdos.tasks import Reply, Request, Usage, json_digest

LOG = logging.getLogger("kdos.llm")
Value = TypeVar("Value")

REQUESTS_PER_BATCH = 10_000  # providers take 50,000 or 200 MB
BATCH_PRICE_FACTOR = 0.5
POLLING = RetryPolicy(max_attempts=3, first_delay=1.0, max_delay=60.0, growth=1.5)
"""How often one request is put into a batch, and the delays between two looks at a batch."""

POLL_PATIENCE_SECONDS = 300.0  # without any answer of the server that can be read, beside what it asks to wait
FINAL_BATCH_STATUS = frozenset({"completed", "failed", "expired", "cancelled"})
COMPLETIONS_PATH = "/v1/chat/completions"
BATCH_PREFIX = "batch/"
KEY_CHARS = 16  # of a request's key: enough to tell the rows of one batch apart
LISTED_BATCHES = 100
FILE_FETCHES = 3
UNREADABLE_ROW = "its row in the batch's file cannot be read"
GONE_STATUS = frozenset({404, 410})
UNLISTED_STATUS = frozenset({400, 404, 405, 501})
NO_BATCHES_STATUS = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """What the ledger knows of a batch that is under way: kept before it is submitted, forgotten after its replies.

    `id` is empty until the server has confirmed it; `profile` is what was known of the server when the batch was
    put together; `keys` begin the keys of its requests, none if not known.
    """

    id: str
    file: str
    profile: str
    keys: tuple[str, ...]

    def to_text(self) -> str:
        """What goes into the ledger."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> "SubmittedBatch":
        """What `to_text` gave; ledgers of older versions hold the server's id alone."""
        if not text.startswith("{"):
            return cls(text, "", "", ())
        try:
            value: dict[str, Any] = orjson.loads(text)
            return cls(value["id"], value["file"], value.get("profile", ""), tuple(value["keys"]))
        except (ValueError, KeyError, TypeError) as error:
            problem = "The ledger's note of a batch under way must be as it was written. It is damaged."
            raise DamageError(f"{problem} Restore the ledger from a backup.") from error


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A row that came, of the batch called `batch`, which was put together by `profile`."""

    batch: str
    profile: ServerProfile
    row: BatchRow


@dataclass(slots=True)
class HeldRows:
    """The rows of ended batches that no request has taken yet, by the request's key, and the batches they are of."""

    rows: dict[str, HeldRow] = field(default_factory=dict[str, HeldRow])
    unreadable: set[str] = field(default_factory=set[str])
    """The beginnings of the keys of requests whose row must be among those that cannot be read."""
    batches: set[str] = field(default_factory=set[str])
    status: str = ""
    """How the last batch ended."""


@dataclass(slots=True, eq=False)
class WaitingRequest:
    """A request without an answer yet; `batches` that it was put into, None before earlier batches were looked at."""

    request: Request
    batches: int | None = None


@dataclass(slots=True, eq=False)
class BatchDispatcher(ClosingContext):
    """One exchange by batch files. `deadline` is a time of `time.monotonic`.

    A batch is in the ledger before it is submitted, and is forgotten when its replies are: a run that is killed
    anywhere finds it again, by its id, or by its name among those that the server lists. Rows of an earlier batch
    answer whatever request they belong to, so what is asked next need not be what was asked then.
    """

    endpoint: Endpoint
    store: StoreReplies
    charge: ChargeAttempt = charge_nothing
    deadline: float = float("inf")
    held: HeldRows = field(default_factory=HeldRows)
    waiting: dict[str, WaitingRequest] = field(default_factory=dict[str, WaitingRequest])
    passed_cap: str = ""

    @property
    def room(self) -> int:
        """How many more requests go into one batch."""
        return 0 if self.passed_cap else max(0, REQUESTS_PER_BATCH - len(self.waiting))

    def submit(self, requests: Iterable[Request]) -> None:
        """Gather requests for the next batch."""
        self.waiting.update((request.key, WaitingRequest(request)) for request in requests)

    def receive(self) -> list[Reply]:
        """The replies of a batch of all that was gathered, or of those that were under way before it."""
        replies: list[Reply] = []
        while self.waiting and not replies:
            if self.passed_cap:
                raise OutOfBudgetError(self.passed_cap)
            replies = self._answer_waiting()
        return replies

    def close(self) -> None:
        """Nothing is under way between two calls; a batch that was left by an error is found again."""

    def _answer_waiting(self) -> list[Reply]:
        """The answers to what waits: from batches that were under way before, else from a batch with all of it."""
        asked = list(self.waiting.values())[:REQUESTS_PER_BATCH]
        # New ones first look at what an earlier run, or an earlier request of the same words, left under way.
        if new := [each for each in asked if each.batches is None]:
            asked = new
        else:
            self._submit_batch([each.request for each in asked])
        self._collect_batches()
        replies = self._take_replies(asked)
        for reply in replies:
            if reply.will_retry:
                self.passed_cap = self.charge(reply) or self.passed_cap
        if replies:
            self.store(replies)
        self._forget_batches()
        final = [reply for reply in replies if not reply.will_retry]
        for reply in final:
            del self.waiting[reply.request.key]
        return final

    # -- submit

    def _submit_batch(self, requests: list[Request]) -> None:
        """Send a batch, known to the ledger from before it can cost anything."""
        profile, server_state = self.endpoint.profile.to_text(), self.endpoint.server_state
        keys = sorted(request.key for request in requests)
        name = f"{BATCH_PREFIX}{json_digest([profile, keys])[:32]}"
        batch = SubmittedBatch("", self._upload_file(requests), profile, tuple(key[:KEY_CHARS] for key in keys))
        server_state[name] = batch.to_text()
        batch = replace(batch, id=self._create_batch(name, batch.file))
        server_state[name] = batch.to_text()
        self.held.batches.discard(name)

    def _upload_file(self, requests: Sequence[Request]) -> str:
        """Send the requests as a file, which costs nothing; gives its id."""
        rows = b"\n".join(map(self._batch_row, requests))

        def make_form() -> aiohttp.FormData:
            form = aiohttp.FormData()
            form.add_field("purpose", "batch")
            form.add_field("file", rows, filename="kdos.jsonl", content_type="application/jsonl")
            return form

        return self._ask_patiently("POST", "files", _read_id, make_data=make_form)

    def _batch_row(self, request: Request) -> bytes:
        profile = self.endpoint.profile
        body = orjson.Fragment(profile.build_body(request, profile.plan_for(request)))
        row = {"custom_id": request.key, "method": "POST", "url": COMPLETIONS_PATH, "body": body}
        return orjson.dumps(row)

    def _create_batch(self, name: str, file_id: str) -> str:
        """Have the file worked through; gives the batch's id.

        Sent once: what broke off may have been taken, and is looked for among the batches instead.
        """
        batch = {"input_file_id": file_id, "endpoint": COMPLETIONS_PATH, "completion_window": "24h"}
        data = orjson.dumps(batch | {"metadata": {"kdos": name}})
        client, problem = self.endpoint.client, ""
        for attempt in range(1, POLLING.max_attempts + 1):
            try:
                response = client.call_server("POST", "batches", data=data)
                if not is_retryable(response.status):
                    return _read_id(self._checked_body(response))
                problem, headers = f"HTTP {response.status}", response.headers
            except (ExchangeError, ProtocolError) as error:
                problem, headers = str(error), None
            if found := self._find_batch(name, file_id):
                return found.id
            if headers is None:
                break
            time.sleep(client.delay_before_retry(POLLING, attempt, headers=headers))
        raise EngineError(f"{client.root} must take batches (engine.batch). {problem}. Run the same command again.")

    def _find_batch(self, name: str, file_id: str) -> BatchState | None:
        """The batch of this name among those that the server lists; None if it is not there."""
        client = self.endpoint.client
        response = self._ask_patiently("GET", f"batches?limit={LISTED_BATCHES}", _read_listing, allow=UNLISTED_STATUS)
        if response is None:
            LOG.warning(
                "%s does not list its batches: one that was being submitted when a run ended may be paid twice",
                client.root,
            )
        for batch in response or []:
            if batch.metadata.get("kdos") == name or (file_id and batch.input_file_id == file_id):
                return batch
        return None

    # -- collect

    def _collect_batches(self) -> None:
        """Wait for every batch that the ledger knows of, and hold its rows."""
        server_state = self.endpoint.server_state
        for name in [name for name in server_state if name.startswith(BATCH_PREFIX)]:
            if name in self.held.batches:
                continue
            batch = SubmittedBatch.from_text(server_state[name])
            if not batch.id:
                found = self._find_batch(name, batch.file)
                if found is None:  # it never came to be submitted
                    del server_state[name]
                    continue
                batch = replace(batch, id=found.id)
                server_state[name] = batch.to_text()
            self._hold_rows(name, batch)
            self.held.batches.add(name)

    def _hold_rows(self, name: str, batch: SubmittedBatch) -> None:
        """Hold the rows of a batch that has ended: the first of each request that is an answer, else the first."""
        known, missing, unreadable = set(batch.keys), set(batch.keys), 0
        profile = ServerProfile(self.endpoint.config)
        profile.read_text(batch.profile)
        for row in self._read_rows(batch.id):
            if row is None or (known and row.custom_id[:KEY_CHARS] not in known):
                unreadable += 1
                continue
            unreadable += not row.is_readable
            missing.discard(row.custom_id[:KEY_CHARS])
            held = self.held.rows.get(row.custom_id)
            if held is None or (held.row.status != 200 and row.status == 200):
                self.held.rows[row.custom_id] = HeldRow(name, profile, row)
        if unreadable:
            LOG.warning("%d rows of batch %s cannot be read; their requests are asked again", unreadable, batch.id)
        # Where no more are missing than cannot be read, each of them was answered, and has been paid for.
        self.held.unreadable |= missing if len(missing) <= unreadable else set()

    def _read_rows(self, batch_id: str) -> Iterator[BatchRow | None]:
        """The rows of the files of a batch, once it has ended; none where the server has forgotten them."""
        batch = self._wait_for_batch(batch_id)
        for file_id in batch.file_ids if batch else ():
            yield from self._fetch_rows(file_id)

    def _fetch_rows(self, file_id: str) -> list[BatchRow | None]:
        """The rows of a file; it is fetched again where some cannot be read, for that costs nothing."""
        best: list[BatchRow | None] = []
        for _ in range(FILE_FETCHES):
            path = f"files/{file_id}/content"
            raw = self._ask_patiently("GET", path, bytes, allow=GONE_STATUS, limit=MAX_FILE_BYTES)
            if raw is None:
                LOG.warning("%s has no file %s any more; what was in it is asked again", self.endpoint.root, file_id)
                break
            rows = list(read_batch_rows(raw))
            if _count_readable(rows) > _count_readable(best):
                best = rows
            if rows and _count_readable(rows) == len(rows):
                break
        return best

    def _wait_for_batch(self, batch_id: str) -> BatchState | None:
        """Look at the batch until it has ended; None where the server knows it no more."""
        root, began, looks = self.endpoint.root, time.monotonic(), 0
        while True:
            batch = self._ask_patiently("GET", f"batches/{batch_id}", read_batch_state, allow=GONE_STATUS)
            if batch is None:
                LOG.warning("%s has no batch %s any more; what was in it is asked again", root, batch_id)
                return None
            if batch.status in FINAL_BATCH_STATUS:
                self.held.status = batch.status
                return batch
            if time.monotonic() - began > MAX_BATCH_SECONDS:
                raise EngineError(
                    f"{root} must end its batches within a day. {batch_id} is {batch.status or 'unknown'}."
                )
            looks += 1
            self._sleep(POLLING.delay_after(looks))

    # -- read

    def _take_replies(self, asked: Iterable[WaitingRequest]) -> list[Reply]:
        """What the held rows say of requests; those of this batch that have no row failed."""
        replies: list[Reply] = []
        for each in asked:
            row = self.held.rows.pop(each.request.key, None)
            each.batches = 0 if each.batches is None else each.batches + 1
            if row is not None or each.batches:
                reply = self._read_row(each.request, row)
                if reply.will_retry and each.batches == POLLING.max_attempts:
                    # What was paid for each time and never could be read would be so in another run too.
                    reply = replace(reply, will_retry=False, transient=reply.usage == Usage())
                replies.append(replace(reply, attempts=max(1, each.batches)))
        return replies

    def _read_row(self, request: Request, held: HeldRow | None) -> Reply:
        """The reply in a row; one that is to be asked again where that may help."""
        endpoint = self.endpoint
        size = sum(len(message["content"]) for message in request.messages)
        unreadable = partial(
            Reply,
            request,
            transient=True,
            will_retry=True,
            usage=_at_batch_price(endpoint.estimate_usage(request_bytes=size)),
        )
        if held is None and request.key[:KEY_CHARS] in self.held.unreadable:
            self.held.unreadable.discard(request.key[:KEY_CHARS])
            return unreadable(error=UNREADABLE_ROW)
        if held is None:
            problem = f"the batch ended as {self.held.status or 'unknown'} without an answer to it"
            return Reply(request, error=problem, transient=True, will_retry=True)
        row, plan = held.row, held.profile.plan_for(request)
        if not row.is_readable:
            return unreadable(error=UNREADABLE_ROW)
        status, problem = row.status, ""
        if status == 200:
            try:
                answer = completion_of(row.body)
                endpoint.learn_answer(request, plan, None)
                reply = endpoint.build_reply(request, answer, request_bytes=size)
                return replace(reply, usage=_at_batch_price(reply.usage))
            except ServerFaultError as error:
                status, problem = error.status, str(error)
            except ProtocolError as error:
                return unreadable(error=str(error))
        words = f"{status}: {problem or describe_error(row.body)}"
        if self._ask_otherwise(request, held, Refused(status, problem or dump_value(row.body), words)):
            return Reply(request, error=f"HTTP {words}", transient=True, will_retry=True)
        request_fault = status in REQUEST_FAULT_STATUS
        return Reply(request, error=f"HTTP {words}", transient=not request_fault, will_retry=not request_fault)

    def _ask_otherwise(self, request: Request, held: HeldRow, refused: Refused) -> bool:
        """Whether the next batch, perhaps of another run, is to ask otherwise for what a row was refused for."""
        endpoint, plan = self.endpoint, held.profile.plan_for(request)
        if endpoint.profile.plan_for(request) != plan:
            return True  # another row has said so
        if not endpoint.profile.unconfirmed_parts(request, plan):
            return False
        trial = endpoint.profile.try_otherwise(request, plan, refused, None)
        if trial is not None:
            endpoint.announce_change(request, endpoint.profile.adopt(request, trial.plan, instead_of=plan), trial)
            endpoint.save_findings()
        return trial is not None

    def _forget_batches(self) -> None:
        """Forget the batches that were read and of whose rows none is left: their replies are stored."""
        left = {held.batch for held in self.held.rows.values()}
        for name in [name for name in self.held.batches if name not in left]:
            self.endpoint.server_state.pop(name, None)
            self.held.batches.discard(name)

    # -- the server

    def _ask_patiently(
        self,
        method: str,
        path: str,
        read: Callable[[bytes], Value],
        *,
        make_data: Callable[[], aiohttp.FormData] | None = None,
        allow: frozenset[int] = frozenset(),
        limit: int = MAX_REPLY_BYTES,
    ) -> Any:
        """What `read` makes of the reply to something that costs nothing; None after a status of `allow`.

        Waits for a server that is away for a while, or sends what cannot be read.
        """
        client, began, asked, attempts = self.endpoint.client, time.monotonic(), 0.0, 0
        while True:
            headers = None
            try:
                data = make_data() if make_data else None
                response = client.call_server(method, path, data=data, max_bytes=limit)
                if response.status in allow:
                    return None
                if not is_retryable(response.status):
                    return read(self._checked_body(response))
                problem, headers = f"HTTP {response.status}", response.headers
            except (ExchangeError, ProtocolError) as error:
                problem = str(error)
            attempts += 1
            delay = client.delay_before_retry(POLLING, attempts, headers=headers)
            asked += delay if headers else 0.0
            if time.monotonic() - began - asked > POLL_PATIENCE_SECONDS:
                raise EngineError(
                    f"{client.root} must tell of its batches (engine.batch). {problem}. Run the same command again."
                )
            self._sleep(delay)

    def _sleep(self, seconds: float) -> None:
        """Wait, but not past the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError
        time.sleep(min(seconds, left))

    def _checked_body(self, response: HttpResponse) -> bytes:
        """The body of a reply, or an error with the server's own message."""
        if response.status in NO_BATCHES_STATUS:
            client = self.endpoint.client
            raise EngineError(
                f"{client.root} must have /files and /batches, which engine.batch needs. It answered "
                f"{response.status}: {client.server_message(response.body)}. "
                "Leave engine.batch out, or give a server that has them."
            )
        if response.status != 200:
            raise refusal_error(self.endpoint, response)
        return response.body


def _read_id(raw: bytes) -> str:
    return read_object_id(parse_json(raw))


def _read_listing(raw: bytes) -> list[BatchState]:
    return read_batch_list(raw)


def _count_readable(rows: Iterable[BatchRow | None]) -> int:
    return sum(row is not None and row.is_readable for row in rows)


def _at_batch_price(usage: Usage) -> Usage:
    return replace(usage, cost_usd=BATCH_PRICE_FACTOR * usage.cost_usd)
