"""Texts in, vectors out, from the embeddings endpoint of an OpenAI-compatible server."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson

from kdos.arrays import Float32Array
from kdos.config import EngineConfig
from kdos.errors import ConfigError, EngineError
from kdos.llm.client import (
    ConnectionBrokenError,
    HttpClient,
    HttpResponse,
    ServerUnreachableError,
    check_server_url,
)
from kdos.llm.keys import find_api_key
from kdos.llm.wire import RETRYABLE_STATUS, body_excerpt, error_message, read_retry_after

TEXTS_PER_REQUEST = 64
EMBED_REQUESTS_IN_FLIGHT = 8
MOST_ATTEMPTS = 8
BACKOFF_FIRST, BACKOFF_MOST = 0.5, 30.0  # seconds
ENDPOINT_PREFIX = "endpoint:"
"""Before the model's name, in `embed`."""


class EndpointEmbedder:
    """An embedder behind HTTP. Close it when done: it holds a thread and connections."""

    def __init__(
        self, url: str, model: str, *, key_env: str | None = None, timeout: float = 120.0
    ) -> None:
        check_server_url(url)
        self.name = f"{ENDPOINT_PREFIX}{model}"
        self._model = model
        self._client = HttpClient(
            url, key=find_api_key(key_env), timeout=timeout, name="kdos-embed"
        )

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
        self._client.close()

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts as the server gives them, shape (n_texts, n_features).

        Raises:
            EngineError: The server cannot or will not embed them.
        """
        starts = range(0, len(texts), TEXTS_PER_REQUEST)
        lots = [list(texts[start : start + TEXTS_PER_REQUEST]) for start in starts]
        rows = [
            row
            for lot in self._client.loop_thread.run_coroutine(self._embed_chunks(lots))
            for row in lot
        ]
        if len({len(row) for row in rows}) > 1:
            raise self._embedding_error("it sent vectors of different lengths")
        return np.asarray(rows, np.float32).reshape(len(texts), len(rows[0]) if rows else 0)

    async def _embed_chunks(self, lots: list[list[str]]) -> list[list[list[float]]]:
        """The vectors of every lot, in order; a few lots in flight at once."""
        room = asyncio.Semaphore(EMBED_REQUESTS_IN_FLIGHT)

        async def one(lot: list[str]) -> list[list[float]]:
            async with room:
                return await self._embed_chunk(lot)

        return await asyncio.gather(*map(one, lots))

    async def _embed_chunk(self, texts: list[str]) -> list[list[float]]:
        """The vectors of one lot, tried again while that can help."""
        body = orjson.dumps({"model": self._model, "input": texts, "encoding_format": "float"})
        problem = ""
        for attempt in range(MOST_ATTEMPTS):
            wait = min(BACKOFF_MOST, BACKOFF_FIRST * 2**attempt)
            try:
                fetched = await self._client.send_request("POST", "embeddings", data=body)
            except ServerUnreachableError as error:
                if error.for_good:
                    raise self._embedding_error(str(error)) from error
                problem = str(error)
            except ConnectionBrokenError as error:
                problem = str(error)
            else:
                if fetched.status == 200:
                    return self._parse_vectors(fetched, len(texts))
                problem = self._client.key.redact_text(
                    f"HTTP {fetched.status}: {error_message(fetched.body)}"
                )
                if fetched.status not in RETRYABLE_STATUS and fetched.status < 500:
                    break
                wait = read_retry_after(fetched.headers, now=time.time()) or wait
            await asyncio.sleep(wait)
        raise self._embedding_error(problem)

    def _parse_vectors(self, fetched: HttpResponse, count: int) -> list[list[float]]:
        """The vectors in a reply, in the order of the texts."""
        try:
            data: list[dict[str, Any]] = orjson.loads(fetched.body)["data"]
            rows = {row["index"]: row["embedding"] for row in data}
            return [rows[number] for number in range(count)]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise self._embedding_error(f"it sent {body_excerpt(fetched.body)}") from error

    def _embedding_error(self, what: str) -> EngineError:
        """The error for a server that does not embed."""
        return EngineError(
            f"{self._client.endpoint.root} must embed texts with {self._model}. {what}. "
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
