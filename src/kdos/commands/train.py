"""`kdos train --proxy|--model NAME --out DIR`: what a model remembers of the facts it is shown."""

import argparse
import csv
import io
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from kdos.commands.arguments import input_name, number, output_path, whole_number
from kdos.errors import InputError, UsageError
from kdos.outputs import TRAINING, claim_folder
from kdos.rows import read_table_rows
from kdos.store import atomic_file, write_json
from kdos.terminal import print_json, print_status
from kdos.train import (
    CHOICE_OPTIONS,
    MODELS_PER_GROUP,
    REPLAY_SHARES,
    SUBJECTS,
    TRIAL_ARMS,
    ContinuedTraining,
    ExperimentDesign,
    FactRecall,
    Lab,
    MeasuredRow,
    PretrainedModel,
    TrialArm,
    Triple,
    run_design,
)

PROXY_WIDTHS = "16,24,32,48"
PRESENTATIONS = 192_000
POINTS, SEEDS = 8, 3
"""The standard experiment."""
EXPOSURES, REPLAY_SHARE, RATE = 30, 0.1, 1e-4
MEASUREMENTS = "measurements.csv"
TRIPLE_FIELDS = ("subject", "relation", "object")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--proxy", action="store_true", help="small decoders, on made-up facts")
    what.add_argument("--model", type=input_name, metavar="NAME", help="a causal model: a folder or name")
    parser.add_argument("--out", type=output_path, required=True, metavar="DIR", help="where results go")
    parser.add_argument("--random-seed", type=whole_number(), default=0, help="another is another experiment")
    _add_proxy_arguments(parser)
    _add_model_arguments(parser)


def _add_proxy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths", default=PROXY_WIDTHS, help=f"model widths, smallest first (default: {PROXY_WIDTHS})"
    )
    parser.add_argument(
        "--presentations",
        type=whole_number(1),
        default=PRESENTATIONS,
        help=f"facts shown to each model, repeats counted (default: {PRESENTATIONS})",
    )
    parser.add_argument(
        "--points", type=whole_number(1), default=POINTS, help=f"counts of facts a cell (default: {POINTS})"
    )
    parser.add_argument("--seeds", type=whole_number(1), default=SEEDS, help=f"runs each (default: {SEEDS})")
    parser.add_argument("--subjects", type=whole_number(1), default=SUBJECTS, help="names of the made-up world")
    parser.add_argument(
        "--arms",
        default=TRIAL_ARMS[0],
        help=f"of {','.join(TRIAL_ARMS)}: facts alone, between base facts, after them (default: {TRIAL_ARMS[0]})",
    )
    parser.add_argument(
        "--shares",
        default=",".join(f"{share:g}" for share in REPLAY_SHARES),
        help="shares of presentations that show base facts (default: %(default)s)",
    )
    parser.add_argument(
        "--together",
        type=whole_number(1),
        default=MODELS_PER_GROUP,
        help=f"models a program (default: {MODELS_PER_GROUP})",
    )
    parser.add_argument("--workers", type=whole_number(1), default=os.cpu_count() or 1, help="processes")


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--facts", type=input_name, metavar="FILE", help=f"a table of {', '.join(TRIPLE_FIELDS)}")
    parser.add_argument("--base", type=input_name, metavar="FILE", help="facts that the model is to keep, likewise")
    parser.add_argument(
        "--exposures", type=whole_number(1), default=EXPOSURES, help=f"of each fact (default: {EXPOSURES})"
    )
    parser.add_argument(
        "--replay-share",
        type=number(most=1),
        default=REPLAY_SHARE,
        help=f"share of texts that show the base (default: {REPLAY_SHARE})",
    )
    parser.add_argument("--rate", type=number(), default=RATE, help=f"of learning (default: {RATE})")


def main(args: argparse.Namespace) -> None:
    """Train and probe; the last line on stdout is JSON."""
    with claim_folder(args.out, TRAINING, inputs=[args.facts, args.base, args.model]):
        if args.proxy:
            _run_proxy_design(args)
        else:
            _train_model(args)


def _run_proxy_design(args: argparse.Namespace) -> None:
    with closing(Lab(args.out / "cells", workers=args.workers)) as lab:
        rows = run_design(_read_design(args), lab)
        cost = round(lab.core_seconds)
    path = args.out / MEASUREMENTS
    write_measurements(path, rows)
    print_status(f"measurements: {path}")
    print_status(f"next: kdos scaling fit {path} --holdout-largest --out law.json")
    print_json({"runs": len(rows), "core_seconds": cost, "measurements": str(path)})


def _read_design(args: argparse.Namespace) -> ExperimentDesign:
    """What the flags ask for: half and twice the budget, too, at the smallest width."""
    return ExperimentDesign(
        widths=parse_widths(args.widths),
        presentations=args.presentations,
        budgets=(args.presentations // 2, args.presentations * 2),
        points=args.points,
        seeds=args.seeds,
        random_seed=args.random_seed,
        subjects=args.subjects,
        together=args.together,
        arms=_parse_arms(args.arms),
        shares=_parse_shares(args.shares),
    )


def parse_widths(text: str) -> tuple[int, ...]:
    """The widths in a list like ``16,24,32``."""
    return parse_numbers(text, "--widths")


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers in a list like ``16,24,32``: whole, at least 1, smallest first, each once."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1 or list(numbers) != sorted(set(numbers)):
        raise UsageError(f"{option} must be numbers like {PROXY_WIDTHS}, smallest first. Got {text!r}.")
    return numbers


def _parse_arms(text: str) -> tuple[TrialArm, ...]:
    """The arms in a list like ``scratch,continued``, in the order in which they are measured."""
    named = text.split(",")
    if len(named) > len(set(named)) or not set(named) <= set(TRIAL_ARMS):
        raise UsageError(f"--arms must name some of {','.join(TRIAL_ARMS)}, each once. Got {text!r}.")
    return tuple(arm for arm in TRIAL_ARMS if arm in named)


def _parse_shares(text: str) -> tuple[float, ...]:
    """The shares in a list like ``0,0.1,0.4``."""
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if not shares or list(shares) != sorted(set(shares)) or not 0 <= shares[0] <= shares[-1] < 1:
        raise UsageError(f"--shares must be numbers in [0, 1) like 0,0.1,0.4, smallest first. Got {text!r}.")
    return shares


def write_measurements(path: Path, rows: Sequence[MeasuredRow]) -> None:
    """Write rows of measurements as CSV; a column that a row lacks is empty there."""
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def _train_model(args: argparse.Namespace) -> None:
    """Probe a model, teach it, probe it again, and keep it."""
    training = _continued_training(args)
    model = PretrainedModel(args.model)
    before = _evaluate_model(model, training)
    shown = model.train_on_facts(training)
    after = _evaluate_model(model, training)
    model.save_pretrained(args.out / "model")
    summary = {"params": model.params, "presentations": shown, "facts": len(training.facts)}
    summary |= {"share": training.share, "before": before, "after": after}
    write_json(args.out / "memory.json", summary)
    print_status(f"model: {args.out / 'model'}")
    print_json(summary)


def _continued_training(args: argparse.Namespace) -> ContinuedTraining:
    if args.facts is None:
        raise UsageError("--model needs --facts: the table of what it is taught.")
    if not 0 <= args.replay_share < 1 or not args.rate > 0:
        raise UsageError(
            f"--replay-share must be in [0, 1) and --rate more than 0. Got {args.replay_share} and {args.rate}."
        )
    return ContinuedTraining(
        _read_triples(args.facts),
        base=_read_triples(args.base) if args.base else [],
        exposures=args.exposures,
        share=args.replay_share if args.base else 0.0,
        rate=args.rate,
        random_seed=args.random_seed,
    )


def _read_triples(path: str) -> list[Triple]:
    """The facts of a table; one without words in a field is an `InputError`."""
    found: list[Triple] = []
    for rows in read_table_rows(path, columns=TRIPLE_FIELDS):
        columns = [rows.text_column(name).to_pylist() for name in TRIPLE_FIELDS]
        for row, parts in enumerate(zip(*columns, strict=True)):
            if None in parts:
                raise rows.row_error(row, f"must hold {', '.join(TRIPLE_FIELDS)}. One is empty")
            found.append(Triple(*parts))
    if len({fact.value for fact in found}) < CHOICE_OPTIONS:
        raise InputError.at(path, f"must hold {CHOICE_OPTIONS} different objects, to choose among")
    return found


def _evaluate_model(model: PretrainedModel, training: ContinuedTraining) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for prefix, facts in (("", training.facts), ("base_", training.base)):
        if facts:
            known = model.evaluate_facts(facts, random_seed=training.random_seed)
            found |= {f"{prefix}{name}": value for name, value in _recall_figures(known).items()}
    return found


def _recall_figures(memory: FactRecall) -> dict[str, float]:
    """A memory in numbers: shares in [0, 1], and nats a value."""
    return {
        "recall": float(memory.exact.mean()),
        "paraphrase_recall": float(memory.paraphrase.mean()),
        "choice": float(memory.choice.mean()),
        "nats": float(memory.nats.mean()),
    }
