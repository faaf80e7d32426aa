"""`kdos sweep RUN --out DIR`: what small models know after the pools of a run, beside those of simpler rules."""

import argparse
import os
from contextlib import closing
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kdos.artifacts import RunFolder
from kdos.commands.arguments import input_path, output_path, whole_number
from kdos.commands.scaling import read_law
from kdos.commands.sweep_model import add_model_arguments, sweep_model
from kdos.commands.train import parse_numbers, parse_widths
from kdos.outputs import SWEEP, claim_folder
from kdos.run.sweep_pools import PoolPlan, PoolSize, make_pools, read_arms, size_pools
from kdos.scaling import plan_infusion
from kdos.store import atomic_file, write_json
from kdos.targets import check_target
from kdos.terminal import print_json, print_status
from kdos.train import BLIND_ARM, Lab, Setting, Sweep, Universe, count_parameters, read_universe, run_sweep

TARGETS, EXPOSURES = "natural,sqrt,uniform", "1,2,4"
WIDTHS, PRESENTATIONS = "24,32,48", "24000,96000,192000"
POOLS, FACTS = 4, 2000
MARKERS = {"loop": "o", BLIND_ARM: "X", "greedy-cover": "s", "placebo": "D", "oracle": "*"}
"""How the arms stand in the picture; the others are dots."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("run", type=input_path, metavar="RUN", help="the folder of a finished run; it is left alone")
    parser.add_argument("--out", type=output_path, required=True, metavar="DIR", help="pools and models; resumes")
    parser.add_argument("--targets", default=TARGETS, help=f"of loops beside the run's own (default: {TARGETS})")
    parser.add_argument("--exposures", default=EXPOSURES, help=f"of these loops (default: {EXPOSURES})")
    parser.add_argument("--pools", type=whole_number(1), default=POOLS, help=f"of each kind (default: {POOLS})")
    parser.add_argument("--samples", type=whole_number(1), help="of a pool (default: three fifths of the source)")
    parser.add_argument("--widths", default=WIDTHS, help=f"of models (default: {WIDTHS})")
    parser.add_argument(
        "--presentations",
        default=PRESENTATIONS,
        help=f"facts shown to each model, repeats counted (default: {PRESENTATIONS})",
    )
    parser.add_argument(
        "--facts", type=whole_number(1), default=FACTS, help=f"that models are asked for (default: {FACTS})"
    )
    parser.add_argument(
        "--names", choices=("digits", "words"), default="digits", help="how models see a fact's subject"
    )
    add_model_arguments(parser)
    parser.add_argument("--law", type=input_path, metavar="LAW.json", help="adds loops of as many facts as it advises")
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--workers", type=whole_number(1), default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")


def main(args: argparse.Namespace) -> None:
    """Make pools, train, compare, draw; the last line on stdout is the table as JSON."""
    RunFolder(args.run).require_config()
    print_json(sweep_model(args) if args.model else _sweep_proxies(args))


def _sweep_proxies(args: argparse.Namespace) -> dict[str, Any]:
    sweep = Sweep(
        args.run,
        widths=parse_widths(args.widths),
        presentations=parse_numbers(args.presentations, "--presentations"),
        facts=args.facts,
        names=args.names,
        random_seed=args.random_seed,
    )
    targets = tuple(filter(None, args.targets.split(",")))
    for target in targets:
        check_target(target)
    universe = read_universe(args.run, most=sweep.facts, random_seed=sweep.random_seed)
    size = size_pools(args.run, samples=args.samples)
    plan = PoolPlan(
        args.run,
        targets=targets,
        exposures=parse_numbers(args.exposures, "--exposures"),
        pools=args.pools,
        samples=size.samples,
        facts=_advised_facts(args.law, sweep, universe, size) if args.law else {},
    )
    with claim_folder(args.out, SWEEP, inputs=[args.run, args.law]):
        make_pools(plan, args.out / "pools", workers=args.workers)
        arms = read_arms(plan, args.out / "pools", universe, random_seed=sweep.random_seed)
        with closing(Lab(args.out / "models", workers=args.workers)) as lab:
            table = run_sweep(sweep, universe, arms, lab, folder=args.out / "exposures")
            table |= {"samples": plan.samples, "core_seconds": round(lab.core_seconds)}
        name = "sweep" if sweep.names == "digits" else f"sweep-{sweep.names}"
        write_json(args.out / f"{name}.json", table)
        _draw_sweep(table, args.out / f"{name}.png")
    if not args.json:
        _show_sweep(table)
    return table


def _advised_facts(path: Path, sweep: Sweep, universe: Universe, size: PoolSize) -> dict[Setting, int]:
    """Knowledge points of the source that the law would teach, at each setting at which a pool can hold more of them.

    A law counts the facts that a model is shown; where these are a sample of the source's, the source has more in
    proportion.
    """
    law = read_law(path)
    found: dict[Setting, int] = {}
    for setting in sweep.settings:
        # In presentations, none of them replay: a token shows a fact.
        plan = plan_infusion(
            law,
            params=count_parameters(setting.width),
            tokens=setting.presentations,
            tokens_per_fact=1,
            replay_share=0,
        )
        facts = round(plan.taught * universe.source_points / len(universe.triples))
        if facts < size.exposures:
            found[setting] = max(1, facts)
    return found


def _draw_sweep(table: dict[str, Any], path: Path) -> None:
    """Recall against what a pool shows and against its density, at the richest budget: a colour for each size."""
    richest = max(row["presentations"] for row in table["arms"])
    rows = [row for row in table["arms"] if row["presentations"] == richest]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for place, size in enumerate(sorted({row["params"] for row in rows})):
        for axes, key in zip(panels, ("coverage", "log10_density"), strict=True):
            for row in (row for row in rows if row["params"] == size):
                axes.plot(row[key], row["recall"], MARKERS.get(row["arm"], "."), color=f"C{place}", fillstyle="none")
        panels[0].plot([], [], "o", color=f"C{place}", label=f"{size:,} parameters")
    for arm, mark in MARKERS.items():
        panels[1].plot([], [], mark, color="grey", fillstyle="none", label=arm)
    panels[1].plot([], [], ".", color="grey", label="other targets and exposures; blind-dedup")
    panels[0].set(xlabel="share of the facts that the pool shows", ylabel="recall of paraphrases, all facts")
    panels[1].set(xlabel="mean log10 density of what it shows")
    for axes in panels:
        axes.legend(fontsize="small")
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})


def _show_sweep(table: dict[str, Any]) -> None:
    print_status(f"{table['facts']:,} facts, names in {table['names']}; recall of paraphrases over all of them")
    for row in table["arms"]:
        against = f"  {row['minus_blind']:+.3f} against {BLIND_ARM}" if "minus_blind" in row else ""
        print_status(
            f"{row['params']:>9,} parameters {row['presentations']:>9,} shown  {row['arm']:<24} covers "
            f"{row['coverage']:.0%}  log10 density {row['log10_density']:+.2f}  recall {row['recall']:.3f}{against}"
        )
    for one in table["comparisons"]:
        low, high = one["holm_interval"]
        print_status(
            f"{one['comparison']}: {one['params']:,} parameters, {one['presentations']:,} shown: "
            f"{one['difference']:+.3f} ({low:+.3f} to {high:+.3f}, corrected for the comparisons)"
        )
    for one in table["density"]:
        explained = one["explained"]
        print_status(
            f"{one['params']:,} parameters, over {one['decades']:.1f} decades of density: R² of coverage "
            f"{explained['r2_coverage'][0]:.3f}, of log10 density {explained['r2_log10_density'][0]:.3f}"
        )
