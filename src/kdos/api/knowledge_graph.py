"""The graph of knowledge points of a dataset, from Python: its structure, and paths through it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
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
from kdos.outputs import TABLE_SUFFIXES, check_output_file
from kdos.rows import Rows, SeveralPaths, find_table_fields, list_table_fields, read_table_rows, write_rows

PATHS_SCHEMA = pa.schema(
    [("kps", pa.list_(pa.large_string())), ("samples", pa.list_(pa.int64())), ("value", pa.float64())]
)
PATHS_PER_BATCH = 65_536
"""Paths that are written at once."""
NAMED_AT_MOST = 20
"""Disciplines that a message names."""


def graph(
    path: str | Path | SeveralPaths, *, field: str | None = None, discipline: str | None = None
) -> "KnowledgeGraph":
    """How the knowledge points of a dataset are linked by the samples that hold them.

    Args:
        path: A table, or a folder of tables.
        field: The field with each sample's list of knowledge points; that of a usual name by default.
        discipline: A field that names each sample's discipline, for quotas on paths.

    Raises:
        InputError: The table cannot be read, or holds no knowledge point.
    """
    if field is None:
        field = find_table_fields(path, ["knowledge_points"]).get("knowledge_points")
        if field is None:
            known = ", ".join(list_table_fields(path)) or "none"
            message = f"must hold a list of knowledge points in each row. There are: {known}. Name one with --field"
            raise InputError.at(str(path), message)
    builder = IncidenceBuilder()
    labels: dict[str | None, int] = {}
    disciplines: list[int] = []
    columns = [field, *([discipline] if discipline else [])]
    for rows in read_table_rows(path, columns=columns):
        builder.add(_knowledge_point_lists(rows, field))
        if discipline:
            names = rows.label_column(discipline).to_pylist()
            disciplines += [labels.setdefault(name, len(labels)) for name in names]
    incidence, names = builder.build()
    if not incidence.n_kps:
        raise InputError.at(str(path), "must hold knowledge points in some row. Got none", field=field)
    shown = ["" if label is None else label for label in labels]
    return KnowledgeGraph(incidence, names, np.array(disciplines, np.int64), shown, field)


def _knowledge_point_lists(rows: Rows, field: str) -> "pa.ListArray[Any]":
    """The column with the lists; anything else in it is an `InputError`."""
    column: Any = rows.batch.column(field)
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.list_(pa.string()))
    if pa.types.is_fixed_size_list(column.type):
        column = column.cast(pa.list_(column.type.value_field))
    kind = column.type
    for _ in range(2):
        kind = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    if kind is column.type or pa.types.is_nested(kind):
        row = max(pc.index(column.is_valid(), value=True).as_py(), 0)
        message = f"must be a list of texts. Got {column[row].as_py()!r:.60}. Name another field"
        raise rows.row_error(row, message, field=field)
    return column


@dataclass(frozen=True)
class KnowledgeGraph:
    """The graph of a dataset.

    `names`, shape (n_kps,), are the knowledge points. `disciplines`, shape (n_samples,), index
    `labels`; both are empty where no field names disciplines. `field` is where the knowledge points were read.
    """

    incidence: Incidence
    names: "pa.Array[Any]"
    disciplines: Int64Array
    labels: list[str]
    field: str

    def __repr__(self) -> str:
        found = self.structure
        return (
            f"KnowledgeGraph({found['kps']:,} knowledge points, {found['samples']:,} samples, "
            f"{found['components']:,} components)"
        )

    @cached_property
    def structure(self) -> dict[str, Any]:
        """What ``kdos graph --json`` says: sizes, components, degrees, coverage."""
        return asdict(measure_structure(self.incidence)) | {"field": self.field}

    def sample_paths(
        self,
        count: int,
        *,
        length: int = 3,
        beta: float = 0.5,
        boosts: Mapping[str, float] | None = None,
        random_seed: int = 0,
    ) -> "SampledPaths":
        """Paths whose visits follow popularity^beta, with the evidence of how nearly.

        Args:
            count: How many paths.
            length: Knowledge points of each.
            beta: 1 follows popularity, 0 covers every knowledge point alike.
            boosts: Factors on the share that a discipline has of the target.
            random_seed: Draws other paths.

        Raises:
            UsageError: A number is out of its range, or a boost names no discipline.
        """
        if count < 1 or length < 1:
            raise UsageError(f"--paths and --length must be at least 1. Got {count} and {length}.")
        target = popularity_target(self.incidence.popularity, beta=beta)
        strata = None
        if self.labels:
            factors = self._boost_factors(boosts or {})
            member = discipline_memberships(self.incidence, self.disciplines, n_disciplines=len(self.labels))
            target = quota_target(target, member, target @ member * factors)
            strata = member.argmax(axis=1)
        paths = sample_paths(
            build_transitions(self.incidence),
            target,
            count=count,
            length=length,
            random_seed=random_seed,
            strata=strata,
        )
        return SampledPaths(self, paths, target, strata)

    def _boost_factors(self, boosts: Mapping[str, float]) -> Float64Array:
        """The factor of each discipline, shape (n_disciplines,); 1 where none is given."""
        if unknown := boosts.keys() - set(self.labels):
            known = ", ".join(self.labels[:NAMED_AT_MOST])
            raise UsageError(f"`boosts` must name disciplines of the data. Got {min(unknown)!r}. There are: {known}.")
        return np.array([boosts.get(name, 1.0) for name in self.labels])


@dataclass(frozen=True)
class SampledPaths:
    """Paths through a graph, the target they follow and, of each KP, its main discipline."""

    graph: KnowledgeGraph
    paths: Paths
    target: Float64Array
    strata: Int64Array | None

    def __repr__(self) -> str:
        return f"SampledPaths({self.summary})"

    @cached_property
    def summary(self) -> dict[str, Any]:
        """How near the visits come to the target: `tv` and `coverage` are shares in [0, 1]."""
        visits = self.paths.visits(self.graph.incidence.n_kps)
        share = visits / visits.sum()
        found: dict[str, Any] = {
            "count": len(self.paths.kps),
            "length": self.paths.kps.shape[1],
            "mean_length": float(visits.sum() / len(self.paths.kps)),
            "coverage": float((visits > 0).mean()),
            "tv": float(0.5 * np.abs(share - self.target).sum()),
        }
        if self.strata is not None:
            labels = self.graph.labels
            wanted, visited = (
                np.bincount(self.strata, weights=weights, minlength=len(labels)) for weights in (self.target, share)
            )
            found["disciplines"] = {
                label: {"target": float(wanted[i]), "visits": float(visited[i])} for i, label in enumerate(labels)
            }
        return found

    def save(self, out: str | Path) -> int:
        """Write the paths as .parquet, .jsonl or .csv; returns how many.

        Knowledge points stand there by their text, samples by their row in the file, from 0.
        """
        starts = range(0, len(self.paths.kps), PATHS_PER_BATCH)
        path = check_output_file(out, "out", TABLE_SUFFIXES)
        return write_rows(path, map(self._path_batch, starts), PATHS_SCHEMA)

    def _path_batch(self, start: int) -> pa.RecordBatch:
        rows = slice(start, start + PATHS_PER_BATCH)
        kps, samples = self.paths.kps[rows], self.paths.samples[rows].astype(np.int64)
        columns: list[Any] = [
            pa.ListArray.from_arrays(_list_offsets(kps), self.graph.names.take(kps[kps >= 0])),
            pa.ListArray.from_arrays(_list_offsets(samples), pa.array(samples[samples >= 0])),
            pa.array(self.paths.value[rows]),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=PATHS_SCHEMA)


def _list_offsets(ids: IntegerArray) -> pa.Int32Array:
    """Where each row's list begins once its padding (-1) is gone."""
    return pa.array(np.concatenate([[0], np.cumsum((ids >= 0).sum(axis=1))]), pa.int32())
