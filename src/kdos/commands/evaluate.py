"""`kdos evaluate --benchmark NAME|FILE (--answers FILE | --endpoint URL --model NAME) --out DIR`."""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

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
from kdos.terminal import say, show_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--benchmark",
        required=True,
        metavar="NAME|FILE",
        help=f"rows with id, question, answers; or one of {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--answers", type=Path, metavar="FILE", help="JSONL rows with id, answer")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where scores go")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="another evaluation to compare with"
    )
    parser.add_argument("--limit", type=int, default=0, help="the first so many questions")
    parser.add_argument("--random-seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--json", action="store_true", help="no table on stderr")


def main(args: argparse.Namespace) -> None:
    """Score the answers, write DIR/scores.jsonl, and end stdout with the summary."""
    started = time.monotonic()
    check(args)
    theirs = read_evaluation(args.against) if args.against else None
    questions = open_benchmark(args.benchmark, limit=args.limit)
    given = read_given(args.answers)
    marks = list(mark_given(questions, given))
    unused = len(given.keys() - {question.id for question in questions})
    summary = summarise(marks, random_seed=args.random_seed) | {"unused_answers": unused}
    if theirs is not None:
        ours = {mark.question.id: mark.row() for mark in marks}
        summary["against"] = compare_marks(ours, theirs, random_seed=args.random_seed)
    summary["seconds"] = round(time.monotonic() - started, 3)
    write_evaluation(args.out, marks, summary)
    if not args.json:
        show_table(summary)
    show_json(summary)
