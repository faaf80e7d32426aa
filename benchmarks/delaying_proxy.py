"""A proxy that makes each chat reply take the time of a real server's: lognormal, drawn by the request's body.

    python benchmarks/delaying_proxy.py URL [URL ...] --median 1.5 --sigma 0.7

The same request takes the same time whenever it comes, and goes to the same of the servers at URL. It is passed on at
once and its reply held back until the time is over, so that a server's own time counts only where it is longer.
Prints its address as JSON. ``GET /log`` gives all chat requests answered so far: the first line of the prompt, when it
came and when its reply went (seconds on one clock), the time drawn, the server's own, and the tokens that it counted.
"""

import argparse
import asyncio
import json
import time
from hashlib import blake2b

import orjson
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from kdos.chance import keyed_generator
from kdos.llm.mock_server import MAX_REQUEST_BYTES, start_app

KEPT_HEADERS = ("content-type", "retry-after")


class DelayingProxy:
    """Passes requests on to `servers`; delays have this median, in seconds, and this sigma of their logarithm."""

    def __init__(self, servers: list[str], *, median: float, sigma: float) -> None:
        self.servers = servers
        self.median = median
        self.sigma = sigma
        self.log: list[dict[str, object]] = []

    def build_app(self, session: ClientSession) -> web.Application:
        self.session = session
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/v1/chat/completions", self.pass_chat)
        app.router.add_get("/log", self.show_log)
        app.router.add_route("*", "/{path:.*}", self.pass_other)
        return app

    async def pass_chat(self, request: web.Request) -> web.Response:
        came = time.monotonic()
        body = await request.read()
        digest = blake2b(body, digest_size=16).hexdigest()
        delay = self.median * keyed_generator(0, "delay", digest).lognormal(0.0, self.sigma)
        reply = await self.pass_on(request, body, self.servers[int(digest, 16) % len(self.servers)])
        own = time.monotonic() - came
        await asyncio.sleep(max(0.0, delay - own))
        facts = {"prompt": first_line(body), "came": came, "delay": delay, "server": own, "status": reply.status}
        self.log.append({**facts, "tokens": count_tokens(reply), "went": time.monotonic()})
        return reply

    async def pass_other(self, request: web.Request) -> web.Response:
        return await self.pass_on(request, await request.read(), self.servers[0])

    async def pass_on(self, request: web.Request, body: bytes, server: str) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        async with self.session.request(request.method, server + request.path_qs, data=body, headers=headers) as got:
            kept = {name: got.headers[name] for name in KEPT_HEADERS if name in got.headers}
            return web.Response(body=await got.read(), status=got.status, headers=kept)

    async def show_log(self, _: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(self.log), content_type="application/json")


def first_line(body: bytes) -> str:
    """The first line of a chat's first message; it tells which prompt was sent."""
    messages = orjson.loads(body).get("messages") or [{"content": ""}]
    return str(messages[0]["content"]).partition("\n")[0]


def count_tokens(reply: web.Response) -> int:
    """The tokens of request and reply, as the server counts them."""
    if reply.status != web.HTTPOk.status_code:
        return 0
    return orjson.loads(reply.body).get("usage", {}).get("total_tokens", 0)


async def serve(args: argparse.Namespace) -> None:
    proxy = DelayingProxy(args.servers, median=args.median, sigma=args.sigma)
    async with ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None)) as session:
        _, port = await start_app(proxy.build_app(session), 0)
        print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="+", metavar="URL")
    parser.add_argument("--median", type=float, default=1.5)
    parser.add_argument("--sigma", type=float, default=0.7)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
