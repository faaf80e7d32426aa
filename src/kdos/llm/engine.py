"""What an engine is: requests in, one reply each out, in any order; its budget; a scripted one.

An engine never raises for a single request: a request that fails for good is a `Reply` whose `error` says why. It
raises `EngineError` only when nothing at all can be done (wrong key, unknown model, no such host).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import orjson

from kdos.errors import EngineError
from kdos.tasks import Exchange, Reply, Request, Usage

StoreReplies = Callable[[Sequence[Reply]], None]
"""Puts replies where a crash cannot reach them; may be called from any thread."""

ChargeAttempt = Callable[[Reply], str]
"""Counts an attempt that failed and is to be made again (`Reply.will_retry`), with what it cost; gives the cap that
one more attempt would pass, empty for none. May be called from any thread."""


def charge_nothing(_: Reply) -> str:
    """A `ChargeAttempt` for where there is no budget."""
    return ""


class ClosingContext(ABC):
    """Something to close when done: `with` does it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release what is held."""


class OutOfBudgetError(EngineError):
    """A cap is reached, named by `cap`, and requests are left without an answer."""

    def __init__(self, cap: str) -> None:
        super().__init__(f"the budget of {cap} is spent")
        self.cap = cap


class OutOfTimeError(OutOfBudgetError):
    """The deadline is over, and requests are left without an answer."""

    def __init__(self) -> None:
        super().__init__("time")


class NamedModel(Protocol):
    """A model as a ledger knows it. `name` and `fingerprint` go into samples and ledger keys."""

    @property
    def name(self) -> str:
        """What to show: `rules`, or the model's name."""
        ...

    @property
    def fingerprint(self) -> str:
        """Everything about the engine that shapes replies: kind, model, version, sampling."""
        ...


class Engine(NamedModel, Protocol):
    """Anything that answers requests."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they are ready.

        Requests are taken in the caller's thread, as the engine has room for them.
        """
        ...


@runtime_checkable
class ConcurrentEngine(Engine, Protocol):
    """An engine that works while nobody waits, and takes requests while replies come."""

    def open_exchange(self, store: StoreReplies) -> AbstractContextManager[Exchange]:
        """An exchange that stores each reply before it gives it; leaving it cancels what is out."""
        ...


@runtime_checkable
class RemoteEngine(ConcurrentEngine, Protocol):
    """An engine elsewhere: its replies cost time and money."""

    server_state: MutableMapping[str, str]
    """What the engine found out about its server; the ledger gives a mapping that lasts."""

    @property
    def has_prices(self) -> bool:
        """Whether it knows what a token costs."""
        ...

    def bound_request_usage(self, request: Request) -> Usage:
        """The most that a request can come to."""
        ...

    def open_exchange(
        self, store: StoreReplies, *, charge: ChargeAttempt = charge_nothing, deadline: float = float("inf")
    ) -> AbstractContextManager[Exchange]:
        """An exchange that stores each reply before it gives it; leaving it cancels what is out.

        A reply is stored within a fifth of a second of its arrival, also while nobody asks for the next.
        An attempt that failed is charged before the next is made, and stored like a reply but not given.
        A request for which `charge` names a cap is not sent again. After `deadline`, on the monotonic clock, nothing
        more is sent. In both cases `receive` raises `OutOfBudgetError` when all that was in flight has been given.
        """
        ...


def store_nothing(_: Sequence[Reply]) -> None:
    """A `StoreReplies` for where nothing is to last."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Caps; None is no cap. Money in USD, time in seconds since the ledger was opened.

    `calls`, `tokens` and `usd` count everything that the ledger's runs have spent so far. A request
    is sent only if what is spent, what is in flight and the most that it can come to stay below.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    def name_passed_cap(self, *, calls: int, usage: Usage, seconds: float) -> str:
        """Which cap spending that much would pass, in words; empty if none."""
        tokens = usage.prompt_tokens + usage.completion_tokens
        if self.calls is not None and calls > self.calls:
            return f"{self.calls:,} calls"
        if self.tokens is not None and tokens > self.tokens:
            return f"{self.tokens:,} tokens"
        if self.usd is not None and usage.cost_usd > self.usd:
            return f"{self.usd:,.2f} USD"
        if self.seconds is not None and seconds > self.seconds:
            return f"{self.seconds:,.0f} seconds"
        return ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A scripted failure, and why; `transient` if another run may get an answer."""

    reason: str
    transient: bool = False


ScriptedAnswer = str | Mapping[str, Any] | Failure | Reply


class ScriptedEngine:
    """Answers each request with `answer(request)`: a text, JSON, a failure or a whole reply.

    For tests and rehearsals: in this process and free.
    """

    def __init__(self, answer: Callable[[Request], ScriptedAnswer], *, name: str = "scripted") -> None:
        self.name = name
        self.fingerprint = f"scripted/{name}"
        self.asked = 0
        self._answer = answer

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order of the requests."""
        for request in requests:
            self.asked += 1
            yield _build_reply(request, self._answer(request))


def _build_reply(request: Request, answer: ScriptedAnswer) -> Reply:
    match answer:
        case Reply():
            return answer
        case Failure(reason, transient):
            return Reply(request, error=reason, transient=transient)
        case str():
            return Reply(request, text=answer)
        case _:
            return Reply(request, text=orjson.dumps(answer).decode())
