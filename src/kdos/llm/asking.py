"""One `Ledger.ask`: what is kept, what is asked, what is asked once more, and when to stop."""

import hashlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from time import monotonic

import orjson

from kdos.errors import ConfigError, EngineError
from kdos.llm.accounts import Accounts
from kdos.llm.budget import Budget, BudgetSpentError
from kdos.llm.engine import Engine, OutOfTimeError, RemoteEngine
from kdos.pool import Refusal
from kdos.tasks import FailedAttempt, Reply, Request, Usage
from kdos.tasks.reading import read_value

COMMIT_SECONDS = 0.1  # a reply of an engine in this process waits at most this long
COMMIT_REPLIES = 4096
READY_REPLIES = 4096  # kept replies that may pile up before the reader gets them
MORE_ROOM = 2  # times the tokens, for a reply that was cut off
NO_BUDGET = Budget()


@dataclass(slots=True, eq=False)
class Asking:
    """Who waits for which reply, what is ready, and what is to be asked once more."""

    accounts: Accounts
    engine: Engine
    source: Iterator[Request]
    salt: bytes = field(init=False)
    over: bool = False
    waiting: dict[str, list[Request]] = field(default_factory=dict[str, list[Request]])
    again: deque[tuple[Request, list[Request]]] = field(
        default_factory=deque[tuple[Request, list[Request]]]
    )
    ready: deque[Reply] = field(default_factory=deque[Reply])
    most: dict[str, Usage] = field(default_factory=dict[str, Usage])
    cap: str = ""
    remote: RemoteEngine | None = field(init=False)

    def __post_init__(self) -> None:
        self.remote = self.engine if isinstance(self.engine, RemoteEngine) else None
        fingerprint = self.engine.fingerprint.encode()
        self.salt = hashlib.blake2b(fingerprint, digest_size=32).digest()

    def key(self, request: Request) -> bytes:
        """16 bytes that depend on the engine and on everything that shapes the reply."""
        return hashlib.blake2b(request.key.encode(), key=self.salt, digest_size=16).digest()

    def replies(self) -> Generator[Reply]:
        """One reply for each request of the source."""
        self.check_prices()
        while not self.over:
            with closing(self.stream()) as stream:
                for reply in stream:
                    self.settle(reply)
                    while self.ready:
                        yield self.ready.popleft()
            while self.ready:
                yield self.ready.popleft()
            self.check_all_answered()
            if self.cap:
                raise spent(self.cap)

    def stream(self) -> Generator[Reply]:
        """The engine's replies to what is fresh, each kept before it is given out."""
        engine = self.remote
        if engine is None:
            yield from self.in_lots(self.engine.complete(self.fresh()))
            return
        engine.server_state = self.accounts.findings(engine)
        try:
            yield from engine.complete_and_store(
                self.fresh(), self.keep, deadline=self.accounts.until
            )
        except OutOfTimeError:
            self.waiting.clear()
            self.cap = f"{self.accounts.budget.seconds:,.0f} seconds"

    def in_lots(self, replies: Iterator[Reply]) -> Generator[Reply]:
        """Replies of an engine in this process, committed together."""
        lot: list[Reply] = []
        since = monotonic()
        try:
            for reply in replies:
                lot.append(reply)
                due = self.ready or monotonic() - since >= COMMIT_SECONDS
                if due or len(lot) >= COMMIT_REPLIES:
                    kept, lot = lot, []
                    self.keep(kept)
                    yield from kept
                    since = monotonic()
        finally:
            self.keep(lot)
        yield from lot

    def keep(self, replies: Sequence[Reply]) -> None:
        """Put replies into the ledger; called from the engine's thread too."""
        if replies:
            self.accounts.keep(self.engine, [(self.key(reply.request), reply) for reply in replies])

    def fresh(self) -> Iterator[Request]:
        """The requests that the engine must answer now.

        It ends early when many kept replies are ready, so that they reach the reader, and when the
        next request could pass a cap while others are in flight; the engine is called again then.
        """
        asked = False
        while len(self.ready) < READY_REPLIES:
            request, askers = self.next_request()
            if request is None:
                return
            if request.key in self.waiting:
                self.waiting[request.key] += askers
            elif kept := self.accounts.find(self.engine, self.key(request), request):
                self.decide(kept, askers)
            elif cap := self.cap_before(request):
                self.again.appendleft((request, askers))
                self.cap = "" if asked else cap
                return
            else:
                asked = True
                self.waiting[request.key] = askers
                yield request

    def next_request(self) -> tuple[Request | None, list[Request]]:
        """The next to ask, and for whom; None when there is none now."""
        if self.again:
            return self.again.popleft()
        request = next(self.source, None)
        self.over = request is None
        return request, [] if request is None else [request]

    def settle(self, reply: Reply) -> None:
        """An engine's reply is there and kept."""
        self.most.pop(reply.request.key, None)
        self.decide(reply, self.waiting.pop(reply.request.key))

    def decide(self, reply: Reply, askers: list[Request]) -> None:
        """Give the reply to those who asked, or ask once more."""
        if self.remote is not None and not reply.error:
            more = once_more(reply)
            if more is not None:
                self.again.append((more, askers))
                self.over = False
                return
            if cut_off(reply):
                tokens = reply.usage.completion_tokens
                reply = replace(reply, error=f"the reply was cut off after {tokens:,} tokens")
        for request in askers:
            same = request is reply.request
            self.ready.append(reply if same else replace(reply, request=request))

    def cap_before(self, request: Request) -> str:
        """Which cap the request could pass, with what is spent and in flight; empty if none."""
        budget = self.accounts.budget
        if budget == NO_BUDGET:
            return ""
        spending = self.accounts.spending
        flying = list(self.most.values())
        if budget.counts_tokens and self.remote is not None:
            self.most[request.key] = self.remote.bound_request_usage(request)
            flying.append(self.most[request.key])
        usage = Usage(
            spending.prompt_tokens + sum(most.prompt_tokens for most in flying),
            spending.completion_tokens + sum(most.completion_tokens for most in flying),
            spending.cost_usd + sum(most.cost_usd for most in flying),
        )
        calls = spending.calls + len(self.waiting) + 1
        cap = budget.name_passed_cap(calls=calls, usage=usage, seconds=self.accounts.seconds)
        if cap:
            self.most.pop(request.key, None)
        return cap

    def check_prices(self) -> None:
        """Fail if money is to be counted and nobody knows the price."""
        unpriced = self.remote is not None and not self.remote.has_prices
        if unpriced and self.accounts.budget.usd is not None:
            raise ConfigError(
                "A cap in USD needs the price of a token. engine.prices is not set. "
                "Set prompt and completion there, in USD for a million tokens."
            )

    def check_all_answered(self) -> None:
        """Fail if the engine dropped a request: no row is ever lost in silence."""
        if self.waiting:
            first = next(iter(self.waiting.values()))[0].id
            raise EngineError(
                f"An engine must answer every request. {self.engine.name} left "
                f"{len(self.waiting)} unanswered, the first of them {first}."
            )


def once_more(reply: Reply) -> Request | None:
    """What to ask after a reply that cannot be used, once each: more room, or a mended answer."""
    request = reply.request
    if cut_off(reply):
        return (
            replace(request, max_tokens_factor=MORE_ROOM)
            if request.max_tokens_factor == 1
            else None
        )
    if request.failed_attempt is not None or not request.prompt.schema:
        return None
    value = read_value(reply.text, request.prompt.schema)
    if not isinstance(value, Refusal):
        return None
    return replace(request, failed_attempt=FailedAttempt(reply.text, value.detail))


def cut_off(reply: Reply) -> bool:
    """Whether the reply ran out of room before its JSON ended, or before it began to answer."""
    if reply.finish != "length":
        return False
    if not reply.request.prompt.schema:
        return not reply.text
    try:
        orjson.loads(reply.text)
    except orjson.JSONDecodeError:
        return True
    return False


def spent(cap: str) -> BudgetSpentError:
    """The signal that the budget is spent."""
    return BudgetSpentError(
        f"the budget of {cap} is spent; every reply is kept. "
        "Raise it and run the same command to go on."
    )
