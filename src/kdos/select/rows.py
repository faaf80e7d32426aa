"""The rows of a selection: which may be chosen, and how they are written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import Float64Array, Int64Array
from kdos.density import RowDensities, find_copies
from kdos.errors import UsageError
from kdos.pool import group_texts
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD, find_near_duplicates
from kdos.rows.dataset import Dataset
from kdos.select.choose import Candidates, Selection
from kdos.select.measured import FittedDataset, measure_dataset
from kdos.store import write_parquet

DEDUP_MODES = ("off", "exact", "near")


def find_candidates(
    found: FittedDataset,
    *,
    dedup: str = "off",
    similar: float = NEAR_DUPLICATE_JACCARD,
    weight: str | None = None,
    random_seed: int = 0,
    densities: RowDensities | None = None,
) -> Candidates:
    """The rows of a measured dataset that may be chosen.

    `dedup` leaves out rows that repeat an earlier one: `exact` but for case and punctuation (for
    vectors, number by number), `near` with a Jaccard similarity of `similar` or more. `weight`
    names a field of numbers that makes rows likelier. `densities` is what `measure_dataset`
    gave, if it was called already.
    """
    densities = densities or measure_dataset(found)
    rows = np.flatnonzero(found.fitted.sample.usable)
    rows = rows[_rows_without_repeats(found.dataset, dedup, similar=similar)]
    weights = None if weight is None else _read_weights(found.dataset, weight)[rows]
    return Candidates(
        space=found.space,
        rows=rows,
        cells=densities.cells[rows],
        counts=densities.profile.counts,
        weights=weights,
        random_seed=random_seed,
    )


def _rows_without_repeats(
    dataset: Dataset, dedup: str, *, similar: float = NEAR_DUPLICATE_JACCARD
) -> Int64Array:
    """Of the usable rows, numbered from 0, those that repeat no earlier one."""
    texts = [text for batch in dataset.read_batches() for text in batch.texts or ()]
    if texts:
        match dedup:
            case "near":
                return find_near_duplicates(texts, similar=similar).kept_rows
            case "exact":
                return np.sort(group_texts(texts).first)
            case _:
                return np.arange(len(texts))
    if dedup == "near":
        raise UsageError("--dedup near compares texts. Got vectors. Use --dedup exact.")
    vectors = [batch.vectors for batch in dataset.read_batches() if batch.vectors is not None]
    if dedup == "off":
        return np.arange(sum(map(len, vectors)))
    return find_copies(np.concatenate(vectors)).first


def _read_weights(dataset: Dataset, field: str) -> Float64Array:
    """The numbers in a field, shape (n_rows,).

    Raises:
        InputError: One of them is missing, negative or not finite; the message names its place.
    """
    if dataset.holds_vectors:
        raise UsageError("--weight names a field. Got a .npy, which has none.")
    parts: list[Float64Array] = []
    for rows in dataset.read_field(field):
        try:
            part = np.asarray(rows.batch.column(field).cast(pa.float64()), np.float64)
        except (pa.ArrowException, ValueError) as error:
            raise rows.row_error(0, "must be a number in every row", field=field) from error
        good = np.isfinite(part) & (part >= 0)
        if not good.all():
            row = int(np.argmin(good))
            message = f"must be a number of at least 0 in every row. Got {part[row]}"
            raise rows.row_error(row, message, field=field)
        parts.append(part)
    return np.concatenate(parts)


def write_selection(dataset: Dataset, selection: Selection, path: Path) -> int:
    """Write the chosen rows as they were, with their `cell`; returns how many."""
    tables = list(chosen_row_tables(dataset, selection))
    table: Any = pa.concat_tables(tables, promote_options="permissive")
    return write_parquet(path, table, table.schema)


def chosen_row_tables(dataset: Dataset, selection: Selection) -> Iterator[pa.Table]:
    """The chosen rows of each batch, with a column `cell`."""
    start = 0
    for batch in dataset.read_batches(every_column=True):
        low, high = np.searchsorted(selection.rows, [start, start + len(batch.usable)])
        if high > low:
            part: Any = pa.Table.from_batches([batch.table])
            part = part.take(pa.array(selection.rows[low:high] - start))
            if "cell" in part.column_names:
                part = part.drop_columns(["cell"])
            yield part.append_column("cell", pa.array(selection.cells[low:high]))
        start += len(batch.usable)
