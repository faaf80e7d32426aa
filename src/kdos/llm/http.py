"""The `http` engine: any server that speaks OpenAI's chat completions.

The caller sees a plain iterator. Behind it the requests fly on an event loop of their own
(`flight.py`), as many at once as the server bears (`pace.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kdos.llm.client import Client, check_url
from kdos.llm.engine import Keep
from kdos.llm.flight import Flight, Plane
from kdos.llm.keys import find_key
from kdos.llm.pace import Pace
from kdos.llm.wire import VERSION, Prices, most_usage
from kdos.tasks import Reply, Request, Usage, digest


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The `engine` part of a configuration.

    `concurrency` is the most requests in flight, `timeout` the seconds one may take, `max_tokens`
    the length of a reply; `extra` goes into every request as it is.
    """

    url: str
    model: str
    key_env: str | None = None
    concurrency: int = 64
    timeout: float = 300.0
    temperature: float = 0.7
    max_tokens: int = 4096
    prices: Prices | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


class HttpEngine:
    """A `RemoteEngine` over HTTP. Close it when done: it holds a thread and connections."""

    def __init__(self, settings: HttpSettings) -> None:
        check_url(settings.url)
        self.settings = settings
        self.name = settings.model
        self.fingerprint = fingerprint(settings)
        self.findings: MutableMapping[str, str] = {}
        self._client: Client | None = None
        self._pace = Pace(settings.concurrency)
        self._key = find_key(settings.key_env)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def priced(self) -> bool:
        """Whether the settings say what a token costs."""
        return self.settings.prices is not None

    def most(self, request: Request) -> Usage:
        """The most that a request can come to."""
        settings = self.settings
        return most_usage(request, max_tokens=settings.max_tokens, prices=settings.prices)

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they come."""
        return self.complete_kept(requests, forget)

    def complete_kept(
        self, requests: Iterable[Request], keep: Keep, *, until: float = float("inf")
    ) -> Iterator[Reply]:
        """Like `complete`, each reply kept before it is given out; see `RemoteEngine`."""
        settings = self.settings
        if self._client is None:
            self._client = Client(settings.url, key=self._key, timeout=settings.timeout)
        plane = Plane(
            client=self._client,
            pace=self._pace,
            findings=self.findings,
            body={
                "model": settings.model,
                "temperature": settings.temperature,
                **settings.extra,
            },
            max_tokens=settings.max_tokens,
            prices=settings.prices,
        )
        return Flight(plane, keep, until=until).replies(requests)


def fingerprint(settings: HttpSettings) -> str:
    """What shapes the replies: model and sampling, not the address, for a server may move."""
    shape = [VERSION, settings.temperature, settings.max_tokens, settings.extra]
    return f"http/{settings.model}/{digest(shape)[:16]}"


def forget(replies: Sequence[Reply]) -> None:
    """Keep nothing."""
