"""``kdos doctor CONFIG.yaml`` or ``RUN``: is all there that a run needs; is all as a run wrote it."""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from kdos.api import load_config
from kdos.commands.arguments import input_path, output_path
from kdos.config import Config
from kdos.errors import KdosError
from kdos.llm import HttpEngine
from kdos.llm.doctor import HealthCheck, diagnose_endpoints
from kdos.pool import record_fields
from kdos.run import check_run_folder, inspect_run
from kdos.run.forecast import FORECAST_HEADINGS, Forecast, advise_on_forecast, forecast_run, tabulate_forecast
from kdos.run.rehearsal import SourceSize, measure_source, rehearse_run
from kdos.terminal import print_json, print_status, print_table

LEDGER_BYTES_PER_CALL = 4096
"""What a call leaves in the ledger, as measured with two passages in its prompt."""
RUN_BYTES_PER_SAMPLE = 20_000
"""What a sample leaves in the other files of a run, vectors of its knowledge points included."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos doctor` takes."""
    parser.add_argument("config", type=input_path, metavar="CONFIG.yaml|RUN")
    parser.add_argument("--json", action="store_true", help="of a RUN: no table, only the line of JSON on stdout")
    parser.add_argument("--out", type=output_path, help="the run's folder (default: runs/NAME)")


def main(args: argparse.Namespace) -> int:
    """Look at everything; exit code 0 if all is well, 1 if not; a source that cannot be read is an error."""
    if args.config.is_dir():
        return show_inspection(args.config, as_json=args.json)
    out: Path = args.out or Path("runs") / args.config.stem
    config = load_config(args.config, out)
    size = measure_source(config)
    checks: list[HealthCheck] = []
    forecasts: list[Forecast] = []
    for check in chain([check_out(config, out, args.config)], run_checks(config, size, out, forecasts)):
        checks.append(check)
        print_status(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}")
        if check.advice:
            print_status(f"     {check.advice}")
    for forecast in forecasts:
        print_table("foretold", FORECAST_HEADINGS, tabulate_forecast(forecast), left=True)
    well = all(check.ok for check in checks)
    found = [{"name": c.name, "ok": c.ok, "found": c.found, "advice": c.advice} for c in checks]
    print_json({"ok": well, "checks": found, "forecast": record_fields(forecasts[0]) if forecasts else None})
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


def check_out(config: Config, out: Path, config_file: Path) -> HealthCheck:
    """Would the run be written to `out`: not where another run, or one of another source, lies there."""
    try:
        folder = check_run_folder(config, out, read=[config_file])
    except KdosError as error:
        return HealthCheck("out", False, str(error))
    return HealthCheck("out", True, f"{out}: {'its run goes on' if folder.config.exists() else 'a new run'}")


def run_checks(config: Config, size: SourceSize, out: Path, forecasts: list[Forecast]) -> Iterator[HealthCheck]:
    """The checks of source, engine, price and disk; what the run will come to joins `forecasts`."""
    yield HealthCheck("source", True, f"{size.documents:,} documents, {size.passages:,} passages")
    with TemporaryDirectory(prefix="kdos-doctor-") as folder:
        rehearsal = rehearse_run(config, size, Path(folder))
    forecast = forecast_run(config, size, rehearsal)
    disk = check_disk(forecast.samples, forecast.calls, out)
    if config.engine.kind == "http":
        checks = list(diagnose_endpoints(config.engine, calls=forecast.calls))
        yield from checks
        if all(check.ok for check in checks):
            # Not in batch files, which take their time; what they cost is reckoned.
            with HttpEngine(replace(config.engine, batch=False)) as engine:
                forecast = forecast_run(config, size, rehearsal, engine)
            yield describe_price(config, forecast)
    else:
        yield HealthCheck("engine", True, f"{config.engine.kind}: built in, no key, no network, no cost")
        yield describe_price(config, forecast)
    forecasts.append(forecast)
    yield disk


def describe_price(config: Config, forecast: Forecast) -> HealthCheck:
    """What the run will spend, in words; and which cap will end it before."""
    tokens = forecast.prompt_tokens + forecast.completion_tokens
    least = "" if forecast.counted_whole else "at least "
    found = f"{least}about {forecast.calls:,} calls and {tokens:,} tokens for {forecast.samples:,} samples"
    if forecast.cost_usd is not None:
        found = f"{found}: about {forecast.cost_usd:,.2f} USD"
    return HealthCheck("price", True, found, advise_on_forecast(config, forecast))


def check_disk(samples: int, calls: int, out: Path) -> HealthCheck:
    """Is there room for the run."""
    there = next(folder for folder in (out, *out.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    needed = round(calls * LEDGER_BYTES_PER_CALL + samples * RUN_BYTES_PER_SAMPLE)
    found = f"about {needed / 1e9:,.2f} GB needed, {free / 1e9:,.1f} GB free at {there}"
    return HealthCheck("disk", needed < free, found, "" if needed < free else "Give another --out.")
