"""`kdos sweep RUN --out DIR`: which density of its knowledge teaches small models most."""

import argparse
import os
from contextlib import closing
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kdos.commands.arguments import input_path, output_path, whole_number
from kdos.commands.train import parse_widths
from kdos.outputs import SWEEP, claim_folder
from kdos.store import atomic_file, write_json
from kdos.targets import TARGET_EXPONENTS
from kdos.terminal import print_json, print_status
from kdos.train import Lab, Sweep, run_sweep

ARMS = ("blind", *TARGET_EXPONENTS, "waterfill")
REFERENCE_MARKERS = {"blind": "X", "waterfill": "s"}
SWEEP_WIDTHS = "16,32,48"
PRESENTATIONS, SEEDS, FACTS = 192_000, 3, 4000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("run", type=input_path, metavar="RUN", help="the folder of a finished demo")
    parser.add_argument("--out", type=output_path, required=True, metavar="DIR", help="resumes from here")
    parser.add_argument("--arms", default=",".join(ARMS), help=f"blind, or targets (default: {','.join(ARMS)})")
    parser.add_argument("--widths", default=SWEEP_WIDTHS, help=f"model widths (default: {SWEEP_WIDTHS})")
    parser.add_argument(
        "--presentations",
        type=whole_number(1),
        default=PRESENTATIONS,
        help=f"facts shown to each model, repeats counted (default: {PRESENTATIONS})",
    )
    parser.add_argument("--seeds", type=whole_number(1), default=SEEDS, help=f"runs each (default: {SEEDS})")
    parser.add_argument(
        "--facts", type=whole_number(1), default=FACTS, help=f"facts of the universe (default: {FACTS})"
    )
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--workers", type=whole_number(1), default=os.cpu_count() or 1, help="processes")


def main(args: argparse.Namespace) -> None:
    """Train, compare, draw; the last line on stdout is the table as JSON."""
    sweep = Sweep(
        args.run,
        arms=tuple(args.arms.split(",")),
        widths=parse_widths(args.widths),
        presentations=args.presentations,
        seeds=args.seeds,
        facts=args.facts,
        random_seed=args.random_seed,
    )
    with claim_folder(args.out, SWEEP, inputs=[args.run]):
        with closing(Lab(args.out / "models", workers=args.workers)) as lab:
            table = run_sweep(sweep, lab) | {"core_seconds": round(lab.core_seconds)}
        write_json(args.out / "sweep.json", table)
        _draw_sweep(table, args.out / "sweep.png")
    _show_sweep(table)
    print_json(table)


def _draw_sweep(table: dict[str, Any], path: Path) -> None:
    """Recall and loss against the density of the pool: a line of targets for each size.

    `blind` and `waterfill` are no steps of the dial and stand beside the line.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, 2)
    for size in table["sizes"]:
        rows = {row["arm"]: row for row in size["arms"]}
        dial = sorted((rows[a] for a in rows if a in TARGET_EXPONENTS), key=lambda r: r["log10_density"])
        for axes, key in zip(panels, ("paraphrase_recall", "loss"), strict=True):
            (line,) = axes.plot(
                [row["log10_density"] for row in dial], [row[key] for row in dial], "o-", label=f"{size['params']:,}"
            )
            for arm, mark in REFERENCE_MARKERS.items():
                if arm in rows:
                    place = rows[arm]["log10_density"], rows[arm][key]
                    axes.plot(*place, mark, color=line.get_color(), fillstyle="none")
    for axes, label in zip(panels, ("recall of paraphrases", "loss, nats a value"), strict=True):
        axes.set(xlabel="mean log10 density of the pool", ylabel=label)
        for arm, mark in REFERENCE_MARKERS.items():
            axes.plot([], [], mark, color="grey", fillstyle="none", label=arm)
        axes.legend(title="parameters")
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})


def _show_sweep(table: dict[str, Any]) -> None:
    print_status(f"{table['facts']:,} facts, {table['presentations']:,} presentations to each model")
    for size in table["sizes"]:
        print_status(f"{size['params']:,} parameters, best on the search split: {size['best']}")
        for row in size["arms"]:
            against = ""
            if "against_blind" in row:
                low, high = row["against_blind_interval"]
                against = f"  {row['against_blind']:+.3f} against blind ({low:+.3f} to {high:+.3f})"
            print_status(
                f"  {row['arm']:<13} log10 density {row['log10_density']:+.2f}  shown "
                f"{row['shown_share']:.0%}  recall {row['paraphrase_recall']:.3f}  "
                f"loss {row['loss']:.2f}{against}"
            )
