"""`kdos evaluate --benchmark NAME|FILE (--answers FILE | --endpoint URL --model NAME) --out DIR`."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdos.errors import UsageError
from kdos.evaluate import (
    BENCHMARKS,
    METRICS,
    Mark,
    compare_marks,
    mark_given,
    open_benchmark,
    read_evaluation,
    read_given,
    summarise,
    write_evaluation,
)
from kdos.scoring import Question
from kdos.terminal import say, show_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--benchmark",
        required=True,
        metavar="NAME|FILE",
        help=f"rows with id, question, answers; or one of {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--answers", type=Path, metavar="FILE", help="rows with id, answer")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where scores go")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="another evaluation to compare with"
    )
    parser.add_argument("--limit", type=int, default=0, help="only the first so many questions")
    parser.add_argument("--random-seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")


def main(args: argparse.Namespace) -> None:
    """Score the answers and write the folder; the last line on stdout is the summary."""
    started = time.monotonic()
    check(args)
    theirs = read_evaluation(args.against) if args.against else None
    questions = open_benchmark(args.benchmark, limit=args.limit)
    marks = mark(args, questions)
    summary = summarise(marks, random_seed=args.random_seed)
    if theirs is not None:
        ours = {mark.question.id: mark.row() for mark in marks}
        summary["against"] = compare_marks(ours, theirs, random_seed=args.random_seed)
    write_evaluation(args.out, marks, summary)
    if not args.json:
        show_table(summary)
    show_json(summary | {"seconds": round(time.monotonic() - started, 3)})


def check(args: argparse.Namespace) -> None:
    """Refuse flags that cannot be meant, before anything is read."""
    if args.out.exists() and not args.out.is_dir():
        raise UsageError(f"--out must be a folder. {args.out} is a file. Name another.")
    if args.limit < 0:
        raise UsageError(f"--limit must be 0 (all) or more. Got {args.limit}.")


def mark(args: argparse.Namespace, questions: Sequence[Question]) -> list[Mark]:
    """The marks of the answers that the flags point to."""
    given = read_given(args.answers)
    unknown = given.keys() - {question.id for question in questions}
    if unknown:
        say(f"{len(unknown)} answers belong to no question of the benchmark and are left out")
    return list(mark_given(questions, given))


def show_table(summary: dict[str, Any]) -> None:
    """The scores with their intervals, on stderr."""
    say(f"{summary['questions']} questions, {summary['answered']} scored")
    for reason, count in summary["unscored_reasons"].items():
        say(f"  {count} unscored: {reason}")
    for name in METRICS:
        if summary[name] is not None:
            low, high = summary["intervals"][name]
            say(f"  {name:<9} {summary[name]:.3f}  (95 % between {low:.3f} and {high:.3f})")
    for name in METRICS if "against" in summary else ():
        found = summary["against"][name]
        bounds = f"{found['low']:+.3f} to {found['high']:+.3f}, p = {found['p_value']:.4f}"
        say(f"  {name:<9} {found['difference']:+.3f} against the other  ({bounds})")
