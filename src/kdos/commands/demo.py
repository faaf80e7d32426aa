"""``kdos demo``: the whole of kdos on the documentation of the Python that runs it."""

import argparse
from pathlib import Path

from kdos.commands.arguments import output_path, whole_number
from kdos.config import read_config
from kdos.demo import DEMO, demo
from kdos.terminal import print_json, print_status, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos demo` takes."""
    parser.add_argument("--out", type=output_path, default=Path("kdos-demo"), help="the run's folder")
    parser.add_argument("--workers", type=whole_number(1), default=DEMO.workers)


def main(args: argparse.Namespace) -> None:
    """Run the demo; the last line on stdout is the steered run's summary, with blind's inside."""
    config = read_config(DEMO.to_dict() | {"workers": args.workers})
    steered, blind = demo(args.out, config=config)
    measures = (
        ("KL, nats", "kl"),
        ("noise floor", "kl_floor"),
        ("total variation", "tv"),
        ("share out of reach", "unreachable_mass"),
    )
    rows = [(name, f"{steered[key]:.4f}", f"{blind[key]:.4f}") for name, key in measures]
    rows += [(key, str(steered[key]), str(blind[key])) for key in ("samples", "drafts")]
    print_table("distance from the target (uniform)", ("", "steered", "blind"), rows)
    print_status(f"stopped by {steered['stop_reason']}")
    print_status(f"dataset: {args.out / 'dataset'}")
    print_status(f"report:  {args.out / 'report' / 'index.html'}")
    print_json(steered | {"blind": blind})
