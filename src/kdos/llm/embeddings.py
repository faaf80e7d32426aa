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
from kdos.llm.client import BrokenError, Client, Fetched, UnreachableError, check_url
from kdos.llm.keys import find_key
from kdos.llm.wire import AGAIN, excerpt, retry_after, words_of

TEXTS_AT_ONCE = 64
LOTS_IN_FLIGHT = 8
MOST_ATTEMPTS = 8
BACKOFF_FIRST, BACKOFF_MOST = 0.5, 30.0  # seconds
ENDPOINT = "endpoint:"
"""Before the model's name, in `embed`."""


class EndpointEmbedder:
    """An embedder behind HTTP. Close it when done: it holds a thread and connections."""

    def __init__(
        self, url: str, model: str, *, key_env: str | None = None, timeout: float = 120.0
    ) -> None:
        check_url(url)
        self.name = f"{ENDPOINT}{model}"
        self._model = model
        self._client = Client(url, key=find_key(key_env), timeout=timeout, name="kdos-embed")

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
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        lots = [list(texts[start : start + TEXTS_AT_ONCE]) for start in starts]
        rows = [row for lot in self._client.island.call(self._all(lots)) for row in lot]
        if len({len(row) for row in rows}) > 1:
            raise self._failure("it sent vectors of different lengths")
        return np.asarray(rows, np.float32).reshape(len(texts), len(rows[0]) if rows else 0)

    async def _all(self, lots: list[list[str]]) -> list[list[list[float]]]:
        """The vectors of every lot, in order; a few lots in flight at once."""
        room = asyncio.Semaphore(LOTS_IN_FLIGHT)

        async def one(lot: list[str]) -> list[list[float]]:
            async with room:
                return await self._lot(lot)

        return await asyncio.gather(*map(one, lots))

    async def _lot(self, texts: list[str]) -> list[list[float]]:
        """The vectors of one lot, tried again while that can help."""
        body = orjson.dumps({"model": self._model, "input": texts, "encoding_format": "float"})
        problem = ""
        for attempt in range(MOST_ATTEMPTS):
            wait = min(BACKOFF_MOST, BACKOFF_FIRST * 2**attempt)
            try:
                fetched = await self._client.fetch("POST", "embeddings", data=body)
            except UnreachableError as error:
                if error.for_good:
                    raise self._failure(str(error)) from error
                problem = str(error)
            except BrokenError as error:
                problem = str(error)
            else:
                if fetched.status == 200:
                    return self._read(fetched, len(texts))
                problem = self._client.key.scrub(f"HTTP {fetched.status}: {words_of(fetched.raw)}")
                if fetched.status not in AGAIN and fetched.status < 500:
                    break
                wait = retry_after(fetched.headers, now=time.time()) or wait
            await asyncio.sleep(wait)
        raise self._failure(problem)

    def _read(self, fetched: Fetched, count: int) -> list[list[float]]:
        """The vectors in a reply, in the order of the texts."""
        try:
            data: list[dict[str, Any]] = orjson.loads(fetched.raw)["data"]
            rows = {row["index"]: row["embedding"] for row in data}
            return [rows[number] for number in range(count)]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise self._failure(f"it sent {excerpt(fetched.raw)}") from error

    def _failure(self, what: str) -> EngineError:
        """The error for a server that does not embed."""
        return EngineError(
            f"{self._client.endpoint.root} must embed texts with {self._model}. {what}. "
            "Check engine.url and the model's name in embed."
        )


def endpoint_embedder(embed: str, engine: EngineConfig) -> EndpointEmbedder:
    """The embedder of a configuration whose `embed` is `endpoint:MODEL`.

    Raises:
        ConfigError: No model or no server is named.
    """
    model, url = embed.removeprefix(ENDPOINT), engine.embed_url or engine.url
    if not model or not url:
        raise ConfigError(
            "`embed: endpoint:MODEL` needs a model and the server's address, in engine.embed_url "
            f"or engine.url. Got embed {embed!r} and url {url!r}."
        )
    return EndpointEmbedder(url, model, key_env=engine.key_env, timeout=engine.timeout)
