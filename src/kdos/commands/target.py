"""`kdos target RUN`: which knowledge points a run still lacks, cell by cell, with their passages."""

import argparse
from collections.abc import Iterable
from dataclasses import asdict

from kdos.commands.arguments import input_path, whole_number
from kdos.run import MissingPoint, RunDeficit, read_run_deficit
from kdos.terminal import print_json, print_status

EXAMPLES = 3
"""Missing knowledge points that are shown of a cell."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("run", type=input_path, metavar="RUN", help="the folder of a run, finished or still going")
    parser.add_argument("--most", type=whole_number(), default=10, metavar="N", help="cells to show")
    parser.add_argument(
        "--examples", type=whole_number(), metavar="N", help="knowledge points of each (default: 3; all with --json)"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout, all cells")


def main(args: argparse.Namespace) -> None:
    """Show what is missing."""
    default = None if args.json else EXAMPLES
    found = read_run_deficit(args.run, examples=default if args.examples is None else args.examples)
    if args.json:
        print_json(as_json(found))
        return
    gap = found.gap
    cap = "" if found.wanted is None else f" of {found.wanted:,} at most"
    print_status(
        f"{found.samples:,} samples{cap} hold {found.distinct:,} of {found.knowledge_points:,} knowledge points "
        f"({found.coverage:.1%}); of {found.order:,} exposures wanted and in reach {found.order - found.filled:,} are "
        f"missing; {found.unreachable_mass:.1%} of the order is out of reach."
    )
    print_status(f"KL {gap.kl:.4f} nats (noise floor {gap.floor:.4f}), total variation {gap.tv:.3f}.")
    for cell in found.cells[: args.most]:
        state = "" if cell.reachable else ", unreachable"
        print_status(
            f"cell {cell.cell}: lacks {cell.missing:,} exposures ({cell.held:,} of "
            f"{cell.quota:,}; {cell.picks:,} picks{state})"
        )
        _print_points(point for point in cell.examples if point.reachable)
    if found.unreachable_points:
        print_status(f"out of reach: {found.unreachable_points:,} knowledge points were asked for in vain")
        shown = found.unreachable[: args.most]
        _print_points(shown)
        if (more := found.unreachable_points - len(shown)) > 0:
            print_status(f"    and {more:,} more: --json names all")


def _print_points(points: Iterable[MissingPoint]) -> None:
    for point in points:
        print_status(f"    {point.text}  ({', '.join(point.passages) or 'no passage'})")


def as_json(found: RunDeficit) -> dict[str, object]:
    """The same by machine."""
    gap = found.gap
    return {
        "samples": found.samples,
        "wanted": found.wanted,
        "knowledge_points": found.knowledge_points,
        "distinct": found.distinct,
        "coverage": found.coverage,
        "order": found.order,
        "filled": found.filled,
        "kl": None if found.samples == 0 else gap.kl,
        "kl_floor": None if found.samples == 0 else gap.floor,
        "tv": gap.tv,
        "unreachable_mass": found.unreachable_mass,
        "unreachable_points": found.unreachable_points,
        "unreachable": [asdict(point) for point in found.unreachable],
        "missing": sum(cell.missing for cell in found.cells),
        "cells": [asdict(cell) for cell in found.cells],
    }
