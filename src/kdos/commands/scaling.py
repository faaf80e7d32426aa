"""`kdos scaling fit|plan`: how much a model of some size can be taught."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kdos.api import load_config
from kdos.chance import keyed_generator
from kdos.commands.arguments import input_name, input_path, output_path, whole_number
from kdos.commands.measurements import MEASUREMENT_COLUMNS, read_cells, read_retention_runs
from kdos.errors import InputError, StoreError, UsageError
from kdos.outputs import check_output_file
from kdos.scaling import (
    FACTS_PER_SAMPLE,
    KEPT,
    LEAST_EXPOSURES,
    REPLAY_SHARE,
    SAME_FACTOR,
    TOKENS_PER_FACT,
    Collapse,
    ExperimentCell,
    FittedForm,
    HeldOutCell,
    InfusionPlan,
    IntervalEstimate,
    Law,
    ShareRelation,
    cells_above_capacity,
    find_collapses,
    fit_law,
    fit_reduced_curve,
    hold_out_largest,
    mean_recall_by_count,
    measure_retention,
    next_fact_count,
    plan_infusion,
    predict_replay_share,
    shown_runs,
)
from kdos.store import atomic_file, read_json_file, write_json
from kdos.terminal import print_json, print_status

RETENTION_ARM = "continued"
"""The arm that a plan's replay share is from: a model that knows something is taught."""
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
    fit.add_argument("--bits", type=float, help="bits that a fact takes (default: log2 of --values)")
    fit.add_argument(
        "--floor", type=float, help="recall before a fact was taught (default: seen at many facts, if so)"
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
        help="share of tokens for what the model knew before (default: what was measured to keep 95 %% of it; "
        f"{REPLAY_SHARE} where the law holds no such measurement)",
    )
    parser.add_argument(
        "--least-exposures",
        type=float,
        default=LEAST_EXPOSURES,
        help=f"no fact is shown less often in training (default: {LEAST_EXPOSURES}, the fewest measured)",
    )
    parser.add_argument("--bits", type=float, help="bits that a fact of the corpus takes (default: the law's)")
    parser.add_argument("--config", type=input_path, metavar="RUN.yaml", help="a run to plan for")
    parser.add_argument(
        "--out",
        type=output_path,
        metavar="OUT.yaml",
        help="write that run with the plan's facts, exposures and samples",
    )
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")
    parser.set_defaults(act=_plan_command)


def main(args: argparse.Namespace) -> None:
    """Do what the action says; the last line on stdout is JSON."""
    args.act(args)


def _fit_command(args: argparse.Namespace) -> None:
    """Find each cell's collapse and the law behind them."""
    _check_fit(args)
    if args.out:
        check_output_file(args.out, "--out", (".json",), inputs=[args.file])
    cells, left_out = _collapsing_cells(read_cells(args.file), args)
    if not cells:
        raise UsageError(f"{args.file} must hold cells that show their collapse. {left_out[0]}")
    if not args.json:
        for text in left_out:
            print_status(f"left out: {text}")
    rng = keyed_generator(args.random_seed, "scaling fit")
    collapses = find_collapses(cells, values=args.values, rng=rng, floor=args.floor)
    law = fit_law(collapses, values=args.values, bits_per_fact=args.bits)
    held = hold_out_largest(collapses, values=args.values, bits_per_fact=args.bits) if args.holdout_largest else []
    summary = _summarise_fit(law, collapses, held) | {"left_out": left_out, "notes": _note_limits(law, collapses)}
    r2, rmse = fit_reduced_curve(cells, collapses)
    summary |= {"one_curve": {"r2": r2, "rmse": rmse}}
    measured = {(one.params, one.presentations): one.k50.value for one in collapses}
    retention = _fit_retention(args.file, measured, random_seed=args.random_seed)
    summary |= {"retention": retention}
    if args.out:
        write_json(args.out, asdict(law) | {"retention": retention})
    if not args.json:
        _show_fit(summary)
        _show_retention(retention)
    print_json(summary)


def _collapsing_cells(
    read: Sequence[ExperimentCell], args: argparse.Namespace
) -> tuple[list[ExperimentCell], list[str]]:
    """The cells that show their whole fall, and what each of the others is short of."""
    shown, left_out = _shown_cells(read)
    lacking = [next_fact_count(cell, values=args.values, floor=args.floor) for cell in shown]
    pairs = list(zip(shown, lacking, strict=True))
    advice = [_measurement_advice(cell, count) for cell, count in pairs if count is not None]
    return [cell for cell, count in pairs if count is None], advice + left_out


def _check_fit(args: argparse.Namespace) -> None:
    if args.floor is not None and not 0 <= args.floor < 1:
        raise UsageError(f"--floor must be in [0, 1). Got {args.floor}.")
    _check_positive(args, ("bits",))


def _plan_command(args: argparse.Namespace) -> None:
    """Say what to teach, and write the run that makes the data for it."""
    _check_plan(args)
    if args.out:
        check_output_file(args.out, "--out", (".yaml", ".yml"), inputs=(args.law, args.config))
    config = load_config(args.config) if args.config else None
    law = read_law(args.law)
    replay = _choose_replay(args, law)
    plan = plan_infusion(
        law if args.bits is None else replace(law, bits_per_fact=args.bits),
        params=args.params,
        tokens=args.tokens,
        available=args.facts,
        tokens_per_fact=args.tokens_per_fact,
        facts_per_sample=args.facts_per_sample,
        replay_share=replay["share"],
        least_exposures=args.least_exposures,
    )
    written = _run_settings(plan)
    if config:
        budget = replace(config.budget, **written["budget"])
        planned = replace(config, facts=written["facts"], exposures=written["exposures"], budget=budget)
        text = yaml.safe_dump(planned.to_dict(), sort_keys=False)
        with atomic_file(args.out) as file:
            file.write(text.encode())
    if not args.json:
        _show_plan(plan)
        print_status(_describe_replay(replay))
    factors = {"params": plan.prediction.size_factor, "presentations": plan.prediction.budget_factor}
    print_json({"extrapolation": factors} | asdict(plan) | {"replay": replay, "config": written})


def _choose_replay(args: argparse.Namespace, law: Law) -> dict[str, Any]:
    """The replay share of a plan, with its interval if it was measured, and where it comes `from`."""
    if args.replay_share is not None:
        return {"share": args.replay_share, "from": "--replay-share"}
    relation = _read_relation(args.law)
    if relation is None:
        return {"share": REPLAY_SHARE, "from": "default"}
    found = predict_replay_share(relation, params=args.params, load=law.peak_ratio.value)
    factors = {"params": found.size_factor, "load": found.load_factor}
    return {"share": found.value, "from": RETENTION_ARM, "low": found.low, "high": found.high} | {
        "beyond": factors,
        "bases": relation.bases,
    }


def _describe_replay(replay: Mapping[str, Any]) -> str:
    if replay["from"] == "--replay-share":
        return f"replay: {replay['share']:.1%}, as asked for."
    if replay["from"] == "default":
        return (
            f"replay: {replay['share']:.0%} is a default. The law holds no measured retention: kdos train --proxy "
            f"--arms scratch,{RETENTION_ARM}."
        )
    beyond = replay["beyond"]["params"]
    far = f"extrapolated {beyond:,.1f} times in parameters" if beyond > 1 else "within the sizes measured"
    least, most = replay["bases"]
    return (
        f"replay: {replay['share']:.1%} (90 % between {replay['low']:.1%} and {replay['high']:.1%}) keeps {KEPT:.0%} "
        f"of a base that is {least:.2f} to {most:.2f} of K50, by the arm {replay['from']}, {far}."
    )


def _read_relation(path: Path) -> ShareRelation | None:
    """The relation by which a law's measurements tell the replay share; None where it holds none."""
    try:
        value = read_json_file(path).get("retention", {}).get(RETENTION_ARM, {}).get("relation")
        return None if value is None else ShareRelation(**value)
    except (StoreError, AttributeError, TypeError) as error:
        raise InputError.at(path, "must be a law. Write it with kdos scaling fit --out") from error


def _run_settings(plan: InfusionPlan) -> dict[str, Any]:
    """What a run's configuration takes of a plan: `exposures` there are those in the dataset, not in training."""
    return {"facts": plan.taught, "exposures": plan.dataset_exposures, "budget": {"samples": plan.samples}}


def _check_plan(args: argparse.Namespace) -> None:
    names = ("params", "tokens", "facts", "tokens_per_fact", "facts_per_sample", "least_exposures", "bits")
    _check_positive(args, names)
    if args.least_exposures < 1:
        raise UsageError(f"--least-exposures must be at least 1. Got {args.least_exposures}.")
    if args.replay_share is not None and not 0 <= args.replay_share < 1:
        raise UsageError(f"--replay-share must be in [0, 1). Got {args.replay_share}.")
    if (args.config is None) != (args.out is None):
        raise UsageError("--config and --out go together: a run, and where the planned one goes.")


def _check_positive(args: argparse.Namespace, names: Sequence[str]) -> None:
    for name in names:
        value = getattr(args, name)
        if value is not None and not 0 < value < np.inf:
            raise UsageError(f"--{name.replace('_', '-')} must be more than 0. Got {value}.")


def read_law(path: Path) -> Law:
    """The law that `kdos scaling fit --out` wrote."""
    try:
        value = read_json_file(path)
        value.pop("retention", None)
        value["fits"] = tuple(
            FittedForm(fit["form"], np.array(fit["parameters"]), np.array(fit["draws"]), fit["averaged"])
            for fit in value["fits"]
        )
        value.update({name: tuple(value[name]) for name in ("sizes", "budgets")})
        value.update(peak_ratio=IntervalEstimate(**value["peak_ratio"]))
        return Law(**value)
    except (StoreError, KeyError, IndexError, TypeError) as error:
        raise InputError.at(path, "must be a law. Write it with kdos scaling fit --out") from error


def _shown_cells(cells: Sequence[ExperimentCell]) -> tuple[list[ExperimentCell], list[str]]:
    """The cells without runs that teach more facts than they show anything, and a line for each that had such runs."""
    kept: list[ExperimentCell] = []
    told: list[str] = []
    for cell in cells:
        shown = shown_runs(cell)
        lost = len(cell.facts) - (len(shown.facts) if shown else 0)
        if lost:
            told.append(
                f"With {cell.params:,} parameters, {lost:,} runs teach more facts than their "
                f"{cell.presentations:,} presentations: at fewer than one exposure there is no recall of what was "
                "taught. Measure more presentations next."
            )
        if shown:
            kept.append(shown)
    return kept, told


def _fit_retention(path: str, k50: Mapping[tuple[int, int], float], *, random_seed: int) -> dict[str, Any]:
    """What each arm with a base keeps, by its name; K50 by parameters and presentations."""
    found: dict[str, Any] = {}
    for arm, runs in read_retention_runs(path).items():
        held = [one for one in runs if one.was_held]
        left_out = [
            f"With {one.params:,} parameters, {one.before.mean():.2f} of {one.base:,} base facts were held before. "
            "Measure a smaller base, or more presentations."
            for one in runs
            if not one.was_held
        ]
        found[arm] = {"kept": KEPT, "left_out": left_out}
        if held:
            rng = keyed_generator(random_seed, "retention", arm)
            found[arm] |= asdict(measure_retention(held, k50=k50, rng=rng))
    return found


def _measurement_advice(cell: ExperimentCell, lacking: int) -> str:
    """What a cell that does not show its collapse is short of: `lacking` facts, or presentations to show them in."""
    facts, recall = mean_recall_by_count(cell)
    advice = f"Measure {lacking:,} facts next."
    if lacking > cell.presentations:
        advice = f"It shows no more than {cell.presentations:,} facts once each: measure more presentations next."
    return (
        f"With {cell.params:,} parameters and {cell.presentations:,} presentations, recall goes "
        f"from {recall[0]:.2f} at {facts[0]:,} facts to {recall[-1]:.2f} at {facts[-1]:,}. {advice}"
    )


def _note_limits(law: Law, collapses: Sequence[Collapse]) -> list[str]:
    """What the measurements do not let the law say, a line each."""
    notes: list[str] = []
    if not law.freedom:
        notes.append("every cell has one random seed: no intervals. Measure each cell with another seed.")
    if law.residual is None:
        notes.append("not testable: sizes left out can be foretold from 3 sizes on. Measure twice the largest next.")
    if law.budgets[1] <= law.budgets[0] * SAME_FACTOR:
        notes.append("one budget: what presentations do was not measured. Measure one size at half and at twice that.")
    if above := cells_above_capacity(collapses, law):
        cells = ", ".join(f"{one.params:,} at {one.presentations:,}" for one in above)
        notes.append(
            f"{len(above)} cells ({cells}) hold more bits a parameter than models are known to at so many exposures, "
            f"with {law.bits_per_fact:.1f} bits a fact: the bits are wrong (--bits), or the bound is not theirs. "
            f"Nothing is capped below the {law.measured_bits:.1f} that they held."
        )
    return notes


def _summarise_fit(law: Law, collapses: Sequence[Collapse], held: Sequence[HeldOutCell]) -> dict[str, Any]:
    """A fit in numbers; counts are of distinct facts."""
    return {
        "forms": {fit.form: fit.parameters for fit in law.fits if fit.averaged},
        "left_out_error": law.errors,
        "residual": law.residual,
        "peak_ratio": asdict(law.peak_ratio),
        "cells": [{key: value for key, value in asdict(one).items() if key != "draws"} for one in collapses],
        "holdout": [asdict(one) for one in held],
    }


def _show_plan(plan: InfusionPlan) -> None:
    best, prediction = plan.facts, plan.prediction
    print_status(_describe_extrapolation(plan))
    print_status(
        f"best: {best.value:,.0f} distinct facts ({_describe_bounds(best)}); the model collapses at "
        f"{prediction.k50.value:,.0f}."
    )
    print_status(
        f"teach {plan.taught:,} facts {plan.exposures:,.1f} times each in training: {plan.samples:,} samples "
        f"with each fact in {plan.dataset_exposures}, {plan.epochs:,.1f} epochs, {plan.tokens:,.0f} tokens, "
        f"{plan.replay_share:.0%} of them replay."
    )
    if plan.bounded_by_exposures:
        print_status(
            f"the law promises more facts than can be shown {plan.least_exposures:,.0f} times each: that fewer "
            "exposures do was never measured (--least-exposures)."
        )
    if plan.available is not None and plan.available > plan.taught:
        print_status(
            f"the corpus holds {plan.available:,}: select {plan.taught / plan.available:.1%} of "
            "them (kdos select), do not show all of them less often."
        )
    if prediction.capped:
        print_status(
            f"the law promised more bits than the parameters hold: capped at {prediction.capacity:,.0f} facts."
        )


def _describe_extrapolation(plan: InfusionPlan) -> str:
    """How far beyond the measurements the plan lies: the first line, for it says what the others are worth."""
    prediction = plan.prediction
    far = (
        f"{prediction.size_factor:,.1f} times in parameters and {prediction.budget_factor:,.1f} times in presentations"
    )
    if prediction.is_order_of_magnitude:
        return f"extrapolated {far}: an order of magnitude, no more. Measure larger models before you spend on it."
    if prediction.factor > 1:
        return f"extrapolated {far}. Measure larger models before you spend on it."
    return f"extrapolated {far}: within what was measured."


def _describe_bounds(found: IntervalEstimate) -> str:
    if found.low is None or found.high is None:
        return "no interval: one random seed"
    return f"90 % between {found.low:,.0f} and {found.high:,.0f}"


def _show_fit(summary: dict[str, Any]) -> None:
    print_status("parameters  presentations  K50 (90 %)                 K*     onset")
    for cell in summary["cells"]:
        k50, onset = cell["k50"], cell["onset"]
        print_status(
            f"{cell['params']:>10,}  {cell['presentations']:>13,}  {k50['value']:>7,.0f} "
            f"({_describe_range(k50)})  {cell['peak']['value']:>7,.0f}  "
            + ("no break" if onset is None else f"{onset:>7,.0f}")
        )
    for text in summary["notes"]:
        print_status(f"note: {text}")
    for form, parameters in summary["forms"].items():
        print_status(f"law: {form} ({', '.join(f'{value:.3f}' for value in parameters)})")
    residual = summary["residual"]
    print_status(f"error at sizes left out: {'not testable' if residual is None else f'{residual:.1%}'}")
    curve = summary["one_curve"]
    print_status(f"one curve in K/K50: R² {curve['r2']:.3f}, rmse {curve['rmse']:.3f}")
    for one in summary["holdout"]:
        print_status(
            f"held out {one['params']:,} at {one['presentations']:,}: foretold {one['predicted']['value']:,.0f} "
            f"({_describe_range(one['predicted'])}), measured {one['measured']:,.0f}: {one['error']:+.1%}"
        )


def _describe_range(interval: dict[str, Any]) -> str:
    return "no interval" if interval["low"] is None else f"{interval['low']:,.0f} to {interval['high']:,.0f}"


def _show_retention(retention: Mapping[str, Any]) -> None:
    for arm, found in retention.items():
        print_status(f"{arm}: replay share that keeps {KEPT:.0%} of the base")
        for text in found["left_out"]:
            print_status(f"left out: {text}")
        for one in found.get("needed", ()):
            load = "" if one["load"] is None else f" ({one['load']:.2f} of K50)"
            print_status(
                f"{one['params']:>10,}  {one['presentations']:>13,}  {one['facts']:,} facts{load} "
                f"beside {one['base']:,}: {_describe_crossing(one['share'], '.3f')}"
            )
        for one in (one for one in found.get("onsets", ()) if not one["facts"]["beyond"]):
            print_status(
                f"{one['params']:>10,}  {one['presentations']:>13,}  loss at a share of {one['share']:g} "
                f"from {_describe_crossing(one['facts'], ',.0f')} facts on"
            )
        if "needed" in found:
            _show_relation(found)


def _show_relation(found: Mapping[str, Any]) -> None:
    relation = found["relation"]
    if relation is None:
        print_status(f"no relation of the share to facts and size: {found['reason']}")
        return
    level, facts, size = relation["parameters"]
    print_status(
        f"log odds of the share: {level:.2f} {facts:+.2f} log(K/K50) {size:+.2f} log(N/10,000); error at sizes left "
        f"out {relation['residual']:.2f}, of one share for all {found['one_share_error']:.2f}"
    )
    for one in found["held_out"]:
        print_status(
            f"held out {one['params']:,} with {one['facts']:,} facts: foretold {one['predicted']:.3f} "
            f"({one['low']:.3f} to {one['high']:.3f}), measured {_describe_crossing(one['measured'], '.3f')}"
        )


def _describe_crossing(found: Mapping[str, Any], form: str) -> str:
    """A figure with its interval; where it was not found, the bound that it lies beyond."""
    if found["beyond"]:
        return f"more than {found['most']:,g}" if found["beyond"] == "above" else f"at most {found['least']:,g}"
    if found["low"] is None and found["high"] is None:
        return f"{found['value']:{form}}"
    low = f"under {found['least']:,g}" if found["low"] is None else f"{found['low']:{form}}"
    high = f"over {found['most']:,g}" if found["high"] is None else f"{found['high']:{form}}"
    return f"{found['value']:{form}} ({low} to {high})"
