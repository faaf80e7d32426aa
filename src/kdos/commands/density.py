"""`kdos density FILE`: how what a dataset knows is distributed."""

import argparse
from pathlib import Path
from typing import Any

from rich.table import Table

from kdos.api import DatasetDensity, density
from kdos.density import CellView
from kdos.store import atomic_file
from kdos.terminal import console, print_json, print_status

SHOWN_CELLS = 5
"""Cells of each kind in the table."""
EXAMPLE_CHARS = 90
"""Characters of an example in the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="a table, a folder, hf:NAME or a .npy")
    parser.add_argument("--points", type=Path, metavar="OUT.parquet", help="write each row's density and cell")
    parser.add_argument("--compare", metavar="OTHER", help="a second dataset, measured in the space of the first")
    parser.add_argument("--picture", type=Path, metavar="OUT.png", help="draw the dataset in two dimensions")
    add_measuring_arguments(parser)


def add_measuring_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say how a dataset is measured."""
    parser.add_argument("--field", help="the field with the text or vector (default: the likeliest)")
    parser.add_argument(
        "--embed", default="static", help="static, lexical, minilm, model2vec:NAME or sentence-transformers:NAME"
    )
    parser.add_argument("--dim", type=int, help="centre and reduce to so many dimensions (texts: 64; vectors: not)")
    parser.add_argument("--normalize", action="store_true", help="scale vectors to unit length (texts always are)")
    parser.add_argument("--cells", type=int, help="cells of the codebook (default: rows/64)")
    parser.add_argument("--k", type=int, default=10, help="neighbours that tell a density")
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout")


def measure(args: argparse.Namespace) -> DatasetDensity:
    """The dataset that the arguments of `add_measuring_arguments` name, measured as they say."""
    return density(
        args.file,
        field=args.field,
        embed=args.embed,
        dim=args.dim,
        normalize=args.normalize,
        n_cells=args.cells,
        k=args.k,
        random_seed=args.random_seed,
    )


def main(args: argparse.Namespace) -> None:
    """Measure, then write what was asked for."""
    measured = measure(args)
    summary = dict(measured.summary)
    if args.compare is not None:
        summary["compare"] = measured.compare(args.compare, field=args.field)
    if args.points is not None:
        measured.save_points(args.points)
    if args.picture is not None:
        with atomic_file(args.picture) as file:
            measured.plot().savefig(file, format="png", dpi=150, metadata={"Software": None})
    if args.json:
        print_json(summary)
    else:
        show_measurement(summary, *measured.extreme_cells(SHOWN_CELLS))


def show_measurement(summary: dict[str, Any], thin: list[CellView], crowded: list[CellView]) -> None:
    """The measurement for the eye, on stderr."""
    low, high = summary["log10_density_ci"]
    print_status(
        f"{summary['n']:,} rows, {summary['distinct']:,} distinct, {summary['skipped']:,} empty; "
        f"{summary['dim']} dimensions, {summary['intrinsic_dim']:.1f} intrinsic."
    )
    print_status(
        f"log10 density {summary['log10_density']:.3f} [{low:.3f}, {high:.3f}]; "
        f"{summary['effective_cells']:.0f} of {summary['cells']} cells effective, "
        f"{summary['empty_share']:.1%} empty, Gini {summary['gini']:.2f}."
    )
    for title, views in (("thin", thin), ("crowded", crowded)):
        table = Table(title=title, title_justify="left")
        for heading in ("cell", "rows", "log10 density", "words", "example"):
            table.add_column(heading)
        for view in views:
            table.add_row(
                str(view.cell),
                f"{view.count:,}",
                f"{view.log10_density:.2f}",
                " ".join(view.terms).replace("[", r"\["),
                view.examples[0][:EXAMPLE_CHARS].replace("[", r"\[") if view.examples else "",
            )
        console.print(table)
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
