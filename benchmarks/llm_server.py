"""A chat-completions server that answers after a fixed time with about 300 tokens of JSON.

It does as little as it can, so that the client is what is measured: a byte protocol, one answer
made from the item's number in the prompt. ``GET /count`` tells how many requests came, how many
different items they asked for and how many were in flight at once.

    python benchmarks/llm_server.py --port 8100 --latency 0.05
"""

import argparse
import asyncio
import contextlib
import json
import re

with contextlib.suppress(ImportError):
    import uvloop

ITEM = re.compile(rb"ITEM-(\d+)")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
SENTENCE = "The harbour was enlarged in 1872 and the old quay was kept for the fishing boats. "


def written(item: str) -> dict[str, object]:
    """What is written about an item."""
    return {
        "id": f"ITEM-{item}",
        "question": f"In which year was harbour {item} enlarged?",
        "answer": "1872",
        "explanation": SENTENCE * 8,
        "difficulty": "easy",
        "facts": [SENTENCE.strip(), SENTENCE.strip(), SENTENCE.strip()],
    }


def answer(item: str) -> bytes:
    """The HTTP response for one item; without an item, what curator asks a new server."""
    record = written(item) if item else {"name": "Jason", "age": 25}
    body = json.dumps(
        {
            "id": f"chatcmpl-{item}",
            "object": "chat.completion",
            "created": 1,
            "model": "mock",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(record)}}
            ],
            "usage": {"prompt_tokens": 165, "completion_tokens": 300, "total_tokens": 465},
        }
    ).encode()
    return respond(body)


def respond(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Counts:
    """What the server saw."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests = 0
        self.items: set[bytes] = set()
        self.in_flight = 0
        self.most_in_flight = 0

    def as_json(self) -> bytes:
        return json.dumps(
            {"requests": self.requests, "items": len(self.items), "in_flight": self.most_in_flight}
        ).encode()


class Connection(asyncio.Protocol):
    """One client connection; requests on it come one after the other."""

    def __init__(self, counts: Counts, latency: float) -> None:
        self.counts = counts
        self.latency = latency
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = LENGTH.search(head)
            total = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.buffer) < total:
                return
            body, self.buffer = self.buffer[end + 4 : total], self.buffer[total:]
            self.handle(head, body)

    def handle(self, head: bytes, body: bytes) -> None:
        counts = self.counts
        if head.startswith(b"GET /count"):
            self.transport.write(respond(counts.as_json()))
        elif head.startswith(b"GET /reset"):
            counts.reset()
            self.transport.write(respond(b"{}"))
        elif head.startswith(b"GET"):
            models = {"object": "list", "data": [{"id": "mock", "object": "model"}]}
            self.transport.write(respond(json.dumps(models).encode()))
        else:
            match = ITEM.search(body)
            item = match.group(1) if match else b""
            counts.requests += 1
            counts.items.add(item)
            counts.in_flight += 1
            counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency, self.send, answer(item.decode()))

    def send(self, response: bytes) -> None:
        self.counts.in_flight -= 1
        if not self.transport.is_closing():
            self.transport.write(response)


async def serve(port: int, latency: float) -> None:
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counts, latency), "127.0.0.1", port, backlog=4096)
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--latency", type=float, default=0.05)
    args = parser.parse_args()
    run = uvloop.run if "uvloop" in globals() else asyncio.run
    run(serve(args.port, args.latency))


if __name__ == "__main__":
    main()
