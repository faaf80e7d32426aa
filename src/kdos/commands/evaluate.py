"""`kdos evaluate --benchmark NAME|FILE --out DIR`: score given answers, or ask a model."""

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kdos.causal_lm import CausalModel
from kdos.errors import UsageError
from kdos.evaluate import (
    BENCHMARKS,
    LEDGER,
    METRICS,
    Example,
    Mark,
    by_cell,
    by_density,
    compare_marks,
    draw_examples,
    grade_marks,
    mark_asked,
    mark_given,
    measure_losses,
    open_benchmark,
    place_questions,
    read_evaluation,
    read_given,
    summarise,
    write_evaluation,
)
from kdos.llm import HttpEngine, HttpSettings, Ledger
from kdos.scoring import Question
from kdos.terminal import say, show_json

CONCURRENCY = 64
MAX_TOKENS = 4096
"""Room for a reply, with what a reasoning model thinks before it."""
SHOTS = 5
"""Examples before each question where a file of them is given: what the papers use for most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_inputs(parser)
    add_models(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where scores go")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="another evaluation to compare with"
    )
    parser.add_argument(
        "--run", type=Path, metavar="RUN", help="place the questions on the map of this run"
    )
    parser.add_argument("--random-seed", type=int, default=0, help="of examples and intervals")
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """What is asked."""
    parser.add_argument(
        "--benchmark",
        required=True,
        metavar="NAME|FILE",
        help=f"rows with id, question, answers; or one of {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--limit", type=int, default=0, help="only the first so many questions")
    parser.add_argument(
        "--examples", metavar="NAME|FILE", help="questions of a training split, shown as examples"
    )
    parser.add_argument(
        "--shots", type=int, default=SHOTS, help=f"how many examples (default: {SHOTS})"
    )


def add_models(parser: argparse.ArgumentParser) -> None:
    """Who answers."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--answers", type=Path, metavar="FILE", help="rows with id, answer")
    who.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible server, up to /v1")
    who.add_argument("--transformers", metavar="MODEL", help="a causal model: a folder or name")
    parser.add_argument("--model", metavar="NAME", help="the model's name at --endpoint")
    parser.add_argument("--key-env", metavar="VAR", help="environment variable with its key")
    parser.add_argument(
        "--judge-endpoint", metavar="URL", help="a server whose model grades the answers"
    )
    parser.add_argument("--judge-model", metavar="NAME", help="the model that grades")
    parser.add_argument("--judge-key-env", metavar="VAR", help="environment variable with its key")
    parser.add_argument(
        "--concurrency",
        type=int,
        default=CONCURRENCY,
        help=f"requests in flight at most (default: {CONCURRENCY})",
    )


def main(args: argparse.Namespace) -> None:
    """Score the answers and write the folder; the last line on stdout is the summary."""
    started = time.monotonic()
    check(args)
    theirs = read_evaluation(args.against) if args.against else {}
    questions = open_benchmark(args.benchmark, limit=args.limit)
    places = place_questions(questions, args.run) if args.run else None
    marks = answered(args, questions)
    rows = [one.row() | (places.row(n) if places else {}) for n, one in enumerate(marks)]
    summary = summarise(marks, random_seed=args.random_seed)
    if args.against:
        ours = {str(row["id"]): row for row in rows}
        summary["against"] = compare_marks(ours, theirs, random_seed=args.random_seed)
    if places:
        summary["by_density"] = by_density(rows, places, theirs)
    cells = by_cell(rows, places, theirs) if places else None
    write_evaluation(args.out, rows, summary, cells=cells)
    if not args.json:
        show_table(summary)
    show_json(summary | {"seconds": round(time.monotonic() - started, 3)})


def check(args: argparse.Namespace) -> None:
    """Refuse flags that cannot be meant, before anything is read."""
    if args.out.exists() and not args.out.is_dir():
        raise UsageError(f"--out must be a folder. {args.out} is a file. Name another.")
    for name in ("limit", "shots"):
        if getattr(args, name) < 0:
            raise UsageError(f"--{name} must be 0 or more. Got {getattr(args, name)}.")
    if args.concurrency < 1:
        raise UsageError(f"--concurrency must be 1 or more. Got {args.concurrency}.")
    for url, model in (("endpoint", "model"), ("judge_endpoint", "judge_model")):
        if (getattr(args, url) is None) != (getattr(args, model) is None):
            flags = [f"--{name.replace('_', '-')}" for name in (url, model)]
            raise UsageError(f"{flags[0]} and {flags[1]} belong together. Give both or neither.")


def answered(args: argparse.Namespace, questions: Sequence[Question]) -> list[Mark]:
    """The marks of the answers that were given, or of a model's; graded where a judge is named."""
    if args.answers and not args.judge_endpoint:
        return answered_by_file(args.answers, questions)
    examples = read_examples(args, questions)
    args.out.mkdir(parents=True, exist_ok=True)
    with Ledger(args.out / LEDGER) as ledger:
        if args.answers:
            marks = answered_by_file(args.answers, questions)
        elif args.transformers:
            model = CausalModel(args.transformers)
            asked = mark_asked(questions, ask=partial(ledger.ask, model), examples=examples)
            marks = measure_losses(list(asked), model, examples=examples)
        else:
            with server(args.endpoint, args.model, args.key_env, args.concurrency) as engine:
                ask = partial(ledger.ask, engine)
                marks = list(mark_asked(questions, ask=ask, examples=examples))
        return graded(args, marks, ledger) if args.judge_endpoint else marks


def graded(args: argparse.Namespace, marks: Sequence[Mark], ledger: Ledger) -> list[Mark]:
    """The marks with the judge's grades."""
    judge = server(args.judge_endpoint, args.judge_model, args.judge_key_env, args.concurrency)
    with judge as engine:
        return list(grade_marks(marks, ask=partial(ledger.ask, engine)))


def server(url: str, model: str, key_env: str | None, concurrency: int) -> HttpEngine:
    """A model behind a server; answers are the likeliest ones."""
    settings = HttpSettings(
        url=url,
        model=model,
        key_env=key_env,
        concurrency=concurrency,
        temperature=0.0,
        max_tokens=MAX_TOKENS,
    )
    return HttpEngine(settings)


def answered_by_file(path: Path, questions: Sequence[Question]) -> list[Mark]:
    """The marks of answers looked up by id."""
    given = read_given(path)
    unknown = given.keys() - {question.id for question in questions}
    if unknown:
        say(f"{len(unknown)} answers belong to no question of the benchmark and are left out")
    return list(mark_given(questions, given))


def read_examples(args: argparse.Namespace, questions: Sequence[Question]) -> list[Example]:
    """The examples shown before each question; none without a file of them."""
    if not args.examples:
        return []
    known = open_benchmark(args.examples)
    return draw_examples(known, args.shots, asked=questions, random_seed=args.random_seed)


def show_table(summary: Mapping[str, Any]) -> None:
    """The scores with their intervals, on stderr."""
    say(f"{summary['questions']} questions, {summary['answered']} scored")
    for reason, count in summary["unscored_reasons"].items():
        say(f"  {count} unscored: {reason}")
    for name in METRICS:
        if summary[name] is not None:
            low, high = summary["intervals"][name]
            say(f"  {name:<9} {summary[name]:.3f}  (95 % between {low:.3f} and {high:.3f})")
    if "grades" in summary:
        shares = (f"{share:.3f} {grade}" for grade, share in summary["grades"].items())
        say(f"  the judge: {', '.join(shares)}")
    if "loss" in summary:
        low, high = summary["loss_interval"]
        say(f"  loss      {summary['loss']:.3f} nats a token  ({low:.3f} to {high:.3f})")
    for name in METRICS if "against" in summary else ():
        found = summary["against"][name]
        bounds = f"{found['low']:+.3f} to {found['high']:+.3f}, p = {found['p_value']:.4f}"
        say(f"  {name:<9} {found['difference']:+.3f} against the other  ({bounds})")
    for part in summary.get("by_density", ()):
        low, high = part["log10_density"]
        right = "none scored" if part["correct"] is None else f"{part['correct']:.3f} correct"
        say(f"  log10 density {low:+.1f} to {high:+.1f}: {right}, {part['questions']} questions")
