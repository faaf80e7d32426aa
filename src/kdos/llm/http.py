"""The `http` engine: any server that speaks OpenAI's API.

The caller submits requests and receives replies. Behind that requests run on an event loop of their own
(`dispatcher.py`), as many at once as the server bears (`concurrency.py`), or go in batch files (`batch.py`).
"""

from collections.abc import Iterable, Iterator, MutableMapping

from kdos.config import EngineConfig, check_server_url
from kdos.llm.batch import BatchDispatcher, HeldRows
from kdos.llm.concurrency import AIMDController
from kdos.llm.descriptors import fit_concurrency
from kdos.llm.dispatcher import RequestDispatcher
from kdos.llm.endpoint import Endpoint
from kdos.llm.endpoint_pool import EndpointPool
from kdos.llm.engine import ChargeAttempt, ClosingContext, StoreReplies, charge_nothing, store_nothing
from kdos.llm.protocol import PROTOCOL_VERSION, bound_usage
from kdos.llm.server_profile import ResponseFormat, ServerProfile
from kdos.llm.transport import EventLoopThread, HttpClient, find_access, warn_of_plain_key
from kdos.tasks import Reply, Request, Usage, ask_through, json_digest


class HttpEngine(ClosingContext):
    """A `RemoteEngine` over HTTP. Close it when done: it holds a thread and connections.

    `config` is the `engine` part of a configuration; its `kind` is not looked at. Of several addresses each has
    `concurrency` requests in flight at most.

    Raises:
        ConfigError: The address or the key's variable cannot be used, or no connection can be held.
    """

    def __init__(self, config: EngineConfig) -> None:
        urls = config.addresses
        self.config = config
        self.name = config.model
        self.fingerprint = engine_fingerprint(config)
        self.server_state: MutableMapping[str, str] = {}
        self._loop_thread: EventLoopThread | None = None
        self._pool = EndpointPool([])
        self._held_rows = HeldRows()
        self._access = find_access(config)
        self._concurrency = fit_concurrency(config.concurrency, servers=len(urls))
        for url in urls:
            check_server_url(url, where="engine.url")
            warn_of_plain_key(url, self._access)

    def close(self) -> None:
        """End the thread and close the connections."""
        for endpoint in self._pool.endpoints:
            endpoint.client.close()
        self._pool = EndpointPool([])
        if self._loop_thread is not None:
            self._loop_thread.close()
            self._loop_thread = None

    def take_busy(self) -> float | None:
        """The mean share of the concurrency that was in flight since the last call; None where nothing was.

        It is measured from the first request that is sent to the last that ends, in [0, 1].
        """
        mean = self._pool.busy.take()
        return None if mean is None else mean / self._pool.max_concurrency

    @property
    def has_prices(self) -> bool:
        """Whether the configuration says what a token costs."""
        return self.config.prices is not None

    def bound_request_usage(self, request: Request) -> Usage:
        """The most that a request can come to."""
        profile, config = self._profile, self.config
        size = len(profile.build_body(request, profile.plan_for(request)))
        return bound_usage(request, request_bytes=size, max_tokens=config.max_tokens, prices=config.prices)

    def asked_form(self, request: Request) -> ResponseFormat:
        """How the server is asked for the JSON of this request, as far as was found out."""
        return self._profile.plan_for(request).form

    @property
    def _profile(self) -> ServerProfile:
        """What was found out about the first server."""
        return self._pool.endpoints[0].profile if self._pool.endpoints else ServerProfile(self.config)

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they come."""
        return ask_through(lambda: self.open_exchange(store_nothing), requests)

    def open_exchange(
        self, store: StoreReplies, *, charge: ChargeAttempt = charge_nothing, deadline: float = float("inf")
    ) -> BatchDispatcher | RequestDispatcher:
        """An exchange that stores each reply before it gives it; see `RemoteEngine`."""
        if self._loop_thread is None:
            self._open_endpoints()
        for endpoint in self._pool.endpoints:
            endpoint.use_server_state(self.server_state)
        if self.config.batch:
            return BatchDispatcher(self._pool.endpoints[0], store, charge, deadline, self._held_rows)
        return RequestDispatcher(self._pool, store, charge, deadline)

    def _open_endpoints(self) -> None:
        thread = self._loop_thread = EventLoopThread("kdos-llm")
        self._pool = EndpointPool([self._open_endpoint(url, thread) for url in self.config.addresses])

    def _open_endpoint(self, url: str, thread: EventLoopThread) -> Endpoint:
        client = HttpClient(url, access=self._access, timeout=self.config.timeout, loop_thread=thread)
        return Endpoint(self.config, client, AIMDController(self._concurrency), self.server_state)


def engine_fingerprint(config: EngineConfig) -> str:
    """What shapes the replies: model and sampling, not the address, for a server may move.

    Ledgers know their replies by it: a change of this text asks everything again.
    """
    shape = [PROTOCOL_VERSION, config.temperature, config.max_tokens, config.extra]
    return f"http/{config.model}/{json_digest(shape)[:16]}"
