"""Datasets from Python: measure one, look at it, compare it, and choose rows of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.api.html import SHOWN_ROWS, cells_table, facts_table, figure_image, rows_table
from kdos.arrays import Float64Array, Int32Array, Int64Array
from kdos.density import (
    CellView,
    RowDensities,
    SpaceHealth,
    compare_datasets,
    density_summary,
    measure_health,
    thinnest_and_densest_cells,
)
from kdos.density.picture import draw_density_map, fit_plane
from kdos.errors import InputError, UsageError
from kdos.outputs import TABLE_SUFFIXES, check_output_file
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD
from kdos.rows import InputPath, SeveralPaths, write_rows
from kdos.rows.dataset import Dataset, open_dataset, wrap_dataset
from kdos.select import (
    Candidates,
    FittedDataset,
    MeasureOptions,
    Selection,
    demand_in_cells,
    find_candidates,
    fit_dataset,
    measure_dataset,
    measure_in_space_of,
    read_chosen_rows,
    write_selection,
)

TEXT_CHARS = 1_000
"""Characters of a text that stand beside its point at most: enough to know it by."""
POINTS_SCHEMA = pa.schema(
    [
        *(("log10_density", pa.float32()), ("cell", pa.int32()), ("novel", pa.bool_())),
        *(("x", pa.float32()), ("y", pa.float32()), ("text", pa.large_string()), ("id", pa.large_string())),
    ]
)


def density(
    data: Any,
    *,
    field: str | None = None,
    embed: str = "static",
    dim: int | None = None,
    normalize: bool = False,
    n_cells: int | None = None,
    k: int = 10,
    random_seed: int = 0,
) -> "DatasetDensity":
    """How what a dataset knows is distributed.

    Args:
        data: A path, ``hf:NAME``, a list of texts, vectors of shape (n, n_features), or a table:
            Arrow, pandas, polars, a Hugging Face dataset.
        field: The column that holds the text; the likeliest by default.
        embed: What makes vectors of texts: `static`, `lexical`, `minilm`, `model2vec:NAME` or
            `sentence-transformers:NAME`.
        dim: Centre and reduce to so many dimensions; texts to 64 by default, vectors not at all.
        normalize: Scale vectors to unit length, as those of texts always are.
        n_cells: Cells of the codebook; about a 64th of the rows by default, an eighth at most.
        k: Neighbours that tell a density; all others where there are fewer.
        random_seed: Draws the sample that the space is fitted on, and the bootstrap.

    Raises:
        InputError: The data cannot be read, or holds nothing to measure.
    """
    options = MeasureOptions(embed, dim, normalize, n_cells, k, random_seed)
    dataset = fit_dataset(read_any_dataset(data, field), options)
    return DatasetDensity(dataset, measure_dataset(dataset), random_seed)


def select(
    data: Any,
    budget: int,
    target: str = "uniform",
    *,
    field: str | None = None,
    dedup: str = "off",
    similar: float = NEAR_DUPLICATE_JACCARD,
    weight: str | None = None,
    cap: int | None = None,
    random_seed: int = 0,
) -> "ChosenRows":
    """The rows of a dataset that meet a target distribution; see `DatasetDensity.select`."""
    return density(data, field=field).select(
        budget, target, dedup=dedup, similar=similar, weight=weight, cap=cap, random_seed=random_seed
    )


def read_any_dataset(data: Any, field: str | None) -> Dataset:
    """The dataset at a path, or in memory."""
    if isinstance(data, str | Path | SeveralPaths):
        return open_dataset(data if isinstance(data, SeveralPaths) else str(data), field)
    return wrap_dataset(data, field)


def _input_paths(path: InputPath) -> Sequence[str | Path]:
    return path.parts if isinstance(path, SeveralPaths) else [path]


@dataclass(frozen=True)
class DatasetDensity:
    """A dataset that was measured: its `space`, and where in it each row lies."""

    dataset: FittedDataset
    densities: RowDensities
    random_seed: int = 0

    def __repr__(self) -> str:
        found = self.summary
        return (
            f"DatasetDensity({found['n']:,} rows, {found['distinct']:,} distinct; log10 density "
            f"{found['log10_density']:.3f}; {found['effective_cells']:.0f} of {found['cells']} "
            f"cells effective; {self.health.verdict if self.health else 'health not known'})"
        )

    @property
    def log10_density(self) -> Float64Array:
        """Of every row, shape (n_rows,); NaN where a row holds nothing."""
        return self.densities.log_density / np.log(10)

    @property
    def cells(self) -> Int32Array:
        """Of every row, shape (n_rows,); -1 where a row holds nothing."""
        return self.densities.cells

    @cached_property
    def health(self) -> SpaceHealth | None:
        """Whether the space groups what texts say or how they say it; None for vectors, which come without texts."""
        fitted = self.dataset.fitted
        texts, points = fitted.sample.texts, fitted.reference.points
        return measure_health(texts, points, fitted.space, random_seed=self.random_seed)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``kdos density --json`` says."""
        found = density_summary(self.dataset.fitted, self.densities, random_seed=self.random_seed)
        health = self.health.as_json() if self.health else None
        return found | {"field": self.dataset.dataset.field or None, "health": health}

    def thin(self, count: int = SHOWN_ROWS) -> list[CellView]:
        """The cells of lowest density that hold a row."""
        return self.extreme_cells(count)[0]

    def crowded(self, count: int = SHOWN_ROWS) -> list[CellView]:
        """The cells of highest density."""
        return self.extreme_cells(count)[1]

    def compare(self, other: Any, *, field: str | None = None) -> dict[str, Any]:
        """What this dataset has and the other lacks, both in this one's space."""
        others = measure_in_space_of(self.dataset, read_any_dataset(other, field))
        return compare_datasets(self.dataset.fitted, self.densities, others)

    def extreme_cells(self, count: int) -> tuple[list[CellView], list[CellView]]:
        """The thinnest and the densest cells."""
        counts = self.densities.profile.counts
        return thinnest_and_densest_cells(self.dataset.fitted, counts, n_shown=count)

    def select(
        self,
        budget: int,
        target: str = "uniform",
        *,
        dedup: str = "off",
        similar: float = NEAR_DUPLICATE_JACCARD,
        weight: str | None = None,
        cap: int | None = None,
        random_seed: int = 0,
    ) -> "ChosenRows":
        """Choose rows whose cells are distributed as a target says.

        Args:
            budget: How many rows.
            target: One of `kdos.targets.TARGET_NAMES`; demand:FILE is as dense as the questions of a file are.
            dedup: Leave out rows that repeat an earlier one: `off`, `exact` or `near`.
            similar: The Jaccard similarity, in (0, 1], from which a row is a `near` repeat.
            weight: A field of numbers that make rows likelier.
            cap: The most rows of one cell.
            random_seed: Draws the rows inside each cell.

        Raises:
            UsageError: A number is out of its range, or there is no such target.
        """
        if budget < 1 or (cap is not None and cap < 1):
            raise UsageError("--budget and --cap must be at least 1.")
        candidates = find_candidates(
            self.dataset,
            dedup=dedup,
            similar=similar,
            weight=weight,
            random_seed=random_seed,
            densities=self.densities,
        )
        return ChosenRows(self, candidates, budget, target, cap)

    def save_points(self, path: str | Path) -> int:
        """Write where each row lies as .parquet, .jsonl or .csv; returns how many rows.

        Columns: `log10_density`, `cell` and `novel`; `x` and `y`, for the eye; of texts `text`, `TEXT_CHARS` at most;
        and `id` where the rows have one. All but the last are null where a row holds nothing to measure.

        Raises:
            UsageError: The path is an input, or cannot be written.
            InputError: The rows are no longer those that were measured.
        """
        out = check_output_file(path, "path", TABLE_SUFFIXES, inputs=_input_paths(self.dataset.dataset.path))
        label = self.dataset.dataset.find_label("id")
        names = [name for name in POINTS_SCHEMA.names if name != "id" or label]
        if not self.dataset.fitted.sample.texts:
            names.remove("text")
        schema = pa.schema([POINTS_SCHEMA.field(name) for name in names])
        columns = self._point_columns(label)
        return write_rows(out, (pa.record_batch([each[n] for n in names], schema=schema) for each in columns), schema)

    def _point_columns(self, label: str) -> Iterator[dict[str, Any]]:
        """The columns of `POINTS_SCHEMA`, batch by batch."""
        dataset, fitted, plane = self.dataset.dataset, self.dataset.fitted, fit_plane(self.dataset.reference.points)
        log10_density = self.log10_density
        start = n_usable = 0
        for batch in dataset.read_batches(label=label):
            rows = slice(start, start + len(batch.usable))
            empty = ~batch.usable
            if not np.array_equal(empty, self.cells[rows] < 0):
                break
            flat = np.zeros((len(empty), 2), np.float32)
            flat[batch.usable] = fitted.project_rows(batch, n_usable, plane)
            texts = np.full(len(empty), None, object)
            texts[batch.usable] = [text[:TEXT_CHARS] for text in batch.texts or [""] * int(batch.usable.sum())]
            yield {
                "log10_density": pa.array(log10_density[rows].astype(np.float32), mask=empty),
                "cell": pa.array(self.cells[rows], mask=empty),
                "novel": pa.array(self.densities.novel[rows], mask=empty),
                "x": pa.array(flat[:, 0], mask=empty),
                "y": pa.array(flat[:, 1], mask=empty),
                "text": pa.array(texts, pa.large_string()),
                "id": batch.labels,
            }
            start, n_usable = rows.stop, n_usable + int(batch.usable.sum())
        if start != len(self.cells):
            raise InputError.at(str(dataset.path), "must stay as it is while it is measured. It was not. Start again")

    def plot(self) -> Any:
        """A Matplotlib figure of the dataset in the plane, coloured by measured density."""
        return draw_density_map(self.dataset.reference)

    def _repr_html_(self) -> str:
        low, high = self.summary["log10_density_ci"]
        shown = {"log10_density_ci": f"{low:.3f} to {high:.3f}", "health": self.health and self.health.sentence}
        return "".join(
            [
                facts_table(self.summary | shown),
                cells_table("thin", self.thin()),
                cells_table("crowded", self.crowded()),
                figure_image(self.plot()),
            ]
        )


@dataclass(frozen=True)
class ChosenRows:
    """Rows chosen from a measured dataset; ask again with another target or budget."""

    density: DatasetDensity
    candidates: Candidates
    budget: int
    target: str
    cap: int | None

    def __repr__(self) -> str:
        found = self.summary
        return (
            f"ChosenRows({found['selected']:,} of {found['candidates']:,} rows for "
            f"{self.target!r}; KL {found['kl']:.4f} nats, the least possible "
            f"{found['kl_optimum']:.4f})"
        )

    @cached_property
    def selection(self) -> Selection:
        """The rows, with the evidence: target, quota and supply of every cell."""
        return self.candidates.choose(
            self.budget, self.target, demand=demand_in_cells(self.target, self.density.dataset), cap=self.cap
        )

    @property
    def rows(self) -> Int64Array:
        """Numbers of the chosen rows, ascending."""
        return self.selection.rows

    @property
    def summary(self) -> dict[str, Any]:
        """What ``kdos select --json`` says: `kl` and the least possible in nats, `tv` a share."""
        dataset, found = self.density.dataset, self.selection
        usable = dataset.fitted.sample.usable
        return {
            "rows": len(usable),
            "candidates": len(self.candidates.rows),
            "selected": len(found.rows),
            "skipped": int((~usable).sum()),
            "repeated": int(usable.sum()) - len(self.candidates.rows),
            "cells": dataset.space.n_cells,
            "field": dataset.dataset.field or None,
            "target": self.target,
            "kl": found.kl,
            "tv": found.tv,
            "kl_optimum": found.kl_optimum,
            "space": dataset.space.fingerprint,
        }

    def again(self, budget: int, target: str, *, cap: int | None = None) -> "ChosenRows":
        """Another choice from the same candidates; nothing is measured anew."""
        return ChosenRows(self.density, self.candidates, budget, target, cap)

    def table(self) -> pa.Table:
        """The chosen rows as they were, then their `cell`; without it where they have such a column."""
        return read_chosen_rows(self.density.dataset.dataset, self.selection)

    def save(self, path: str | Path) -> int:
        """Write the chosen rows as .parquet, .jsonl or .csv; returns how many.

        Raises:
            UsageError: The path is an input, or cannot be written.
        """
        dataset = self.density.dataset.dataset
        out = check_output_file(path, "path", TABLE_SUFFIXES, inputs=_input_paths(dataset.path))
        return write_selection(dataset, self.selection, out)

    def _repr_html_(self) -> str:
        return facts_table(self.summary) + rows_table(self.table().slice(0, SHOWN_ROWS))
