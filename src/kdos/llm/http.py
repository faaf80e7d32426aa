"""The `http` engine and the `endpoint:` embedder: any server that speaks OpenAI's API.

The caller sees plain iterators and arrays. Behind them requests run on an event loop of their own
(`dispatcher.py`), as many at once as the server bears (`concurrency.py`).
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np
import orjson

from kdos.arrays import Float32Array
from kdos.chance import keyed_generator
from kdos.config import EngineConfig
from kdos.errors import ConfigError, EngineError
from kdos.llm.batch import BatchDispatcher
from kdos.llm.concurrency import AIMDController
from kdos.llm.dispatcher import DispatcherState, RequestDispatcher
from kdos.llm.engine import ClosingContext, StoreReplies
from kdos.llm.protocol import (
    PROTOCOL_VERSION,
    RetryPolicy,
    body_excerpt,
    bound_usage,
    is_retryable,
    read_retry_after,
)
from kdos.llm.transport import (
    ExchangeError,
    HttpClient,
    HttpResponse,
    check_server_url,
    find_api_key,
)
from kdos.tasks import Reply, Request, Usage, json_digest

TEXTS_PER_REQUEST = 64
EMBED_REQUESTS_IN_FLIGHT = 8
EMBED_RETRY = RetryPolicy(max_attempts=8, first_delay=0.5, max_delay=30.0, jitter=0.5)
ENDPOINT_PREFIX = "endpoint:"
"""Before the model's name, in `embed`."""


class HttpEngine(ClosingContext):
    """A `RemoteEngine` over HTTP. Close it when done: it holds a thread and connections.

    `config` is the `engine` part of a configuration; its `kind` is not looked at.

    Raises:
        ConfigError: The address or the key's variable cannot be used.
    """

    def __init__(self, config: EngineConfig) -> None:
        check_server_url(config.url)
        self.config = config
        self.name = config.model
        self.fingerprint = engine_fingerprint(config)
        self.server_state: MutableMapping[str, str] = {}
        self._state: DispatcherState | None = None
        self._key = find_api_key(config.key_env)

    def close(self) -> None:
        """End the thread and close the connections."""
        if self._state is not None:
            self._state.client.close()
            self._state = None

    @property
    def has_prices(self) -> bool:
        """Whether the configuration says what a token costs."""
        return self.config.prices is not None

    def bound_request_usage(self, request: Request) -> Usage:
        """The most that a request can come to."""
        return bound_usage(request, max_tokens=self.config.max_tokens, prices=self.config.prices)

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they come."""
        return self.complete_and_store(requests, lambda _: None)

    def complete_and_store(
        self, requests: Iterable[Request], store: StoreReplies, *, deadline: float = float("inf")
    ) -> Iterator[Reply]:
        """Like `complete`, each reply stored before it is yielded; see `RemoteEngine`."""
        state = self._state = self._state or self._open_state()
        state.use_server_state(self.server_state)
        dispatcher = BatchDispatcher if self.config.batch else RequestDispatcher
        return dispatcher(state, store, deadline=deadline).iterate_replies(requests)

    def _open_state(self) -> DispatcherState:
        config = self.config
        return DispatcherState(
            client=HttpClient(config.url, key=self._key, timeout=config.timeout),
            controller=AIMDController(config.concurrency),
            server_state=self.server_state,
            common_fields={"model": config.model, "temperature": config.temperature} | config.extra,
            max_tokens=config.max_tokens,
            prices=config.prices,
        )


def engine_fingerprint(config: EngineConfig) -> str:
    """What shapes the replies: model and sampling, not the address, for a server may move.

    Ledgers know their replies by it: a change of this text asks everything again.
    """
    shape = [PROTOCOL_VERSION, config.temperature, config.max_tokens, config.extra]
    return f"http/{config.model}/{json_digest(shape)[:16]}"


class EndpointEmbedder(ClosingContext):
    """An embedder behind HTTP. Close it when done: it holds a thread and connections.

    `timeout` in seconds, for one request.
    """

    def __init__(
        self, url: str, model: str, *, key_env: str | None = None, timeout: float = 120.0
    ) -> None:
        check_server_url(url)
        self.name = f"{ENDPOINT_PREFIX}{model}"
        self._model = model
        self._client = HttpClient(
            url, key=find_api_key(key_env), timeout=timeout, name="kdos-embed"
        )

    def close(self) -> None:
        """End the thread and close the connections."""
        self._client.close()

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts as the server gives them, shape (n_texts, n_features).

        Raises:
            EngineError: The server cannot or will not embed them.
        """
        starts = range(0, len(texts), TEXTS_PER_REQUEST)
        chunks = [list(texts[start : start + TEXTS_PER_REQUEST]) for start in starts]
        embedded = self._client.loop_thread.run_coroutine(self._embed_chunks(chunks))
        rows = [row for chunk in embedded for row in chunk]
        if len({len(row) for row in rows}) > 1:
            raise self._embedding_error("it sent vectors of different lengths")
        return np.asarray(rows, np.float32).reshape(len(texts), len(rows[0]) if rows else 0)

    async def _embed_chunks(self, chunks: list[list[str]]) -> list[list[list[float]]]:
        """The vectors of every chunk, in order; a few requests in flight at once."""
        slots = asyncio.Semaphore(EMBED_REQUESTS_IN_FLIGHT)

        async def embed_in_slot(chunk: list[str]) -> list[list[float]]:
            async with slots:
                return await self._embed_chunk(chunk)

        return await asyncio.gather(*map(embed_in_slot, chunks))

    async def _embed_chunk(self, texts: list[str]) -> list[list[float]]:
        """The vectors of one request's texts, tried again while that can help."""
        body = orjson.dumps({"model": self._model, "input": texts, "encoding_format": "float"})
        problem = ""
        for attempt in range(1, EMBED_RETRY.max_attempts + 1):
            asked = 0.0
            try:
                response = await self._client.send_request("POST", "embeddings", data=body)
            except ExchangeError as error:
                problem = str(error)
                if error.permanent:
                    break
            else:
                if response.status == 200:
                    return self._parse_vectors(response, len(texts))
                message = self._client.server_message(response.body)
                problem = f"HTTP {response.status}: {message}"
                if not is_retryable(response.status):
                    break
                asked = read_retry_after(response.headers, now=time.time())
            chance = keyed_generator(attempt, texts[0]).random()
            await asyncio.sleep(EMBED_RETRY.delay_after(attempt, asked=asked, chance=chance))
        raise self._embedding_error(problem)

    def _parse_vectors(self, response: HttpResponse, n_texts: int) -> list[list[float]]:
        """The vectors in a reply, in the order of the texts."""
        try:
            data: list[dict[str, Any]] = orjson.loads(response.body)["data"]
            rows = {row["index"]: row["embedding"] for row in data}
            return [rows[number] for number in range(n_texts)]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise self._embedding_error(f"it sent {body_excerpt(response.body)}") from error

    def _embedding_error(self, what: str) -> EngineError:
        return EngineError(
            f"{self._client.root} must embed texts with {self._model}. {what}. "
            "Check engine.url and the model's name in embed."
        )


def open_endpoint_embedder(embed: str, engine: EngineConfig) -> EndpointEmbedder:
    """The embedder of a configuration whose `embed` is `endpoint:MODEL`.

    Raises:
        ConfigError: No model or no server is named.
    """
    model, url = embed.removeprefix(ENDPOINT_PREFIX), engine.embed_url or engine.url
    if not model or not url:
        raise ConfigError(
            "`embed: endpoint:MODEL` needs a model and the server's address, in engine.embed_url "
            f"or engine.url. Got embed {embed!r} and url {url!r}."
        )
    return EndpointEmbedder(url, model, key_env=engine.key_env, timeout=engine.timeout)
