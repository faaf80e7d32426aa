"""The `endpoint:` embedder: vectors from a server that speaks OpenAI's API, kept and paid for once."""

import asyncio
import logging
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from kdos.arrays import Float32Array
from kdos.chance import keyed_generator
from kdos.config import Config, EngineConfig, PriceConfig, check_server_url
from kdos.embed import Embedder, load_embedder
from kdos.errors import BudgetSpentError, ConfigError, EngineError
from kdos.llm.engine import ClosingContext
from kdos.llm.ledger import Ledger, hash_text
from kdos.llm.limits import MALFORMED_ATTEMPTS, MAX_VECTORS_BYTES
from kdos.llm.protocol import (
    REQUEST_FAULT_STATUS,
    RetryPolicy,
    estimate_tokens,
    find_api_root,
    is_retryable,
    price_tokens,
)
from kdos.llm.reply_reader import ProtocolError, read_vectors
from kdos.llm.reply_store import Spending
from kdos.llm.server_profile import FINDINGS_PREFIX, EmbeddingPlan
from kdos.llm.transport import (
    Access,
    ExchangeError,
    HttpClient,
    UnreadableBodyError,
    find_access,
    find_api_key,
    warn_of_plain_key,
)
from kdos.tasks import Usage

LOG = logging.getLogger("kdos.llm")
EMBED_REQUESTS_IN_FLIGHT = 8
EMBED_RETRY = RetryPolicy(max_attempts=8, first_delay=0.5, max_delay=30.0, jitter=0.5)
ENDPOINT_PREFIX = "endpoint:"
"""Before the model's name, in `embed`."""


class EndpointEmbedder(ClosingContext):
    """An embedder behind HTTP. Close it when done: it holds a thread and connections.

    `timeout` in seconds, for one request; `access`, in place of `key_env`, is what goes with each. With a `ledger`
    each vector is stored before it is used, and never asked for again; its budget counts every attempt, at `prices`.

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
        access: Access | None = None,
    ) -> None:
        check_server_url(url, where="engine.embed_url")
        access = access or Access(find_api_key(key_env))
        warn_of_plain_key(url, access)
        self.name = self.fingerprint = f"{ENDPOINT_PREFIX}{model}"
        self._model = model
        self._ledger = ledger
        self._prices = prices
        self._client = HttpClient(url, access=access, timeout=timeout, name="kdos-embed")
        self._server_state: MutableMapping[str, str] = ledger.server_state(self) if ledger else {}
        self._plan = EmbeddingPlan.from_text(self._server_state.get(self._findings_name, ""))
        self._client.key_header = access.key_header or self._plan.key_header

    @property
    def _findings_name(self) -> str:
        return f"{FINDINGS_PREFIX}{self._client.root}"

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
            vectors |= self._client.loop_thread.run_coroutine(self._embed_all(missing))
        if len({len(vector) for vector in vectors.values()}) > 1:
            raise self._embedding_error("it sent vectors of different lengths")
        rows = [vectors[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    async def _embed_all(self, texts: list[str]) -> dict[str, Float32Array]:
        """The vectors of texts; the first request goes alone and finds out what the server takes."""
        first = texts[: self._plan.texts]
        vectors = await self._embed_chunk(first, self._plan)
        self._keep_plan(replace(self._plan, key_header=self._client.key_header))
        rest, size = texts[len(first) :], self._plan.texts
        return vectors | await self._embed_chunks([rest[start : start + size] for start in range(0, len(rest), size)])

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
                    return await self._embed_chunk(chunk, self._plan)
                except Exception as error:  # raised below, after the others
                    failures.append(error)
                    return {}

        embedded = await asyncio.gather(*map(embed_in_slot, chunks))
        if failures:
            raise failures[0]
        return {text: vector for vectors in embedded for text, vector in vectors.items()}

    async def _embed_chunk(self, texts: list[str], plan: EmbeddingPlan) -> dict[str, Float32Array]:
        """The vectors of one request's texts, tried again while that can help, and in other ways."""
        failed = _Failure("")
        for attempt in range(1, EMBED_RETRY.max_attempts + 1):
            failed = await self._ask_once(texts, plan)
            if not isinstance(failed, _Failure):
                return failed
            lasts = attempt >= MALFORMED_ATTEMPTS and (failed.unreadable or failed.status >= 500)
            is_refused = lasts or failed.status in REQUEST_FAULT_STATUS
            if is_refused and (other := plan.without(len(texts), failed.problem)):
                return await self._embed_otherwise(texts, other, failed.problem)
            if failed.permanent or (failed.unreadable and lasts):
                break
            chance, headers = keyed_generator(attempt, texts[0]).random(), failed.headers
            await asyncio.sleep(self._client.delay_before_retry(EMBED_RETRY, attempt, headers=headers, chance=chance))
        raise self._embedding_error(failed.problem)

    async def _ask_once(self, texts: list[str], plan: EmbeddingPlan) -> "dict[str, Float32Array] | _Failure":
        """The vectors of one request's texts, or why there are none; counted and stored."""
        most = self._price(sum(len(text.encode(errors="replace")) for text in texts))
        self._reserve(texts, most)
        body = plan.build_body(self._model, texts)
        try:
            response = await self._client.send_request("POST", "embeddings", data=body, max_bytes=MAX_VECTORS_BYTES)
            if not 200 <= response.status < 300:
                await self._settle(texts, {}, Usage())
                problem = f"HTTP {response.status}: {self._client.server_message(response.body)}"
                permanent = not is_retryable(response.status)
                return _Failure(problem, response.status, response.headers, permanent=permanent)
            vectors, tokens = read_vectors(response.body, len(texts))
        except ExchangeError as error:
            unreadable = isinstance(error, UnreadableBodyError)
            failed = _Failure(str(error), permanent=error.permanent, unreadable=unreadable)
        except ProtocolError as error:
            failed = _Failure(str(error), unreadable=True)
        else:
            found = dict(zip(texts, vectors, strict=True))
            await self._settle(texts, found, price_tokens(self._prices, tokens, 0) if tokens else most)
            return found
        await self._settle(texts, {}, most)
        return failed

    async def _embed_otherwise(self, texts: list[str], plan: EmbeddingPlan, problem: str) -> dict[str, Float32Array]:
        """The vectors of texts that were refused, asked for in another way, which is kept where all of them come."""
        vectors: dict[str, Float32Array] = {}
        rest = texts
        while rest:
            plan = self._plan.narrowed(plan)  # what a part has found out holds for the others
            part, rest = rest[: plan.texts], rest[plan.texts :]
            try:
                vectors |= await self._embed_chunk(part, plan)
            except EngineError as error:  # what was said of other ways is beside the point
                raise self._embedding_error(problem) from error
        if self._keep_plan(self._plan.narrowed(plan)):
            LOG.warning("%s refused to embed (%s); kdos %s", self._client.root, problem, self._plan.describe())
        return vectors

    def _keep_plan(self, plan: EmbeddingPlan) -> bool:
        """Ask so from now on, in this run and the next; whether that is new."""
        if plan == self._plan:
            return False
        self._plan = plan
        self._server_state[self._findings_name] = plan.to_text()
        return True

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


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a request brought no vectors; `status` and `headers` of the server's reply, where one came."""

    problem: str
    status: int = 0
    headers: Mapping[str, str] | None = None
    permanent: bool = False
    unreadable: bool = False


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
    model, url = embed.removeprefix(ENDPOINT_PREFIX), engine.embed_url or engine.addresses[0]
    if not model or not url:
        raise ConfigError(
            "`embed: endpoint:MODEL` needs a model and the server's address, in engine.embed_url "
            f"or engine.url. Got embed {embed!r} and url {url!r}."
        )
    # Another server's prices are not known. An embedder costs less than a prompt: a cap is reached too early at most.
    same_server = find_api_root(url) in map(find_api_root, engine.addresses)
    prices = engine.prices if same_server else None
    return EndpointEmbedder(
        url, model, timeout=engine.timeout, ledger=ledger, prices=prices, access=find_access(engine)
    )
