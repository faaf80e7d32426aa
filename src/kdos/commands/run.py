"""``kdos run CONFIG.yaml``: from a source to a balanced dataset; the same again resumes."""

import argparse
from pathlib import Path

from kdos.api import load_config
from kdos.commands.arguments import input_path, output_path, whole_number
from kdos.config import read_config
from kdos.run import describe_result, explain_failure, run_config
from kdos.terminal import print_json, print_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `kdos run` takes."""
    parser.add_argument("config", type=input_path, metavar="CONFIG.yaml")
    parser.add_argument("--out", type=output_path, help="the run's folder (default: runs/NAME)")
    parser.add_argument(
        "--cache", type=output_path, metavar="FILE", help="a ledger that runs share: nothing paid twice"
    )
    parser.add_argument("--workers", type=whole_number(1), help="processes for what this machine computes")


def main(args: argparse.Namespace) -> int:
    """Run, or go on with a run; the last line on stdout is the summary."""
    out = args.out or Path("runs") / args.config.stem
    config = load_config(args.config, out)
    if args.workers is not None:
        config = read_config(config.to_dict() | {"workers": args.workers})
    summary = run_config(config, out, cache=args.cache, read=[args.config])
    failure = explain_failure(summary)
    print_status(describe_result(summary))
    if not failure:
        print_status(f"dataset: {out / 'dataset'}")
    print_status(f"report:  {out / 'report' / 'index.html'}")
    if failure:
        print_status(f"kdos: {failure}")
    print_json(summary)
    return 1 if failure else 0
