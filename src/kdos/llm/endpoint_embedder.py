"""The `endpoint:` embedder: vectors from a server that speaks OpenAI's API, kept and paid for once."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np
import orjson

from kdos.arrays import Float32Array
from kdos.chance import keyed_generator
from kdos.config import Config, EngineConfig, PriceConfig, check_server_url
from kdos.embed import Embedder, load_embedder
from kdos.errors import ConfigError, EngineError
from kdos.llm.engine import BudgetSpentError, ClosingContext
from kdos.llm.ledger import Ledger, hash_text
from kdos.llm.limits import MALFORMED_ATTEMPTS, MAX_VECTORS_BYTES
from kdos.llm.protocol import RetryPolicy, estimate_tokens, find_api_root, is_retryable, price_tokens
from kdos.llm.reply_reader import ProtocolError, read_vectors
from kdos.llm.reply_store import Spending
from kdos.llm.transport import ExchangeError, HttpClient, UnreadableBodyError, find_api_key, warn_of_plain_key
from kdos.tasks import Usage

TEXTS_PER_REQUEST = 64
EMBED_REQUESTS_IN_FLIGHT = 8
EMBED_RETRY = RetryPolicy(max_attempts=8, first_delay=0.5, max_delay=30.0, jitter=0.5)
ENDPOINT_PREFIX = "endpoint:"
"""Before the model's name, in `embed`."""


class EndpointEmbedder(ClosingContext):
    """An embedder behind HTTP. Close it when done: it holds a thread and connections.

    `timeout` in seconds, for one request. With a `ledger` each vector is stored before it is used, and never asked
    for again; its budget counts every attempt, at `prices`.

    Raises:
        ConfigError: The address or the key's variable cannot be used.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_env: str | None = None,
        timeout: float = 120.0,
        ledger: Ledger | None = None,
        prices: PriceConfig | None = None,
    ) -> None:
        check_server_url(url, where="engine.embed_url")
        key = find_api_key(key_env)
        warn_of_plain_key(url, key)
        self.name = self.fingerprint = f"{ENDPOINT_PREFIX}{model}"
        self._model = model
        self._ledger = ledger
        self._prices = prices
        self._client = HttpClient(url, key=key, timeout=timeout, name="kdos-embed")

    def close(self) -> None:
        """End the thread and close the connections."""
        self._client.close()

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Vectors of the texts as the server gives them, shape (n_texts, n_features).

        Raises:
            EngineError: The server cannot or will not embed them.
            BudgetSpentError: A cap of the ledger's budget is reached; what came is stored.
        """
        distinct = list(dict.fromkeys(texts))
        vectors = self._ledger.find_vectors(self, distinct) if self._ledger else {}
        missing = [text for text in distinct if text not in vectors]
        if missing:
            starts = range(0, len(missing), TEXTS_PER_REQUEST)
            chunks = [missing[start : start + TEXTS_PER_REQUEST] for start in starts]
            vectors |= self._client.loop_thread.run_coroutine(self._embed_chunks(chunks))
        if len({len(vector) for vector in vectors.values()}) > 1:
            raise self._embedding_error("it sent vectors of different lengths")
        rows = [vectors[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    async def _embed_chunks(self, chunks: list[list[str]]) -> dict[str, Float32Array]:
        """The vectors of every chunk's texts; a few requests in flight at once.

        Where one fails no more are sent, and those in flight still come back and are stored.
        """
        slots = asyncio.Semaphore(EMBED_REQUESTS_IN_FLIGHT)
        failures: list[Exception] = []

        async def embed_in_slot(chunk: list[str]) -> dict[str, Float32Array]:
            async with slots:
                if failures:
                    return {}
                try:
                    return await self._embed_chunk(chunk)
                except Exception as error:  # raised below, after the others
                    failures.append(error)
                    return {}

        embedded = await asyncio.gather(*map(embed_in_slot, chunks))
        if failures:
            raise failures[0]
        return {text: vector for vectors in embedded for text, vector in vectors.items()}

    async def _embed_chunk(self, texts: list[str]) -> dict[str, Float32Array]:
        """The vectors of one request's texts, tried again while that can help."""
        body = orjson.dumps({"model": self._model, "input": texts, "encoding_format": "float"})
        most = self._price(sum(len(text.encode(errors="replace")) for text in texts))
        problem = ""
        for attempt in range(1, EMBED_RETRY.max_attempts + 1):
            self._reserve(texts, most)
            headers, unreadable, cost = None, False, most
            try:
                response = await self._client.send_request(
                    "POST", "embeddings", data=body, max_bytes=MAX_VECTORS_BYTES
                )
                if response.status == 200:
                    vectors, tokens = read_vectors(response.body, len(texts))
                    used = most if not tokens else price_tokens(self._prices, tokens, 0)
                    found = dict(zip(texts, vectors, strict=True))
                    await self._settle(texts, found, used)
                    return found
                problem, permanent = f"HTTP {response.status}: ", not is_retryable(response.status)
                problem += self._client.server_message(response.body)
                headers, cost = response.headers, Usage()
            except ExchangeError as error:
                problem, permanent = str(error), error.permanent
                unreadable = isinstance(error, UnreadableBodyError)
            except ProtocolError as error:
                problem, permanent, unreadable = str(error), False, True
            await self._settle(texts, {}, cost)
            if permanent or (unreadable and attempt >= MALFORMED_ATTEMPTS):
                raise self._embedding_error(problem)
            chance = keyed_generator(attempt, texts[0]).random()
            await asyncio.sleep(self._client.delay_before_retry(EMBED_RETRY, attempt, headers=headers, chance=chance))
        raise self._embedding_error(problem)

    def _price(self, n_bytes: int) -> Usage:
        """What texts of so many bytes come to, where nobody counts."""
        return price_tokens(self._prices, estimate_tokens(n_bytes), 0)

    def _reserve(self, texts: list[str], most: Usage) -> None:
        """Count a request that is to be sent.

        Raises:
            BudgetSpentError: It could pass a cap.
        """
        if self._ledger and (cap := self._ledger.meter.reserve(hash_text(self, texts[0]), most)):
            raise BudgetSpentError(cap)

    async def _settle(self, texts: list[str], vectors: dict[str, Float32Array], cost: Usage) -> None:
        """Store what an attempt brought, and count what it cost."""
        ledger = self._ledger
        if ledger is None:
            return
        spent = Spending(1, int(not vectors), 0, cost.prompt_tokens, cost.completion_tokens, cost.cost_usd)
        executor = self._client.loop_thread.storage_executor
        await asyncio.get_running_loop().run_in_executor(executor, ledger.store_vectors, self, vectors, spent)
        ledger.meter.settle([hash_text(self, texts[0])], spent)

    def _embedding_error(self, what: str) -> EngineError:
        return EngineError(
            f"{self._client.root} must embed texts with {self._model}. {what}. "
            "Check engine.url and the model's name in embed."
        )


@contextmanager
def open_embedder(config: Config, ledger: Ledger | None = None) -> Generator[Embedder | None]:
    """The embedder that a configuration names, closed at the end; None for the one that is fitted on texts.

    Vectors of a server go into the `ledger`, and count against its budget.

    Raises:
        ConfigError: There is no such embedder, or no model or no server is named.
    """
    if config.embed.startswith(ENDPOINT_PREFIX):
        with _open_endpoint_embedder(config.embed, config.engine, ledger) as embedder:
            yield embedder
    else:
        yield load_embedder(config.embed)


def _open_endpoint_embedder(embed: str, engine: EngineConfig, ledger: Ledger | None) -> EndpointEmbedder:
    model, url = embed.removeprefix(ENDPOINT_PREFIX), engine.embed_url or engine.url
    if not model or not url:
        raise ConfigError(
            "`embed: endpoint:MODEL` needs a model and the server's address, in engine.embed_url "
            f"or engine.url. Got embed {embed!r} and url {url!r}."
        )
    # Another server's prices are not known. An embedder costs less than a prompt: a cap is reached too early at most.
    same_server = find_api_root(url) == find_api_root(engine.url)
    prices = engine.prices if same_server else None
    return EndpointEmbedder(url, model, key_env=engine.key_env, timeout=engine.timeout, ledger=ledger, prices=prices)
