"""`kdos select FILE --budget N --target NAME --out OUT.parquet`."""

import argparse

from kdos.commands.arguments import add_input_files, number, output_path, whole_number
from kdos.commands.density import add_measuring_arguments, measure
from kdos.outputs import TABLE_SUFFIXES, check_output_file
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD
from kdos.select import DEDUP_MODES
from kdos.targets import TARGET_NAMES, check_target, demand_file
from kdos.terminal import print_json, print_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_input_files(parser, "a table, a folder, hf:NAME or a .npy")
    parser.add_argument("--budget", type=whole_number(1), required=True, metavar="N", help="rows to keep")
    parser.add_argument(
        "--target",
        default="uniform",
        help=f"one of {', '.join(TARGET_NAMES)} (as dense as the questions of a file are); default: uniform",
    )
    parser.add_argument("--out", type=output_path, required=True, metavar="OUT", help=".parquet, .jsonl or .csv")
    parser.add_argument(
        "--dedup", choices=DEDUP_MODES, default="off", help="leave out rows that repeat an earlier one"
    )
    parser.add_argument(
        "--similar",
        type=number(most=1),
        default=NEAR_DUPLICATE_JACCARD,
        help="what --dedup near calls a repeat, in (0, 1]",
    )
    parser.add_argument("--weight", metavar="FIELD", help="numbers that make rows likelier")
    parser.add_argument("--cap", type=whole_number(1), metavar="N", help="the most rows of one cell")
    add_measuring_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the chosen rows; what they are stands on stdout."""
    check_target(args.target)
    check_output_file(args.out, "--out", TABLE_SUFFIXES, inputs=(*args.file, demand_file(args.target)))
    chosen = measure(args).select(
        args.budget,
        args.target,
        dedup=args.dedup,
        similar=args.similar,
        weight=args.weight,
        cap=args.cap,
        random_seed=args.random_seed,
    )
    chosen.save(args.out)
    summary = chosen.summary | {"out": str(args.out)}
    if args.json:
        print_json(summary)
    else:
        print_status(
            f"{summary['field'] or 'vectors'}: {summary['selected']:,} of {summary['rows']:,} rows to {args.out}: "
            f"{summary['kl']:.4f} nats from the target {args.target}, the least possible "
            f"{summary['kl_optimum']:.4f}; {summary['repeated']:,} repeated, "
            f"{summary['skipped']:,} empty."
        )
