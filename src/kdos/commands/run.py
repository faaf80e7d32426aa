"""``kdos run CONFIG.yaml``: from a source to a balanced dataset; the same again resumes."""

import argparse
from pathlib import Path

from kdos.api import load_config
from kdos.api.runs import override_config
from kdos.commands.arguments import input_path, output_path, whole_number
from kdos.config import Config
from kdos.pool import record_fields
from kdos.run import describe_result, explain_failure, explain_quotes, explain_stop, run_config
from kdos.run.forecast import FORECAST_HEADINGS, Forecast, advise_on_forecast, foretell_run, tabulate_forecast
from kdos.terminal import print_json, print_status, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos run` takes."""
    parser.add_argument("config", type=input_path, metavar="CONFIG.yaml")
    parser.add_argument("--out", type=output_path, help="the run's folder (default: runs/NAME)")
    parser.add_argument(
        "--cache", type=output_path, metavar="FILE", help="a ledger that runs share: nothing paid twice"
    )
    parser.add_argument(
        "--samples", type=whole_number(1), metavar="N", help="make so many samples at most, for `budget.samples`"
    )
    parser.add_argument("--workers", type=whole_number(1), help="processes for what this machine computes")
    parser.add_argument(
        "--dry-run", action="store_true", help="foretell what the run comes to: no model is asked, nothing is written"
    )


def main(args: argparse.Namespace) -> int:
    """Run, or go on with a run; the last line on stdout is the summary."""
    out = args.out or Path("runs") / args.config.stem
    config = override_config(load_config(args.config, out), samples=args.samples, workers=args.workers)
    if args.dry_run:
        return show_forecast(config, foretell_run(config, out, read=[args.config]))
    summary = run_config(config, out, cache=args.cache, read=[args.config])
    failure = explain_failure(summary)
    print_status(describe_result(summary))
    print_status(explain_stop(summary))
    if invented := explain_quotes(summary):
        print_status(invented)
    if not failure:
        print_status(f"dataset: {out / 'dataset'}")
    print_status(f"report:  {out / 'report' / 'index.html'}")
    if failure:
        print_status(f"kdos: {failure}")
    print_json(summary)
    return 1 if failure else 0


def show_forecast(config: Config, forecast: Forecast) -> int:
    """What the run comes to, as a table for the eye and as JSON."""
    title = "a dry run: no model was asked, nothing was written"
    print_table(title, FORECAST_HEADINGS, tabulate_forecast(forecast), left=True)
    if config.engine.kind == "http":
        print_status(f"{config.engine.model} at {', '.join(config.engine.addresses)}")
    if advice := advise_on_forecast(config, forecast):
        print_status(advice)
    print_json({"dry_run": True, **record_fields(forecast)})
    return 0
