"""Questions in, their places on a run's map out: where a model knows more, and where less."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float64Array, Int32Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.density import measure_density
from kdos.embed import LexicalEmbedder
from kdos.errors import UsageError
from kdos.llm.endpoint_embedder import open_embedder
from kdos.scoring import BenchmarkQuestion
from kdos.store import read_arrays

DENSITY_GROUPS = 5
"""Equal shares of the questions, from the thinnest to the densest, in the summary."""
CELL_SCHEMA = pa.schema(
    [("cell", pa.int32()), ("questions", pa.int64()), ("scored", pa.int64())]
    + [(name, pa.float64()) for name in ("log10_density", "correct", "difference")]
)
"""`correct` is the share over scored questions; `difference` that to another evaluation."""
ScoreRow = Mapping[str, Any]
"""A row of scores.jsonl."""


@dataclass(frozen=True, slots=True)
class QuestionPlaces:
    """Where questions lie, row by row: `cells`, `log10_density` and `novel`, shape (n,) each.

    Density is that of the run's knowledge points around the question. A novel question lies where
    the run's documents say nothing.
    """

    cells: Int32Array
    log10_density: Float64Array
    novel: BoolArray

    def as_row(self, number: int) -> dict[str, Any]:
        """One question's place, for its row of scores.jsonl."""
        return {
            "cell": int(self.cells[number]),
            "log10_density": float(self.log10_density[number]),
            "novel": bool(self.novel[number]),
        }


def place_questions(questions: Sequence[BenchmarkQuestion], run: Path) -> QuestionPlaces:
    """The places of questions, each with its first answer, in the space of a run."""
    folder = RunFolder(run)
    if not folder.space.is_dir():
        raise UsageError(f"--run must be the folder of a run that has a space. {run} has none.")
    folder.refuse_damage()
    space, reference = folder.read_space(), folder.read_reference_points()
    texts = [" ".join([question.question, *question.answers[:1]]) for question in questions]
    with open_embedder(folder.read_config()) as named:
        embedder = named or LexicalEmbedder(**read_arrays(folder.embedder)[1])
        points = space.project(embedder.embed(texts))
    found = measure_density(points, space, among=reference)
    return QuestionPlaces(
        cells=found.cells, log10_density=found.log_density / math.log(10), novel=found.radius > space.novel_radius
    )


def tabulate_by_cell(rows: Sequence[ScoreRow], places: QuestionPlaces, against: Mapping[str, ScoreRow]) -> pa.Table:
    """One row a cell that holds a question, in the order of the cells (`CELL_SCHEMA`)."""
    correct, difference = _correct_and_difference(rows, against)
    cells, group = np.unique(places.cells, return_inverse=True)
    size = np.bincount(group)
    scored = np.bincount(group, ~np.isnan(correct)).astype(np.int64)
    density = np.bincount(group, places.log10_density) / size
    means = (_group_means(values, group) for values in (correct, difference))
    columns = (cells, size, scored, density, *means)
    arrays = [pa.array(c, kind) for c, kind in zip(columns, CELL_SCHEMA.types, strict=True)]
    return pa.table(arrays, schema=CELL_SCHEMA)


def summarise_by_density(
    rows: Sequence[ScoreRow], places: QuestionPlaces, against: Mapping[str, ScoreRow]
) -> list[dict[str, Any]]:
    """Shares of right answers from the thinnest fifth of the questions to the densest."""
    correct, difference = _correct_and_difference(rows, against)
    levels = places.log10_density
    fifths = np.array_split(np.argsort(levels, kind="stable"), DENSITY_GROUPS)
    return [
        {
            "log10_density": [float(levels[part[0]]), float(levels[part[-1]])],
            "questions": len(part),
            "correct": _mean_of_known(correct[part]),
            "difference": _mean_of_known(difference[part]),
        }
        for part in fifths
        if len(part)
    ]


def _correct_and_difference(
    rows: Sequence[ScoreRow], against: Mapping[str, ScoreRow]
) -> tuple[Float64Array, Float64Array]:
    """`correct` of each row and its difference to the other evaluation; NaN where unknown."""
    nan = float("nan")
    mine = np.array([row.get("correct", nan) for row in rows], np.float64)
    its = np.array([against.get(row["id"], {}).get("correct", nan) for row in rows], np.float64)
    return mine, mine - its


def _group_means(values: Float64Array, group: Int64Array) -> list[float | None]:
    """The mean of each group's known values; None where it has none."""
    counts = np.bincount(group, ~np.isnan(values))
    sums = np.bincount(group, np.nan_to_num(values))
    return [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]


def _mean_of_known(values: Float64Array) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
