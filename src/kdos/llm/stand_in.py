"""A server that stands in for a model: OpenAI's API in front of an engine of this process.

With faults to order, so that everything that can go wrong with a server can be rehearsed. Every
fault is drawn from the request's own bytes and how often they came, so a rehearsal can be repeated.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from aiohttp import web

from kdos.chance import generator
from kdos.llm.engine import Engine
from kdos.llm.island import Island
from kdos.tasks import Prompt, Request

BLOCK = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
BYTES_A_TOKEN = 4
LARGEST = 256 * 2**20  # bytes of a request; a batch file may be large
EMBEDDED_DIM = 64


@dataclass(frozen=True, slots=True)
class Faults:
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

    def drawn(self, body: bytes, times: int) -> str | int:
        """The fault of a request that comes the `times`-th time; empty if it is served well."""
        draw = generator(self.random_seed, blake2b(body).hexdigest(), times).random()
        named = {"truncate": self.truncate, "garble": self.garble}
        shares = {**self.fail, **named, "hang": self.hang, "reset": self.reset}
        for fault, share in shares.items():
            draw -= share
            if draw < 0:
                return fault
        return ""


@dataclass(slots=True)
class Counts:
    """What the server did. `twice` counts answers to a request that was answered before."""

    requests: int = 0
    answered: int = 0
    twice: int = 0
    flying: int = 0
    most_flying: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])


class StandIn:
    """The server's behaviour: `engine` answers, `prompts` tell which task a chat is about."""

    def __init__(
        self,
        engine: Engine,
        prompts: Iterable[Prompt],
        *,
        faults: Faults | None = None,
        key: str = "",
    ) -> None:
        self.engine = engine
        self.prompts = {prompt.task: prompt for prompt in prompts}
        self.faults = faults or Faults()
        self.key = key
        self.counts = Counts()
        self._times: Counter[bytes] = Counter()
        self._delivered: set[bytes] = set()

    def app(self) -> web.Application:
        """The application, for a server of aiohttp's."""
        app = web.Application(client_max_size=LARGEST)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_post("/v1/embeddings", self.embeddings)
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/count", self.count)
        return app

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """A chat completion, or the fault that was drawn for it."""
        counts = self.counts
        body = await request.read()
        counts.requests += 1
        counts.flying += 1
        counts.most_flying = max(counts.most_flying, counts.flying)
        try:
            return await self.behave(request, body)
        finally:
            counts.flying -= 1

    async def behave(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer as well as the faults let us."""
        digest = blake2b(body, digest_size=16).digest()
        self._times[digest] += 1
        fault = self.faults.drawn(body, self._times[digest])
        if fault:
            self.counts.faults[str(fault)] += 1
        if fault == "hang":
            await asyncio.Event().wait()
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        if fault == "reset":
            if request.transport:
                request.transport.abort()
            return web.Response()
        if isinstance(fault, int):
            return self.failure(fault)
        response = self.response(request, body, str(fault))
        if response.status == 200:
            self.counts.answered += 1
            self.counts.twice += digest in self._delivered
            self._delivered.add(digest)
        return response

    def response(self, request: web.Request, body: bytes, fault: str) -> web.Response:
        """The answer to one chat."""
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return refusal(401, "Incorrect API key provided.")
        try:
            chat = orjson.loads(body)
            asked = self.request_of(chat)
        except (orjson.JSONDecodeError, KeyError, ValueError, IndexError) as error:
            return refusal(400, f"This chat is none of kdos's tasks: {error}")
        if chat.get("response_format", {}).get("type") == "json_schema" and not self.faults.schema:
            return refusal(400, "response_format json_schema is not supported by this server.")
        (reply,) = self.engine.complete([asked])
        return web.Response(
            body=completion(
                chat, damaged(reply.text, fault), cut=fault == "truncate", size=len(body)
            ),
            content_type="application/json",
        )

    def request_of(self, chat: Mapping[str, Any]) -> Request:
        """The request that a chat stands for: its task by the prompt's text, its inputs as JSON."""
        system, user = (message["content"] for message in chat["messages"][:2])
        named = [prompt for prompt in self.prompts.values() if system.startswith(prompt.text)]
        block = BLOCK.search(user)
        if not named or block is None:
            raise ValueError("its prompt is not known, or it has no JSON block")
        prompt = max(named, key=lambda prompt: len(prompt.text))
        return Request(id="", prompt=prompt, inputs=orjson.loads(block.group(1)))

    def failure(self, status: int) -> web.Response:
        """An error to order."""
        response = refusal(status, "This failure was ordered.")
        if status in {429, 503}:
            response.headers["Retry-After"] = f"{self.faults.retry_after:g}"
        return response

    async def embeddings(self, request: web.Request) -> web.Response:
        """Vectors of texts: hashed words, so that texts with words in common are near."""
        asked = await request.json()
        texts: list[str] = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        data = [
            {"object": "embedding", "index": number, "embedding": hashed(text)}
            for number, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(map(len, texts)) // BYTES_A_TOKEN}
        return as_json({"object": "list", "data": data, "model": asked["model"], "usage": usage})

    async def models(self, _: web.Request) -> web.Response:
        """The one model there is."""
        return as_json(
            {"object": "list", "data": [{"id": self.engine.name, "object": "model", "created": 0}]}
        )

    async def count(self, _: web.Request) -> web.Response:
        """What the server did so far."""
        counts = self.counts
        return as_json(
            {
                "requests": counts.requests,
                "answered": counts.answered,
                "answered_twice": counts.twice,
                "most_in_flight": counts.most_flying,
                "faults": counts.faults,
            }
        )


def completion(chat: Mapping[str, Any], text: str, *, cut: bool, size: int) -> bytes:
    """The body of a chat completion."""
    prompt, written = size // BYTES_A_TOKEN, len(text.encode()) // BYTES_A_TOKEN
    return orjson.dumps(
        {
            "id": "chatcmpl-stand-in",
            "object": "chat.completion",
            "created": 0,
            "model": chat.get("model", ""),
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length" if cut else "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": written,
                "total_tokens": prompt + written,
            },
        }
    )


def damaged(text: str, fault: str) -> str:
    """The answer as the fault leaves it."""
    if fault == "truncate":
        return text[: 2 * len(text) // 3]
    if fault == "garble":
        third = len(text) // 3
        return f"Sure! {text[:third]}{text[third + 9 :]}"
    return text


def hashed(text: str) -> list[float]:
    """A unit vector of `EMBEDDED_DIM` numbers."""
    vector = np.zeros(EMBEDDED_DIM)
    for word in text.lower().split():
        number = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
        vector[number % EMBEDDED_DIM] += 1 if number >> 32 & 1 else -1
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).tolist()


def refusal(status: int, words: str) -> web.Response:
    """An error as OpenAI's API words it."""
    return as_json({"error": {"message": words, "type": "error", "code": None}}, status=status)


def as_json(value: object, *, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def started(app: web.Application, port: int) -> tuple[web.AppRunner, int]:
    """The application, listening on loopback; port 0 takes a free one. Gives the port."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
    await site.start()
    addresses: Sequence[tuple[str, int]] = runner.addresses
    return runner, addresses[0][1]


@contextmanager
def serving(app: web.Application, *, port: int = 0) -> Generator[str]:
    """Serve on a thread of its own; gives the address to put into `engine.url`."""
    island = Island("kdos-stand-in")
    try:
        runner, taken = island.call(started(app, port))
        try:
            yield f"http://127.0.0.1:{taken}/v1"
        finally:
            island.call(runner.cleanup())
    finally:
        island.close()
