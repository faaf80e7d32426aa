"""Kill -9 at random moments of asking a server: what it delivered is not asked for again.

    python benchmarks/llm_crash.py --kills 30

The server runs here and notes when it delivered which request; the client is a process of its own
that is killed and started again. A reply that was delivered before the commit interval must never
be asked for again, and the final output must be that of a run that was never killed.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdos.config import EngineConfig
from kdos.llm import HttpEngine, Ledger, ScriptedEngine
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.tasks import Prompt, Request
from kdos.tasks.prompt import TEXT, an_object

PROMPT = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
CONCURRENCY = 16
LATENCY = 0.05  # seconds
COMMIT = 0.2  # seconds: the interval that is promised


def client(url, folder, rows):
    """Ask everything and write the answers; this is what is killed."""
    requests = (Request(f"seed/{n}", PROMPT, {"number": n}) for n in range(rows))
    settings = EngineConfig(url=url, model="m", concurrency=CONCURRENCY)
    with HttpEngine(settings) as engine, Ledger(folder / "ledger.sqlite") as ledger:
        (folder / "asking").touch()
        answers = {reply.request.id: reply.text for reply in ledger.ask(engine, requests)}
    (folder / "out.json").write_text(json.dumps(answers, sort_keys=True))


class Timed(MockServer):
    """A mock server that notes when it delivered which request to which client."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.delivered = []
        self.client = 0

    def deliver_answer(self, request, body, fault):
        self.delivered.append((time.monotonic(), self.client, body))
        return super().deliver_answer(request, body, fault)


def run(url, folder, rows, *, kill_after=None):
    """Run the client; gives when it was killed, None if it came to its end."""
    (folder / "asking").unlink(missing_ok=True)
    command = [sys.executable, __file__, "--client", url, str(folder), "--rows", str(rows)]
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None and not (folder / "asking").exists():
        time.sleep(0.005)
    try:
        if process.wait(kill_after):
            raise SystemExit("the client failed")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
        return killed
    return None


def measure(*, kills, rows, random_seed=7):
    """What the server saw over all runs, and whether the answers are whole."""
    answer = ScriptedEngine(lambda request: {"answer": f"{request.inputs['number']} it is"})
    server = Timed(answer, [PROMPT], faults=InjectedFaults(latency=LATENCY))
    chance, times, asked_again, late = random.Random(random_seed), [], 0, 0
    longest = 2 * rows * LATENCY / CONCURRENCY / (kills + 1)
    with serve_app(server.build_app()) as url, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        while len(times) < kills:
            killed = run(url, folder, rows, kill_after=chance.uniform(0, longest))
            if killed is None:
                raise SystemExit(f"it ended after {len(times)} kills; give more --rows")
            times.append(killed)
            server.client += 1
        run(url, folder, rows)
        answers = json.loads((folder / "out.json").read_text())
    first = {}
    for at, client, body in server.delivered:
        if body in first:
            asked_again += 1
            before, killed_one = first[body]
            # On a busy machine what a killed client had in flight is delivered after the next began.
            late += killed_one < len(times) and times[killed_one] - before > COMMIT
        first.setdefault(body, (at, client))
    expected = {f"seed/{n}": f'{{"answer":"{n} it is"}}' for n in range(rows)}
    return {
        "kills": len(times),
        "rows": rows,
        "delivered": len(server.delivered),
        "asked_again": asked_again,
        "asked_again_though_delivered_before_the_commit_interval": late,
        "output_is_whole": answers == expected,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--client", nargs=2, metavar=("URL", "DIR"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.client:
        client(args.client[0], Path(args.client[1]), args.rows)
        return
    result = {"benchmark": "llm_crash", "when": time.strftime("%Y-%m-%d")}
    result |= {"commit_interval": COMMIT, "concurrency": CONCURRENCY, "latency": LATENCY}
    result |= measure(kills=args.kills, rows=args.rows)
    print(json.dumps(result, indent=2))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
