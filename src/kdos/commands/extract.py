"""`kdos extract FILE --out OUT`: the knowledge points of a dataset that one already has."""

import argparse
from typing import Any

from kdos.api import extract
from kdos.commands.arguments import (
    add_input_files,
    add_question_fields,
    joined_paths,
    output_path,
    question_fields,
    whole_number,
)
from kdos.config import EngineConfig
from kdos.errors import UsageError
from kdos.terminal import print_json, print_status, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_input_files(parser, "a table of questions and answers, or a folder of such")
    parser.add_argument(
        "--out", type=output_path, required=True, metavar="OUT", help="a new file for the rows: .parquet or .jsonl"
    )
    add_question_fields(parser)
    parser.add_argument("--passage", metavar="FIELD", help="the field with the passage that the facts are taken from")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="the first N rows only")
    parser.add_argument(
        "--endpoint", metavar="URL", help="an OpenAI-compatible server, up to /v1 (default: the rules)"
    )
    parser.add_argument("--model", metavar="NAME", help="the model's name at --endpoint")
    parser.add_argument("--key-env", metavar="VAR", help="environment variable with its key")
    parser.add_argument("--concurrency", type=whole_number(1), default=64, help="requests in flight (default: 64)")
    parser.add_argument("--json", action="store_true", help="the summary as JSON on stdout")


def main(args: argparse.Namespace) -> None:
    """Ask for the knowledge points of each row and write them beside it."""
    if (args.endpoint is None) != (args.model is None):
        raise UsageError("--endpoint and --model belong together. Give both or neither.")
    engine = EngineConfig(
        "http" if args.endpoint else "rules",
        args.endpoint or "",
        args.model or "",
        key_env=args.key_env,
        concurrency=args.concurrency,
    )
    fields = question_fields(args) | ({"passage": args.passage} if args.passage else {})
    summary = extract(joined_paths(args.file), args.out, fields=fields, limit=args.limit, engine=engine)
    if args.json:
        print_json(summary)
    else:
        show_summary(summary)


def show_summary(summary: dict[str, Any]) -> None:
    """What was read, extracted and refused, for the eye."""
    print_status("fields: " + ", ".join(f"{part} = {field}" for part, field in summary["fields"].items()))
    reasons = [(reason, f"{count:,}") for reason, count in summary["by_reason"].items()]
    print_table("refused", ("reason", "rows"), reasons)
    print_status(
        f"{summary['extracted']:,} of {summary['rows']:,} rows with {summary['knowledge_points']:,} knowledge points, "
        f"{summary['distinct']:,} distinct: {summary['out']}"
    )
