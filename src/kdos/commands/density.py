"""`kdos density FILE`: how what a dataset knows is distributed."""

import argparse
from pathlib import Path
from typing import Any

import matplotlib

from kdos.api import DatasetDensity, density
from kdos.commands.arguments import add_input_files, input_name, joined_fields, joined_paths, output_path, whole_number
from kdos.density import CellView
from kdos.outputs import PICTURE_SUFFIXES, TABLE_SUFFIXES, check_output_file
from kdos.store import atomic_file
from kdos.terminal import print_json, print_status, print_table

SHOWN_CELLS = 5
"""Cells of each kind in the table."""
EXAMPLE_CHARS = 90
"""Characters of an example in the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_input_files(parser, "a table, a folder, hf:NAME or a .npy")
    parser.add_argument(
        "--points", type=output_path, metavar="OUT", help="write each row's density and cell: .parquet, .jsonl or .csv"
    )
    parser.add_argument(
        "--compare", type=input_name, metavar="OTHER", help="a second dataset, measured in the space of the first"
    )
    parser.add_argument(
        "--picture", type=output_path, metavar="OUT", help="draw the dataset in two dimensions: .png or .svg"
    )
    add_measuring_arguments(parser)


def add_measuring_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say how a dataset is measured."""
    parser.add_argument(
        "--field",
        action="append",
        help="the field with the text or vector (default: the likeliest); given again, the texts are joined",
    )
    parser.add_argument(
        "--embed", default="static", help="static, lexical, minilm, model2vec:NAME or sentence-transformers:NAME"
    )
    parser.add_argument(
        "--dim", type=whole_number(1), help="centre and reduce to so many dimensions (texts: 64; vectors: not)"
    )
    parser.add_argument("--normalize", action="store_true", help="scale vectors to unit length (texts always are)")
    parser.add_argument(
        "--cells", type=whole_number(1), help="cells of the codebook (default: rows/64; at most rows/8)"
    )
    parser.add_argument(
        "--k", type=whole_number(1), default=10, help="neighbours that tell a density; at most rows - 1"
    )
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout")


def measure(args: argparse.Namespace) -> DatasetDensity:
    """The dataset that the arguments of `add_measuring_arguments` name, measured as they say."""
    return density(
        joined_paths(args.file),
        field=joined_fields(args.field),
        embed=args.embed,
        dim=args.dim,
        normalize=args.normalize,
        n_cells=args.cells,
        k=args.k,
        random_seed=args.random_seed,
    )


def main(args: argparse.Namespace) -> None:
    """Measure, then write what was asked for."""
    inputs = (*args.file, args.compare)
    if args.points is not None:
        check_output_file(args.points, "--points", TABLE_SUFFIXES, inputs=inputs)
    if args.picture is not None:
        check_output_file(args.picture, "--picture", PICTURE_SUFFIXES, inputs=inputs)
    measured = measure(args)
    summary = dict(measured.summary)
    if args.compare is not None:
        summary["compare"] = measured.compare(args.compare, field=joined_fields(args.field))
    if args.points is not None:
        measured.save_points(args.points)
    if args.picture is not None:
        save_picture(measured.plot(), args.picture)
    if args.json:
        print_json(summary)
    else:
        show_measurement(summary, *measured.extreme_cells(SHOWN_CELLS))


def save_picture(figure: Any, path: Path) -> None:
    """Write a figure of Matplotlib as the path's suffix says; equal figures give equal bytes."""
    kind = path.suffix.lower().removeprefix(".")
    # Neither the software's name nor the date, and ids that are keyed by what is drawn.
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with matplotlib.rc_context({"svg.hashsalt": "kdos"}), atomic_file(path) as file:
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)


def show_measurement(summary: dict[str, Any], thin: list[CellView], crowded: list[CellView]) -> None:
    """The measurement for the eye, on stderr."""
    low, high = summary["log10_density_ci"]
    print_status(f"field: {summary['field'] or 'none, the rows are vectors'}")
    print_status(
        f"{summary['n']:,} rows, {summary['distinct']:,} distinct, {summary['skipped']:,} empty; "
        f"{summary['dim']} dimensions, {summary['intrinsic_dim']:.1f} intrinsic."
    )
    print_status(
        f"log10 density {summary['log10_density']:.3f} [{low:.3f}, {high:.3f}]; "
        f"{summary['effective_cells']:.0f} of {summary['cells']} cells effective, "
        f"{summary['empty_share']:.1%} empty, Gini {summary['gini']:.2f}."
    )
    health = summary["health"]
    print_status(health["sentence"] if health else "health: not known, since vectors come without texts")
    for title, views in (("thin", thin), ("crowded", crowded)):
        rows = [
            (
                str(view.cell),
                f"{view.count:,}",
                f"{view.log10_density:.2f}",
                " ".join(view.terms),
                view.examples[0][:EXAMPLE_CHARS] if view.examples else "",
            )
            for view in views
        ]
        print_table(title, ("cell", "rows", "log10 density", "words", "example"), rows, left=True)
    compare = summary.get("compare")
    if compare is not None:
        print_status(
            f"the second dataset has no row in {compare['lacking_cells']:,} cells that hold "
            f"{compare['lacking_share']:.1%} of the first; total variation {compare['tv']:.3f}; "
            f"{compare['novel_share']:.1%} of it is novel to the first."
        )
        for view in compare["lacking"]:
            examples = " ".join(view["examples"])[:EXAMPLE_CHARS]
            print_status(f"  lacking: {' '.join(view['terms'])} · {examples}")
