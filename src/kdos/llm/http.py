"""The `http` engine and the `endpoint:` embedder: any server that speaks OpenAI's API.

The caller sees plain iterators and arrays. Behind them requests run on an event loop of their own
(`dispatcher.py`), as many at once as the server bears (`concurrency.py`), or go in batch files.
"""

import asyncio
import time
from collections.abc import Generator, Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import aiohttp
import numpy as np
import orjson

from kdos.arrays import Float32Array
from kdos.chance import keyed_generator
from kdos.config import Config, EngineConfig
from kdos.embed import Embedder, load_embedder
from kdos.errors import ConfigError, EngineError
from kdos.llm.concurrency import AIMDController
from kdos.llm.dispatcher import DispatcherState, RequestDispatcher, refusal_error
from kdos.llm.engine import ClosingContext, OutOfTimeError, StoreReplies
from kdos.llm.protocol import (
    PROTOCOL_VERSION,
    REQUEST_FAULT_STATUS,
    ProtocolError,
    ResponseFormat,
    RetryPolicy,
    body_excerpt,
    bound_usage,
    is_retryable,
    read_retry_after,
)
from kdos.llm.transport import ExchangeError, HttpClient, HttpResponse, check_server_url, find_api_key
from kdos.tasks import Reply, Request, Usage, json_digest

REQUESTS_PER_BATCH = 10_000  # providers take 50,000 or 200 MB
BATCH_PRICE_FACTOR = 0.5
POLLING = RetryPolicy(max_attempts=3, first_delay=1.0, max_delay=60.0, growth=1.5)
"""How often one request is put into a batch, and the delays between two looks at a batch."""

POLL_PATIENCE_SECONDS = 300.0  # without any answer of the server to a look
FINAL_BATCH_STATUS = frozenset({"completed", "failed", "expired", "cancelled"})
COMPLETIONS_PATH = "/v1/chat/completions"

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
        client = HttpClient(self.config.url, key=self._key, timeout=self.config.timeout)
        controller = AIMDController(self.config.concurrency)
        return DispatcherState(self.config, client, controller, self.server_state)


def engine_fingerprint(config: EngineConfig) -> str:
    """What shapes the replies: model and sampling, not the address, for a server may move.

    Ledgers know their replies by it: a change of this text asks everything again.
    """
    shape = [PROTOCOL_VERSION, config.temperature, config.max_tokens, config.extra]
    return f"http/{config.model}/{json_digest(shape)[:16]}"


@dataclass(slots=True, eq=False)
class BatchDispatcher:
    """One call of `complete` by provider batch files: half the price, answered within a day.

    Requests go as JSONL in chunks, each one batch. A batch's name at the server is stored before it
    is waited for, so a run that is killed finds it again and pays nothing twice. A batch's replies
    are stored in one piece. `deadline` is a time of `time.monotonic`.
    """

    state: DispatcherState
    store: StoreReplies
    deadline: float = float("inf")

    def iterate_replies(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, batch by batch."""
        source = iter(requests)
        while chunk := list(islice(source, REQUESTS_PER_BATCH)):
            yield from self._answer_chunk(chunk)

    def _answer_chunk(self, requests: list[Request]) -> Iterator[Reply]:
        """The replies of one chunk; what a batch leaves out is asked again, a few times."""
        todo = {request.key: request for request in requests}
        for attempt in range(1, POLLING.max_attempts + 1):
            replies = self._run_batch(todo, last=attempt == POLLING.max_attempts)
            replies = [replace(reply, attempts=attempt) for reply in replies]
            self.store(replies)
            yield from replies
            for reply in replies:
                del todo[reply.request.key]
            if not todo:
                return

    def _run_batch(self, todo: dict[str, Request], *, last: bool) -> list[Reply]:
        """Submit, or find what was submitted; wait; read. `last` leaves no request out."""
        form, server_state = self.state.response_format, self.state.server_state
        # The name is a digest of what is asked, so that a later run finds the batch under way.
        name = f"batch/{json_digest([form, sorted(todo)])[:32]}"
        batch_id = server_state.get(name) or self._submit_batch(list(todo.values()))
        server_state[name] = batch_id
        batch = self._wait_for_batch(batch_id)
        rows = self._read_result_file(batch.get("output_file_id"))
        rows += self._read_result_file(batch.get("error_file_id"))
        server_state.pop(name, None)
        read = (self._read_result_row(row, todo, form=form, last=last) for row in rows)
        replies = [reply for reply in read if reply]
        if last:
            problem = f"the batch ended as {batch['status']} without an answer to it"
            answered = {reply.request.key for reply in replies}
            left = [request for key, request in todo.items() if key not in answered]
            replies += [Reply(request, error=problem, transient=True) for request in left]
        return replies

    def _submit_batch(self, requests: list[Request]) -> str:
        """Send a batch; gives its id at the server."""
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        file = b"\n".join(map(self._batch_row, requests))
        form.add_field("file", file, filename="kdos.jsonl", content_type="application/jsonl")
        uploaded = self._parse_object(self._post_once("files", form))
        batch = {"input_file_id": uploaded["id"], "endpoint": COMPLETIONS_PATH}
        batch["completion_window"] = "24h"
        return str(self._parse_object(self._post_once("batches", orjson.dumps(batch)))["id"])

    def _batch_row(self, request: Request) -> bytes:
        body = orjson.Fragment(self.state.build_body(request, self.state.response_format))
        row = {"custom_id": request.key, "method": "POST", "url": COMPLETIONS_PATH, "body": body}
        return orjson.dumps(row)

    def _wait_for_batch(self, batch_id: str) -> dict[str, Any]:
        """Look at the batch until it has ended."""
        looks = 0
        while True:
            batch = self._parse_object(self._get_patiently(f"batches/{batch_id}"))
            if batch.get("status") in FINAL_BATCH_STATUS:
                return batch
            if time.monotonic() > self.deadline:
                raise OutOfTimeError("the time is spent")
            looks += 1
            time.sleep(POLLING.delay_after(looks))

    def _read_result_file(self, file_id: str | None) -> list[dict[str, Any]]:
        """The rows of one of the batch's files; none if there is no such file."""
        if not file_id:
            return []
        raw = self._get_patiently(f"files/{file_id}/content")
        return [orjson.loads(line) for line in raw.splitlines() if line.strip()]

    def _read_result_row(
        self, row: dict[str, Any], todo: dict[str, Request], *, form: ResponseFormat, last: bool
    ) -> Reply | None:
        """The reply in one row; None where asking again may help."""
        state = self.state
        request = todo.get(row.get("custom_id", ""))
        if request is None:
            return None
        response: dict[str, Any] = row.get("response") or {}
        status, raw = response.get("status_code", 0), orjson.dumps(response.get("body"))
        if status == 200:
            try:
                return self._read_completion(request, raw, form=form)
            except ProtocolError:
                return None
        request_fault = status in REQUEST_FAULT_STATUS
        may_be_form = request_fault and request.prompt.schema and not state.format_confirmed
        if may_be_form and form.weaker:
            # Remembered though not confirmed: the next batch, perhaps of another run, asks so.
            state.response_format = state.server_state["form"] = form.weaker
            return None
        if request_fault or last:
            message = state.client.server_message(raw if response else orjson.dumps(row))
            error = f"HTTP {status}: {message}"
            return Reply(request, error=error, transient=not request_fault)
        return None

    def _read_completion(self, request: Request, raw: bytes, *, form: ResponseFormat) -> Reply:
        """The reply in the body of a completion, at the price of batches."""
        size = sum(len(message["content"]) for message in request.messages)
        reply = self.state.read_reply(request, raw, form=form, request_bytes=size)
        cost = BATCH_PRICE_FACTOR * reply.usage.cost_usd
        return replace(reply, usage=replace(reply.usage, cost_usd=cost))

    def _post_once(self, path: str, data: bytes | aiohttp.FormData) -> bytes:
        """Send without retries: what broke off may have been taken, and would be paid twice."""
        client = self.state.client
        try:
            response = client.call_server("POST", path, data=data)
        except ExchangeError as error:
            raise EngineError(f"{client.root} must take batches. {error}.") from error
        return self._checked_body(response)

    def _get_patiently(self, path: str) -> bytes:
        """Fetch, and wait for a server that is away for a while."""
        client, began, attempts = self.state.client, time.monotonic(), 0
        while True:
            try:
                response = client.call_server("GET", path)
                if not is_retryable(response.status):
                    return self._checked_body(response)
                problem = f"HTTP {response.status}"
            except ExchangeError as error:
                problem = str(error)
            if time.monotonic() - began > POLL_PATIENCE_SECONDS:
                raise EngineError(f"{client.root} must tell of its batches. {problem}.")
            attempts += 1
            time.sleep(POLLING.delay_after(attempts))

    def _checked_body(self, response: HttpResponse) -> bytes:
        """The body of a reply, or an error with the server's own message."""
        if response.status != 200:
            raise refusal_error(self.state, response)
        return response.body

    def _parse_object(self, raw: bytes) -> dict[str, Any]:
        """The JSON object that the server sent."""
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        raise EngineError(f"{self.state.client.root} must offer batches (engine.batch). It sent {body_excerpt(raw)}.")


class EndpointEmbedder(ClosingContext):
    """An embedder behind HTTP. Close it when done: it holds a thread and connections.

    `timeout` in seconds, for one request.
    """

    def __init__(self, url: str, model: str, *, key_env: str | None = None, timeout: float = 120.0) -> None:
        check_server_url(url)
        self.name = f"{ENDPOINT_PREFIX}{model}"
        self._model = model
        self._client = HttpClient(url, key=find_api_key(key_env), timeout=timeout, name="kdos-embed")

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


@contextmanager
def open_embedder(config: Config) -> Generator[Embedder | None]:
    """The embedder that a configuration names, closed at the end; None for the one that is fitted on texts.

    Raises:
        ConfigError: There is no such embedder, or no model or no server is named.
    """
    if config.embed.startswith(ENDPOINT_PREFIX):
        with _open_endpoint_embedder(config.embed, config.engine) as embedder:
            yield embedder
    else:
        yield load_embedder(config.embed)


def _open_endpoint_embedder(embed: str, engine: EngineConfig) -> EndpointEmbedder:
    model, url = embed.removeprefix(ENDPOINT_PREFIX), engine.embed_url or engine.url
    if not model or not url:
        raise ConfigError(
            "`embed: endpoint:MODEL` needs a model and the server's address, in engine.embed_url "
            f"or engine.url. Got embed {embed!r} and url {url!r}."
        )
    return EndpointEmbedder(url, model, key_env=engine.key_env, timeout=engine.timeout)
