"""Three servers of different speed behind one engine: throughput, affinity, and one killed midway.

Each server answers after its own time, the slowest works on a few requests at once and lets the others wait. Asked
through `HttpEngine` and the ledger: each server alone, all three, and all three while one is killed with SIGKILL after
a third of the rows. Every server writes down what it was asked and what it has answered before the answer leaves, so that
nothing rests on what kdos says of itself.

    python benchmarks/llm_endpoints.py --rows 6000 --out benchmarks/results/llm_endpoints.json
"""

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from aiohttp import web

from kdos.config import EngineConfig
from kdos.llm import HttpEngine, Ledger
from kdos.llm.mock_server import start_app
from kdos.tasks import Prompt, Request, ask_through
from kdos.tasks.prompt import TEXT, an_object

SERVERS = {"fast": (0.2, 1000), "slow": (0.4, 1000), "narrow": (0.4, 16)}
"""By name: seconds to answer, and how many requests are worked on at once."""
CONCURRENCY = 32  # of each server
SAME_PASSAGE = 5  # requests in a row with one passage
PROMPT = Prompt("write", "Write one question about the passage. " * 8, an_object(answer=TEXT))


def request(number):
    return Request(f"w/{number}", PROMPT, {"passages": [f"PASSAGE-{number // SAME_PASSAGE}"], "item": number})


def is_right(reply):
    return reply.text == json.dumps({"answer": f"ITEM-{reply.request.inputs['item']}"})


# -- a server, in a process of its own


async def serve(latency, at_once, log):
    slots = asyncio.Semaphore(at_once)

    async def chat(asked):
        body = await asked.json()
        item = json.loads(body["messages"][1]["content"].strip("`json\n"))["item"]
        log.write(f"asked {item}\n")
        log.flush()
        async with slots:
            await asyncio.sleep(latency)
        log.write(f"answered {item}\n")
        log.flush()
        choice = {"message": {"content": json.dumps({"answer": f"ITEM-{item}"})}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    _, port = await start_app(app, 0)
    print(port, flush=True)
    await asyncio.Event().wait()


class Server:
    """A server that was started, and what it has written down."""

    def __init__(self, name, folder):
        latency, at_once = SERVERS[name]
        self.name, self.log = name, folder / f"{name}.log"
        command = [sys.executable, __file__, "--serve", str(latency), str(at_once), str(self.log)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lines(self):
        return [line.split() for line in self.log.read_text().splitlines()]

    def asked(self):
        return Counter(int(item) for what, item in self.lines() if what == "asked")

    def answered(self):
        return Counter(int(item) for what, item in self.lines() if what == "answered")


# -- what is measured


def ask(names, rows, *, kill=None):
    """Ask `rows` requests of servers; one is killed once a third of the replies have come."""
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        servers = [stack.enter_context(Server(name, folder)) for name in names]
        config = EngineConfig(urls=[server.url for server in servers], model="mock", concurrency=CONCURRENCY)
        engine = stack.enter_context(HttpEngine(config))
        ledger = stack.enter_context(Ledger(folder / "ledger.sqlite"))
        began = time.perf_counter()
        replies = ask_through(lambda: ledger.open_exchange(engine), map(request, range(rows)))
        right = sum(
            reply.text == f'{{"answer": "ITEM-{reply.request.inputs["item"]}"}}'
            for reply in islice(replies, rows // 3)
        )
        if kill:
            next(server for server in servers if server.name == kill).kill()
        right += sum(map(is_right, replies))
        seconds = time.perf_counter() - began
        found = {
            "rows": rows,
            "right": right,
            "seconds": round(seconds, 2),
            "rows_per_second": round(rows / seconds, 1),
            "busy": round(engine.take_busy(), 3),
            "answered": {server.name: server.answered().total() for server in servers},
            "passages_with_the_same_server": affinity(servers, rows),
        }
        return found | account(servers, rows, kill, ledger)


def account(servers, rows, kill, ledger):
    """What was asked more than once, and whether that was in flight where the server was killed."""
    asked = sum((server.asked() for server in servers), Counter())
    in_flight = Counter()
    for server in servers:
        if server.name == kill:
            in_flight = server.asked() - server.answered()
    twice = {item for item, times in asked.items() if times > 1}
    return {
        "never_asked": rows - len(asked),
        "asked_more_than_once": len(twice),
        "of_these_in_flight_at_the_kill": len(twice & set(in_flight)),
        "calls_counted": ledger.spending.calls,
        "requests_seen": asked.total(),
    }


def affinity(servers, rows):
    """The share of requests that went where most of their passage's did; with one server it is 1."""
    places = [server.asked() for server in servers]
    together = 0
    for first in range(0, rows, SAME_PASSAGE):
        items = range(first, min(first + SAME_PASSAGE, rows))
        together += max(sum(place[item] > 0 for item in items) for place in places)
    return round(together / rows, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        with Path(args.serve[2]).open("w") as log:
            asyncio.run(serve(float(args.serve[0]), int(args.serve[1]), log))
        return
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    alone = {name: ask([name], args.rows // 3) for name in SERVERS}
    together = ask(list(SERVERS), args.rows)
    killed = ask(list(SERVERS), args.rows, kill="slow")
    most = sum(found["rows_per_second"] for found in alone.values())
    share = round(together["rows_per_second"] / most, 3)
    found = {"alone": alone, "together": together, "share_of_the_sum": share, "one_killed": killed}
    print(json.dumps(found, indent=1))
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
