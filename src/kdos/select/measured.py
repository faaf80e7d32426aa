"""A dataset embedded and measured; which of its rows may be chosen, and how they are written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import Float64Array, Int64Array
from kdos.density import (
    Reference,
    RowDensities,
    SampledSpace,
    Space,
    find_copies,
    fit_space,
    measure_other_dataset,
    measure_sampled_dataset,
    note_small_pool,
    sample_rows,
)
from kdos.embed import Embedder, LexicalEmbedder, load_embedder, note_unknown_script
from kdos.errors import InputError, UsageError
from kdos.pool import group_texts
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD, find_near_duplicates
from kdos.rows import Rows, join_tables, write_rows
from kdos.rows.dataset import Dataset, open_dataset
from kdos.select.choose import Candidates, Selection
from kdos.targets import demand_file
from kdos.terminal import print_status

DEDUP_MODES = ("off", "exact", "near")
REFERENCE_ROWS = 1 << 20
"""Rows that a space is fitted on at most; of a larger dataset, a random sample."""
FITTED_TEXTS = 100_000
"""Texts that the lexical embedder learns from at most."""
TEXT_DIM = 64
CELL_COLUMN = "cell"


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How a dataset is measured. `dim` None takes vectors as they are; texts are reduced to 64."""

    embed: str = "static"
    dim: int | None = None
    normalize: bool = False
    n_cells: int | None = None
    k: int = 10
    random_seed: int = 0
    reference_rows: int = REFERENCE_ROWS


@dataclass(frozen=True)
class FittedDataset:
    """A dataset and the space fitted on a sample of its rows."""

    dataset: Dataset
    fitted: SampledSpace

    @property
    def space(self) -> Space:
        """The frozen space."""
        return self.fitted.space

    @property
    def reference(self) -> Reference:
        """The sample that the space was fitted on, measured in it."""
        return self.fitted.reference


def fit_dataset(dataset: Dataset, options: MeasureOptions) -> FittedDataset:
    """Fit a space on a dataset, in one pass; memory is bounded by the sample and one batch."""
    sample = sample_rows(dataset.read_batches(), most=options.reference_rows, random_seed=options.random_seed)
    if not len(sample.rows):
        raise _nothing_to_measure(dataset)
    embedder = None if sample.vectors is not None else _fit_embedder(sample.texts, options)
    vectors = sample.vectors if embedder is None else embedder.embed(sample.texts)
    if vectors is None:
        raise UsageError(f"{dataset.path} must hold texts or vectors. Got neither.")
    is_text = embedder is not None
    space, reference = fit_space(
        vectors,
        embedder=embedder.name if embedder else "given",
        dim=(options.dim or TEXT_DIM) if is_text else options.dim,
        n_cells=options.n_cells,
        k=options.k,
        normalize=is_text or options.normalize,
        random_seed=options.random_seed,
    )
    if (note := note_small_pool(reference, k=options.k, n_cells=options.n_cells)) is not None:
        print_status(note)
    embed = embedder.embed if embedder else None
    sample = replace(sample, vectors=None)  # the points hold as much
    return FittedDataset(dataset, SampledSpace(space, reference, sample, embed))


def measure_dataset(found: FittedDataset) -> RowDensities:
    """Where each row of the dataset lies; what the space was not fitted on is measured now."""
    return measure_sampled_dataset(found.fitted, found.dataset.read_batches())


def measure_in_space_of(found: FittedDataset, dataset: Dataset) -> RowDensities:
    """Where each row of another dataset lies in a fitted space, measured among its sample."""
    usable = [batch.usable for batch in dataset.read_batches()]
    if not any(part.any() for part in usable):
        raise _nothing_to_measure(dataset)
    return measure_other_dataset(found.fitted, dataset.read_batches(), np.concatenate(usable))


def demand_in_cells(target: str, found: FittedDataset) -> Int64Array | None:
    """The questions of a ``demand:FILE`` target by cell, shape (n_cells,); None for others."""
    path = demand_file(target)
    if path is None:
        return None
    return measure_in_space_of(found, open_dataset(path)).profile.exposures


def _fit_embedder(texts: Sequence[str], options: MeasureOptions) -> Embedder:
    ready = load_embedder(options.embed)
    if ready is not None:
        if (note := note_unknown_script(ready, texts)) is not None:
            print_status(note)
        return ready
    step = -(-len(texts) // FITTED_TEXTS)
    return LexicalEmbedder.fit(texts[::step], random_seed=options.random_seed)


def _nothing_to_measure(dataset: Dataset) -> InputError:
    return InputError.at(
        str(dataset.path), "must hold at least one row to measure. Got none", field=dataset.field or None
    )


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

    `dedup` leaves out rows that repeat an earlier one: `exact` but for case and punctuation (for vectors, number by
    number), `near` with a Jaccard similarity of `similar` or more. `weight` names a field of numbers that makes rows
    likelier. `densities` is what `measure_dataset` gave, if it was called already.
    """
    densities = densities or measure_dataset(found)
    rows = np.flatnonzero(found.fitted.sample.usable)
    rows = rows[_rows_without_repeats(found.dataset, dedup, similar)]
    weights = None if weight is None else _read_weights(found.dataset, weight)[rows]
    return Candidates(
        space=found.space,
        rows=rows,
        cells=densities.cells[rows],
        counts=densities.profile.counts,
        weights=weights,
        random_seed=random_seed,
    )


def _rows_without_repeats(dataset: Dataset, dedup: str, similar: float) -> Int64Array:
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


def _read_numbers(rows: Rows, field: str) -> Float64Array:
    """Numbers where Arrow finds none by itself, as beside texts that say one; shape (n_rows,)."""
    found: list[float] = []
    for row, value in enumerate(rows.values(field)):
        try:
            found.append(np.nan if value is None else float(value))
        except (TypeError, ValueError, OverflowError) as error:
            message = f"must be a number in every row. Got {value!r:.40}"
            raise rows.row_error(row, message, field=field) from error
    return np.array(found)


def _read_weights(dataset: Dataset, field: str) -> Float64Array:
    """Shape (n_rows,); a number that is missing, negative or not finite is an `InputError`."""
    if dataset.holds_vectors:
        raise UsageError("--weight names a field. Got a .npy, which has none.")
    parts: list[Float64Array] = []
    for rows in dataset.read_field(field):
        try:
            part = np.asarray(rows.batch.column(field).cast(pa.float64()), np.float64)
        except (pa.ArrowException, ValueError):
            part = _read_numbers(rows, field)
        good = np.isfinite(part) & (part >= 0)
        if not good.all():
            row = int(np.argmin(good))
            message = f"must be a number of at least 0 in every row. Got {part[row]}"
            raise rows.row_error(row, message, field=field)
        parts.append(part)
    return np.concatenate(parts)


def write_selection(dataset: Dataset, selection: Selection, path: Path) -> int:
    """Write the chosen rows as the path's suffix says; returns how many."""
    table, has_own_cell = _read_chosen_rows(dataset, selection)
    written = write_rows(path, table, table.schema)
    if has_own_cell:
        print_status(f"the rows have a column `{CELL_COLUMN}` of their own: it stays, and their cells are not written")
    return written


def read_chosen_rows(dataset: Dataset, selection: Selection) -> pa.Table:
    """The chosen rows as they were, then their `cell`; without it where they have a column of that name."""
    return _read_chosen_rows(dataset, selection)[0]


def _read_chosen_rows(dataset: Dataset, selection: Selection) -> tuple[pa.Table, bool]:
    parts: list[pa.Table] = []
    start = 0
    for batch in dataset.read_whole_rows():
        low, high = np.searchsorted(selection.rows, [start, start + batch.num_rows])
        if high > low:
            part: Any = pa.Table.from_batches([batch])
            parts.append(part.take(pa.array(selection.rows[low:high] - start)))
        start += batch.num_rows
    table = join_tables(parts, str(dataset.path))
    if CELL_COLUMN in table.column_names:
        return table, True
    return table.append_column(CELL_COLUMN, pa.array(selection.cells)), False
