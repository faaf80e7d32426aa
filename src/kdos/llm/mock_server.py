"""A mock server: OpenAI's API (chat, embeddings, batch files) before an engine of this process.

With faults to order, so that everything that can go wrong with a server can be rehearsed. Every
fault is drawn from the request's own bytes and how often they came, so a rehearsal can be repeated.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from aiohttp import web

from kdos.chance import keyed_generator
from kdos.llm.engine import Engine
from kdos.llm.mock_habits import HABITS, AskedRequest, write_stream
from kdos.llm.protocol import TYPICAL_BYTES_PER_TOKEN
from kdos.llm.transport import EventLoopThread
from kdos.pool import record_fields
from kdos.tasks import Prompt, Request

# Matched from the text's beginning: where the first block has no end, no later one has.
INPUT_BLOCK = re.compile(r"(?>.*?```json\n)(.*?)\n```", re.DOTALL)
MAX_REQUEST_BYTES = 256 * 2**20  # bytes of a request; a batch file may be large
EMBEDDED_DIM = 64
POLLS_UNTIL_DONE = 2  # how often a batch says that it is in progress before it is done
UNKNOWN_ANSWER = "I do not know."
"""The answer to a chat that is none of the prompts'."""


@dataclass(frozen=True, slots=True)
class InjectedFaults:
    """What goes wrong, as shares of the requests in [0, 1]; `fail` by HTTP status. Seconds.

    `truncate` cuts the answer off and says so, `garble` damages its JSON, `hang` never answers,
    `reset` breaks the connection. A 429 or 503 carries Retry-After. `schema` false refuses to
    force a JSON schema. `random_seed` draws other requests.
    """

    latency: float = 0.0
    fail: Mapping[int, float] = field(default_factory=dict[int, float])
    truncate: float = 0.0
    garble: float = 0.0
    hang: float = 0.0
    reset: float = 0.0
    retry_after: float = 1.0
    schema: bool = True
    random_seed: int = 0

    def draw_fault(self, body: bytes, times: int) -> str | int:
        """The fault of a request that comes the `times`-th time; empty if it is served well."""
        draw = keyed_generator(self.random_seed, blake2b(body).hexdigest(), times).random()
        named = {"truncate": self.truncate, "garble": self.garble}
        shares = {**self.fail, **named, "hang": self.hang, "reset": self.reset}
        for fault, share in shares.items():
            draw -= share
            if draw < 0:
                return fault
        return ""


@dataclass(slots=True)
class ServerStats:
    """What the server did; `answered_twice` counts answers to a request answered before."""

    requests: int = 0
    answered: int = 0
    answered_twice: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])


class MockServer:
    """The server's behaviour: `engine` answers, `prompts` tell which task a chat is about.

    With `key` it wants that API key, with `batches` it takes batch files; `habits` are names of `HABITS`.
    """

    def __init__(
        self,
        engine: Engine,
        prompts: Iterable[Prompt],
        *,
        faults: InjectedFaults | None = None,
        key: str = "",
        batches: bool = False,
        habits: Iterable[str] = (),
    ) -> None:
        self.engine = engine
        self.prompts = list(prompts)
        self.faults = faults or InjectedFaults()
        self.key = key
        self.habits = [HABITS[name] for name in habits]
        self.stats = ServerStats()
        self.batches: dict[str, dict[str, Any]] = {}
        self._takes_batches = batches
        self._files: dict[str, bytes] = {}
        self._polls: Counter[str] = Counter()
        self._times: Counter[bytes] = Counter()
        self._delivered: set[bytes] = set()

    def build_app(self) -> web.Application:
        """The application, for a server of aiohttp's."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/v1/chat/completions", self._handle_chat)
        app.router.add_post("/v1/embeddings", self._handle_embeddings)
        app.router.add_get("/v1/models", self._handle_models)
        app.router.add_get("/count", self._handle_count)
        if self._takes_batches:
            app.router.add_post("/v1/files", self._handle_upload)
            app.router.add_get("/v1/files/{name}/content", self._handle_download)
            app.router.add_post("/v1/batches", self._handle_new_batch)
            app.router.add_get("/v1/batches", self._handle_batch_list)
            app.router.add_get("/v1/batches/{name}", self._handle_batch_poll)
        return app

    async def _handle_chat(self, request: web.Request) -> web.StreamResponse:
        stats = self.stats
        body = await request.read()
        stats.requests += 1
        stats.in_flight += 1
        stats.most_in_flight = max(stats.most_in_flight, stats.in_flight)
        try:
            return await self._respond_with_faults(request, body)
        finally:
            stats.in_flight -= 1

    async def _respond_with_faults(self, request: web.Request, body: bytes) -> web.StreamResponse:
        fault = self._draw_fault(body)
        if fault == "hang":
            await asyncio.Event().wait()
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        if fault == "reset":
            if request.transport:
                request.transport.abort()
            return web.Response()
        return self.deliver_answer(request, body, fault)

    def _draw_fault(self, body: bytes) -> str | int:
        """The fault that this request meets, counted."""
        digest = blake2b(body, digest_size=16).digest()
        self._times[digest] += 1
        fault = self.faults.draw_fault(body, self._times[digest])
        if fault:
            self.stats.faults[str(fault)] += 1
        return fault

    def deliver_answer(self, request: web.Request, body: bytes, fault: str | int) -> web.Response:
        """The answer to one chat, counted; or the failure, where the fault is an HTTP status."""
        if isinstance(fault, int):
            return self._build_failure(fault)
        response = self._answer_chat(request, body, fault)
        if response.status == 200:
            digest = blake2b(body, digest_size=16).digest()
            self.stats.answered += 1
            self.stats.answered_twice += digest in self._delivered
            self._delivered.add(digest)
        return response

    def _answer_chat(self, request: web.Request, body: bytes, fault: str) -> web.Response:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error_response(401, "Incorrect API key provided.")
        try:
            chat = orjson.loads(body)
            asked = AskedRequest(chat, request.query, request.headers, self.stats.answered)
            if refusal := self._refusal(asked):
                return refusal
            text = _apply_text_fault(self._ask_engine(chat), fault)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _error_response(400, f"This cannot be answered: {error!r}")
        completion = _build_completion(chat, text, cut=fault == "truncate", request_bytes=len(body))
        return self._write_answer(completion, asked)

    def _refusal(self, asked: AskedRequest) -> web.Response | None:
        """The refusal that the server's habits have for a request; None where it is taken."""
        form = asked.body.get("response_format", {}).get("type")
        if form == "json_schema" and not self.faults.schema:
            return _error_response(400, "response_format json_schema is not supported by this server.")
        refusal = next((found for habit in self.habits if (found := habit.refuse(asked))), None)
        return _error_response(*refusal) if refusal else None

    def _write_answer(self, completion: dict[str, Any], asked: AskedRequest) -> web.Response:
        """A completion, in the form that the server's habits give it."""
        for habit in self.habits:
            completion = habit.change(completion, asked)
        if any(habit.streams for habit in self.habits):
            response = web.Response(body=write_stream(completion), content_type="text/event-stream")
        else:
            response = _json_response(completion)
        for habit in self.habits:
            response.headers.update(habit.headers(asked, time.time()))
        return response

    def _ask_engine(self, chat: Mapping[str, Any]) -> str:
        """The engine's reply to the request that a chat stands for.

        Its task is known by the form of the answer, however the prompt is worded. Its inputs are the JSON block of the
        next message; where the answer is plain text, the last message is the question.
        """
        contents = [str(message["content"]) for message in chat["messages"]]
        prompt = next((one for one in self.prompts if contents and _prompt_mark(one) in contents[0]), None)
        if prompt is None:
            return UNKNOWN_ANSWER
        *_, merged = contents[0].partition(_prompt_mark(prompt))  # where the prompt is part of the user's message
        inputs = [merged.strip(), *contents[1:]] if merged.strip() else contents[1:]
        block = INPUT_BLOCK.match(inputs[0]) if inputs else None
        if not prompt.schema:
            inputs = {"question": inputs[-1]}
        elif block:
            inputs = orjson.loads(block.group(1))
        else:
            return UNKNOWN_ANSWER
        (reply,) = self.engine.complete([Request(id="", prompt=prompt, inputs=inputs)])
        return reply.text

    def _build_failure(self, status: int) -> web.Response:
        response = _error_response(status, "This failure was ordered.")
        if status in {429, 503}:
            response.headers["Retry-After"] = f"{self.faults.retry_after:g}"
        return response

    async def _handle_embeddings(self, request: web.Request) -> web.Response:
        """Vectors of texts: hashed words, so that texts with words in common are near."""
        asked = await request.json()
        if refusal := self._refusal(AskedRequest(asked, request.query, request.headers)):
            return refusal
        texts: list[str] = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        vectors = enumerate(map(hash_embedding, texts))
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in vectors]
        usage = {"prompt_tokens": sum(map(len, texts)) // TYPICAL_BYTES_PER_TOKEN}
        body = {"object": "list", "data": data, "model": asked["model"], "usage": usage}
        return _json_response(body)

    async def _handle_models(self, _: web.Request) -> web.Response:
        name = self.engine.name
        for habit in self.habits:
            name = habit.lists_models_as.format(name)
        model = {"id": name, "object": "model", "created": 0}
        return _json_response({"object": "list", "data": [model]})

    async def _handle_count(self, _: web.Request) -> web.Response:
        stats = record_fields(self.stats)
        del stats["in_flight"]
        return _json_response(stats)

    # -- batch files: uploaded, worked through row by row, and fetched

    async def _handle_upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        with file.file as uploaded:
            return _json_response({"id": self._add_file(uploaded.read()), "object": "file"})

    async def _handle_download(self, request: web.Request) -> web.Response:
        raw = self._files.get(request.match_info["name"])
        return _error_response(404, "No such file.") if raw is None else web.Response(body=raw)

    async def _handle_new_batch(self, request: web.Request) -> web.Response:
        batch = await request.json()
        name = f"batch-{len(self.batches) + 1}"
        self.batches[name] = {"id": name, "status": "validating", **batch}
        return _json_response(self.batches[name])

    async def _handle_batch_list(self, _: web.Request) -> web.Response:
        return _json_response({"object": "list", "data": list(self.batches.values())[::-1]})

    async def _handle_batch_poll(self, request: web.Request) -> web.Response:
        """Say how far a batch is; it is done after some polls."""
        name = request.match_info["name"]
        batch = self.batches.get(name)
        if batch is None:
            return _error_response(404, "No such batch.")
        self._polls[name] += 1
        if self._polls[name] <= POLLS_UNTIL_DONE:
            batch["status"] = "in_progress"
        elif batch["status"] != "completed":
            self._complete_batch(request, batch)
        return _json_response(batch)

    def _complete_batch(self, request: web.Request, batch: dict[str, Any]) -> None:
        good: list[bytes] = []
        bad: list[bytes] = []
        for line in self._files[batch["input_file_id"]].splitlines():
            row = orjson.loads(line)
            response = self._answer_batch_row(request, orjson.dumps(row["body"]))
            if response is None:
                continue
            assert isinstance(response.body, bytes)
            answer = {"status_code": response.status, "body": orjson.Fragment(response.body)}
            done = orjson.dumps({"custom_id": row["custom_id"], "response": answer, "error": None})
            (good if response.status == 200 else bad).append(done)
        batch |= {"status": "completed", "output_file_id": self._add_file(b"\n".join(good))}
        if bad:
            batch["error_file_id"] = self._add_file(b"\n".join(bad))

    def _answer_batch_row(self, request: web.Request, body: bytes) -> web.Response | None:
        """The answer to one row; None where it is lost, as when a batch expires."""
        fault = self._draw_fault(body)
        return None if fault in {"hang", "reset"} else self.deliver_answer(request, body, fault)

    def _add_file(self, raw: bytes) -> str:
        name = f"file-{len(self._files) + 1}"
        self._files[name] = raw
        return name


def _prompt_mark(prompt: Prompt) -> str:
    """What of a prompt stands in every chat with it, however it is worded."""
    return prompt.answer_form or prompt.text


def _build_completion(chat: Mapping[str, Any], text: str, *, cut: bool, request_bytes: int) -> dict[str, Any]:
    prompt = request_bytes // TYPICAL_BYTES_PER_TOKEN
    completion = len(text.encode()) // TYPICAL_BYTES_PER_TOKEN
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "length" if cut else "stop", "message": message}
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    usage["total_tokens"] = prompt + completion
    head = {"id": "chatcmpl-mock", "object": "chat.completion", "created": 0}
    return {**head, "model": chat.get("model", ""), "choices": [choice], "usage": usage}


def _apply_text_fault(text: str, fault: str) -> str:
    if fault == "truncate":
        return text[: 2 * len(text) // 3]
    if fault == "garble":
        third = len(text) // 3
        return f"Sure! {text[:third]}{text[third + 9 :]}"
    return text


def hash_embedding(text: str) -> list[float]:
    """A unit vector of `EMBEDDED_DIM` numbers."""
    vector = np.zeros(EMBEDDED_DIM)
    for word in text.lower().split():
        number = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        vector[number % EMBEDDED_DIM] += 1 if number >> 32 & 1 else -1
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).tolist()


def _error_response(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "error", "code": None}
    return _json_response({"error": error}, status=status)


def _json_response(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def start_app(app: web.Application, port: int) -> tuple[web.AppRunner, int]:
    """The application, listening on loopback; port 0 takes a free one. Gives the port."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
    await site.start()
    addresses: Sequence[tuple[str, int]] = runner.addresses
    return runner, addresses[0][1]


@contextmanager
def serve_app(app: web.Application, *, port: int = 0) -> Generator[str]:
    """Serve on a thread of its own; gives the address to put into `engine.url`."""
    loop_thread = EventLoopThread("kdos-mock-server")
    try:
        runner, taken = loop_thread.run_coroutine(start_app(app, port))
        try:
            yield f"http://127.0.0.1:{taken}/v1"
        finally:
            loop_thread.run_coroutine(runner.cleanup())
    finally:
        loop_thread.close()
