"""``kdos demo``: the whole of kdos on the documentation of the Python that runs it."""

import argparse
from pathlib import Path

from rich.table import Table

from kdos.config import read_config
from kdos.demo import DEMO, demo
from kdos.terminal import console, print_json, print_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos demo` takes."""
    parser.add_argument("--out", type=Path, default=Path("kdos-demo"), help="the run's folder")
    parser.add_argument("--workers", type=int, default=DEMO.workers)


def main(args: argparse.Namespace) -> None:
    """Run the demo; the last line on stdout is the steered run's summary, with blind's inside."""
    config = read_config(DEMO.to_dict() | {"workers": args.workers})
    steered, blind = demo(args.out, config=config)
    table = Table("", "steered", "blind", title="distance from the target (uniform)")
    for name, key in (("KL, nats", "kl"), ("noise floor", "kl_floor"), ("total variation", "tv")):
        table.add_row(name, f"{steered[key]:.4f}", f"{blind[key]:.4f}")
    table.add_row("samples", str(steered["samples"]), str(blind["samples"]))
    table.add_row("drafts", str(steered["drafts"]), str(blind["drafts"]))
    console.print(table)
    print_status(f"stopped by {steered['stop_reason']}")
    print_status(f"dataset: {args.out / 'dataset'}")
    print_status(f"report:  {args.out / 'report' / 'index.html'}")
    print_json(steered | {"blind": blind})
