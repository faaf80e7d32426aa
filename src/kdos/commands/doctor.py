"""``kdos doctor CONFIG.yaml`` or ``RUN``: is all there that a run needs; is all as a run wrote it."""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kdos.api import load_config
from kdos.commands.arguments import input_path, output_path
from kdos.config import Config
from kdos.llm.doctor import CALLS_PER_SAMPLE, HealthCheck, diagnose_endpoint
from kdos.run import inspect_run
from kdos.terminal import print_json, print_status

LEDGER_BYTES_PER_CALL = 4096
"""What a call leaves in the ledger, as measured with two passages in its prompt."""
RUN_BYTES_PER_SAMPLE = 20_000
"""What a sample leaves in the other files of a run, vectors of its knowledge points included."""
UNCAPPED_SAMPLES = 5000
"""Samples that are reckoned with where the configuration gives no cap: how many there will be, the content says."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos doctor` takes."""
    parser.add_argument("config", type=input_path, metavar="CONFIG.yaml|RUN")
    parser.add_argument("--json", action="store_true", help="of a RUN: no table, only the line of JSON on stdout")
    parser.add_argument("--out", type=output_path, help="the run's folder (default: runs/NAME)")


def main(args: argparse.Namespace) -> int:
    """Look at everything; exit code 0 if all is well, 1 if not."""
    if args.config.is_dir():
        return show_inspection(args.config, as_json=args.json)
    config = load_config(args.config)
    checks: list[HealthCheck] = []
    for check in run_checks(config, args.out or Path("runs") / args.config.stem):
        checks.append(check)
        print_status(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
        if check.advice:
            print_status(f"     {check.advice}")
    well = all(check.ok for check in checks)
    print_json(
        {"ok": well, "checks": [{"name": c.name, "ok": c.ok, "found": c.found, "advice": c.advice} for c in checks]}
    )
    return 0 if well else 1


def show_inspection(run: Path, *, as_json: bool) -> int:
    """What is wrong with a run's folder; exit code 0 where nothing is, 1 where something is."""
    checks, findings = inspect_run(run)
    if not as_json:
        for check in checks:
            found = [finding for finding in findings if finding.check == check]
            print_status(f"{'FAIL' if found else 'ok  '} {check}")
            for finding in found:
                print_status(f"     {finding.path}: {finding.found}. {finding.advice}")
    lines = [{**asdict(finding), "path": str(finding.path)} for finding in findings]
    print_json({"ok": not findings, "checks": checks, "findings": lines})
    return 1 if findings else 0


def run_checks(config: Config, out: Path) -> Iterator[HealthCheck]:
    """The engine's checks, and the disk's."""
    kind, samples = config.engine.kind, config.budget.samples or UNCAPPED_SAMPLES
    if kind == "http":
        yield from diagnose_endpoint(config.engine, samples=samples)
    else:
        yield HealthCheck("engine", True, f"{kind}: built in, no key, no network, no cost")
    yield check_disk(samples, out)


def check_disk(samples: int, out: Path) -> HealthCheck:
    """Is there room for the run."""
    there = next(folder for folder in (out, *out.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    needed = round(samples * (CALLS_PER_SAMPLE * LEDGER_BYTES_PER_CALL + RUN_BYTES_PER_SAMPLE))
    found = f"about {needed / 1e9:,.2f} GB needed, {free / 1e9:,.1f} GB free at {there}"
    return HealthCheck("disk", needed < free, found, "" if needed < free else "Give another --out.")
