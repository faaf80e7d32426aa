"""The ledger: every reply is stored before anyone uses it.

It is cache and checkpoint at once: a request that was answered before, in this run or an earlier
one, is answered from it and never paid for again. Inputs and replies are stored as plain text
(compressing them would save two fifths of the file and take three times as long as writing them).
One process at a time uses a run's ledger; many may share a cache.
"""

import hashlib
from collections import UserDict, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from threading import Lock
from time import monotonic

import orjson

from kdos.errors import ConfigError, EngineError
from kdos.llm.engine import Budget, BudgetSpentError, ClosingContext, Engine, OutOfTimeError, RemoteEngine
from kdos.llm.reply_store import KeyedReply, ReplyStore, Spending
from kdos.pool import Refusal
from kdos.tasks import FailedAttempt, Reply, Request, Usage
from kdos.tasks.reading import read_value

CACHE_COPIES_AT_ONCE = 512  # replies out of the cache that are copied into the run's file together
COMMIT_SECONDS = 0.1  # a reply of an engine in this process waits at most this long
COMMIT_REPLIES = 4096
MAX_READY_REPLIES = 4096  # stored replies that may pile up before the reader gets them
CUT_OFF_TOKENS_FACTOR = 2  # times the tokens, for a reply that was cut off
NO_BUDGET = Budget()


class Ledger(ClosingContext):
    """An open ledger; `Path(":memory:")` keeps it in memory only.

    `cache` is a second file that several runs share: what it holds is not asked again, and what
    this run asks is put into it. `budget` counts against the totals of `path`.

    Raises:
        StoreError: A file is no ledger, or is in use.
    """

    def __init__(self, path: Path, *, cache: Path | None = None, budget: Budget | None = None) -> None:
        self.path = path
        self.budget = budget or Budget()
        self._own = ReplyStore(path, exclusive=True)
        self._cache = ReplyStore(cache, exclusive=False) if cache else None
        self._cache_copies: list[tuple[Engine, KeyedReply]] = []
        self._lock = Lock()  # of the totals: replies are stored from the engine's thread too
        self._cached = 0
        self._spending = self._own.total_spending()
        self._opened_at = monotonic()

    def close(self) -> None:
        """Close the files; everything that was yielded is in the run's own."""
        self._write_cache_copies()
        self._own.close()
        if self._cache:
            self._cache.close()

    @property
    def spending(self) -> Spending:
        """Totals so far."""
        return replace(self._spending, cached=self._cached)

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
        return monotonic() - self._opened_at

    @property
    def deadline(self) -> float:
        """When the budget's time is spent, on the monotonic clock."""
        seconds = self.budget.seconds
        return self._opened_at + (float("inf") if seconds is None else seconds)

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
        """Commit replies with their keys; when this returns they survive a crash."""
        # Totals are added in the transaction of their replies: a crash cannot part them.
        by_task: dict[str, list[Reply]] = {}
        for _, reply in replies:
            by_task.setdefault(reply.request.task, []).append(reply)
        spent = {task: Spending.of_replies(those) for task, those in by_task.items()}
        # The run's own file first: it is the checkpoint, the cache only saves money.
        self._own.store_replies(engine, replies, spent)
        if self._cache:
            self._cache.store_replies(engine, replies, spent)
        with self._lock:
            self._spending = sum(spent.values(), self._spending)

    def server_state(self, engine: Engine) -> "ServerState":
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
    `reserved` is the most that each request in flight can come to; `reached_cap` ends the stream.
    """

    def __init__(self, ledger: Ledger, engine: Engine, requests: Iterable[Request]) -> None:
        self.ledger, self.engine, self.source = ledger, engine, iter(requests)
        self.remote = engine if isinstance(engine, RemoteEngine) else None
        self.salt = hashlib.blake2b(engine.fingerprint.encode(), digest_size=32).digest()
        self.exhausted = False
        self.askers: dict[str, list[Request]] = {}
        self.retries: deque[tuple[Request, list[Request]]] = deque()
        self.ready: deque[Reply] = deque()
        self.reserved: dict[str, Usage] = {}
        self.reached_cap = ""

    def ledger_key(self, request: Request) -> bytes:
        """16 bytes that depend on the engine and on everything that shapes the reply."""
        return hashlib.blake2b(request.key.encode(), key=self.salt, digest_size=16).digest()

    def iterate_replies(self) -> Generator[Reply]:
        self.check_prices()
        # The engine is called again while requests are left: `unanswered_requests` ends early.
        while not self.exhausted:
            with closing(self.engine_replies()) as replies:
                for reply in replies:
                    self.reserved.pop(reply.request.key, None)
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
            yield from engine.complete_and_store(requests, self.store_replies, deadline=deadline)
        except OutOfTimeError:
            self.askers.clear()
            self.reached_cap = f"{self.ledger.budget.seconds:,.0f} seconds"

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
            pairs = [(self.ledger_key(reply.request), reply) for reply in replies]
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
            elif stored := self.ledger.find_reply(self.engine, self.ledger_key(request), request):
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
        # A stored reply may come from a request with another id, and a retry is not what was asked.
        for request in askers:
            same = request is reply.request
            self.ready.append(reply if same else replace(reply, request=request))

    def cap_passed_by(self, request: Request) -> str:
        """Which cap the request could pass, with what is spent and reserved; empty if none.

        Reserves the most that it can come to, if it passes none.
        """
        budget = self.ledger.budget
        if budget == NO_BUDGET:  # the usual case: adding up before each request took its time
            return ""
        spending = self.ledger.spending
        counts_tokens = budget.tokens is not None or budget.usd is not None
        if counts_tokens and self.remote is not None:
            self.reserved[request.key] = self.remote.bound_request_usage(request)
        reserved = self.reserved.values()
        usage = Usage(
            spending.prompt_tokens + sum(bound.prompt_tokens for bound in reserved),
            spending.completion_tokens + sum(bound.completion_tokens for bound in reserved),
            spending.cost_usd + sum(bound.cost_usd for bound in reserved),
        )
        calls = spending.calls + len(self.askers) + 1
        cap = budget.name_passed_cap(calls=calls, usage=usage, seconds=self.ledger.seconds_open)
        if cap:
            self.reserved.pop(request.key, None)
        return cap

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


def _retry_request(reply: Reply) -> Request | None:
    """What to ask after a reply that cannot be used, once each: more tokens, or a better answer.

    A stored reply leads to the same retry, whose own reply is stored too: nothing is paid twice.
    """
    request = reply.request
    if _is_cut_off(reply):
        if request.max_tokens_factor > 1:
            return None
        return replace(request, max_tokens_factor=CUT_OFF_TOKENS_FACTOR)
    if request.failed_attempt is not None or not request.prompt.schema:
        return None
    value = read_value(reply.text, request.prompt.schema)
    if not isinstance(value, Refusal):
        return None
    return replace(request, failed_attempt=FailedAttempt(reply.text, value.detail))


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
