"""`kdos graph FILE`: what links the knowledge points of a dataset, and paths along the links."""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kdos.arrays import Float64Array, Int64Array, IntegerArray
from kdos.errors import InputError, UsageError
from kdos.graph import (
    Incidence,
    IncidenceBuilder,
    Paths,
    build_transitions,
    discipline_memberships,
    measure_structure,
    popularity_target,
    quota_target,
    sample_paths,
)
from kdos.rows import Rows, read_table_rows
from kdos.store import write_parquet
from kdos.terminal import say, show_json

PATHS = pa.schema(
    [
        ("kps", pa.list_(pa.large_string())),
        ("samples", pa.list_(pa.int64())),
        ("value", pa.float64()),
    ]
)
ROWS_A_BATCH = 65_536
"""Paths that are written at once."""

BROKEN_COMPONENT_SHARE = 0.5
"""The share of KPs in the largest component under which we warn: walks have nowhere to go."""


@dataclass(frozen=True)
class LinkedDataset:
    """A dataset's graph: `names`, shape (n_kps,), and each sample's discipline, if asked for.

    `disciplines`, shape (n_samples,), are places in `labels`; both are empty without.
    """

    graph: Incidence
    names: "pa.Array[Any]"
    disciplines: Int64Array
    labels: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="a table or folder of tables")
    parser.add_argument(
        "--field",
        default="knowledge_points",
        help="the field with each sample's list of knowledge points (default: knowledge_points)",
    )
    parser.add_argument("--paths", type=int, metavar="N", help="sample so many paths")
    parser.add_argument("--length", type=int, default=3, metavar="L", help="KPs in a path")
    parser.add_argument("--out", type=Path, metavar="OUT.parquet", help="where the paths go")
    parser.add_argument(
        "--beta",
        type=float,
        default=0.5,
        help="the target is popularity^BETA: 1 popularity, 0 coverage (default: 0.5)",
    )
    parser.add_argument(
        "--discipline", metavar="FIELD", help="a field that names each sample's discipline"
    )
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
    check_arguments(args)
    linked = read_graph(args.file, args.field, discipline=args.discipline)
    summary: dict[str, Any] = asdict(measure_structure(linked.graph))
    if args.paths is not None:
        factors = discipline_factors(args.boost, linked.labels)
        paths, found = sample_graph_paths(linked, factors, args)
        write_paths(paths, linked.names, args.out)
        summary["paths"] = found
    if args.json:
        show_json(summary)
    else:
        show_summary(summary)


def check_arguments(args: argparse.Namespace) -> None:
    """The flags must go together."""
    if (args.paths is None) != (args.out is None):
        raise UsageError("--paths and --out go together: how many paths, and where they go.")
    if args.paths is not None and (args.paths < 1 or args.length < 1):
        raise UsageError(
            f"--paths and --length must be at least 1. Got {args.paths} and {args.length}."
        )
    if args.boost and args.discipline is None:
        raise UsageError("--boost needs --discipline: the field that names each discipline.")


def read_graph(path: str, field: str, *, discipline: str | None = None) -> LinkedDataset:
    """The graph of a dataset, read batch by batch."""
    builder = IncidenceBuilder()
    labels: dict[str | None, int] = {}
    disciplines: list[int] = []
    for rows in read_table_rows(path, columns=[field, *([discipline] if discipline else [])]):
        builder.add(kp_lists(rows, field))
        if discipline:
            names = rows.label_column(discipline).to_pylist()
            disciplines += [labels.setdefault(name, len(labels)) for name in names]
    graph, names = builder.build()
    if not graph.n_kps:
        raise InputError.at(path, "must hold knowledge points in some row. Got none", field=field)
    shown = ["" if label is None else label for label in labels]
    return LinkedDataset(graph, names, np.array(disciplines, np.int64), shown)


def kp_lists(rows: Rows, field: str) -> "pa.ListArray[Any]":
    """The column with the lists; anything else in it is an `InputError`."""
    column: Any = rows.batch.column(field)
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.list_(pa.string()))
    kind = column.type
    for _ in range(2):
        kind = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    if kind is column.type or pa.types.is_nested(kind):
        row = max(pc.index(column.is_valid(), value=True).as_py(), 0)
        message = f"must be a list of texts. Got {column[row].as_py()!r:.60}. Name another field"
        raise rows.row_error(row, message, field=field)
    return column


def discipline_factors(given: list[str], labels: list[str]) -> Float64Array:
    """The factor of each discipline, shape (n_disciplines,); 1 where none is given."""
    factors = np.ones(len(labels))
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            factors[labels.index(name)] = float(number)
        except ValueError:
            known = ", ".join(labels[:20])
            raise UsageError(
                f"--boost must be NAME=FACTOR with a discipline of the file. Got {text!r}. "
                f"There are: {known}."
            ) from None
    return factors


def sample_graph_paths(
    linked: LinkedDataset, factors: Float64Array, args: argparse.Namespace
) -> tuple[Paths, dict[str, Any]]:
    """The paths, and how near their visits come to the target."""
    graph = linked.graph
    target = popularity_target(graph.popularity, beta=args.beta)
    strata = None
    if linked.labels:
        member = discipline_memberships(graph, linked.disciplines, n_disciplines=len(linked.labels))
        target = quota_target(target, member, target @ member * factors)
        strata = member.argmax(axis=1)
    paths = sample_paths(
        build_transitions(graph),
        target,
        count=args.paths,
        length=args.length,
        random_seed=args.random_seed,
        strata=strata,
    )
    visits = paths.visits(graph.n_kps)
    share = visits / visits.sum()
    found: dict[str, Any] = {
        "count": len(paths.kps),
        "length": args.length,
        "mean_length": float(visits.sum() / len(paths.kps)),
        "coverage": float((visits > 0).mean()),
        "tv": float(0.5 * np.abs(share - target).sum()),
    }
    if strata is not None:
        wanted, got = (
            np.bincount(strata, weights=w, minlength=len(factors)) for w in (target, share)
        )
        found["disciplines"] = {
            label: {"target": float(wanted[i]), "visits": float(got[i])}
            for i, label in enumerate(linked.labels)
        }
    return paths, found


def write_paths(paths: Paths, names: "pa.Array[Any]", out: Path) -> None:
    """Write the paths: KPs by their text, samples by their row in the file, from 0."""

    def batch(low: int) -> pa.RecordBatch:
        rows = slice(low, low + ROWS_A_BATCH)
        kps, samples = paths.kps[rows], paths.samples[rows].astype(np.int64)
        columns: list[Any] = [
            pa.ListArray.from_arrays(list_offsets(kps), names.take(kps[kps >= 0])),
            pa.ListArray.from_arrays(list_offsets(samples), pa.array(samples[samples >= 0])),
            pa.array(paths.value[rows]),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PATHS)

    write_parquet(out, (batch(low) for low in range(0, len(paths.kps), ROWS_A_BATCH)), PATHS)


def list_offsets(ids: IntegerArray) -> pa.Int32Array:
    """Where each row's list begins once its padding is gone."""
    return pa.array(np.concatenate([[0], np.cumsum((ids >= 0).sum(axis=1))]), pa.int32())


def show_summary(summary: dict[str, Any]) -> None:
    """The graph for the eye, on stderr."""
    degrees = summary["degrees"]
    say(
        f"{summary['kps']:,} knowledge points in {summary['samples']:,} samples "
        f"({summary['incidences']:,} incidences; {summary['empty_samples']:,} samples hold none)."
    )
    say(
        f"{summary['components']:,} components, the largest with "
        f"{summary['largest_component']:.1%} of the knowledge points; "
        f"{summary['singletons']:,} stand in one sample only, {summary['isolated']:,} share none: "
        f"paths can cover {summary['coverage']:.1%}."
    )
    say(
        f"samples of a knowledge point: median {degrees['0.5']:g}, 90 % up to {degrees['0.9']:g}, "
        f"most {degrees['1']:,g}."
    )
    if summary["largest_component"] < BROKEN_COMPONENT_SHARE:
        say(
            "warning: the largest component holds less than half of the knowledge points. Merge "
            "those that say the same thing, or walks have nowhere to go."
        )
    if paths := summary.get("paths"):
        say(
            f"{paths['count']:,} paths of {paths['mean_length']:.2f} knowledge points on average: "
            f"total variation to the target {paths['tv']:.3f}, coverage {paths['coverage']:.1%}."
        )
