"""The `http` engine: any server that speaks OpenAI's chat completions.

The caller sees a plain iterator. Behind it the requests fly on an event loop of their own
(`flight.py`), as many at once as the server bears (`pace.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from kdos.config import EngineConfig
from kdos.llm.batch import BatchDispatcher
from kdos.llm.client import HttpClient, check_server_url
from kdos.llm.engine import StoreReplies
from kdos.llm.flight import DispatcherState, RequestDispatcher
from kdos.llm.keys import find_api_key
from kdos.llm.pace import AIMDController
from kdos.llm.wire import PROTOCOL_VERSION, Prices, bound_usage
from kdos.tasks import Reply, Request, Usage, json_digest


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The `engine` part of a configuration.

    `concurrency` is the most requests in flight, `timeout` the seconds one may take, `max_tokens`
    the length of a reply; `batch` sends batch files (`batch.py`); `extra` goes into every request
    as it is.
    """

    url: str
    model: str
    key_env: str | None = None
    concurrency: int = 64
    timeout: float = 300.0
    temperature: float = 0.7
    max_tokens: int = 4096
    prices: Prices | None = None
    batch: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


class HttpEngine:
    """A `RemoteEngine` over HTTP. Close it when done: it holds a thread and connections."""

    def __init__(self, settings: HttpSettings) -> None:
        check_server_url(settings.url)
        self.settings = settings
        self.name = settings.model
        self.fingerprint = fingerprint(settings)
        self.server_state: MutableMapping[str, str] = {}
        self._plane: DispatcherState | None = None
        self._key = find_api_key(settings.key_env)

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
        if self._plane is not None:
            self._plane.client.close()
            self._plane = None

    @property
    def has_prices(self) -> bool:
        """Whether the settings say what a token costs."""
        return self.settings.prices is not None

    def bound_request_usage(self, request: Request) -> Usage:
        """The most that a request can come to."""
        settings = self.settings
        return bound_usage(request, max_tokens=settings.max_tokens, prices=settings.prices)

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they come."""
        return self.complete_and_store(requests, forget)

    def complete_and_store(
        self, requests: Iterable[Request], store: StoreReplies, *, deadline: float = float("inf")
    ) -> Iterator[Reply]:
        """Like `complete`, each reply kept before it is given out; see `RemoteEngine`."""
        plane = self._plane = self._plane or self._board()
        plane.use_server_state(self.server_state)
        flight = BatchDispatcher if self.settings.batch else RequestDispatcher
        return flight(plane, store, deadline=deadline).iterate_replies(requests)

    def _board(self) -> DispatcherState:
        """A client with its thread, and what all flights share."""
        settings = self.settings
        return DispatcherState(
            client=HttpClient(settings.url, key=self._key, timeout=settings.timeout),
            controller=AIMDController(settings.concurrency),
            server_state=self.server_state,
            common_fields={
                "model": settings.model,
                "temperature": settings.temperature,
                **settings.extra,
            },
            max_tokens=settings.max_tokens,
            prices=settings.prices,
        )


def fingerprint(settings: HttpSettings) -> str:
    """What shapes the replies: model and sampling, not the address, for a server may move."""
    shape = [PROTOCOL_VERSION, settings.temperature, settings.max_tokens, settings.extra]
    return f"http/{settings.model}/{json_digest(shape)[:16]}"


def forget(replies: Sequence[Reply]) -> None:
    """Keep nothing."""


def settings_from(config: EngineConfig) -> HttpSettings:
    """The settings in a configuration."""
    prices = config.prices
    return HttpSettings(
        url=config.url,
        model=config.model,
        key_env=config.key_env,
        concurrency=config.concurrency,
        timeout=config.timeout,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        prices=Prices(prices.prompt, prices.completion) if prices else None,
        batch=config.batch,
        extra=config.extra,
    )
