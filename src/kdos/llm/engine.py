"""What an engine is: requests in, one reply each out, in any order.

An engine never raises for a single request: a request that fails for good is a `Reply` whose
`error` says why. It raises `EngineError` only when nothing at all can be done (wrong key, unknown
model, no such host).
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Protocol, runtime_checkable

from kdos.errors import EngineError
from kdos.tasks import Reply, Request, Usage

StoreReplies = Callable[[Sequence[Reply]], None]
"""Puts replies where a crash cannot reach them; may be called from any thread."""


class OutOfTimeError(EngineError):
    """The time that was given is over, and requests are left without an answer."""


class Engine(Protocol):
    """Anything that answers requests. `name` and `fingerprint` go into samples and ledger keys."""

    @property
    def name(self) -> str:
        """What to show: `rules`, or the model's name."""
        ...

    @property
    def fingerprint(self) -> str:
        """Everything about the engine that shapes replies: kind, model, version, sampling."""
        ...

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they are ready.

        Requests are drawn in the caller's thread, as there is room for them.
        """
        ...


@runtime_checkable
class RemoteEngine(Engine, Protocol):
    """An engine elsewhere: its replies cost time and money, and come while nobody looks."""

    server_state: MutableMapping[str, str]
    """What the engine found out about its server; the ledger gives a mapping that lasts."""

    @property
    def has_prices(self) -> bool:
        """Whether it knows what a token costs."""
        ...

    def bound_request_usage(self, request: Request) -> Usage:
        """The most that a request can come to."""
        ...

    def complete_and_store(
        self, requests: Iterable[Request], store: StoreReplies, *, deadline: float = float("inf")
    ) -> Iterator[Reply]:
        """Like `complete`, but each reply is kept before it is given out.

        It is kept within a fifth of a second of its coming, also while nobody asks for the next.
        After `until`, on the monotonic clock, it starts nothing more, and raises `OutOfTimeError`
        when all that is in flight has landed and was given out.
        """
        ...
