"""Datasets from Python: measure one, look at it, compare it, and choose rows of it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.api.html import SHOWN_ROWS, cells_table, facts_table, figure_image, rows_table
from kdos.arrays import Float64Array, Int32Array, Int64Array
from kdos.select import (
    Candidates,
    Options,
    Placed,
    Selection,
    Survey,
    candidates,
    chosen_rows,
    demand_in_cells,
    hold_dataset,
    open_dataset,
    placed,
    placed_in,
    survey,
)
from kdos.select.dataset import Dataset
from kdos.select.describe import CellView, thin_and_crowded
from kdos.select.numbers import compared, summarise
from kdos.store import write_parquet


def density(data: Any, *, field: str | None = None, **options: Any) -> "DatasetDensity":
    """How what a dataset knows is distributed.

    Args:
        data: A path, ``hf:NAME``, a list of texts, vectors of shape (n, n_features), or a table:
            Arrow, pandas, polars, a Hugging Face dataset.
        field: The column that holds the text; the likeliest by default.
        options: Those of `kdos.select.Options`: `embed`, `dim`, `n_cells`, `k`, `random_seed`…

    Raises:
        InputError: The data cannot be read, or holds nothing to measure.
    """
    found = survey(read_any_dataset(data, field), Options(**options))
    return DatasetDensity(found, placed(found))


def select(
    data: Any, budget: int, target: str = "uniform", *, field: str | None = None, **how: Any
) -> "ChosenRows":
    """The rows of a dataset that meet a target distribution; see `DatasetDensity.select`."""
    return density(data, field=field).select(budget, target, **how)


def read_any_dataset(data: Any, field: str | None) -> Dataset:
    """The dataset at a path, or in memory."""
    if isinstance(data, str | Path):
        return open_dataset(str(data), field)
    return hold_dataset(data, field)


@dataclass(frozen=True)
class DatasetDensity:
    """A dataset that was measured: its `space`, and where in it each row lies."""

    survey: Survey
    placed: Placed

    def __repr__(self) -> str:
        found = self.summary
        return (
            f"DatasetDensity({found['n']:,} rows, {found['distinct']:,} distinct; log10 density "
            f"{found['log10_density']:.3f}; {found['effective_cells']:.0f} of {found['cells']} "
            "cells effective)"
        )

    @property
    def log10_density(self) -> Float64Array:
        """Of every row, shape (n_rows,); NaN where a row holds nothing."""
        return self.placed.log_density / np.log(10)

    @property
    def cells(self) -> Int32Array:
        """Of every row, shape (n_rows,); -1 where a row holds nothing."""
        return self.placed.cells

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``kdos density --json`` says."""
        return summarise(self.survey, self.placed, random_seed=0)

    def thin(self, count: int = SHOWN_ROWS) -> list[CellView]:
        """The cells of lowest density that hold a row."""
        return thin_and_crowded(self.survey, self.placed, count=count)[0]

    def crowded(self, count: int = SHOWN_ROWS) -> list[CellView]:
        """The cells of highest density."""
        return thin_and_crowded(self.survey, self.placed, count=count)[1]

    def compare(self, other: Any, *, field: str | None = None) -> dict[str, Any]:
        """What this dataset has and the other lacks, both in this one's space."""
        return compared(
            self.survey, self.placed, placed_in(read_any_dataset(other, field), self.survey)
        )

    def select(
        self, budget: int, target: str = "uniform", *, cap: int | None = None, **how: Any
    ) -> "ChosenRows":
        """Choose `budget` rows whose cells are distributed as the target says.

        `cap` is the most rows of one cell; `how` is for `kdos.select.candidates`: `dedup`,
        `similar`, `weight`, `random_seed`.
        """
        pool = candidates(self.survey, at=self.placed, **how)
        return ChosenRows(self, pool, budget, target, cap)

    def plot(self) -> Any:
        """A Matplotlib figure of the dataset in the plane, coloured by measured density."""
        from kdos.select.drawing import draw  # Matplotlib is slow to load

        return draw(self.survey)

    def _repr_html_(self) -> str:
        low, high = self.summary["log10_density_ci"]
        return "".join(
            [
                facts_table(self.summary | {"log10_density_ci": f"{low:.3f} to {high:.3f}"}),
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
            self.budget,
            self.target,
            demand=demand_in_cells(self.target, self.density.survey),
            cap=self.cap,
        )

    @property
    def rows(self) -> Int64Array:
        """Numbers of the chosen rows, ascending."""
        return self.selection.rows

    @property
    def summary(self) -> dict[str, Any]:
        """The gap to the target (`kl` in nats, `tv` a share), and the least possible."""
        found = self.selection
        return {
            "selected": len(found.rows),
            "candidates": len(self.candidates.rows),
            "target": self.target,
            "kl": found.kl,
            "kl_optimum": found.kl_optimum,
            "tv": found.tv,
        }

    def again(self, budget: int, target: str, *, cap: int | None = None) -> "ChosenRows":
        """Another choice from the same candidates; nothing is measured anew."""
        return ChosenRows(self.density, self.candidates, budget, target, cap)

    def table(self) -> pa.Table:
        """The chosen rows as they were, with their `cell`."""
        parts = chosen_rows(self.density.survey.dataset, self.selection)
        return pa.concat_tables(list(parts), promote_options="permissive")

    def save(self, path: str | Path) -> int:
        """Write the chosen rows as Parquet; returns how many."""
        table = self.table()
        return write_parquet(Path(path), table, table.schema)

    def _repr_html_(self) -> str:
        return facts_table(self.summary) + rows_table(self.table().slice(0, SHOWN_ROWS))
