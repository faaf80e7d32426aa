"""`kdos evaluate --benchmark NAME|FILE --out DIR`: score given answers, or ask a model."""

import argparse
from collections.abc import Mapping
from typing import Any

from kdos.api import Answerer, evaluate
from kdos.api.evaluation import SHOTS, answering_engine
from kdos.commands.arguments import input_name, input_path, output_path, whole_number
from kdos.config import EngineConfig
from kdos.errors import UsageError
from kdos.evaluate import BENCHMARKS, CHOICE_METRICS, LIKELIHOODS_OF, METRICS
from kdos.terminal import print_json, print_status

CONCURRENCY = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_benchmark_arguments(parser)
    add_answerer_arguments(parser)
    parser.add_argument("--out", type=output_path, required=True, metavar="DIR", help="where scores go")
    parser.add_argument("--against", type=input_path, metavar="DIR", help="another evaluation to compare with")
    parser.add_argument("--run", type=input_path, metavar="RUN", help="place the questions on the map of this run")
    parser.add_argument("--random-seed", type=int, default=0, help="of examples and intervals")
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")


def add_benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    """What is asked."""
    parser.add_argument(
        "--benchmark",
        type=input_name,
        required=True,
        metavar="NAME|FILE",
        help=f"rows with id, question, answers, and choices if there are any; or one of {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--limit", type=whole_number(), default=0, help="only the first so many questions")
    parser.add_argument(
        "--examples", type=input_name, metavar="NAME|FILE", help="questions of a training split, shown as examples"
    )
    parser.add_argument(
        "--likelihood-of",
        choices=LIKELIHOODS_OF,
        help="what --transformers chooses by: letters of choices that it is shown (default), or texts that it is not",
    )
    parser.add_argument("--shots", type=whole_number(), default=SHOTS, help=f"how many examples (default: {SHOTS})")


def add_answerer_arguments(parser: argparse.ArgumentParser) -> None:
    """Who answers."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--answers", type=input_path, metavar="FILE", help="rows with id, answer")
    who.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible server, up to /v1")
    who.add_argument("--transformers", type=input_name, metavar="MODEL", help="a causal model: a folder or name")
    parser.add_argument("--model", metavar="NAME", help="the model's name at --endpoint")
    parser.add_argument("--key-env", metavar="VAR", help="environment variable with its key")
    parser.add_argument("--judge-endpoint", metavar="URL", help="a server whose model grades the answers")
    parser.add_argument("--judge-model", metavar="NAME", help="the model that grades")
    parser.add_argument("--judge-key-env", metavar="VAR", help="environment variable with its key")
    parser.add_argument(
        "--concurrency",
        type=whole_number(1),
        default=CONCURRENCY,
        help=f"requests in flight at most (default: {CONCURRENCY})",
    )


def main(args: argparse.Namespace) -> None:
    """Score the answers and write the folder; the last line on stdout is the summary."""
    answerer = Answerer(
        args.answers,
        read_server(args, "endpoint", "model", "key_env"),
        args.transformers,
        read_server(args, "judge_endpoint", "judge_model", "judge_key_env"),
    )
    summary = evaluate(
        args.benchmark,
        args.out,
        answerer,
        limit=args.limit,
        examples=args.examples,
        shots=args.shots,
        against=args.against,
        run=args.run,
        random_seed=args.random_seed,
        likelihood_of=args.likelihood_of,
    )
    if not args.json:
        show_scores(summary)
    print_json(summary)


def read_server(args: argparse.Namespace, url: str, model: str, key: str) -> EngineConfig | None:
    """The server that the flags of these names give; None where they give none."""
    if (getattr(args, url) is None) != (getattr(args, model) is None):
        flags = [f"--{name.replace('_', '-')}" for name in (url, model)]
        raise UsageError(f"{flags[0]} and {flags[1]} belong together. Give both or neither.")
    if getattr(args, url) is None:
        return None
    return answering_engine(
        getattr(args, url), getattr(args, model), key_env=getattr(args, key), concurrency=args.concurrency
    )


def show_scores(summary: Mapping[str, Any]) -> None:
    """The scores with their intervals, on stderr."""
    print_status(f"{summary['questions']} questions, {summary['answered']} scored")
    if summary["fields"]:
        print_status("fields: " + ", ".join(f"{part} = {field}" for part, field in summary["fields"].items()))
    for reason, count in summary["unscored_reasons"].items():
        print_status(f"  {count} unscored: {reason}")
    metrics = dict.fromkeys(METRICS + CHOICE_METRICS)
    for name in metrics:
        if summary.get(name) is not None:
            low, high = summary["intervals"][name]
            print_status(f"  {name:<9} {summary[name]:.3f}  (95 % between {low:.3f} and {high:.3f})")
    if "macro" in summary:
        print_status(f"  macro     {summary['macro']['correct']:.3f} correct over {summary['macro']['groups']} groups")
    for name, part in summary.get("discipline", {}).items():
        if part["correct"] is not None:
            print_status(
                f"  {name}: {part['correct']:.3f} correct, {part['macro']:.3f} over {part['subjects']} subjects"
            )
    if "grades" in summary:
        shares = (f"{share:.3f} {grade}" for grade, share in summary["grades"].items())
        print_status(f"  the judge: {', '.join(shares)}")
    if "loss" in summary:
        low, high = summary["loss_interval"]
        print_status(f"  loss      {summary['loss']:.3f} nats a token  ({low:.3f} to {high:.3f})")
    for name in [name for name in metrics if name in summary.get("against", ())]:
        found = summary["against"][name]
        bounds = f"{found['low']:+.3f} to {found['high']:+.3f}, p = {found['p_value']:.4f}"
        print_status(f"  {name:<9} {found['difference']:+.3f} against the other  ({bounds})")
    for part in summary.get("by_density", ()):
        low, high = part["log10_density"]
        right = "none scored" if part["correct"] is None else f"{part['correct']:.3f} correct"
        print_status(f"  log10 density {low:+.1f} to {high:+.1f}: {right}, {part['questions']} questions")
