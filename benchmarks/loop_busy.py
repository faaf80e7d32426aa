"""How much of the concurrency a run keeps in flight on a server whose replies take lognormal times.

    python benchmarks/loop_busy.py [--samples 1000] [--concurrency 64] [--sigma 0.7] [--data DATA] [--scale 1]
                                   [--before SRC] [--log FILE] [--out FILE]

`kdos run` through HTTP, in a process of its own, on a dump of Wikipedia (without DATA, and for more samples than it
holds, on the documentation of Python's library). Its server is `serve-rules` behind `delaying_proxy.py`: median 1.5 s times
`--scale`. `busy` is the mean share of the concurrency in flight at the proxy, of each stage from its first request to
its last reply; the loop begins with the first request for drafts, and all that comes after belongs to it. `wall_ratio`
is the stage's time over (the sum of its delays / concurrency), what it would take without a gap. `late` is the share
of requests for which the server took longer than the delay: where it is more than a few in a hundred, the server was
the bottleneck (`--scale 0` shows what it can do). A case is chosen by its flags; SRC runs another tree, for comparison.
Adds to FILE, in place of the same case of the same tree there.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

HERE = Path(__file__).resolve()
MEDIAN = 1.5
"""Seconds until a chat reply, as measured on servers of models of some ten billion parameters."""
DUMP = Path("corpora", "enwiki_sample.xml.bz2")


class Case(NamedTuple):
    samples: int
    concurrency: int
    sigma: float


CASES = (Case(1_000, 64, 0.7), Case(5_000, 64, 0.7), Case(5_000, 64, 1.2), Case(5_000, 256, 0.7))


def choose_source(data: Path | None, samples: int) -> dict[str, Any]:
    """A source that holds more than `samples`, as a configuration names it."""
    if data is None or samples > CASES[0].samples:
        return {"kind": "pydocs"}
    return {"kind": "wikipedia", "path": str(data / DUMP)}


@contextmanager
def started(command: Sequence[str], src: Path) -> Iterator[str]:
    """A server of ours; gives the address that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(src))
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()


def environment(src: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(src)}


def measure(case: Case, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run one case and say how busy it kept the server."""
    src = args.before or HERE.parents[1] / "src"
    source = choose_source(args.data, case.samples)
    kdos = [sys.executable, "-m", "kdos"]
    with ExitStack() as stack:
        serve = [*kdos, "serve-rules", "--port", "0"]
        urls = [stack.enter_context(started(serve, src)) for _ in range(args.servers)]
        proxy = [sys.executable, str(HERE.with_name("delaying_proxy.py")), *(url.removesuffix("/v1") for url in urls)]
        proxy += ["--median", str(MEDIAN * args.scale), "--sigma", str(case.sigma)]
        url = stack.enter_context(started(proxy, HERE.parents[1] / "src"))
        config = {
            "source": source,
            "engine": {"kind": "http", "url": f"{url}/v1", "model": "rules", "concurrency": case.concurrency},
            "budget": {"samples": case.samples},
        }
        (folder / "run.yaml").write_text(json.dumps(config))  # JSON is YAML
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run = [*kdos, "run", str(folder / "run.yaml"), "--out", str(folder / "run")]
        subprocess.run(run, check=True, stdout=subprocess.DEVNULL, env=environment(src))
        seconds, spent = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        with urlopen(f"{url}/log") as response:
            log = json.load(response)
    if args.log:
        args.log.write_text("".join(json.dumps(one) + "\n" for one in log))
    summary = json.loads((folder / "run" / "summary.json").read_text())
    return {
        **case._asdict(), "tree": "before" if args.before else "now", "scale": args.scale, "servers": args.servers,
        "source": source["kind"], "made": summary["samples"],
        "stop_reason": summary["stop_reason"], "coverage": round(summary["coverage"], 4),
        "busy_of_summary": summary.get("busy"),
        "calls_per_sample": round(summary["llm_calls"] / summary["samples"], 2),
        "tokens_per_sample": round(sum(summary["usage"].values()) / summary["samples"]),
        "stages": stage_figures(log, case, task_titles(src), summary["samples"]),
        "late": round(sum(one["server"] > one["delay"] for one in log) / len(log), 4),
        "slowest_server_seconds": round(max(one["server"] for one in log), 2),
        "seconds": round(seconds, 1), "cpu_seconds": round(spent.ru_utime - before.ru_utime, 1),
        "load_average": round(os.getloadavg()[1], 1),
    }  # fmt: skip


def task_titles(src: Path) -> dict[str, str]:
    """Each prompt's first line, with the task that it belongs to."""
    files = (src / "kdos" / "tasks").glob("*.md")
    return {file.read_text("utf-8").partition("\n")[0]: file.stem for file in files}


def stage_figures(
    log: Sequence[dict[str, Any]], case: Case, titles: dict[str, str], samples: int
) -> dict[str, dict[str, Any]]:
    """The figures of seeding, extraction and the loop; calls and tokens are a sample's."""
    log = [{**one, "task": titles.get(one["prompt"], one["prompt"])} for one in log]
    first_draft = min(one["came"] for one in log if one["task"] == "synthesize")
    stages: dict[str, list[dict[str, Any]]] = {"seed": [], "extract": [], "loop": []}
    for one in log:
        stages["loop" if one["came"] >= first_draft else one["task"]].append(one)
    return {name: describe_stage(found, case.concurrency, samples) for name, found in stages.items() if found}


def describe_stage(log: Sequence[dict[str, Any]], concurrency: int, samples: int) -> dict[str, Any]:
    wall = max(one["went"] for one in log) - min(one["came"] for one in log)
    in_flight = sum(one["went"] - one["came"] for one in log)
    delays = sum(one["delay"] for one in log)
    tasks = Counter(one["task"] for one in log)
    return {
        "busy": round(in_flight / wall / concurrency, 4),
        "wall_ratio": round(wall / (delays / concurrency), 3) if delays else None,
        "wall_seconds": round(wall, 1),
        "delay_seconds": round(delays, 1),
        "requests": dict(sorted(tasks.items())),
        "failed": sum(one["status"] != 200 for one in log),
        "most_in_flight": count_most_in_flight(log),
        "requests_per_second": round(len(log) / wall, 1),
        "calls_per_sample": round(len(log) / samples, 3),
        "tokens_per_sample": round(sum(one["tokens"] for one in log) / samples),
    }


def count_most_in_flight(log: Sequence[dict[str, Any]]) -> int:
    changes = sorted([(one["came"], 1) for one in log] + [(one["went"], -1) for one in log])
    most = held = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


def choose_cases(args: argparse.Namespace) -> list[Case]:
    """The cases that the flags choose; all three together make one of their own."""
    if None not in (args.samples, args.concurrency, args.sigma):
        return [Case(args.samples, args.concurrency, args.sigma)]
    wanted = {name: getattr(args, name) for name in Case._fields if getattr(args, name) is not None}
    return [case for case in CASES if all(getattr(case, name) == value for name, value in wanted.items())]


def keep(result: dict[str, Any], file: Path) -> None:
    """Write a result among those of a file, in place of the same case's of the same tree."""
    known = json.loads(file.read_text())["results"] if file.exists() else []
    case = (*Case._fields, "tree", "source")
    known = [one for one in known if any(one[name] != result[name] for name in case)]
    found = sorted([*known, result], key=lambda one: tuple(one[name] for name in case))
    file.write_text(
        json.dumps({"benchmark": "loop_busy", "median_seconds": MEDIAN, "results": found}, indent=2) + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int)
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--sigma", type=float)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="of all delays; 0 shows what the server can do")
    parser.add_argument("--servers", type=int, default=2, help="processes of serve-rules behind the proxy")
    parser.add_argument("--before", type=Path, metavar="SRC", help="the `src` of another version")
    parser.add_argument("--log", type=Path, help="write what the proxy saw of each request, JSONL")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    for case in choose_cases(args) or parser.error("no case has these figures; give all three to make one"):
        with tempfile.TemporaryDirectory() as folder:
            result = measure(case, args, Path(folder))
        print(json.dumps(result), flush=True)
        if args.out:
            keep(result, args.out)


if __name__ == "__main__":
    main()
