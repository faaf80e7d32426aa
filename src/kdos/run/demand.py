"""Questions in a file, counted by cell: where a model, or a user, wants more knowledge."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdos.arrays import Float64Array
from kdos.errors import InputError
from kdos.rows import Rows, list_table_fields, read_table_rows, resolve_field
from kdos.run.prepare import LoopInputs, embed_in_blocks
from kdos.targets import demand_file

LOSS_FIELD, CORRECT_FIELD = "loss", "correct"


def read_demand(target: str, prepared: LoopInputs) -> Float64Array | None:
    """The demand for each cell under a ``demand:FILE`` target, shape (n_cells,); None otherwise.

    Each row of the file is a question, placed in the run's space. One with a number `loss` (nats)
    counts as much as that; of those with a truth value `correct` only the wrong ones count; others
    count once each.

    Raises:
        InputError: There is no such file, no field holds questions, or none of them counts.
    """
    path = demand_file(target)
    if path is None:
        return None
    texts, weights = zip(*weighted_questions(Path(path)), strict=True)
    space = prepared.space
    cells = space.assign_cells(space.project(embed_in_blocks(prepared.embedder, texts)))
    return np.bincount(cells, weights=weights, minlength=space.n_cells).astype(np.float64)


def weighted_questions(path: Path) -> list[tuple[str, float]]:
    """The questions that count, each with how much."""
    found = [pair for pair in _read_weighted(path) if pair[1] > 0]
    if not found:
        raise InputError.at(path, "must hold at least one question that counts. Got none")
    return found


def _read_weighted(path: Path) -> Iterator[tuple[str, float]]:
    """Each question with what it counts; rows without a text are passed over."""
    names = list_table_fields(path)
    field = resolve_field("question", names) or resolve_field("text", names)
    if not field:
        raise InputError.at(path, f"must have a field `question`. It has {', '.join(names)}")
    weight = next((name for name in (LOSS_FIELD, CORRECT_FIELD) if name in names), None)
    for rows in read_table_rows(path, columns=[field, *([weight] if weight else [])]):
        found = rows.text_column(field).to_pylist()
        values = rows.batch.column(weight).to_pylist() if weight else [None] * len(found)
        for row, (text, value) in enumerate(zip(found, values, strict=True)):
            if text is not None:
                yield text, question_weight(value, weight, rows, row)


def question_weight(value: Any, weight: str | None, rows: Rows, row: int) -> float:
    """What one question counts."""
    if value is None:
        return 1.0
    if weight == CORRECT_FIELD and isinstance(value, bool):
        return float(not value)
    if weight == LOSS_FIELD and isinstance(value, int | float) and 0 <= value < math.inf:
        return float(value)
    wanted = "a number of at least 0" if weight == LOSS_FIELD else "true or false"
    raise rows.row_error(row, f"must be {wanted}. Got {value!r:.60}", field=weight)
