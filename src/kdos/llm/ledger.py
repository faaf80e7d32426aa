"""The ledger: every reply is stored before anyone uses it.

It is cache and checkpoint at once: a request that was answered before, in this run or an earlier
one, is answered from it and never paid for again. Inputs and replies are stored as plain text
(compressing them would save two fifths of the file and take three times as long as writing them).
One process at a time uses a run's ledger; many may share a cache.
"""

import hashlib
from collections import UserDict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from time import monotonic

import orjson

from kdos.arrays import Float32Array
from kdos.errors import BudgetSpentError, ConfigError, EngineError
from kdos.llm.budget_meter import NO_BUDGET, NO_USAGE, BudgetMeter
from kdos.llm.engine import (
    Budget,
    ClosingContext,
    ConcurrentEngine,
    Engine,
    NamedModel,
    OutOfBudgetError,
    OutOfTimeError,
    RemoteEngine,
)
from kdos.llm.garbage import rare_collections
from kdos.llm.inline_exchange import InlineExchange
from kdos.llm.limits import MAX_FAILED_TEXT_CHARS
from kdos.llm.reply_reader import name_missing_answer
from kdos.llm.reply_store import KeyedReply, ReplyStore, Spending
from kdos.pool import Refusal
from kdos.tasks import Exchange, FailedAttempt, Reply, Request, ask_through

CACHE_COPIES_AT_ONCE = 512  # replies out of the cache that are copied into the run's file together
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

        Requests are taken as the engine has room. As `open_exchange` otherwise, whose errors it raises, those of the
        budget after all replies so far were yielded.
        """
        return ask_through(partial(self.open_exchange, engine), requests)

    def open_exchange(self, engine: Engine) -> AbstractContextManager[Exchange]:
        """An exchange with an engine: requests out while replies come in.

        What was answered before comes from the file; every new reply is committed before it is given; identical
        requests in flight are asked once. A remote engine's reply that was cut off, or does not fit its prompt's
        schema, is asked for once more. What a cap of the budget holds back is tried again when replies have come.
        Leaving it cancels what is in flight; what has come is kept.

        Raises:
            BudgetSpentError: From `receive`, once a cap is reached, nothing is in flight and all replies were given.
            ConfigError: Money is capped and the engine knows no prices.
            EngineError: The engine cannot work at all, or left a request unanswered.
            StoreError: A reply could not be stored.
        """
        return _LedgerExchange(self, engine).opened()

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


Asked = tuple[Request, list[Request]]
"""A request, and the callers' requests that its reply answers."""


class _LedgerExchange:
    """An exchange with an engine, seen through a ledger: what `Ledger.open_exchange` gives.

    `askers` holds, by request key, the requests that wait for one reply of the engine's: identical requests are asked
    once. `held` are requests that a cap holds back: what is in flight may come to less than was reserved for it.
    `is_over` once the engine sends nothing more. `cap` names the cap.
    """

    exchange: Exchange

    def __init__(self, ledger: Ledger, engine: Engine) -> None:
        self.ledger, self.engine = ledger, engine
        self.remote = engine if isinstance(engine, RemoteEngine) else None
        self.salt = hashlib.blake2b(engine.fingerprint.encode(), digest_size=32).digest()
        self.askers: dict[str, list[Request]] = {}
        self.held: deque[Asked] = deque()
        self.ready: list[Reply] = []
        self.cap, self.is_over = "", False
        self.check_prices()

    @contextmanager
    def opened(self) -> Generator[Exchange]:
        """This exchange, while that with the engine is open."""
        try:
            with rare_collections, self.open_engine() as self.exchange:
                yield self
        finally:
            self.release_unanswered()

    def open_engine(self) -> AbstractContextManager[Exchange]:
        """The exchange with the engine itself, whose replies are stored before they are given."""
        if self.remote is not None:
            self.remote.server_state = self.ledger.server_state(self.remote)
            deadline = self.ledger.deadline
            return self.remote.open_exchange(self.store_replies, charge=self.charge_attempt, deadline=deadline)
        if isinstance(self.engine, ConcurrentEngine):
            return self.engine.open_exchange(self.store_replies)
        return InlineExchange(self.engine, self.store_replies)

    @property
    def room(self) -> int:
        return 0 if self.held or self.is_over else self.exchange.room

    def submit(self, requests: Iterable[Request]) -> None:
        self.send((request, [request]) for request in requests)

    def receive(self) -> list[Reply]:
        while True:
            self.send_held()
            if self.ready or not self.askers:
                break
            self.receive_from_engine()
        if not self.ready and (self.held or self.is_over):
            raise BudgetSpentError(
                f"the budget of {self.cap} is spent; every reply is kept. Raise it and run the same command to go on."
            )
        replies, self.ready = self.ready, []
        return replies

    def send(self, asked: Iterable[Asked]) -> None:
        """Send to the engine what is not stored and no cap holds back."""
        waiting, unanswered = deque(asked), list[Request]()
        while waiting:
            request, askers = waiting.popleft()
            # In this order: what is in flight is not in the file yet, and neither costs budget.
            if request.key in self.askers:
                self.askers[request.key] += askers
            elif stored := self.ledger.find_reply(self.engine, self.ledger_key(request.key), request):
                waiting.extendleft(self.deliver_or_retry(stored, askers))
            elif self.held or self.is_over or self.is_held_back(request):
                self.held.append((request, askers))
            else:
                self.askers[request.key] = askers
                unanswered.append(request)
        if unanswered:
            self.exchange.submit(unanswered)

    def send_held(self) -> None:
        """Try again what a cap holds back."""
        if self.held and not self.is_over:
            held, self.held = self.held, deque()
            self.send(held)

    def receive_from_engine(self) -> None:
        """Wait for replies of the engine; what cannot be used of them is asked once more."""
        try:
            replies = self.exchange.receive()
        except OutOfBudgetError as error:
            timed = isinstance(error, OutOfTimeError)
            self.cap = f"{self.ledger.budget.seconds:,.0f} seconds" if timed else error.cap
            self.is_over = True
            self.release_unanswered()
            return
        if not replies:
            self.refuse_unanswered()
        # One that nobody waits for has come before.
        answered = ((reply, self.askers.pop(reply.request.key, None)) for reply in replies)
        retries = [self.deliver_or_retry(reply, askers) for reply, askers in answered if askers is not None]
        self.send(chain.from_iterable(retries))

    def deliver_or_retry(self, reply: Reply, askers: list[Request]) -> list[Asked]:
        """Give the reply to those who asked; or what to ask for them once more."""
        if self.remote is not None and not reply.error:
            if retry := _retry_request(reply):
                return [(retry, askers)]
            if _is_cut_off(reply):
                tokens = reply.usage.completion_tokens
                reply = replace(reply, error=f"the reply was cut off after {tokens:,} tokens")
            elif missing := name_missing_answer(reply):
                reply = replace(reply, error=missing)
        # A stored reply may come from a request with another id, and a retry is not what was asked.
        for request in askers:
            same = request is reply.request
            self.ready.append(reply if same else replace(reply, request=request))
        return []

    def store_replies(self, replies: Sequence[Reply]) -> None:
        """Put replies into the ledger; called from the engine's thread too."""
        if replies:
            pairs = [(self.ledger_key(reply.request.key), reply) for reply in replies]
            self.ledger.store_replies(self.engine, pairs)

    def ledger_key(self, request_key: str) -> bytes:
        """16 bytes that depend on the engine and on everything that shapes the reply."""
        return hashlib.blake2b(request_key.encode(), key=self.salt, digest_size=16).digest()

    def is_held_back(self, request: Request) -> bool:
        """Whether the request could pass a cap, with what is spent and in flight.

        Reserves the most that it can come to, if it passes none.
        """
        budget = self.ledger.budget
        if budget == NO_BUDGET:  # the usual case: adding up before each request took its time
            return False
        counts_tokens = budget.tokens is not None or budget.usd is not None
        most = NO_USAGE if self.remote is None or not counts_tokens else self.remote.bound_request_usage(request)
        self.cap = self.ledger.meter.reserve(self.ledger_key(request.key), most)
        return bool(self.cap)

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

    def refuse_unanswered(self) -> None:
        """The engine dropped requests: no row is ever lost in silence."""
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
    if not isinstance(reply.value, Refusal):
        return None
    return replace(request, failed_attempt=FailedAttempt(reply.text[:MAX_FAILED_TEXT_CHARS], reply.value.detail))


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
