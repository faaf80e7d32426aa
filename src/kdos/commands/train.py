"""`kdos train --proxy --out DIR`: small models that show how much can be taught."""

import argparse
import csv
import io
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from kdos.errors import UsageError
from kdos.store import whole_file
from kdos.terminal import say, show_json
from kdos.train import SUBJECTS, Design, Lab, Row, run_design

WIDTHS = "16,24,32,48"
PRESENTATIONS = 192_000
POINTS, SEEDS = 8, 3
"""The standard experiment; from our pilot."""
MEASUREMENTS = "measurements.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("--proxy", action="store_true", required=True, help="small decoders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="resumes from here")
    parser.add_argument(
        "--widths", default=WIDTHS, help=f"model widths, smallest first (default: {WIDTHS})"
    )
    parser.add_argument(
        "--presentations",
        type=int,
        default=PRESENTATIONS,
        help=f"facts shown to each model, repeats counted (default: {PRESENTATIONS})",
    )
    parser.add_argument(
        "--points", type=int, default=POINTS, help=f"counts of facts a cell (default: {POINTS})"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"runs each (default: {SEEDS})")
    parser.add_argument("--subjects", type=int, default=SUBJECTS, help="names of the made-up world")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")


def main(args: argparse.Namespace) -> None:
    """Measure every cell of the design; the last line on stdout says where the runs are."""
    with closing(Lab(args.out / "cells", workers=args.workers)) as lab:
        rows = run_design(design_of(args), lab)
        cost = round(lab.core_seconds)
    path = args.out / MEASUREMENTS
    write_rows(path, rows)
    say(f"measurements: {path}")
    say(f"next: kdos scaling fit {path} --holdout-largest --out {args.out / 'law.json'}")
    show_json({"runs": len(rows), "core_seconds": cost, "measurements": str(path)})


def design_of(args: argparse.Namespace) -> Design:
    """What the flags ask for: half and twice the budget, too, at the smallest width."""
    for name in ("presentations", "points", "seeds", "subjects", "workers"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name} must be at least 1. Got {getattr(args, name)}.")
    return Design(
        widths=widths_of(args.widths),
        presentations=args.presentations,
        budgets=(args.presentations // 2, args.presentations * 2),
        points=args.points,
        seeds=args.seeds,
        subjects=args.subjects,
    )


def widths_of(text: str) -> tuple[int, ...]:
    """The widths in a list like ``16,24,32``."""
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        widths = ()
    if not widths or min(widths) < 1 or list(widths) != sorted(set(widths)):
        raise UsageError(f"--widths must be numbers like {WIDTHS}, smallest first. Got {text!r}.")
    return widths


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of measurements as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with whole_file(path) as file:
        file.write(text.getvalue().encode())
