"""How much of the concurrency the loop keeps in flight by a clock of its own, free of what else the machine does.

    python benchmarks/loop_virtual_time.py [--data DATA] [--cases 1 2 3 4] [--draws 3] [--out FILE]

The product's loop, in this process, with the built-in engine behind an exchange whose clock jumps from reply to reply:
a request takes a lognormal time (median 1.5 s), drawn by DRAWS random seeds, and nothing else takes any. Cases and
sources are those of `loop_busy.py`, which measures the same with servers and by the clock on the wall; what it finds
beyond these figures is the machine. The dataset is the same for each draw: how many requests are out when it is
complete, and were asked for nothing, is not.
"""

import argparse
import heapq
import json
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from loop_busy import CASES, MEDIAN, Case, choose_source

from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.config import Config, read_config
from kdos.cost import Cost
from kdos.llm import Ledger
from kdos.llm.endpoint_embedder import open_embedder
from kdos.rules import RulesEngine
from kdos.run.parts import synthesize_pool
from kdos.run.prepare import LoopInputs, prepare_inputs
from kdos.tasks import Reply, Request
from kdos.terminal import Progress


class VirtualExchange:
    """Requests out by a virtual clock, as many at once as `concurrency`; the one that is ready first comes first."""

    def __init__(self, case: Case, draw: int) -> None:
        self._case, self._draw = case, draw
        self._engine = RulesEngine()
        self._waiting: list[Request] = []
        self._out: list[tuple[float, int, Request]] = []
        self.clock = self.delays = 0.0
        self.calls = Counter[str]()

    @property
    def room(self) -> int:
        """As many wait as are out, as with a server."""
        return max(0, 2 * self._case.concurrency - len(self._out) - len(self._waiting))

    def submit(self, requests: Iterable[Request]) -> None:
        """Send requests; those for which no slot is free wait."""
        self._waiting += requests
        self._fill_slots()

    def receive(self) -> list[Reply]:
        """The reply that is ready first; the clock is then."""
        if not self._out:
            return []
        self.clock, _, request = heapq.heappop(self._out)
        self._fill_slots()
        return list(self._engine.complete([request]))

    def _fill_slots(self) -> None:
        while self._waiting and len(self._out) < self._case.concurrency:
            request = self._waiting.pop(0)
            normal = keyed_generator(self._draw, "delay", request.key).standard_normal()
            delay = MEDIAN * math.exp(self._case.sigma * normal)
            self.delays += delay
            self.calls[request.task] += 1
            heapq.heappush(self._out, (self.clock + delay, self.calls.total(), request))


def prepare(config: Config, folder: RunFolder) -> LoopInputs:
    """All that comes before the loop, without delays; read back where it is there."""
    if not folder.config.exists():
        folder.write_config(config, {})
    ledger = Ledger(folder.ledger)
    with open_embedder(config, ledger) as embedder:
        inputs = prepare_inputs(
            config, folder, ask=partial(ledger.ask, RulesEngine()), embedder=embedder, progress=Progress()
        )
    ledger.close()
    return inputs


def measure(case: Case, draw: int, config: Config, folder: RunFolder, inputs: LoopInputs) -> dict[str, Any]:
    """The loop once, with the delays of one draw."""
    exchange = VirtualExchange(case, draw)

    @contextmanager
    def opened() -> Iterator[VirtualExchange]:
        yield exchange

    made = synthesize_pool(
        config, folder, inputs, open_exchange=opened, engine="rules", prompts="", read_cost=Cost, progress=Progress()
    )
    pool, ideal = made.state.pool, exchange.delays / case.concurrency
    return {
        **case._asdict(), "draw": draw, "source": config.source.kind, "made": pool.samples,
        "stop_reason": made.stop_reason, "distinct": pool.distinct_among(inputs.reference.num_rows),
        "busy": round(ideal / exchange.clock, 3), "wall_ratio": round(exchange.clock / ideal, 3),
        "wall_seconds": round(exchange.clock, 1), "calls_per_sample": round(exchange.calls.total() / pool.samples, 3),
        "calls": dict(sorted(exchange.calls.items())), "window": config.window,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", type=int, nargs="+", default=range(1, len(CASES) + 1), help="1: the first")
    parser.add_argument("--samples", type=int, help="in place of each case's")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results: list[dict[str, Any]] = []
    for case in (CASES[number - 1] for number in args.cases):
        case = case._replace(samples=args.samples or case.samples)
        value = {
            "source": choose_source(args.data, case.samples),
            # Asked for the window alone: the engine is in this process.
            "engine": {"kind": "http", "url": "http://127.0.0.1", "model": "rules", "concurrency": case.concurrency},
            "budget": {"samples": case.samples},
        }
        config = read_config(value)
        with tempfile.TemporaryDirectory() as path:
            folder = RunFolder(Path(path))
            for draw in range(1, args.draws + 1):
                results.append(measure(case, draw, config, folder, prepare(config, folder)))
                shutil.rmtree(folder.path / "synthesize")
                print(json.dumps(results[-1]), flush=True)
    if args.out:
        args.out.write_text(json.dumps({"benchmark": "loop_virtual_time", "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
