"""`kdos export RUN --format FORMAT --out DIR`."""

import argparse

from kdos.api.runs import SEQUENCE_TOKENS, export
from kdos.commands.arguments import input_path, number, output_path, whole_number
from kdos.terminal import print_json

FORMATS = ("datasets", "llamafactory", "trl", "text")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("run", type=input_path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument("--format", choices=FORMATS, required=True, help="the layout to write")
    parser.add_argument("--out", type=output_path, required=True, help="a new or empty folder")
    parser.add_argument(
        "--test-share",
        type=number(most=1),
        default=0.0,
        help="share of the documents to hold out with all their samples (default: none)",
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


def main(args: argparse.Namespace) -> None:
    """Write the folder; says on stdout how many rows went where."""
    print_json(
        export(
            args.run,
            args.format,
            args.out,
            test_share=args.test_share,
            random_seed=args.random_seed,
            tokenizer=args.tokenizer,
            sequence_tokens=args.length,
            end_token=args.end_token,
        )
    )
