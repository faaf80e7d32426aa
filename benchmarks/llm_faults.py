"""10,000 requests to a server where three in ten meet a fault, beside the same without faults.

    python benchmarks/llm_faults.py --rows 10000

Each fault takes a sixth of the share: 429 with Retry-After, 500, a broken connection, no answer at
all, an answer cut off, an answer whose JSON is damaged. The server runs in a process of its own and
counts what it delivered.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from kdos.config import EngineConfig
from kdos.llm import HttpEngine, Ledger
from kdos.pool import Passage, Refusal
from kdos.tasks import ask_seeds
from kdos.tasks.reading import read_value

LATENCY = 0.05
KINDS = ("--fail", "429:{}"), ("--fail", "500:{}"), ("--reset", "{}"), ("--hang", "{}")
KINDS = (*KINDS, ("--truncate", "{}"), ("--garble", "{}"))


def request(number):
    text = f"The bridge of Ford {number} was opened in {1200 + number % 800} by Ann Archer."
    passage = Passage(f"p{number}", "d", f"Ford {number}", "", "en", 0, len(text), text)
    return ask_seeds(passage, per_passage=1)


def measure(rows, *, share, concurrency, timeout, retry_after):
    """One run against a fresh server and a fresh ledger."""
    flags = [part.format(share / len(KINDS)) for kind in KINDS for part in kind] if share else []
    flags += ["--latency", str(LATENCY), "--retry-after", str(retry_after)]
    server = subprocess.Popen(
        [sys.executable, "-m", "kdos", "serve-rules", "--port", "0", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = json.loads(server.stdout.readline())["url"]
        settings = EngineConfig(url=url, model="rules", concurrency=concurrency, timeout=timeout)
        with (
            tempfile.TemporaryDirectory() as folder,
            HttpEngine(settings) as engine,
            Ledger(Path(folder) / "ledger.sqlite") as ledger,
        ):
            began = time.perf_counter()
            replies = list(ledger.ask(engine, map(request, range(rows))))
            seconds = time.perf_counter() - began
            spending = ledger.spending
        seen = json.load(urllib.request.urlopen(url.replace("/v1", "/count")))
    finally:
        server.terminate()
        server.wait()
    refused = Counter(reason_of(reply) for reply in replies)
    answered = refused.pop("", 0)
    assert len({reply.request.id for reply in replies}) == len(replies) == rows
    assert answered + refused.total() == rows
    return {
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds, 1),
        "answered": answered,
        "refused": dict(refused),
        "calls_we_count": spending.calls,
        "server": seen,
    }


def reason_of(reply):
    """Empty for an answer that can be used."""
    if reply.error:
        return reply.error
    value = read_value(reply.text, reply.request.prompt.schema)
    return value.reason if isinstance(value, Refusal) else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--timeout", type=float, default=1.5, help="seconds; 30 times the latency")
    parser.add_argument("--retry-after", type=float, default=0.5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    ways = vars(args) | {"out": None}
    options = {name: ways[name] for name in ("concurrency", "timeout", "retry_after")}
    clean = measure(args.rows, share=0.0, **options)
    faulty = measure(args.rows, share=args.share, **options)
    result = {
        "benchmark": "llm_faults",
        "when": time.strftime("%Y-%m-%d"),
        "rows": args.rows,
        "share_of_faults": args.share,
        "latency": LATENCY,
        **options,
        "without_faults": clean,
        "with_faults": faulty,
        "times_as_long": round(faulty["seconds"] / clean["seconds"], 2),
    }
    print(json.dumps(result, indent=2))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
