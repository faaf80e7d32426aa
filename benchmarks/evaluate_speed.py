"""Answers a second of `kdos evaluate` on a server, beside a bare loop that asks the same and scores nothing.

    python benchmarks/evaluate_speed.py [--rows 5000] [--characters 1500] [--concurrency 128] [--repeats 3]

The server answers each question after 50 ms with a text of that many characters: sentences with names, years, amounts
and denials, of which half the answers hold the gold answer. Each system runs in a process of its own, in turns, so
that what else the machine does hits both; `cpu_ms` is its processor time an answer. The bare loop is aiohttp's, keeps nothing and reads the answer out of its
JSON. `scoring_ms` is the processor time of `score_answer` alone, on the same texts.
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from density_worlds import write_down
from llm_server import Connection, Counts, respond

LATENCY = 0.05
QUESTION = re.compile(rb"harbour (\d+)")
SENTENCES = (
    "The harbour of Port {n} was enlarged in {year}, and the old quay was kept for the fishing boats. ",
    "It isn\u2019t the largest on the coast \u2013 Saint-Malo\u2019s is \u2013 but 1,250 ships call there in a year. ",
    "Its first engineer, Ren\u00e9 Dupont, was not from the town but came from Lyon, at a cost of $1.5 million. ",
    "Since June 4, 1921 the customs house has stood on the northern mole, about 2.5 km from the two lighthouses. ",
)
FILLER = (
    "In its {k}th year the company carried {k},400 tons of slate, salt and timber to ports as far as Bergen. ",
    "The {k} warehouses along the east side weren\u2019t rebuilt after the fire; a park has taken their place. ",
    "Visitors come for the tides rather than the beaches, which lie {k} minutes away by the coastal railway. ",
)


def gold(number):
    """A year, a name, a number and a date in turn, for half of the questions one that the answer holds."""
    held = (str(1800 + number % 200), "Ren\u00e9 Dupont", "1,250 ships", "June 4, 1921")
    missing = ("1776", "James Watt", "4,711", "May 3, 1850")
    return (held if number % 2 else missing)[number // 2 % 4]


def answer_text(number, characters):
    said = "".join(SENTENCES).replace("{n}", str(number)).replace("{year}", str(1800 + number % 200))
    more = (FILLER[k % 3].replace("{k}", str(number % 50 + k)) for k in range(1 + characters // 100))
    return (said + "".join(more))[:characters]


class TextConnection(Connection):
    """One client connection; every chat is answered by a text of `characters`."""

    characters = 1500

    def handle(self, head, body):
        found = QUESTION.search(body)
        if head.startswith(b"GET") or found is None:
            super().handle(head, body)
            return
        said = {"role": "assistant", "content": answer_text(int(found.group(1)), self.characters)}
        record = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "mock",
            "choices": [{"index": 0, "finish_reason": "stop", "message": said}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 300, "total_tokens": 360},
        }
        self.counts.in_flight += 1
        asyncio.get_running_loop().call_later(LATENCY, self.send, respond(json.dumps(record).encode()))


def serve(port, characters):
    async def run():
        TextConnection.characters = characters
        counts = Counts()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: TextConnection(counts, LATENCY), "127.0.0.1", port, backlog=4096)
        print("listening", flush=True)
        await server.serve_forever()

    asyncio.run(run())


def rows(count):
    return [{"id": f"q{n}", "question": f"What is known of harbour {n}?", "answers": [gold(n)]} for n in range(count)]


def kdos(url, count, concurrency):
    from kdos.api.evaluation import Answerer, answering_engine, evaluate

    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "questions.jsonl"
        asked.write_text("".join(json.dumps(row) + "\n" for row in rows(count)))
        engine = answering_engine(url, "mock", concurrency=concurrency)
        began = time.perf_counter()
        summary = evaluate(str(asked), Path(folder) / "out", Answerer(engine=engine))
        seconds = time.perf_counter() - began
    assert summary["answered"] == count, summary
    return seconds, summary["correct"]


def bare(url, count, concurrency):
    import aiohttp

    async def run():
        numbers = iter(range(count))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def work():
                for number in numbers:
                    chat = [{"role": "user", "content": f"What is known of harbour {number}?"}]
                    async with session.post(f"{url}/chat/completions", json={"model": "m", "messages": chat}) as reply:
                        said = json.loads(await reply.read())
                    assert said["choices"][0]["message"]["content"]

            await asyncio.gather(*(work() for _ in range(concurrency)))

    began = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - began, None


SYSTEMS = {"kdos": kdos, "bare": bare}


def scoring_ms(count, characters):
    """Milliseconds of processor time an answer takes to be scored."""
    from kdos.scoring import BenchmarkQuestion, score_answer

    pairs = [
        (answer_text(n, characters), BenchmarkQuestion(row["id"], row["question"], tuple(row["answers"])))
        for n, row in enumerate(rows(count))
    ]
    began = time.process_time()
    for answer, question in pairs:
        score_answer(answer, question)
    return 1000 * (time.process_time() - began) / count


def one(system, url, args):
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--one", system, "--url", url]
    command += ["--rows", str(args.rows), "--concurrency", str(args.concurrency)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(args):
    command = [sys.executable, __file__, "--serve", "--port", str(args.port), "--characters", str(args.characters)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout and server.stdout.readline().startswith("listening")
        url = f"http://127.0.0.1:{args.port}/v1"
        runs = [{name: one(name, url, args) for name in SYSTEMS} for _ in range(args.repeats)]
    finally:
        server.terminate()
        server.wait()
    rates = {name: statistics.median(args.rows / run[name]["seconds"] for run in runs) for name in SYSTEMS}
    return {
        "answers": args.rows,
        "characters": args.characters,
        "concurrency": args.concurrency,
        "answers_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "cpu_ms": {name: statistics.median(run[name]["cpu_ms"] for run in runs) for name in SYSTEMS},
        "share_of_bare_loop": round(rates["kdos"] / rates["bare"], 3),
        "correct": runs[0]["kdos"]["correct"],
        "scoring_ms": round(scoring_ms(min(args.rows, 1000), args.characters), 3),
        "runs": runs,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--characters", type=int, default=1500)
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.port, args.characters)
    elif args.one:
        spent = time.process_time()
        seconds, correct = SYSTEMS[args.one](args.url, args.rows, args.concurrency)
        cpu_ms = 1000 * (time.process_time() - spent) / args.rows
        print(json.dumps({"seconds": seconds, "cpu_ms": round(cpu_ms, 3), "correct": correct}))
    else:
        write_down("evaluate_speed", measure(args))


if __name__ == "__main__":
    main()
