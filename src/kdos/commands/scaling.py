"""`kdos scaling fit|plan`: how much a model of some size can be taught."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kdos.api import load_config
from kdos.arrays import Float64Array
from kdos.chance import keyed_generator
from kdos.commands.arguments import input_name, input_path, output_path, whole_number
from kdos.errors import InputError, StoreError, UsageError
from kdos.outputs import check_output_file
from kdos.rows import Rows, read_table_rows
from kdos.scaling import (
    FACTS_PER_SAMPLE,
    REPLAY_SHARE,
    TOKENS_PER_FACT,
    Collapse,
    ExperimentCell,
    FittedForm,
    HeldOutCell,
    InfusionPlan,
    IntervalEstimate,
    Law,
    find_collapses,
    fit_law,
    fit_reduced_curve,
    hold_out_largest,
    mean_recall_by_count,
    next_fact_count,
    plan_infusion,
)
from kdos.store import atomic_file, read_json_file, write_json
from kdos.terminal import print_json, print_status

MEASUREMENT_COLUMNS = ("params", "presentations", "facts", "recall", "random_seed")
PROXY_VALUES = 64
"""Answers that a fact's answer is one of, in the proxy lab."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    fit = actions.add_parser("fit", help="from measurements of small models to a law")
    fit.add_argument(
        "file", type=input_name, metavar="MEASUREMENTS", help=f"a table of {', '.join(MEASUREMENT_COLUMNS)}"
    )
    fit.add_argument("--out", type=output_path, metavar="LAW.json", help="write the law, to plan with")
    fit.add_argument("--holdout-largest", action="store_true", help="test the law of the others on it as well")
    fit.add_argument(
        "--values",
        type=whole_number(2),
        default=PROXY_VALUES,
        help=f"how many answers a fact's answer is one of (default: {PROXY_VALUES})",
    )
    fit.add_argument("--random-seed", type=int, default=0, help="of the intervals")
    fit.add_argument("--json", action="store_true", help="nothing for the eye on stderr")
    fit.set_defaults(act=_fit_command)
    _add_plan_arguments(actions.add_parser("plan", help="from a law to what a large model is taught"))


def _add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--law", type=input_path, required=True, metavar="LAW.json")
    parser.add_argument("--params", type=float, required=True, help="non-embedding parameters")
    parser.add_argument("--tokens", type=float, required=True, help="the training's budget")
    parser.add_argument("--facts", type=whole_number(1), help="distinct facts that the corpus holds")
    parser.add_argument(
        "--tokens-per-fact",
        type=float,
        default=TOKENS_PER_FACT,
        help=f"tokens that show a fact once (default: {TOKENS_PER_FACT})",
    )
    parser.add_argument(
        "--facts-per-sample",
        type=float,
        default=FACTS_PER_SAMPLE,
        help=f"facts that a sample links (default: {FACTS_PER_SAMPLE})",
    )
    parser.add_argument(
        "--replay-share",
        type=float,
        default=REPLAY_SHARE,
        help=f"share of tokens for what the model knew before (default: {REPLAY_SHARE})",
    )
    parser.add_argument("--config", type=input_path, metavar="RUN.yaml", help="a run to plan for")
    parser.add_argument("--out", type=output_path, metavar="OUT.yaml", help="write that run with the plan's budget")
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")
    parser.set_defaults(act=_plan_command)


def main(args: argparse.Namespace) -> None:
    """Do what the action says; the last line on stdout is JSON."""
    args.act(args)


def _fit_command(args: argparse.Namespace) -> None:
    """Find each cell's collapse and the law behind them."""
    if args.out:
        check_output_file(args.out, "--out", (".json",), inputs=[args.file])
    read = _read_cells(args.file)
    cells = [cell for cell in read if next_fact_count(cell, values=args.values) is None]
    left_out = [_measurement_advice(cell, args.values) for cell in read if cell not in cells]
    if not cells:
        raise UsageError(f"{args.file} must hold cells that show their collapse. {left_out[0]}")
    rng = keyed_generator(args.random_seed, "scaling fit")
    collapses = find_collapses(cells, values=args.values, rng=rng)
    law = fit_law(collapses, values=args.values)
    held = hold_out_largest(collapses, values=args.values) if args.holdout_largest else []
    summary = _summarise_fit(law, collapses, held) | {"left_out": left_out}
    r2, rmse = fit_reduced_curve(cells, collapses, values=args.values)
    summary |= {"one_curve": {"r2": r2, "rmse": rmse}}
    if args.out:
        write_json(args.out, asdict(law))
    if not args.json:
        _show_fit(summary)
    print_json(summary)


def _plan_command(args: argparse.Namespace) -> None:
    """Say what to teach, and write the run that makes the data for it."""
    _check_plan(args)
    if args.out:
        check_output_file(args.out, "--out", (".yaml", ".yml"), inputs=(args.law, args.config))
    config = load_config(args.config) if args.config else None
    plan = plan_infusion(
        _read_law(args.law),
        params=args.params,
        tokens=args.tokens,
        available=args.facts,
        tokens_per_fact=args.tokens_per_fact,
        facts_per_sample=args.facts_per_sample,
        replay_share=args.replay_share,
    )
    if config:
        budget = replace(config.budget, samples=plan.samples)
        text = yaml.safe_dump(replace(config, budget=budget).to_dict(), sort_keys=False)
        with atomic_file(args.out) as file:
            file.write(text.encode())
    if not args.json:
        _show_plan(plan)
    print_json(asdict(plan) | {"budget": {"samples": plan.samples}})


def _check_plan(args: argparse.Namespace) -> None:
    for name in ("params", "tokens", "facts", "tokens_per_fact", "facts_per_sample"):
        value = getattr(args, name)
        if value is not None and not 0 < value < np.inf:
            raise UsageError(f"--{name.replace('_', '-')} must be more than 0. Got {value}.")
    if not 0 <= args.replay_share < 1:
        raise UsageError(f"--replay-share must be in [0, 1). Got {args.replay_share}.")
    if (args.config is None) != (args.out is None):
        raise UsageError("--config and --out go together: a run, and where the planned one goes.")


def _read_law(path: Path) -> Law:
    try:
        value = read_json_file(path)
        value["fits"] = tuple(
            FittedForm(fit["form"], np.array(fit["parameters"]), np.array(fit["draws"])) for fit in value["fits"]
        )
        value.update({name: tuple(value[name]) for name in ("sizes", "budgets")})
        value.update(peak_ratio=IntervalEstimate(**value["peak_ratio"]))
        return Law(**value)
    except (StoreError, KeyError, IndexError, TypeError) as error:
        raise InputError.at(path, "must be a law. Write it with kdos scaling fit --out") from error


def _read_cells(path: str) -> list[ExperimentCell]:
    """The runs of a table of measurements, one cell for each size and budget."""
    batches = list(read_table_rows(path, columns=MEASUREMENT_COLUMNS))
    params, presentations, facts, recall, seeds = (
        np.concatenate([_number_column(rows, name) for rows in batches]) for name in MEASUREMENT_COLUMNS
    )
    whole = np.stack([params, presentations, facts, seeds], axis=1).astype(np.int64)
    places, cell = np.unique(whole[:, :2], axis=0, return_inverse=True)
    return [
        ExperimentCell(int(size), int(budget), whole[cell == n, 2], recall[cell == n], whole[cell == n, 3])
        for n, (size, budget) in enumerate(places)
    ]


def _number_column(rows: Rows, name: str) -> Float64Array:
    found: list[float] = []
    for row, text in enumerate(rows.label_column(name).to_pylist()):
        try:
            value = float(text or "nan")
        except ValueError:
            value = np.nan
        if not _is_possible_value(name, value):
            wanted = "a share in [0, 1]" if name == "recall" else "a whole number"
            least = "" if name in ("recall", "random_seed") else " of at least 1"
            raise rows.row_error(row, f"must be {wanted}{least}. Got {text!r}. Measure this run again", field=name)
        found.append(value)
    return np.array(found)


def _is_possible_value(name: str, value: float) -> bool:
    if name == "recall":
        return 0 <= value <= 1
    return value == np.floor(value) and (name == "random_seed" or value >= 1)


def _measurement_advice(cell: ExperimentCell, values: int) -> str:
    """What a cell that does not show its collapse is short of."""
    facts, recall = mean_recall_by_count(cell)
    return (
        f"With {cell.params:,} parameters and {cell.presentations:,} presentations, recall goes "
        f"from {recall[0]:.2f} at {facts[0]:,} facts to {recall[-1]:.2f} at {facts[-1]:,}. "
        f"Measure {next_fact_count(cell, values=values):,} facts next."
    )


def _summarise_fit(law: Law, collapses: Sequence[Collapse], held: Sequence[HeldOutCell]) -> dict[str, Any]:
    """A fit in numbers; counts are of distinct facts."""
    return {
        "forms": {fit.form: fit.parameters for fit in law.fits},
        "left_out_error": law.errors,
        "residual": law.residual,
        "peak_ratio": asdict(law.peak_ratio),
        "cells": [{key: value for key, value in asdict(one).items() if key != "draws"} for one in collapses],
        "holdout": [asdict(one) for one in held],
    }


def _show_plan(plan: InfusionPlan) -> None:
    best, prediction = plan.facts, plan.prediction
    print_status(
        f"best: {best.value:,.0f} distinct facts (90 % between {best.low:,.0f} and "
        f"{best.high:,.0f}); the model collapses at {prediction.k50.value:,.0f}."
    )
    print_status(
        f"teach {plan.taught:,} facts {plan.exposures:,.1f} times each: {plan.samples:,} samples "
        f"with each fact in {plan.wordings}, {plan.epochs:,.1f} epochs, {plan.tokens:,.0f} tokens, "
        f"{plan.replay_share:.0%} of them replay."
    )
    if plan.available is not None and plan.available > plan.taught:
        print_status(
            f"the corpus holds {plan.available:,}: select {plan.taught / plan.available:.1%} of "
            "them (kdos select), do not show all of them less often."
        )
    beyond = max(prediction.size_factor, prediction.budget_factor)
    if beyond > 1:
        print_status(
            f"warning: this lies beyond the measurements, {prediction.size_factor:,.1f} times in "
            f"parameters and {prediction.budget_factor:,.1f} times in presentations. Measure "
            "larger models before you spend on it."
        )
    if prediction.capped:
        print_status(f"the law promised more than 2 bits a parameter: capped at {prediction.capacity:,.0f} facts.")


def _show_fit(summary: dict[str, Any]) -> None:
    print_status("parameters  presentations  K50 (90 %)                 K*     onset")
    for cell in summary["cells"]:
        k50, onset = cell["k50"], cell["onset"]
        print_status(
            f"{cell['params']:>10,}  {cell['presentations']:>13,}  {k50['value']:>7,.0f} "
            f"({k50['low']:,.0f} to {k50['high']:,.0f})  {cell['peak']['value']:>7,.0f}  "
            + ("no break" if onset is None else f"{onset:>7,.0f}")
        )
    for text in summary["left_out"]:
        print_status(f"left out: {text}")
    for form, parameters in summary["forms"].items():
        print_status(f"law: {form} ({', '.join(f'{value:.3f}' for value in parameters)})")
    print_status(f"error at sizes left out: {summary['residual']:.1%}")
    curve = summary["one_curve"]
    print_status(f"one curve in K/K50: R² {curve['r2']:.3f}, rmse {curve['rmse']:.3f}")
    for one in summary["holdout"]:
        bounds = one["predicted"]
        print_status(
            f"held out {one['params']:,} at {one['presentations']:,}: foretold "
            f"{bounds['value']:,.0f} ({bounds['low']:,.0f} to {bounds['high']:,.0f}), measured "
            f"{one['measured']:,.0f}: {one['error']:+.1%}"
        )
