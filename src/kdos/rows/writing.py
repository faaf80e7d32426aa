"""Tables out: rows as Parquet, JSON lines or CSV, by the suffix of the file's name, whole or not at all."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from kdos.errors import InputError
from kdos.store import atomic_file, write_parquet

ROWS_AT_ONCE = 10_000
OUR_PREFIX = "kdos_"
"""What a column of ours begins with where the user has one of its name."""


def write_rows(path: Path, table: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write a table, or a stream of batches, in the format that the path's suffix names; returns its rows.

    In JSON lines a number that is not finite is null, and a decimal is text. In a CSV a cell that is null is empty,
    and a list or struct is JSON.

    Raises:
        InputError: A value has no form in that format.
    """
    writers = {".jsonl": _write_json_lines, ".csv": _write_csv}
    write = writers.get(path.suffix.lower())
    if write is None:
        return _write_parquet(path, table, schema)
    if repeated := [name for name in schema.names if schema.names.count(name) > 1]:
        raise InputError.at(path, f"must have columns of different names. Got {repeated[0]!r} twice")
    batches = table.to_batches(ROWS_AT_ONCE) if isinstance(table, pa.Table) else table
    with atomic_file(path) as file:
        return write(file, path, batches, schema.names)


def _write_parquet(path: Path, table: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    try:
        return write_parquet(path, table, schema)
    except pa.ArrowException as error:
        message = f"these rows have no form in Parquet: {str(error).splitlines()[0]}. Write .jsonl instead"
        raise InputError.at(path, message) from error


def _write_json_lines(file: BinaryIO, path: Path, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> int:
    rows = 0
    for row in _plain_rows(batches, names):
        file.write(_to_json(dict(zip(names, row, strict=True)), path) + b"\n")
        rows += 1
    return rows


def _write_csv(file: BinaryIO, path: Path, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> int:
    rows = 0
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in _plain_rows(batches, names):
        writer.writerow([_csv_cell(value, path) for value in row])
        rows += 1
    text.detach()
    return rows


def _plain_rows(batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[Sequence[Any]]:
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            part = batch.slice(start, ROWS_AT_ONCE)
            yield from zip(*(part.column(place).to_pylist() for place in range(len(names))), strict=True)


def _csv_cell(value: Any, path: Path) -> Any:
    if isinstance(value, list | dict | tuple | bool | bytes):
        return _to_json(value, path).decode()
    return value


def _to_json(value: Any, path: Path) -> bytes:
    try:
        return orjson.dumps(value, default=_to_plain, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        message = f"a value has no form in {path.suffix} ({error}). Write .parquet instead"
        raise InputError.at(path, message) from error


def _to_plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"a {type(value).__name__}")


def join_tables(tables: Sequence[pa.Table], path: Path | str) -> pa.Table:
    """Tables read from `path`, one below the other; a column that one of them lacks is null there.

    Raises:
        InputError: A column has types in them that are not one.
    """
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowException, ValueError) as error:
        message = f"a field must be of one type in all files. Got: {str(error).splitlines()[0]}"
        raise InputError.at(path, message) from error


def append_own_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """The table with a column of ours at its end; where the user has one of that name, ours has the prefix."""
    taken = set(table.column_names)
    while name in taken:
        name = OUR_PREFIX + name
    return table.append_column(name, values)
