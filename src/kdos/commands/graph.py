"""`kdos graph FILE`: what links the knowledge points of a dataset, and paths along the links."""

import argparse
from collections.abc import Sequence
from typing import Any

from kdos.api import graph
from kdos.api.knowledge_graph import NAMED_AT_MOST
from kdos.commands.arguments import add_input_files, joined_paths, output_path, whole_number
from kdos.errors import UsageError
from kdos.outputs import TABLE_SUFFIXES, check_output_file
from kdos.terminal import print_json, print_status

BROKEN_COMPONENT_SHARE = 0.5
"""The share of KPs in the largest component under which we warn: walks have nowhere to go."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add_input_files(parser, "a table or folder of tables")
    parser.add_argument(
        "--field",
        help="the field with each sample's list of knowledge points (default: knowledge_points, or the likeliest)",
    )
    parser.add_argument("--paths", type=whole_number(1), metavar="N", help="sample so many paths")
    parser.add_argument("--length", type=whole_number(1), default=3, metavar="L", help="KPs in a path")
    parser.add_argument("--out", type=output_path, metavar="OUT", help="where the paths go: .parquet, .jsonl or .csv")
    parser.add_argument(
        "--beta",
        type=float,
        default=0.5,
        help="the target is popularity^BETA: 1 popularity, 0 coverage (default: 0.5)",
    )
    parser.add_argument("--discipline", metavar="FIELD", help="a field that names each sample's discipline")
    parser.add_argument(
        "--boost",
        action="append",
        default=[],
        metavar="NAME=FACTOR",
        help="give a discipline so many times its share of the target; may be repeated",
    )
    parser.add_argument("--random-seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout")


def main(args: argparse.Namespace) -> None:
    """Measure the graph, and sample paths if they are asked for."""
    if (args.paths is None) != (args.out is None):
        raise UsageError("--paths and --out go together: how many paths, and where they go.")
    if args.boost and args.discipline is None:
        raise UsageError("--boost needs --discipline: the field that names each discipline.")
    if args.out is not None:
        check_output_file(args.out, "--out", TABLE_SUFFIXES, inputs=args.file)
    found = graph(joined_paths(args.file), field=args.field, discipline=args.discipline)
    summary = dict(found.structure)
    if args.paths is not None and args.out is not None:
        sampled = found.sample_paths(
            args.paths,
            length=args.length,
            beta=args.beta,
            boosts=read_boosts(args.boost, found.labels),
            random_seed=args.random_seed,
        )
        sampled.save(args.out)
        summary["paths"] = sampled.summary
    if args.json:
        print_json(summary)
    else:
        show_summary(summary)


def read_boosts(texts: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """The factor of each discipline that a NAME=FACTOR gives."""
    boosts: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            labels.index(name)
            boosts[name] = float(number)
        except ValueError:
            raise UsageError(
                f"--boost must be NAME=FACTOR with a discipline of the file. Got {text!r}. "
                f"There are: {', '.join(labels[:NAMED_AT_MOST])}."
            ) from None
    return boosts


def show_summary(summary: dict[str, Any]) -> None:
    """The graph for the eye, on stderr."""
    degrees = summary["degrees"]
    print_status(
        f"{summary['kps']:,} knowledge points in {summary['samples']:,} samples "
        f"({summary['incidences']:,} incidences; {summary['empty_samples']:,} samples hold none)."
    )
    print_status(
        f"{summary['components']:,} components, the largest with "
        f"{summary['largest_component']:.1%} of the knowledge points; "
        f"{summary['singletons']:,} stand in one sample only, {summary['isolated']:,} share none: "
        f"paths can cover {summary['coverage']:.1%}."
    )
    print_status(
        f"samples of a knowledge point: median {degrees['0.5']:g}, 90 % up to {degrees['0.9']:g}, "
        f"most {degrees['1']:,g}."
    )
    if summary["largest_component"] < BROKEN_COMPONENT_SHARE:
        print_status(
            "warning: the largest component holds less than half of the knowledge points. Merge "
            "those that say the same thing, or walks have nowhere to go."
        )
    if paths := summary.get("paths"):
        print_status(
            f"{paths['count']:,} paths of {paths['mean_length']:.2f} knowledge points on average: "
            f"total variation to the target {paths['tv']:.3f}, coverage {paths['coverage']:.1%}."
        )
