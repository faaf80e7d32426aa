"""`kdos select FILE --budget N --target NAME --out OUT.parquet`."""

import argparse
from pathlib import Path

from kdos.commands.density import add_measuring_arguments, read_measuring_options
from kdos.errors import UsageError
from kdos.pool.duplicates import SIMILAR
from kdos.rows.dataset import open_dataset
from kdos.select import (
    DEDUP,
    demand_in_cells,
    find_candidates,
    fit_dataset,
    write_selection,
)
from kdos.terminal import print_json, print_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="a table, a folder, hf:NAME or a .npy")
    parser.add_argument("--budget", type=int, required=True, metavar="N", help="rows to keep")
    parser.add_argument(
        "--target",
        default="uniform",
        help="natural, sqrt, uniform (default), concentrated, waterfill, level:<log10>, "
        "tau:<number> or demand:FILE (as dense as the questions of FILE are)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.parquet")
    parser.add_argument(
        "--dedup", choices=DEDUP, default="off", help="leave out rows that repeat an earlier one"
    )
    parser.add_argument(
        "--similar", type=float, default=SIMILAR, help="what --dedup near calls a repeat, in (0, 1]"
    )
    parser.add_argument("--weight", metavar="FIELD", help="numbers that make rows likelier")
    parser.add_argument("--cap", type=int, metavar="N", help="the most rows of one cell")
    add_measuring_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the chosen rows; what they are stands on stdout."""
    if args.budget < 1 or (args.cap is not None and args.cap < 1):
        raise UsageError("--budget and --cap must be at least 1.")
    dataset = open_dataset(args.file, args.field)
    found = fit_dataset(dataset, read_measuring_options(args))
    usable = found.fitted.sample.usable
    pool = find_candidates(
        found,
        dedup=args.dedup,
        similar=args.similar,
        weight=args.weight,
        random_seed=args.random_seed,
    )
    selection = pool.choose(
        args.budget, args.target, demand=demand_in_cells(args.target, found), cap=args.cap
    )
    write_selection(dataset, selection, args.out)
    summary = {
        "rows": len(usable),
        "candidates": len(pool.rows),
        "selected": len(selection.rows),
        "skipped": int((~usable).sum()),
        "repeated": int(usable.sum()) - len(pool.rows),
        "cells": found.space.n_cells,
        "target": args.target,
        "kl": selection.kl,
        "tv": selection.tv,
        "kl_optimum": selection.kl_optimum,
        "space": found.space.fingerprint,
        "out": str(args.out),
    }
    if args.json:
        print_json(summary)
    else:
        print_status(
            f"{summary['selected']:,} of {summary['rows']:,} rows to {args.out}: "
            f"{selection.kl:.4f} nats from the target {args.target}, the least possible "
            f"{selection.kl_optimum:.4f}; {summary['repeated']:,} repeated, "
            f"{summary['skipped']:,} empty."
        )
