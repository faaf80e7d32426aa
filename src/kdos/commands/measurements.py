"""Tables of measurements of small models, as `kdos train --proxy` writes them, read for `kdos scaling fit`."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from kdos.arrays import Float64Array, Int64Array
from kdos.errors import InputError
from kdos.rows import Rows, list_table_fields, read_table_rows
from kdos.scaling import SAME_FACTOR, ExperimentCell, RetentionRuns

MEASUREMENT_COLUMNS = ("params", "presentations", "facts", "recall", "random_seed")
RETENTION_COLUMNS = ("share", "base", "base_recall", "base_recall_before")
SHARE_COLUMNS = ("recall", "share", "base_recall", "base_recall_before")
FROM_SCRATCH = "scratch"
"""The arm whose runs show the collapse; a table without the column ``arm`` holds no other."""


def read_cells(path: str) -> list[ExperimentCell]:
    """The runs from scratch, one cell for each size and budget."""
    batches = _read_arms(path, MEASUREMENT_COLUMNS).get(FROM_SCRATCH)
    if not batches:
        message = f"must hold runs of the arm {FROM_SCRATCH}, whose collapse is fitted. Measure it too"
        raise InputError.at(path, message, field="arm")
    params, presentations, facts, recall, seeds = (_number_column(batches, name) for name in MEASUREMENT_COLUMNS)
    whole = np.stack([params, presentations, facts, seeds], axis=1).astype(np.int64)
    whole[:, 1] = _merge_budgets(whole[:, 0], whole[:, 1])
    places, cell = np.unique(whole[:, :2], axis=0, return_inverse=True)
    return [
        ExperimentCell(int(size), int(budget), whole[cell == n, 2], recall[cell == n], whole[cell == n, 3])
        for n, (size, budget) in enumerate(places)
    ]


def _merge_budgets(params: Int64Array, presentations: Int64Array) -> Int64Array:
    """Budgets of one size that differ by whole epochs only, as one: the highest within `SAME_FACTOR` of it."""
    merged = presentations.copy()
    for size in np.unique(params):
        left = params == size
        while left.any():
            highest = presentations[left].max()
            same = left & (presentations * SAME_FACTOR >= highest)
            merged[same] = highest
            left &= ~same
    return merged


def read_retention_runs(path: str) -> dict[str, list[RetentionRuns]]:
    """The runs of each arm with a base, by size, budget and base; none where the table tells of no base."""
    if not {"arm", "base"} <= set(list_table_fields(path)):
        return {}
    arms = _read_arms(path, (*MEASUREMENT_COLUMNS, *RETENTION_COLUMNS))
    return {arm: _group_runs(arm, batches) for arm, batches in arms.items() if arm != FROM_SCRATCH}


def _group_runs(arm: str, batches: Sequence[Rows]) -> list[RetentionRuns]:
    names = ("params", "presentations", "base", "facts", "random_seed")
    whole = np.stack([_number_column(batches, name) for name in names], axis=1).astype(np.int64)
    share, after, before = (_number_column(batches, name) for name in ("share", "base_recall", "base_recall_before"))
    places, group = np.unique(whole[:, :3], axis=0, return_inverse=True)
    runs: list[RetentionRuns] = []
    for number, (params, presentations, base) in enumerate(places.tolist()):
        at = group == number
        columns = whole[at, 3], share[at], before[at], after[at], whole[at, 4]
        runs.append(RetentionRuns(arm, params, presentations, base, *columns))
    return runs


def _read_arms(path: str, columns: Sequence[str]) -> dict[str, list[Rows]]:
    """The rows of each arm."""
    named = "arm" in list_table_fields(path)
    arms: dict[str, list[Rows]] = {}
    for rows in read_table_rows(path, columns=(*columns, "arm") if named else columns):
        labels = rows.label_column("arm").to_pylist() if named else [FROM_SCRATCH] * rows.batch.num_rows
        places: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            places.setdefault(label or FROM_SCRATCH, []).append(place)
        for name, at in places.items():
            part = rows.batch.take(pa.array(at, pa.int64()))
            arms.setdefault(name, []).append(Rows(rows.path, part, [rows.positions[n] for n in at], rows.unit))
    return arms


def _number_column(batches: Sequence[Rows], name: str) -> Float64Array:
    found: list[float] = []
    for rows in batches:
        for row, text in enumerate(rows.label_column(name).to_pylist()):
            try:
                value = float(text or "nan")
            except ValueError:
                value = np.nan
            if not _is_possible_value(name, value):
                wanted = "a share in [0, 1]" if name in SHARE_COLUMNS else "a whole number"
                least = "" if name in (*SHARE_COLUMNS, "random_seed") else " of at least 1"
                message = f"must be {wanted}{least}. Got {text!r}. Measure this run again"
                raise rows.row_error(row, message, field=name)
            found.append(value)
    return np.array(found)


def _is_possible_value(name: str, value: float) -> bool:
    if name in SHARE_COLUMNS:
        return 0 <= value <= 1
    return value == np.floor(value) and (name == "random_seed" or value >= 1)
