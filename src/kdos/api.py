"""kdos from Python and notebooks: ask once, then look, draw, and ask again.

`kdos.density(...)`, `kdos.select(...)` and `kdos.run(...)` are the functions of this module.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from kdos.arrays import Float64Array, Int32Array, Int64Array
from kdos.config import Config, read_config
from kdos.errors import ConfigError, InputError
from kdos.run import RunFolder
from kdos.run import run as run_config
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
from kdos.store import read_json_file, read_parquet, write_parquet

SHOWN = 5
"""Cells of each kind, and samples, in a notebook's view."""
LONGEST = 160
"""Characters of a text in a notebook's view."""


def density(data: Any, *, field: str | None = None, **options: Any) -> "Density":
    """How what a dataset knows is distributed.

    Args:
        data: A path, ``hf:NAME``, a list of texts, vectors of shape (n, n_features), or a table:
            Arrow, pandas, polars, a Hugging Face dataset.
        field: The column that holds the text; the likeliest by default.
        options: Those of `kdos.select.Options`: `embed`, `dim`, `n_cells`, `k`, `random_seed`…

    Raises:
        InputError: The data cannot be read, or holds nothing to measure.
    """
    found = survey(opened(data, field), Options(**options))
    return Density(found, placed(found))


def select(
    data: Any, budget: int, target: str = "uniform", *, field: str | None = None, **how: Any
) -> "Chosen":
    """The rows of a dataset that meet a target distribution; see `Density.select`."""
    return density(data, field=field).select(budget, target, **how)


def run(config: Mapping[str, Any] | str | Path, out: str | Path) -> "Run":
    """Turn a source into a balanced dataset, as a configuration says; the same again resumes.

    Raises:
        ConfigError: A key or value is wrong, or `out` holds a run with another configuration.
    """
    settings = (
        read_config(dict(config)) if isinstance(config, Mapping) else load_config(Path(config))
    )
    run_config(settings, Path(out))
    return Run(Path(out))


def load_config(path: Path) -> Config:
    """The configuration in a YAML file.

    Raises:
        InputError: There is no such file, or it is no YAML.
        ConfigError: A key or value is wrong; the message names the file.
    """
    try:
        value: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.at(path, f"must be a YAML file. {error}") from error
    except yaml.YAMLError as error:
        raise InputError.at(path, f"must be YAML. {' '.join(str(error).split())}") from error
    try:
        return read_config(value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def opened(data: Any, field: str | None) -> Dataset:
    """The dataset at a path, or in memory."""
    if isinstance(data, str | Path):
        return open_dataset(str(data), field)
    return hold_dataset(data, field)


@dataclass(frozen=True)
class Density:
    """A dataset that was measured: its `space`, and where in it each row lies."""

    survey: Survey
    placed: Placed

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

    def thin(self, count: int = SHOWN) -> list[CellView]:
        """The cells of lowest density that hold a row."""
        return thin_and_crowded(self.survey, self.placed, count=count)[0]

    def crowded(self, count: int = SHOWN) -> list[CellView]:
        """The cells of highest density."""
        return thin_and_crowded(self.survey, self.placed, count=count)[1]

    def compare(self, other: Any, *, field: str | None = None) -> dict[str, Any]:
        """What this dataset has and the other lacks, both in this one's space."""
        return compared(self.survey, self.placed, placed_in(opened(other, field), self.survey))

    def select(
        self, budget: int, target: str = "uniform", *, cap: int | None = None, **how: Any
    ) -> "Chosen":
        """Choose `budget` rows whose cells are distributed as the target says.

        `cap` is the most rows of one cell; `how` is for `kdos.select.candidates`: `dedup`,
        `similar`, `weight`, `random_seed`.
        """
        pool = candidates(self.survey, at=self.placed, **how)
        return Chosen(self, pool, budget, target, cap)

    def plot(self) -> Any:
        """A Matplotlib figure of the dataset in the plane, coloured by measured density."""
        from kdos.select.drawing import draw  # Matplotlib is slow to load

        return draw(self.survey)

    def _repr_html_(self) -> str:
        low, high = self.summary["log10_density_ci"]
        return "".join(
            [
                facts(self.summary | {"log10_density_ci": f"{low:.3f} to {high:.3f}"}),
                cells_table("thin", self.thin()),
                cells_table("crowded", self.crowded()),
                picture(self.plot()),
            ]
        )


@dataclass(frozen=True)
class Chosen:
    """Rows chosen from a measured dataset; ask again with another target or budget."""

    density: Density
    candidates: Candidates
    budget: int
    target: str
    cap: int | None

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

    def again(self, budget: int, target: str, *, cap: int | None = None) -> "Chosen":
        """Another choice from the same candidates; nothing is measured anew."""
        return Chosen(self.density, self.candidates, budget, target, cap)

    def table(self) -> pa.Table:
        """The chosen rows as they were, with their `cell`."""
        parts = chosen_rows(self.density.survey.dataset, self.selection)
        return pa.concat_tables(list(parts), promote_options="permissive")

    def save(self, path: str | Path) -> int:
        """Write the chosen rows as Parquet; returns how many."""
        table = self.table()
        return write_parquet(Path(path), table, table.schema)

    def _repr_html_(self) -> str:
        return facts(self.summary) + rows_table(self.table().slice(0, SHOWN))


@dataclass(frozen=True)
class Run:
    """A finished run's folder, read where it is asked for."""

    path: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``kdos run`` prints."""
        return read_json_file(self.path / "summary.json")

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.path / "report" / "index.html"

    def samples(self) -> pa.Table:
        """The samples: question, answer, knowledge points, logic, evidence and provenance."""
        files = sorted((self.path / "dataset").glob("*.parquet"))
        return pa.concat_tables([read_parquet(file) for file in files])

    def gap(self) -> list[float]:
        """KL to the target in nats after each round."""
        rounds = range(1, self.summary["rounds"] + 1)
        folder = RunFolder(self.path)
        return [read_json_file(folder.round(number) / "round.json")["kl"] for number in rounds]

    def plot(self) -> Any:
        """A Matplotlib figure of the gap by round, beside its noise floor."""
        from matplotlib.figure import Figure  # slow to load

        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        axes.plot(range(1, self.summary["rounds"] + 1), self.gap(), marker="o")
        axes.axhline(self.summary["kl_floor"], linestyle="--", color="0.5", label="noise floor")
        axes.set(xlabel="round", ylabel="KL to the target, nats", yscale="log")
        axes.legend()
        return figure

    def _repr_html_(self) -> str:
        shown = {key: value for key, value in self.summary.items() if not isinstance(value, dict)}
        return facts(shown) + picture(self.plot()) + rows_table(self.samples().slice(0, SHOWN))


def facts(values: Mapping[str, Any]) -> str:
    """Names and values as an HTML table."""
    rows = [(name, f"{v:,.4g}" if isinstance(v, float) else v) for name, v in values.items()]
    return table(["", ""], rows)


def cells_table(title: str, views: Sequence[CellView]) -> str:
    """Cells with what they are about, as HTML."""
    rows = [
        (v.cell, v.count, f"{v.log10_density:.2f}", " ".join(v.terms), " · ".join(v.examples))
        for v in views
    ]
    return table([f"{title} cell", "rows", "log10 density", "words", "examples"], rows)


def rows_table(rows: pa.Table) -> str:
    """A few rows of a dataset as HTML."""
    return table(rows.column_names, [tuple(row.values()) for row in rows.to_pylist()])


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """An HTML table; every text in it is escaped."""

    def cell(tag: str, value: Any) -> str:
        text = str(value)
        shown = text if len(text) <= LONGEST else text[:LONGEST] + "…"
        return f"<{tag}>{html.escape(shown)}</{tag}>"

    head = "".join(cell("th", name) for name in heads)
    body = "".join(f"<tr>{''.join(cell('td', value) for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def picture(figure: Any) -> str:
    """A Matplotlib figure as an HTML image."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100)
    code = base64.b64encode(data.getvalue()).decode()
    return f'<img alt="" src="data:image/png;base64,{code}">'
