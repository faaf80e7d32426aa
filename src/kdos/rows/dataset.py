"""Any dataset as a stream of texts or vectors: a table, a folder, a hub data set, a ``.npy``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float32Array, FloatingArray
from kdos.errors import InputError, UsageError
from kdos.rows.delimited import refuse_repeated_names
from kdos.rows.fields import field_roots, list_field_paths, value_at_path
from kdos.rows.files import InputPath, SeveralPaths
from kdos.rows.json_columns import column_of_values
from kdos.rows.layouts import find_fields
from kdos.rows.records import plain_batch
from kdos.rows.table import (
    SAMPLED_ROWS,
    Rows,
    asks_for_articles,
    number_rows,
    read_first_hub_rows,
    read_hub_rows,
    read_table_rows,
    require_first_rows,
)

HUB_PREFIX = "hf:"
"""What the name of a Hugging Face data set begins with here: ``hf:owner/name:split``."""
DATASET_BATCH_ROWS = 65_536
VECTOR_COLUMN, TEXT_COLUMN = "vector", "text"
"""The columns of vectors and of texts that came without a name."""
CHECKED_VALUES = 1 << 22
"""Values that are checked at a time: 16 MB of float32."""
IN_MEMORY_NAME = "the data"
"""How messages call a dataset in memory."""


@dataclass(frozen=True, slots=True)
class DatasetBatch:
    """Some rows in a stretch: `table` as they were read, and what is measured of them.

    `usable`, shape (n_rows,), says which rows hold anything; of those `texts` or `vectors`, shape
    (n_usable, n_features), are given, the other is None. `labels`, shape (n_rows,), are texts of another field, where
    one was asked for.
    """

    table: pa.RecordBatch
    usable: BoolArray
    texts: Sequence[str] | None
    vectors: Float32Array | None
    labels: "pa.Array[Any] | None" = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Where rows come from, and the field that is measured; empty for a ``.npy``.

    `table` is the table itself where the rows are in memory; `path` is then only a name for it.
    """

    path: str | SeveralPaths
    field: str
    table: pa.Table | None = None

    @property
    def holds_vectors(self) -> bool:
        """Whether it is a ``.npy`` of vectors."""
        return not self.field

    def find_label(self, part: str) -> str:
        """The field that holds a part of the rows, such as their `id`; empty where they have none."""
        if self.holds_vectors:
            return ""
        first = self.table.slice(0, SAMPLED_ROWS).to_pylist() if self.table is not None else _first_rows(self.path)
        return find_fields(first, [part]).get(part, "")

    def read_batches(self, *, label: str = "") -> Iterator[DatasetBatch]:
        """What is measured of the rows, in order, and a `label` of each; null in a file without that field."""
        if self.holds_vectors:
            yield from _vector_batches(open_vectors(str(self.path)))
            return
        for rows in self._rows([self.field, *filter(None, [label])], optional=[label]):
            batch = _table_batch(rows, self.field)
            yield replace(batch, labels=rows.label_column(label)) if label else batch

    def read_whole_rows(self) -> Iterator[pa.RecordBatch]:
        """The same rows with all their columns, as they were."""
        if self.holds_vectors:
            yield from (batch.table for batch in self.read_batches())
            return
        yield from (rows.batch for rows in self._rows(None))

    def read_field(self, field: str) -> Iterator[Rows]:
        """The rows with another field of theirs."""
        return self._rows([field])

    def _rows(self, columns: Sequence[str] | None, *, optional: Sequence[str] = ()) -> Iterator[Rows]:
        if self.table is not None:
            batches = self.table.combine_chunks().to_batches(DATASET_BATCH_ROWS)
            chosen = batches if columns is None else (_select_fields(batch, columns) for batch in batches)
            return number_rows(chosen, str(self.path))
        if isinstance(self.path, str) and self.path.startswith(HUB_PREFIX):
            name, split = _hub_name(self.path)
            return read_hub_rows(name, split=split, columns=columns, batch_size=DATASET_BATCH_ROWS)
        articles = asks_for_articles([self.field])
        return read_table_rows(
            self.path,
            columns=columns,
            labels=optional,
            optional=optional,
            batch_size=DATASET_BATCH_ROWS,
            articles=articles,
        )


def _select_fields(batch: pa.RecordBatch, fields: Sequence[str]) -> pa.RecordBatch:
    """The columns of these fields; one that is no column by itself is made row by row."""
    if set(fields) <= set(batch.schema.names):
        return batch.select(list(fields))
    roots = [root for field in fields for root in field_roots(field, batch.schema.names)]
    rows = batch.select(list(dict.fromkeys(roots))).to_pylist()
    found = [column_of_values([value_at_path(row, field) for row in rows], field) for field in fields]
    return pa.RecordBatch.from_arrays([column for _, column in found], schema=pa.schema([one for one, _ in found]))


def open_dataset(path: str | SeveralPaths, field: str | None = None) -> Dataset:
    """The dataset at a path; where no field is named, the likeliest one is taken.

    Raises:
        InputError: Nothing is there, or no field says by its name that it holds the text.
    """
    if str(path).endswith(".npy"):
        if field is not None:
            raise UsageError(f"a .npy file has no fields. Got --field {field}. Leave it out.")
        return Dataset(path, "")
    if field == "":
        raise UsageError("--field must name a field. Got ''.")
    if field is None:
        rows = _first_rows(path)
        field = find_fields(rows, ["text"]).get("text", "")
        if not field:
            known = ", ".join(list_field_paths(rows)) or "none"
            raise InputError.at(str(path), f"name the field with --field. There are: {known}")
    return Dataset(path, field)


def wrap_dataset(data: Any, field: str | None = None) -> Dataset:
    """A dataset in memory: texts, vectors of shape (n, n_features), or any table Arrow can read.

    Raises:
        InputError: It is none of these, or no field says by its name that it holds the text.
    """
    if isinstance(data, np.ndarray):
        table = pa.Table.from_batches([_vector_table(np.atleast_2d(np.asarray(data, np.float32)))])
        return Dataset(IN_MEMORY_NAME, VECTOR_COLUMN, table)
    if hasattr(data, "with_format"):
        data = data.with_format("arrow")[:]
    elif isinstance(data, Sequence) and all(isinstance(item, str) for item in data):
        data, field = {TEXT_COLUMN: pa.array(data, pa.string())}, TEXT_COLUMN
    try:
        table = pa.table(data)
        refuse_repeated_names(table.column_names, IN_MEMORY_NAME)
        table = pa.Table.from_batches(list(map(plain_batch, table.to_batches()))) if table.num_rows else table
    except (TypeError, ValueError, pa.ArrowException) as error:
        message = f"must be texts, vectors or a table. Got {type(data).__name__}"
        raise InputError.at(IN_MEMORY_NAME, message) from error
    field = field or find_fields(table.slice(0, SAMPLED_ROWS).to_pylist(), ["text"]).get("text", "")
    if not field or not set(field_roots(field, table.column_names)) <= set(table.column_names):
        known = ", ".join(table.column_names)
        raise InputError.at(IN_MEMORY_NAME, f"name its text field. There are: {known}", field=field)
    return Dataset(IN_MEMORY_NAME, field, table)


def _first_rows(path: InputPath) -> list[Mapping[str, Any]]:
    if not isinstance(path, str) or not path.startswith(HUB_PREFIX):
        return require_first_rows(path)
    name, split = _hub_name(path)
    return read_first_hub_rows(name, split=split)


def _hub_name(path: str) -> tuple[str, str]:
    name, _, split = path.removeprefix(HUB_PREFIX).partition(":")
    return name, split or "train"


def _vector_batches(vectors: FloatingArray) -> Iterator[DatasetBatch]:
    for start in range(0, len(vectors), DATASET_BATCH_ROWS):
        part = np.asarray(vectors[start : start + DATASET_BATCH_ROWS], np.float32)
        yield DatasetBatch(_vector_table(part), np.ones(len(part), bool), None, part)


def _vector_table(part: Float32Array) -> pa.RecordBatch:
    flat = pa.array(part.reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, part.shape[1])
    return pa.RecordBatch.from_arrays([column], names=[VECTOR_COLUMN])


def _table_batch(rows: Rows, field: str) -> DatasetBatch:
    if field not in rows.batch.schema.names:
        known = ", ".join(rows.batch.schema.names)
        raise InputError.at(rows.path, f"no such field. There are: {known}", field=field)
    column: Any = rows.batch.column(field)
    if _is_vector(column.type):
        return _vector_column(rows, column, field)
    texts: Any = rows.text_column(field)
    usable = np.asarray(texts.is_valid())
    return DatasetBatch(rows.batch, usable, texts.drop_null().to_pylist(), None)


def _is_vector(kind: Any) -> bool:
    types = pa.types
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return is_list and types.is_floating(kind.value_type)


def _vector_column(rows: Rows, column: Any, field: str) -> DatasetBatch:
    """A column of lists of numbers, all of one length, as vectors."""
    usable = np.asarray(column.is_valid())
    held = column.drop_null()
    values = np.asarray(held.flatten(), np.float32)
    lengths = np.asarray(held.value_lengths())
    if len(lengths) and (lengths != lengths[0]).any():
        row = int(np.flatnonzero(usable)[np.argmax(lengths != lengths[0])])
        message = f"vectors must have one length. Got others than {lengths[0]}"
        raise rows.row_error(row, message, field=field)
    vectors = values.reshape(len(held), -1)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(usable)[np.argmin(finite)])
        raise rows.row_error(row, "must hold finite numbers only", field=field)
    return DatasetBatch(rows.batch, usable, None, vectors)


def open_vectors(path: Path | str) -> FloatingArray:
    """The vectors of a ``.npy`` file, shape (n, dim), read-only, each number checked finite."""
    file = Path(path)
    if not file.is_file():
        raise InputError.at(file, "no such file. Check the path")
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        message = f"must be a whole .npy file of numbers. Got: {str(error).splitlines()[0]}"
        raise InputError.at(file, message) from error
    if not isinstance(vectors, np.ndarray):
        raise InputError.at(file, "must be one .npy array. Got an .npz archive. Save one array")
    _check_vectors(file, vectors)
    return vectors


def _check_vectors(path: Path, vectors: FloatingArray) -> None:
    if vectors.ndim != 2 or 0 in vectors.shape:
        message = f"must have shape (n, dim) with n and dim above 0. Got {vectors.shape}"
        raise InputError.at(path, message)
    if vectors.dtype.kind != "f" or vectors.dtype.itemsize > 8:
        message = f"must be float16, float32 or float64. Got {vectors.dtype}. Convert it"
        raise InputError.at(path, message)
    rows = max(1, CHECKED_VALUES // vectors.shape[1])
    for start in range(0, len(vectors), rows):
        good = np.isfinite(vectors[start : start + rows]).all(axis=1)
        if not good.all():
            bad = start + int(np.argmin(good))
            raise InputError.at(path, f"must hold finite numbers only. Row {bad} (from 0) does not")
