"""What an engine is: requests in, one reply each out, in any order.

An engine never raises for a single request: a request that fails for good is a `Reply` whose
`error` says why. It raises `EngineError` only when nothing at all can be done (wrong key, unknown
model, no such host).
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from kdos.tasks import Reply, Request


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
        """One reply for each request, in the order in which they are ready."""
        ...
