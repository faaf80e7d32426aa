"""A server that speaks OpenAI's API and misbehaves: odd types, echoed keys, bodies without end, bombs, broken files.

`HostileServer` is the mock server with a fault before some of its replies. Which fault a request meets is drawn from
`random_seed`, the request's own bytes and how often they came: the same requests meet the same faults, in any order.
Tests and the soak import it; `python tests/hostile/hostile_server.py --random-seed 1` serves it by hand.

    server = HostileServer(RulesEngine(), PROMPTS, random_seed=1, share=0.3)
    with serve_app(server.build_app()) as url:
        ...                       # a run with engine.url = url
    server.met                    # how many requests met each fault
"""

import argparse
import asyncio
import base64
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import numpy as np
from aiohttp import web

from kdos.chance import keyed_generator
from kdos.llm.engine import Engine
from kdos.llm.mock_server import MockServer
from kdos.tasks import Prompt

Draw = np.random.Generator
Place = tuple[str | int, ...]
"""Where a field stands in a JSON body: keys and numbers from the outside in."""

# Every field of the protocol that a client may read, by endpoint. `0` is the first item of a list.
COMPLETION_FIELDS: tuple[Place, ...] = (
    (),
    ("id",),
    ("object",),
    ("created",),
    ("model",),
    ("system_fingerprint",),
    ("error",),
    ("choices",),
    ("choices", 0),
    ("choices", 0, "index"),
    ("choices", 0, "finish_reason"),
    ("choices", 0, "logprobs"),
    ("choices", 0, "message"),
    ("choices", 0, "message", "role"),
    ("choices", 0, "message", "content"),
    ("choices", 0, "message", "refusal"),
    ("choices", 0, "message", "reasoning"),
    ("choices", 0, "message", "reasoning_content"),
    ("choices", 0, "message", "tool_calls"),
    ("usage",),
    ("usage", "prompt_tokens"),
    ("usage", "completion_tokens"),
    ("usage", "total_tokens"),
    ("usage", "completion_tokens_details"),
)
EMBEDDING_FIELDS: tuple[Place, ...] = (
    (),
    ("object",),
    ("model",),
    ("data",),
    ("data", 0),
    ("data", 0, "index"),
    ("data", 0, "embedding"),
    ("data", 0, "embedding", 0),
    ("usage",),
    ("usage", "prompt_tokens"),
    ("usage", "total_tokens"),
)
MODEL_FIELDS: tuple[Place, ...] = ((), ("object",), ("data",), ("data", 0), ("data", 0, "id"))
FILE_FIELDS: tuple[Place, ...] = ((), ("id",), ("object",), ("bytes",))
BATCH_FIELDS: tuple[Place, ...] = (
    (),
    ("id",),
    ("status",),
    ("output_file_id",),
    ("error_file_id",),
    ("errors",),
    ("request_counts",),
    ("metadata",),
)
BATCH_ROW_FIELDS: tuple[Place, ...] = (
    (),
    ("id",),
    ("custom_id",),
    ("error",),
    ("response",),
    ("response", "status_code"),
    ("response", "request_id"),
    ("response", "body"),
    *(("response", "body", *place) for place in COMPLETION_FIELDS if place),
)
ERROR_FIELDS: tuple[Place, ...] = (
    (),
    ("error",),
    ("error", "message"),
    ("error", "type"),
    ("error", "code"),
    ("message",),
    ("detail",),
    ("detail", 0),
    ("detail", 0, "msg"),
)
FIELDS: dict[str, tuple[Place, ...]] = {
    "chat": COMPLETION_FIELDS,
    "embeddings": EMBEDDING_FIELDS,
    "models": MODEL_FIELDS,
    "files": FILE_FIELDS,
    "batches": BATCH_FIELDS,
    "error": ERROR_FIELDS,
}

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    -5_000_000,
    3,
    0.5,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "12",
    "-12",
    "text",
    "length",
    "\x00",
    "\ud800",
    "\x1b]52;c;aGk=\x07\x1b[31m",
    "l" * 50_000,
    [],
    [None],
    [1, "two", {}],
    ["text", {"type": "text", "text": "part"}, {"text": 5}],
    {},
    {"a": 1},
    {"text": "inside", "value": None},
    {"content": [{"text": {"text": 1}}]},
    [[[[[[]]]]]],
)
"""What may stand in any field; Python's json writes NaN, Infinity and huge integers as servers in Python do."""

KEY_FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "bearer": lambda key: f"Bearer {key}",
    "part": lambda key: key[len(key) // 3 :],
    "beginning": lambda key: key[: max(8, len(key) // 2)],
    "masked": lambda key: f"{key[:9]}****{key[-4:]}",
    "percent": lambda key: quote(key, safe=""),
    "percent all": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "escaped": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "html": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "html without an end": lambda key: " ".join(f"&#{ord(char)}" for char in key).replace(" ", ""),
    "html twice": lambda key: "".join(f"&amp;#{ord(char)};" for char in key),
    "html, then percent": lambda key: "".join(f"&#37;{ord(char):02x}" for char in key),
    "percent twice": lambda key: "".join(f"%25{ord(char):02x}" for char in key),
    "percent, then escaped": lambda key: "".join(f"%5Cu{ord(char):04x}" for char in key),
    "two digits": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "octal": lambda key: "".join(f"\\{ord(char):03o}" for char in key),
    "in braces": lambda key: "".join(f"\\u{{{ord(char):x}}}" for char in key),
    "eight digits": lambda key: "".join(f"\\U{ord(char):08x}" for char in key),
    "backslashes": lambda key: "".join(f"\\{char}" for char in key if char != "\\"),
    "json in json": lambda key: json.dumps(json.dumps(key)),
    "hexadecimal": lambda key: key.encode().hex(),
    "basic": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 bearer": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64 url": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "after much text": lambda key: "x" * 297 + key,
    "before a cut": lambda key: "y" * 1190 + key,
    "in a header dump": lambda key: json.dumps({"Host": "a", "Authorization": f"Bearer {key}", "Api-Key": key}),
    "in a url": lambda key: f"https://user:{key}@host/v1?api_key={key}&a=1",
}
"""How a server may repeat the key that it was sent."""
ECHO_PLACES: tuple[Place, ...] = (
    ("choices", 0, "message", "content"),
    ("choices", 0, "message", "reasoning"),
    ("choices", 0, "message", "reasoning_content"),
    ("choices", 0, "message", "refusal"),
    ("choices", 0, "finish_reason"),
    ("model",),
    ("id",),
    ("system_fingerprint",),
    ("usage", "prompt_tokens"),
    ("error",),
)
ECHO_HEADERS = (
    "X-Request-Id",
    "Retry-After",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "Server",
)
ODD_WAITS = (
    "1764500000",
    "1764500000123",
    "99999999999999999999",
    "-5",
    "nan",
    "inf",
    "1e9",
    "6m0s",
    "200ms",
    "1h2m3.5s",
    "100us",
    "Wed, 21 Oct 2071 07:28:00 GMT",
    "Wed, 21 Oct 1971 07:28:00 GMT",
    "2071-10-21T07:28:00Z",
    "Wed, 99 Foo 99999 99:99:99",
    "soon",
    "",
    "٣",
    "0" * 5000,
)
ODD_STATUS = (500, 502, 503, 504, 529, 408, 409, 425, 429)
REQUEST_STATUS = (400, 413, 422)
"""After these a client may leave the request; 401 to 404 end a run, and are left to `fatal`."""

CHAT_FAULTS = (
    "odd field",
    "missing field",
    "echo in reply",
    "echo in header",
    "echo in error",
    "odd error",
    "odd wait",
    "odd rate limit",
    "refused request",
    "endless body",
    "slow bytes",
    "long content length",
    "short content length",
    "reset midway",
    "hang",
    "gzip",
    "gzip bomb",
    "gzip bomb in bomb",
    "not gzip",
    "deep body",
    "deep text",
    "deep object",
    "huge text",
    "huge header",
    "bad chunk",
    "not http",
    "not json",
    "web page",
    "nothing",
    "cut body",
    "two bodies",
    "not utf-8",
)
EMBEDDING_FAULTS = ("embedding integer", "embedding nested", "embedding lengths", "embedding nan", "embedding count")
BATCH_ROW_FAULTS = (
    "row odd field",
    "row missing",
    "row twice",
    "row unknown id",
    "row cut",
    "row not json",
    "row echo",
    "row deep",
    "row body as text",
)
BODY_FAULTS = tuple(fault for fault in CHAT_FAULTS if fault not in {"hang", "slow bytes", "refused request"})
"""Faults that end by themselves in less than a second."""


class HostileServer(MockServer):
    """The mock server with a fault for a `share` of its requests.

    `faults` are the names that may happen (default: all of `CHAT_FAULTS`, `EMBEDDING_FAULTS`, `BATCH_ROW_FAULTS`).
    The first `grace` requests are served well: a server that never answered anything is given up by design.
    `most_times` is how often one and the same request may meet a fault: 2 ends every retry well.
    `slow_seconds` lie between two bytes of slow replies; an endless or bloated body holds at most `endless_bytes`.
    `key` is the API key that it wants; whatever key a request carries is what it echoes.
    """

    def __init__(
        self,
        engine: Engine,
        prompts: Iterable[Prompt],
        *,
        random_seed: int = 0,
        share: float = 0.3,
        faults: Sequence[str] | None = None,
        grace: int = 0,
        most_times: int = 2,
        slow_seconds: float = 0.2,
        endless_bytes: int = 2**31,
        key: str = "",
        batches: bool = True,
    ) -> None:
        super().__init__(engine, prompts, key=key, batches=batches)
        self.random_seed = random_seed
        self.share = share
        self.kinds = tuple(faults if faults is not None else (*CHAT_FAULTS, *EMBEDDING_FAULTS, *BATCH_ROW_FAULTS))
        self.grace = grace
        self.most_times = most_times
        self.slow_seconds = slow_seconds
        self.endless_bytes = endless_bytes
        self.met: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []
        """Every request's endpoint and the fault it met, in the order of arrival."""
        self.sent_bytes = 0
        self._seen: Counter[bytes] = Counter()
        self._requests = 0

    def build_app(self) -> web.Application:
        """The application, for `serve_app`."""
        app = super().build_app()
        app.middlewares.append(self._misbehave)
        return app

    # -- which fault a request meets

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        endpoint = _endpoint_of(request.path)
        if not endpoint:
            return await handler(request)
        # A form can be read once, and the handler does: its length stands for it, beside a boundary of fixed length.
        uploaded = endpoint == "files" and request.method == "POST"
        body = str(request.content_length).encode() if uploaded else await request.read()
        fault, draw = self._draw(endpoint, request.path, body)
        self.log.append((endpoint, fault))
        if not fault:
            return await handler(request)
        self.met[fault] += 1
        return await self._answer_with(fault, request, handler, endpoint, draw)

    def _draw(self, endpoint: str, path: str, body: bytes) -> tuple[str, Draw]:
        """The fault of a request, empty for none, and the chance that shapes it."""
        self._requests += 1
        digest = blake2b(path.encode() + b"\0" + body, digest_size=16)
        self._seen[digest.digest()] += 1
        times = self._seen[digest.digest()]
        draw = keyed_generator(self.random_seed, endpoint, digest.hexdigest(), times)
        kinds = self._kinds_for(endpoint)
        if not kinds or self._requests <= self.grace or times > self.most_times or draw.random() >= self.share:
            return "", draw
        return kinds[draw.integers(len(kinds))], draw

    def _kinds_for(self, endpoint: str) -> list[str]:
        known: tuple[str, ...] = CHAT_FAULTS
        if endpoint == "embeddings":
            known = (*CHAT_FAULTS, *EMBEDDING_FAULTS)
        elif endpoint == "content":
            known = (*BODY_FAULTS, *BATCH_ROW_FAULTS)
        elif endpoint == "batches":
            known = BODY_FAULTS
        return [kind for kind in self.kinds if kind in known]

    # -- what each fault does

    async def _answer_with(
        self, fault: str, request: web.Request, handler: Any, endpoint: str, draw: Draw
    ) -> web.StreamResponse:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if fault == "hang":
            await asyncio.Event().wait()
        if fault in {"odd error", "odd wait", "echo in error", "refused request"}:
            return self._build_error(fault, key, draw)
        if fault in NOT_ASKED:
            return await NOT_ASKED[fault](self, request, draw)
        good = await handler(request)
        raw = bytes(good.body) if isinstance(good, web.Response) and isinstance(good.body, bytes) else b""
        if fault in BATCH_ROW_FAULTS:
            return web.Response(body=spoil_batch_file(raw, fault, key, draw))
        if fault in AFTER_ANSWER:
            return await AFTER_ANSWER[fault](self, request, raw, draw)
        headers: dict[str, str] = {}
        if fault == "odd rate limit":
            headers = _odd_rate_limit(draw)
        elif fault == "echo in header" and key:
            headers = {name: KEY_FORMS[_pick(draw, list(KEY_FORMS))](key) for name in ECHO_HEADERS}
        elif fault == "huge header":
            headers = {"X-Huge": "h" * 100_000}
        else:
            raw = spoil_body(raw, fault, FIELDS.get(endpoint, ()), key, draw)
        return web.Response(
            body=raw, status=getattr(good, "status", 200), headers=headers, content_type="application/json"
        )

    def _build_error(self, fault: str, key: str, draw: Draw) -> web.Response:
        """An error whose body, status or waiting time is odd."""
        status = int(_pick(draw, REQUEST_STATUS if fault == "refused request" else ODD_STATUS))
        body: Any = {"error": {"message": "This failure was ordered.", "type": "error", "code": None}}
        if fault == "echo in error" and key:
            said = KEY_FORMS[_pick(draw, list(KEY_FORMS))](key)
            body = _pick(
                draw, [{"error": {"message": f"Incorrect API key: {said}"}}, {"detail": [{"msg": said}]}, said]
            )
            status = int(_pick(draw, (*ODD_STATUS, *REQUEST_STATUS)))
        elif fault == "odd error":
            body = set_field(body, _pick(draw, ERROR_FIELDS), _pick(draw, ODD_VALUES))
        wait = _pick(draw, ODD_WAITS) if fault == "odd wait" else "0.01"
        response = web.Response(body=dump_loosely(body), status=status, content_type="application/json")
        response.headers[_pick(draw, ("Retry-After", "retry-after-ms"))] = wait.encode("ascii", "replace").decode()
        return response

    async def _write_raw(self, request: web.Request, *pieces: bytes, close: bool = True) -> web.StreamResponse:
        """Bytes past the web framework, then the end of the connection."""
        transport = request.transport
        if transport is not None:
            for piece in pieces:
                transport.write(piece)
                self.sent_bytes += len(piece)
            if close:
                await asyncio.sleep(0.02)
                transport.close()
        return _Sent()

    async def _send_endless(self, request: web.Request, _: Draw) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"choices": [{"message": {"content": "')
        block = b"without end " * 5000
        sent = 0
        while sent < self.endless_bytes:
            await response.write(block)
            sent += len(block)
            self.sent_bytes += len(block)
        return response

    async def _send_bomb(self, request: web.Request, _: Draw) -> web.StreamResponse:
        packed = pack_zeros(self.endless_bytes)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async def _send_nested_bomb(self, request: web.Request, _: Draw) -> web.StreamResponse:
        packed = gzip.compress(pack_zeros(self.endless_bytes))
        return web.Response(body=packed, headers={"Content-Encoding": "gzip, gzip"})

    async def _send_chunks_without_size(self, request: web.Request, _: Draw) -> web.StreamResponse:
        return await self._write_raw(
            request, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"
        )

    async def _send_no_http(self, request: web.Request, draw: Draw) -> web.StreamResponse:
        return await self._write_raw(request, b"SSH-2.0-OpenSSH_9.9\r\n", draw.bytes(200))

    async def _send_slowly(self, request: web.Request, raw: bytes, _: Draw) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for at in range(len(raw)):
            await response.write(raw[at : at + 1])
            await asyncio.sleep(self.slow_seconds)
        return response

    async def _send_too_little(self, request: web.Request, raw: bytes, _: Draw) -> web.StreamResponse:
        return await self._write_raw(request, _http_head(len(raw) + 1000), raw)

    async def _send_too_much(self, request: web.Request, raw: bytes, _: Draw) -> web.StreamResponse:
        return await self._write_raw(request, _http_head(max(0, len(raw) - 20)), raw)

    async def _send_half(self, request: web.Request, raw: bytes, _: Draw) -> web.StreamResponse:
        await self._write_raw(request, _http_head(len(raw)), raw[: len(raw) // 2], close=False)
        await asyncio.sleep(0.02)
        if request.transport is not None:
            request.transport.abort()
        return _Sent()

    async def _send_gzip(self, request: web.Request, raw: bytes, draw: Draw) -> web.StreamResponse:
        """A reply that is packed, rightly: a client that takes it answers as without."""
        kind = _pick(draw, ("gzip", "deflate", "two members"))
        packed = zlib.compress(raw) if kind == "deflate" else gzip.compress(raw)
        if kind == "two members":
            packed = gzip.compress(raw[:10]) + gzip.compress(raw[10:])
        encoding = "deflate" if kind == "deflate" else "gzip"
        return web.Response(body=packed, headers={"Content-Encoding": encoding, "Content-Type": "application/json"})

    async def _send_no_gzip(self, request: web.Request, raw: bytes, draw: Draw) -> web.StreamResponse:
        encoding = _pick(draw, ("gzip", "deflate", "br", "zstd", "rot13"))
        return web.Response(body=raw, headers={"Content-Encoding": encoding})


class _Sent(web.StreamResponse):
    """Stands for a reply that was written past the framework."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


NOT_ASKED = {
    "endless body": HostileServer._send_endless,
    "gzip bomb": HostileServer._send_bomb,
    "gzip bomb in bomb": HostileServer._send_nested_bomb,
    "bad chunk": HostileServer._send_chunks_without_size,
    "not http": HostileServer._send_no_http,
}
"""Faults that need no answer of the engine."""
AFTER_ANSWER = {
    "slow bytes": HostileServer._send_slowly,
    "long content length": HostileServer._send_too_little,
    "short content length": HostileServer._send_too_much,
    "reset midway": HostileServer._send_half,
    "gzip": HostileServer._send_gzip,
    "not gzip": HostileServer._send_no_gzip,
}
"""Faults in how a good answer travels."""


# -- pure: bodies in, spoilt bodies out


def spoil_body(raw: bytes, fault: str, fields: Sequence[Place], key: str, draw: Draw) -> bytes:
    """A good body with `fault` in it."""
    plain: dict[str, bytes] = {
        "not json": b"I am sorry, Dave.",
        "web page": b"<html><title>502 Bad Gateway</title><body>nginx</body></html>",
        "nothing": b"",
        "cut body": raw[: len(raw) // 2],
        "two bodies": raw + raw,
        "not utf-8": raw.replace(b'"', b'"\xff\xfe', 1 + int(draw.integers(6))),
        "deep body": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    }
    if fault in plain:
        return plain[fault]
    value = json.loads(raw) if raw[:1] in {b"{", b"["} else {}
    if fault in EMBEDDING_FAULTS:
        return dump_loosely(_spoil_embeddings(value, fault))
    if fault == "deep text":
        depth = int(_pick(draw, (70, 300, 1000, 5000)))
        text = _pick(draw, ("[" * depth + "]" * depth, '{"answer":' * depth + "1" + "}" * depth, "{" * depth))
        return dump_loosely(set_field(value, ("choices", 0, "message", "content"), text))
    if fault == "deep object":
        deep: Any = 1
        for _ in range(int(_pick(draw, (70, 300, 900)))):
            deep = {"a": deep}
        return dump_loosely(set_field(value, _pick(draw, fields or COMPLETION_FIELDS), deep))
    if fault == "huge text":
        return dump_loosely(set_field(value, ("choices", 0, "message", "content"), "{" * 5_000_000))
    if fault == "echo in reply" and key:
        said = KEY_FORMS[_pick(draw, list(KEY_FORMS))](key)
        return dump_loosely(set_field(value, _pick(draw, ECHO_PLACES), said))
    if fault == "missing field":
        return dump_loosely(drop_field(value, _pick(draw, [place for place in fields if place] or [("id",)])))
    return dump_loosely(set_field(value, _pick(draw, fields or COMPLETION_FIELDS), _pick(draw, ODD_VALUES)))


def spoil_batch_file(raw: bytes, fault: str, key: str, draw: Draw) -> bytes:
    """The rows of a batch's file, some of them spoilt."""
    lines = raw.splitlines()
    spoilt: list[bytes] = []
    for line in lines:
        if draw.random() < 0.6:
            spoilt.append(line)
            continue
        row = json.loads(line)
        if fault == "row missing":
            continue
        if fault == "row twice":
            spoilt += [line, line]
        elif fault == "row unknown id":
            spoilt += [dump_loosely(row | {"custom_id": _pick(draw, ("nobody", "", None, 5, ["a"]))}), line]
        elif fault == "row cut":
            spoilt.append(line[: len(line) // 2])
        elif fault == "row not json":
            spoilt.append(b"\xff\xfe{not json")
        elif fault == "row deep":
            spoilt.append(b'{"a":' * 1000 + b"1" + b"}" * 1000)
        elif fault == "row body as text":
            spoilt.append(dump_loosely(set_field(row, ("response", "body"), json.dumps(row["response"]["body"]))))
        elif fault == "row echo" and key:
            said = KEY_FORMS[_pick(draw, list(KEY_FORMS))](key)
            place = _pick(draw, [("response", "body", *at) for at in ECHO_PLACES] + [("error",), ("id",)])
            spoilt.append(dump_loosely(set_field(row, place, said)))
        else:
            spoilt.append(dump_loosely(set_field(row, _pick(draw, BATCH_ROW_FIELDS), _pick(draw, ODD_VALUES))))
    return b"\n".join(spoilt)


def set_field(value: Any, place: Place, odd: Any) -> Any:
    """A copy of a JSON value with `odd` at a place; what is missing on the way is made."""
    if not place:
        return odd
    head, *rest = place
    if isinstance(head, int):
        items = list(value) if isinstance(value, list) else []
        items += [None] * (head + 1 - len(items))
        items[head] = set_field(items[head], tuple(rest), odd)
        return items
    pairs = dict(value) if isinstance(value, dict) else {}
    return pairs | {head: set_field(pairs.get(head), tuple(rest), odd)}


def drop_field(value: Any, place: Place) -> Any:
    """A copy of a JSON value without what stands at a place."""
    head, *rest = place
    if isinstance(head, int) and isinstance(value, list) and head < len(value):
        kept = [drop_field(value[head], tuple(rest))] if rest else []
        return value[:head] + kept + value[head + 1 :]
    if isinstance(value, dict) and head in value:
        return {
            k: drop_field(v, tuple(rest)) if k == head and rest else v for k, v in value.items() if rest or k != head
        }
    return value


def dump_loosely(value: Any) -> bytes:
    """JSON as Python's own module writes it: NaN, Infinity, lone surrogates and integers of any size."""
    return json.dumps(value).encode()


def pack_zeros(size: int) -> bytes:
    """A gzip member of `size` zero bytes: about a thousandth of it."""
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(2**20)
    packed = [packer.compress(block) for _ in range(size // len(block))]
    return b"".join([*packed, packer.flush()])


def _spoil_embeddings(value: Any, fault: str) -> Any:
    data: list[Any] = value.get("data") or [{"index": 0, "embedding": [1.0]}]
    first = dict(data[0])
    if fault == "embedding count":
        return value | {"data": data[:-1]}
    spoilt = {
        "embedding integer": 5,
        "embedding nested": [[number] for number in first["embedding"]],
        "embedding lengths": [*first["embedding"], 0.5],
        "embedding nan": [float("nan"), *first["embedding"][1:]],
    }[fault]
    return value | {"data": [first | {"embedding": spoilt}, *data[1:]]}


def _odd_rate_limit(draw: Draw) -> dict[str, str]:
    kind = _pick(draw, ("requests", "tokens"))
    reset = _pick(draw, ODD_WAITS).encode("ascii", "replace").decode()
    remaining = str(_pick(draw, ("0", "-1", "nan", "5", "", "99999999999999999999", "0.0")))
    return {f"x-ratelimit-remaining-{kind}": remaining, f"x-ratelimit-reset-{kind}": reset}


def _http_head(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


def _endpoint_of(path: str) -> str:
    parts = path.strip("/").split("/")
    names = {"completions": "chat", "embeddings": "embeddings", "models": "models", "files": "files"}
    names |= {"batches": "batches", "content": "content"}
    return names.get(parts[-1]) or ("batches" if "batches" in parts else "")


def _pick(draw: Draw, choices: Sequence[Any]) -> Any:
    return choices[int(draw.integers(len(choices)))]


def main() -> None:
    """Serve the built-in engine with faults until interrupted."""
    from kdos.commands.serve_rules import PROMPTS
    from kdos.llm.mock_server import serve_app
    from kdos.rules import RulesEngine

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--fault", action="append", help="only these, by name")
    args = parser.parse_args()
    server = HostileServer(RulesEngine(), PROMPTS, random_seed=args.random_seed, share=args.share, faults=args.fault)
    with serve_app(server.build_app(), port=args.port) as url:
        print(url, flush=True)  # noqa: T201
        asyncio.run(asyncio.Event().wait())


if __name__ == "__main__":
    main()
