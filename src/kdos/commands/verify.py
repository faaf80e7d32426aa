"""`kdos verify FILE`: what is wrong with the questions of any dataset, and in how many."""

import argparse
from typing import Any

from kdos.api import verify
from kdos.commands.arguments import add_input_files, input_name, joined_paths, output_path, whole_number
from kdos.config import EngineConfig
from kdos.errors import UsageError
from kdos.terminal import print_json, print_status, print_table

PARTS = ("question", "answers", "passage", "knowledge_points", "logic", "topic_entities", "id")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_input_files(parser, "a table, or a folder of tables")
    for part in PARTS:
        flag = part.replace("_", "-")
        parser.add_argument(f"--{flag}", metavar="FIELD", help=f"the field with the {part}")
    parser.add_argument("--lang", default="", help="the language wanted (default: en)")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="check the first N rows only")
    parser.add_argument(
        "--benchmark",
        type=input_name,
        action="append",
        default=[],
        metavar="FILE",
        help="a file, folder or name of questions nobody may train on; may be given again",
    )
    parser.add_argument("--judges", type=whole_number(), default=0, metavar="K", help="ask K judges; needs a passage")
    parser.add_argument(
        "--attempts", type=whole_number(), default=0, metavar="K", help="answer K times unseen; needs --url"
    )
    parser.add_argument("--url", help="an OpenAI-compatible endpoint (default: the rules engine)")
    parser.add_argument("--model", help="the model's name at the endpoint")
    parser.add_argument("--key-env", metavar="NAME", help="the environment variable with the key")
    parser.add_argument("--concurrency", type=whole_number(1), default=64)
    parser.add_argument("--out", type=output_path, metavar="DIR", help="keep verdicts, ledger and summary")
    parser.add_argument(
        "--keep", type=output_path, metavar="OUT", help="write the accepted rows: .parquet, .jsonl or .csv"
    )
    parser.add_argument("--json", action="store_true", help="the summary as JSON on stdout")


def main(args: argparse.Namespace) -> None:
    """Check, judge where asked to, and show the error analysis."""
    if args.url and not args.model:
        raise UsageError("--url must come with --model NAME.")
    engine = EngineConfig(
        "http" if args.url else "rules",
        args.url or "",
        args.model or "",
        key_env=args.key_env,
        concurrency=args.concurrency,
    )
    summary = verify(
        joined_paths(args.file),
        fields={part: getattr(args, part) for part in PARTS if getattr(args, part)},
        lang=args.lang,
        limit=args.limit,
        benchmarks=args.benchmark,
        judges=args.judges,
        attempts=args.attempts,
        engine=engine,
        out=args.out,
        keep=args.keep,
    )
    show_summary(summary, as_json=args.json)


def show_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    """The summary as JSON, or a table for the eye."""
    if as_json:
        print_json(summary)
        return
    print_status("fields: " + ", ".join(f"{part} = {field}" for part, field in summary["fields"].items()))
    reasons = [(reason, f"{count:,}") for reason, count in summary["by_reason"].items()]
    print_table("refused", ("reason", "rows"), reasons)
    print_status(f"{summary['accepted']:,} of {summary['rows']:,} rows accepted")
