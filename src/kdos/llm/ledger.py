"""The ledger: every reply is stored before anyone uses it.

It is cache and checkpoint at once: a request that was answered before, in this run or an earlier
one, is answered from it and never paid for again. Inputs and replies are stored as plain text
(compressing them would save two fifths of the file and take three times as long as writing them).
One process at a time uses a run's ledger; many may share a cache.
"""

import hashlib
from collections import UserDict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from time import monotonic

import orjson

from kdos.arrays import Float32Array
from kdos.errors import ConfigError, EngineError
from kdos.llm.budget_meter import NO_BUDGET, NO_USAGE, BudgetMeter
from kdos.llm.engine import (
    Budget,
    BudgetSpentError,
    ClosingContext,
    Engine,
    NamedModel,
    OutOfBudgetError,
    OutOfTimeError,
    RemoteEngine,
)
from kdos.llm.limits import MAX_FAILED_TEXT_CHARS
from kdos.llm.reply_reader import name_missing_answer
from kdos.llm.reply_store import KeyedReply, ReplyStore, Spending
from kdos.pool import Refusal
from kdos.tasks import FailedAttempt, Reply, Request
from kdos.tasks.reading import read_value

CACHE_COPIES_AT_ONCE = 512  # replies out of the cache that are copied into the run's file together
COMMIT_SECONDS = 0.1  # a reply of an engine in this process waits at most this long
COMMIT_REPLIES = 4096
MAX_READY_REPLIES = 4096  # stored replies that may pile up before the reader gets them
CUT_OFF_TOKENS_FACTOR = 2  # times the tokens, for a reply that was cut off


class Ledger(ClosingContext):
    """An open ledger; `Path(":memory:")` keeps it in memory only.

    `cache` is a second file that several runs share: what it holds is not asked again, and what
    this run asks is put into it. `budget` counts against the totals of `path`.

    Raises:
        StoreError: A file is no ledger, or is in use.
    """

    def __init__(self, path: Path, *, cache: Path | None = None, budget: Budget | None = None) -> None:
        self.path = path
        self.budget = budget or NO_BUDGET
        self._own = ReplyStore(path, exclusive=True)
        self._cache = ReplyStore(cache, exclusive=False) if cache else None
        self._cache_copies: list[tuple[Engine, KeyedReply]] = []
        self._cached = 0
        self.meter = BudgetMeter(self.budget, self._own.total_spending())

    def close(self) -> None:
        """Close the files; everything that was yielded is in the run's own."""
        self._write_cache_copies()
        self._own.close()
        if self._cache:
            self._cache.close()

    @property
    def spending(self) -> Spending:
        """Totals so far."""
        return replace(self.meter.spent, cached=self._cached)

    def ask(self, engine: Engine, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they are ready.

        What was answered before comes from the file; every new reply is committed before it is yielded; identical
        requests are asked once. Requests are taken as the engine has room. A remote engine's reply that was cut off,
        or does not fit its prompt's schema, is asked for once more.

        Raises:
            BudgetSpentError: A cap of the budget is reached, after all replies so far were yielded.
            ConfigError: Money is capped and the engine knows no prices.
            EngineError: The engine cannot work at all, or left a request unanswered.
            StoreError: A reply could not be stored.
        """
        return _ReplyStream(self, engine, requests).iterate_replies()

    @property
    def seconds_open(self) -> float:
        """How long the ledger has been open."""
        return monotonic() - self.meter.opened_at

    @property
    def deadline(self) -> float:
        """When the budget's time is spent, on the monotonic clock."""
        seconds = self.budget.seconds
        return self.meter.opened_at + (float("inf") if seconds is None else seconds)

    def find_reply(self, engine: Engine, key: bytes, request: Request) -> Reply | None:
        """The stored reply to `request`, whose key is `key`."""
        reply = self._own.find_reply(key, request)
        if reply is None and self._cache:
            reply = self._cache.find_reply(key, request)
            if reply is not None:
                # Copied, so that the run's file alone answers everything when it is resumed.
                self._cache_copies.append((engine, (key, reply)))
                if len(self._cache_copies) >= CACHE_COPIES_AT_ONCE:
                    self._write_cache_copies()
        self._cached += reply is not None
        return reply

    def store_replies(self, engine: Engine, replies: Sequence[KeyedReply]) -> None:
        """Commit replies with their keys; when this returns they survive a crash.

        Failed attempts are among them (`Reply.will_retry`), which the meter has counted already.
        """
        # The run's own file first: it is the checkpoint, the cache only saves money.
        self._own.store_replies(engine, replies, _spending_by_task(replies))
        if self._cache:
            # What may pass is no answer, and must not take the place of another run's.
            lasting = [pair for pair in replies if not pair[1].transient]
            self._cache.store_replies(engine, lasting, _spending_by_task(lasting))
        final = [pair for pair in replies if not pair[1].will_retry]
        self.meter.settle([key for key, _ in final], Spending.of_replies([reply for _, reply in final]))

    def find_vectors(self, model: NamedModel, texts: Sequence[str]) -> dict[str, Float32Array]:
        """The stored vectors of texts by this model, shape (dim,) each; those that are not stored are left out."""
        keys = {hash_text(model, text): text for text in texts}
        return {keys[key]: vector for key, vector in self._own.find_vectors(list(keys)).items()}

    def store_vectors(self, model: NamedModel, vectors: Mapping[str, Float32Array], spent: Spending) -> None:
        """Commit the vectors of texts, none for an attempt that failed, and what they cost."""
        self._own.store_vectors(model, {hash_text(model, text): vector for text, vector in vectors.items()}, spent)

    def server_state(self, engine: NamedModel) -> "ServerState":
        """What the engine found out about its server, in this run and in earlier ones."""
        return ServerState(self._own, self._own.engine_number(engine))

    def _write_cache_copies(self) -> None:
        """Copy what came out of the cache into the run's own file: it cost nothing here."""
        for engine, copies in groupby(self._cache_copies, key=itemgetter(0)):
            self._own.store_replies(engine, [pair for _, pair in copies], {})
        self._cache_copies.clear()


class ServerState(UserDict[str, str]):
    """What one engine found out about its server, on disk as soon as it is set."""

    def __init__(self, store: ReplyStore, engine: int) -> None:
        super().__init__()
        self.data = store.read_engine_state(engine)
        self._store = store
        self._engine = engine

    def __setitem__(self, key: str, item: str) -> None:
        if self.data.get(key) != item:
            self.data[key] = item
            self._store.write_engine_state(self._engine, key, item)

    def __delitem__(self, key: str) -> None:
        del self.data[key]
        self._store.write_engine_state(self._engine, key, None)


class _ReplyStream:
    """One call of `Ledger.ask`.

    `askers` holds, by request key, the requests that wait for one reply: identical requests are
    asked once. `retries` are requests to ask before the source is read on, with their askers.
    `reached_cap` ends the stream.
    """

    def __init__(self, ledger: Ledger, engine: Engine, requests: Iterable[Request]) -> None:
        self.ledger, self.engine, self.source = ledger, engine, iter(requests)
        self.remote = engine if isinstance(engine, RemoteEngine) else None
        self.salt = hashlib.blake2b(engine.fingerprint.encode(), digest_size=32).digest()
        self.exhausted = False
        self.askers: dict[str, list[Request]] = {}
        self.retries: deque[tuple[Request, list[Request]]] = deque()
        self.ready: deque[Reply] = deque()
        self.reached_cap = ""

    def ledger_key(self, request_key: str) -> bytes:
        """16 bytes that depend on the engine and on everything that shapes the reply."""
        return hashlib.blake2b(request_key.encode(), key=self.salt, digest_size=16).digest()

    def iterate_replies(self) -> Generator[Reply]:
        self.check_prices()
        try:
            yield from self.ask_engine()
        finally:
            self.release_unanswered()

    def ask_engine(self) -> Generator[Reply]:
        """Replies, stored or new, until the source has ended or a cap is reached."""
        # The engine is called again while requests are left: `unanswered_requests` ends early.
        while not self.exhausted:
            with closing(self.engine_replies()) as replies:
                for reply in replies:
                    self.deliver_or_retry(reply, self.askers.pop(reply.request.key))
                    while self.ready:
                        yield self.ready.popleft()
            while self.ready:
                yield self.ready.popleft()
            self.check_all_answered()
            if self.reached_cap:
                raise BudgetSpentError(
                    f"the budget of {self.reached_cap} is spent; every reply is kept. "
                    "Raise it and run the same command to go on."
                )

    def engine_replies(self) -> Generator[Reply]:
        """The engine's replies to what is not stored, each stored before it is yielded."""
        engine = self.remote
        if engine is None:
            yield from self.commit_in_groups(self.engine.complete(self.unanswered_requests()))
            return
        engine.server_state = self.ledger.server_state(engine)
        requests, deadline = self.unanswered_requests(), self.ledger.deadline
        try:
            yield from engine.complete_and_store(
                requests, self.store_replies, charge=self.charge_attempt, deadline=deadline
            )
        except OutOfBudgetError as error:
            timed = isinstance(error, OutOfTimeError)
            self.reached_cap = f"{self.ledger.budget.seconds:,.0f} seconds" if timed else error.cap
            self.release_unanswered()

    def commit_in_groups(self, replies: Iterator[Reply]) -> Generator[Reply]:
        """Replies of an engine in this process, committed together."""
        group: list[Reply] = []
        since = monotonic()
        try:
            for reply in replies:
                group.append(reply)
                # Stored replies are ready: the reader should not wait for the clock.
                due = self.ready or monotonic() - since >= COMMIT_SECONDS
                if due or len(group) >= COMMIT_REPLIES:
                    committed, group = group, []
                    self.store_replies(committed)
                    yield from committed
                    since = monotonic()
        finally:
            # Also when the engine raises or the reader leaves: what was answered is not lost.
            self.store_replies(group)
        yield from group

    def store_replies(self, replies: Sequence[Reply]) -> None:
        """Put replies into the ledger; called from the engine's thread too."""
        if replies:
            pairs = [(self.ledger_key(reply.request.key), reply) for reply in replies]
            self.ledger.store_replies(self.engine, pairs)

    def unanswered_requests(self) -> Iterator[Request]:
        """The requests that the engine must answer now.

        It ends early when many stored replies are ready, so that they reach the reader, and when
        the next request could pass a cap while others are in flight: these may come to less than
        was reserved for them. The engine is called again then.
        """
        any_asked = False
        while len(self.ready) < MAX_READY_REPLIES:
            request, askers = self.next_request()
            if request is None:
                return
            # In this order: what is in flight is not in the file yet, and neither costs budget.
            if request.key in self.askers:
                self.askers[request.key] += askers
            elif stored := self.ledger.find_reply(self.engine, self.ledger_key(request.key), request):
                self.deliver_or_retry(stored, askers)
            elif cap := self.cap_passed_by(request):
                self.retries.appendleft((request, askers))
                self.reached_cap = "" if any_asked else cap
                return
            else:
                any_asked = True
                self.askers[request.key] = askers
                yield request

    def next_request(self) -> tuple[Request | None, list[Request]]:
        """The next to ask, and for whom; None when there is none now."""
        if self.retries:
            return self.retries.popleft()
        request = next(self.source, None)
        self.exhausted = request is None
        return request, [request] if request else []

    def deliver_or_retry(self, reply: Reply, askers: list[Request]) -> None:
        """Give the reply to those who asked, or ask once more."""
        if self.remote is not None and not reply.error:
            if retry := _retry_request(reply):
                self.retries.append((retry, askers))
                self.exhausted = False
                return
            if _is_cut_off(reply):
                tokens = reply.usage.completion_tokens
                reply = replace(reply, error=f"the reply was cut off after {tokens:,} tokens")
            elif missing := name_missing_answer(reply):
                reply = replace(reply, error=missing)
        # A stored reply may come from a request with another id, and a retry is not what was asked.
        for request in askers:
            same = request is reply.request
            self.ready.append(reply if same else replace(reply, request=request))

    def cap_passed_by(self, request: Request) -> str:
        """Which cap the request could pass, with what is spent and in flight; empty if none.

        Reserves the most that it can come to, if it passes none.
        """
        budget = self.ledger.budget
        if budget == NO_BUDGET:  # the usual case: adding up before each request took its time
            return ""
        counts_tokens = budget.tokens is not None or budget.usd is not None
        most = NO_USAGE if self.remote is None or not counts_tokens else self.remote.bound_request_usage(request)
        return self.ledger.meter.reserve(self.ledger_key(request.key), most)

    def charge_attempt(self, reply: Reply) -> str:
        """Count an attempt that failed and is to be made again; names the cap that the next would pass."""
        return self.ledger.meter.charge(self.ledger_key(reply.request.key), Spending.of_replies([reply]))

    def release_unanswered(self) -> None:
        """Requests that got no reply are no longer in flight."""
        self.ledger.meter.release(map(self.ledger_key, self.askers))
        self.askers.clear()

    def check_prices(self) -> None:
        unpriced = self.remote is not None and not self.remote.has_prices
        if unpriced and self.ledger.budget.usd is not None:
            raise ConfigError(
                "A cap in USD needs the price of a token. engine.prices is not set. "
                "Set prompt and completion there, in USD for a million tokens."
            )

    def check_all_answered(self) -> None:
        """Fail if the engine dropped a request: no row is ever lost in silence."""
        if self.askers:
            first = next(iter(self.askers.values()))[0].id
            raise EngineError(
                f"An engine must answer every request. {self.engine.name} left "
                f"{len(self.askers)} unanswered, the first of them {first}."
            )


def hash_text(model: NamedModel, text: str) -> bytes:
    """16 bytes that stand for a text and the model that embeds it."""
    salt = hashlib.blake2b(model.fingerprint.encode(), digest_size=32).digest()
    return hashlib.blake2b(text.encode(errors="surrogatepass"), key=salt, digest_size=16).digest()


def _spending_by_task(replies: Sequence[KeyedReply]) -> dict[str, Spending]:
    """What replies cost, by task: added in their transaction, for a crash must not part them."""
    by_task: dict[str, list[Reply]] = {}
    for _, reply in replies:
        by_task.setdefault(reply.request.task, []).append(reply)
    return {task: Spending.of_replies(those) for task, those in by_task.items()}


def _retry_request(reply: Reply) -> Request | None:
    """What to ask after a reply that cannot be used, once each: more tokens, or a better answer.

    A stored reply leads to the same retry, whose own reply is stored too: nothing is paid twice.
    """
    request = reply.request
    if _is_cut_off(reply):
        if request.max_tokens_factor > 1:
            return None
        return replace(request, max_tokens_factor=CUT_OFF_TOKENS_FACTOR)
    if request.failed_attempt is not None or not request.prompt.schema or reply.finish == "content_filter":
        return None
    if missing := name_missing_answer(reply):
        return replace(request, failed_attempt=FailedAttempt("", missing))
    value = read_value(reply.text, request.prompt.schema)
    if not isinstance(value, Refusal):
        return None
    return replace(request, failed_attempt=FailedAttempt(reply.text[:MAX_FAILED_TEXT_CHARS], value.detail))


def _is_cut_off(reply: Reply) -> bool:
    """Whether the reply ran out of tokens before its JSON ended, or before it began to answer."""
    if reply.finish != "length":
        return False
    if not reply.request.prompt.schema:
        return not reply.text
    try:
        orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        return True
    return False
