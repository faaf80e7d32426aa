"""List the benchmarks, run some of them or all, each in a process of its own.

    python benchmarks/run.py list
    python benchmarks/run.py run density_accuracy loop_simulator [--quick] [--data DATA] [--run RUN]
    python benchmarks/run.py all [--quick] [--data DATA] [--run RUN] [--timeout 7200]

Writes a line for each call: name, exit code, seconds, arguments. Ends with 1 if a call failed or
ran past its time. What needs DATA, RUN or a package that is not there is skipped and named.
`--quick` makes each as small as still shows that it works, in a copy of the folder, so that no file
of `results/` changes; benchmarks without a small form are left out.
"""

import argparse
import ast
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
HELPERS = frozenset(
    {"delaying_proxy", "density_worlds", "document_files", "fact_wordings", "graph_data", "llm_server", "run"}
)
"""Scripts that others import or start."""

CALLS = {
    "density_accuracy": ["--n 100000", "--n 1000000"],
    "density_speed": ["--n 100000 --dim 64", "--n 1000000 --dim 64", "--n 1000000 --dim 384"],
    "duplicates_peers": ["--n 1000000 --peers 50000"],
    "disciplines": ["--data DATA --out RESULTS/disciplines.json"],
    "embedders": ["--data DATA --points RUN/extract/knowledge_points.parquet --out RESULTS/embedders.json"],
    "evaluate_harness": ["--data DATA"],
    "evaluate_people": ["--data DATA"],
    "forecast": ["--data DATA --out RESULTS/forecast.json"],
    "graph_walks": ["--data DATA"],
    "infusion_model": ["runs/infusion_model --data DATA"],
    "kill_resume": ["--kills 20"],
    "llm_crash": ["--kills 30 --out RESULTS/llm_crash.json"],
    "llm_endpoints": ["--out RESULTS/llm_endpoints.json"],
    "llm_faults": ["--rows 10000 --out RESULTS/llm_faults.json"],
    "llm_reading": ["--data DATA/json --seconds 60"],
    "llm_throughput": [
        "--rows 2000 4000 10000 --repeats 5 --out RESULTS/llm_throughput.json",
        "--memory --out RESULTS/llm_memory.json",
    ],
    "loop_busy": ["--data DATA --out RESULTS/loop_busy.json"],
    "loop_virtual_time": ["--data DATA --out RESULTS/loop_virtual_time.json"],
    "loop_levels": ["simulated", "articles --data DATA"],
    "loop_simulator": ["points", "large", "window"],
    "pickers": ["--data DATA --out RESULTS/pickers.json"],
    "reading_speed": ["--data DATA"],
    "scaling_holdout": ["runs/experiments"],
    "report_map": ["RUN"],
    "sample_cost": ["--data DATA --drafts 1 2 3 4 --out RESULTS/sample_cost.json"],
    "checks_contamination": [
        "--data DATA --out RESULTS/checks_contamination.json",
        "--data DATA --embed minilm --out RESULTS/checks_contamination_minilm.json",
    ],
    "checks_merging": [
        "--data DATA --embed static --points RUN/extract/knowledge_points.parquet "
        "--out RESULTS/checks_merging_static.json",
        "--data DATA --embed lexical --out RESULTS/checks_merging_lexical.json",
        "--data DATA --embed minilm --out RESULTS/checks_merging_minilm.json",
    ],
    "checks_speed": ["--out RESULTS/checks_speed.json"],
    "verify_accuracy": ["--data DATA"],
    "checks_topic_entities": ["--data DATA --out RESULTS/checks_topic_entities.json"],
}
"""How each is called for its file in `results/`; those not named here take no arguments."""

QUICK = {
    "density_accuracy": "--n 50000",
    "density_codebook": "--n 10000",
    "density_speed": "--n 10000 --dim 32 --only kdos",
    "density_stream": "--n 100000 --dim 16",
    "duplicates_peers": "--n 5000 --peers 2000",
    "disciplines": "--data DATA --embed static",
    "embedders": "--data DATA --embed static",
    "evaluate_people": "--data DATA",
    "evaluate_speed": "--rows 200 --repeats 1",
    "graph_walks": "--graphs zipf --paths 2000",
    "kill_resume": "--kills 1 --longest 5",
    "llm_crash": "--kills 2 --rows 400",
    "llm_endpoints": "--rows 600",
    "llm_faults": "--rows 300",
    "llm_reading": "--data DATA/json --seconds 2",
    "llm_throughput": "--rows 100 --concurrency 16 --repeats 1",
    "forecast": "--data DATA --samples 20",
    "loop_busy": "--data DATA --samples 20 --concurrency 64 --sigma 0.7 --scale 0.01",
    "loop_virtual_time": "--data DATA --cases 1 --samples 40 --draws 1",
    "loop_levels": "simulated --samples 500 --seeds 1",
    "loop_simulator": "points --points 2000 --seeds 1",
    "report_map": "RUN --points 1000",
    "sample_cost": "--data DATA --samples 20 --pages 5",
    "scaling_coverage": "--draws 4 two_sizes between",
    "checks_fuzz": "--seconds 2",
    "checks_merging": "--data DATA --embed static",
    "checks_speed": "--drafts 256",
    "checks_topic_entities": "--data DATA",
}
"""The small form of those that have one."""

PACKAGES = {
    "evaluate_harness": "lm_eval", "infusion_model": "gguf", "llm_reading": "json_repair", "scaling_holdout": "torch",
    "train_throughput": "torch",
}  # fmt: skip
"""What a script cannot do without, beyond kdos itself; other peers are left out where absent."""


class Outcome(NamedTuple):
    """How a call ended: its exit code, None where it was stopped, and its wall-clock seconds."""

    code: int | None
    seconds: float


def find_benchmarks(folder: Path = FOLDER) -> dict[str, Path]:
    """The scripts of a folder by name, without those that others import or start."""
    scripts = sorted([*folder.glob("*.py"), *folder.glob("*.sh")])
    return {path.stem: path for path in scripts if path.stem not in HELPERS}


def describe(script: Path) -> str:
    """The first sentence that a script says of itself."""
    text = script.read_text("utf-8")
    if script.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].replace("\n", " ")
    comments = [line[1:].strip() for line in text.splitlines()[1:] if line.startswith("#")]
    return " ".join(comments).partition("  ")[0]


def commands_of(script: Path, values: dict[str, str | None], *, quick: bool) -> Iterator[list[str]]:
    """The arguments of each call; a word stays upper case where its value was not given."""
    usual = [] if quick else CALLS.get(script.stem, [""])
    calls = [QUICK[script.stem]] if quick and script.stem in QUICK else usual
    for call in calls:
        words = call.split()
        for name, value in values.items():
            words = [word.replace(name, value) if value else word for word in words]
        yield words


def find_missing(script: Path, words: list[str], values: dict[str, str | None]) -> str | None:
    """The option or package without which a call cannot run, if any."""
    package = PACKAGES.get(script.stem)
    if package and importlib.util.find_spec(package) is None:
        return f"the package {package}"
    names = (name for name in values if any(name in word.split("/") for word in words))
    return next((f"--{name.lower()}" for name in names), None)


def run_script(script: Path, arguments: Sequence[str], *, timeout: float) -> Outcome:
    """Run one script in the folder above its own; stop it, and what it started, after `timeout`."""
    program = "bash" if script.suffix == ".sh" else sys.executable
    started = time.perf_counter()
    process = subprocess.Popen([program, str(script), *arguments], cwd=script.parents[1], start_new_session=True)
    try:
        code = process.wait(timeout)
    except BaseException as stopped:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(stopped, subprocess.TimeoutExpired):
            raise
        code = None
    return Outcome(code, time.perf_counter() - started)


def run_benchmarks(scripts: Sequence[Path], args: argparse.Namespace) -> int:
    """Run each call of each script, a line for each; how many failed."""
    failed = 0
    for script in scripts:
        values = {"DATA": args.data, "RUN": args.run, "RESULTS": str(script.parent / "results")}
        for words in commands_of(script, values, quick=args.quick):
            if missing := find_missing(script, words, values):
                print(f"{script.stem:24} skipped: needs {missing}", flush=True)
                continue
            outcome = run_script(script, words, timeout=args.timeout)
            failed += outcome.code != 0
            code = "stopped" if outcome.code is None else f"exit {outcome.code}"
            print(f"{script.stem:24} {code} {outcome.seconds:8.1f} s  {' '.join(words)}", flush=True)
    return failed


def copied(folder: Path, place: Path) -> Path:
    """A copy of the benchmarks beside links to what they use, for figures nobody keeps."""
    for name in ("src", "tests"):
        if (folder.parent / name).exists():
            (place / name).symlink_to((folder.parent / name).resolve())
    return Path(shutil.copytree(folder, place / folder.name))


def main(argv: Sequence[str] | None = None, *, folder: Path = FOLDER) -> int:
    """Run the command; 0 if nothing failed, 1 if something did."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=["list", "run", "all"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="small, results/ stays as it is")
    parser.add_argument("--data", help="the folder of public data sets (see README.md)")
    parser.add_argument("--run", help="the folder of a finished run, for report_map")
    parser.add_argument("--timeout", type=float, default=7200.0, help="seconds for each call")
    args = parser.parse_args(argv)
    found = find_benchmarks(folder)
    if unknown := sorted(set(args.names) - set(found)):
        parser.error(f"NAME must be one of {', '.join(found)}. Got {unknown[0]!r}.")
    if args.command == "list":
        for name, script in found.items():
            print(f"{name:24} {describe(script)}")
        return 0
    names = args.names if args.command == "run" else list(found)
    for name in ("data", "run"):
        if getattr(args, name):
            setattr(args, name, str(Path(getattr(args, name)).resolve()))
    with tempfile.TemporaryDirectory() as place:
        base = copied(folder, Path(place)) if args.quick else folder
        scripts = [base / found[name].name for name in names]
        return 1 if run_benchmarks(scripts, args) else 0


if __name__ == "__main__":
    sys.exit(main())
