"""`kdos export RUN|FILE --format FORMAT --out DIR`."""

import argparse

from kdos.api.exporting import SEQUENCE_TOKENS, TableOptions, export
from kdos.commands.arguments import (
    add_input_files,
    add_question_fields,
    input_path,
    joined_fields,
    joined_paths,
    number,
    output_path,
    question_fields,
    whole_number,
)
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD
from kdos.terminal import print_json, print_status

FORMATS = ("datasets", "llamafactory", "trl", "text")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_input_files(parser, "the folder of a finished run; or a table of questions and answers, a folder of such")
    parser.add_argument("--format", choices=FORMATS, required=True, help="the layout to write")
    parser.add_argument("--out", type=output_path, required=True, help="a new or empty folder")
    add_question_fields(parser, field_help="text: the field that is written as it is; else the same as --question")
    parser.add_argument(
        "--test-share",
        type=number(most=1),
        default=0.0,
        help="share of the documents to hold out with all their rows (default: none)",
    )
    parser.add_argument(
        "--group",
        metavar="FIELD",
        help="of a table: never part its equal values (default: document, title or passage)",
    )
    parser.add_argument(
        "--similar",
        type=number(most=1),
        default=NEAR_DUPLICATE_JACCARD,
        help=f"of a table: never part questions that are so similar (default: {NEAR_DUPLICATE_JACCARD})",
    )
    parser.add_argument("--random-seed", type=int, default=0, help="of the split and the packing")
    parser.add_argument(
        "--tokenizer", type=input_path, help="text: pack for this tokenizer.json or Hugging Face folder"
    )
    parser.add_argument(
        "--length",
        type=whole_number(1),
        default=SEQUENCE_TOKENS,
        help=f"text: tokens of a packed sequence (default: {SEQUENCE_TOKENS})",
    )
    parser.add_argument("--end-token", help="text: ends a document (default: the tokenizer's eos_token)")
    parser.add_argument(
        "--push", metavar="OWNER/NAME", help="put it on the Hugging Face Hub, private, by the token in HF_TOKEN"
    )
    parser.add_argument("--public", action="store_true", help="make the data set of --push public")
    parser.add_argument("--json", action="store_true", help="nothing for the eye on stderr")


def main(args: argparse.Namespace) -> None:
    """Write the folder; says on stdout how many rows went where."""
    fields = question_fields(args)
    if args.format == "text" and args.field:
        fields = {"text": joined_fields(args.field) or ""}
    summary = export(
        joined_paths(args.file),
        args.format,
        args.out,
        table=TableOptions(fields, args.group, args.similar),
        test_share=args.test_share,
        random_seed=args.random_seed,
        tokenizer=args.tokenizer,
        sequence_tokens=args.length,
        end_token=args.end_token,
        push=args.push,
        public=args.public,
    )
    if not args.json and "fields" in summary:
        print_status("fields: " + ", ".join(f"{part} = {field}" for part, field in summary["fields"].items()))
    print_json(summary)
