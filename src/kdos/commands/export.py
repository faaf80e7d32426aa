"""`kdos export RUN --format FORMAT --out DIR`."""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.errors import UsageError
from kdos.export import (
    load_tokenizer,
    read_card,
    read_samples,
    read_seed_documents,
    split_by_document,
    write_dataset,
    write_llamafactory,
    write_packed,
    write_text,
    write_trl,
)
from kdos.terminal import show_json

FORMATS = ("datasets", "llamafactory", "trl", "text")
SEQUENCE_TOKENS = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument("--format", choices=FORMATS, required=True, help="the layout to write")
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    parser.add_argument(
        "--test-share",
        type=float,
        default=0.0,
        help="share of the documents to hold out with all their samples (default: none)",
    )
    parser.add_argument("--random-seed", type=int, default=0, help="of the split and the packing")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        help="text: pack for this tokenizer.json or Hugging Face folder",
    )
    parser.add_argument(
        "--length",
        type=int,
        default=SEQUENCE_TOKENS,
        help=f"text: tokens of a packed sequence (default: {SEQUENCE_TOKENS})",
    )
    parser.add_argument(
        "--end-token", help="text: ends a document (default: the tokenizer's eos_token)"
    )


def main(args: argparse.Namespace) -> None:
    """Write the folder; says on stdout how many rows went where."""
    check(args)
    samples = read_samples(args.run)
    tables: Mapping[str, pa.Table] = {"train": samples}
    left_out = 0
    if args.test_share:
        split = split_by_document(
            samples,
            read_seed_documents(args.run),
            test_share=args.test_share,
            random_seed=args.random_seed,
        )
        tables, left_out = split.tables, split.straddling
        check_sides(tables, args.test_share)
    written = write(args, tables)
    rows = {name: table.num_rows for name, table in tables.items()}
    show_json({"out": str(args.out), "rows": rows, "left_out": left_out, **written})


def check(args: argparse.Namespace) -> None:
    """Refuse flags that cannot be meant, before anything is read."""
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise UsageError(f"--out must be a new or empty folder. {args.out} is neither.")
    if not 0 <= args.test_share < 1:
        raise UsageError(f"--test-share must be in [0, 1). Got {args.test_share}.")
    if args.length < 1:
        raise UsageError(f"--length must be at least 1 token. Got {args.length}.")
    if args.tokenizer and args.format != "text":
        raise UsageError(f"--tokenizer belongs to --format text. Got --format {args.format}.")


def check_sides(tables: Mapping[str, pa.Table], test_share: float) -> None:
    """Refuse a split with nothing on one side."""
    empty = [name for name, table in tables.items() if not table.num_rows]
    if empty:
        raise UsageError(
            f"--test-share must leave samples on both sides. {test_share} leaves none to "
            f"{empty[0]}. Give another share or another --random-seed."
        )


def write(args: argparse.Namespace, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    """Write `tables` in the format asked for; returns what it has to say beyond the rows."""
    if args.format == "text" and args.tokenizer:
        packed = write_packed(
            tables,
            load_tokenizer(args.tokenizer, end_token=args.end_token),
            args.out,
            length=args.length,
            random_seed=args.random_seed,
        )
        return {"packed": {name: asdict(split) for name, split in packed.items()}}
    if args.format == "datasets":
        write_dataset(tables, read_card(args.run), args.out)
    else:
        writers = {"llamafactory": write_llamafactory, "trl": write_trl, "text": write_text}
        writers[args.format](tables, args.out)
    return {}
