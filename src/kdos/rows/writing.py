"""Tables out: rows as Parquet, JSON lines or CSV, by the suffix of the file's name, whole or not at all."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from kdos.errors import InputError
from kdos.rows.json_columns import is_json_column, json_column
from kdos.store import atomic_file, write_parquet

ROWS_AT_ONCE = 10_000


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


def check_parquet_form(path: Path, schema: pa.Schema) -> None:
    """Refuse columns that only JSON lines can hold as they are.

    Raises:
        InputError: There is such a column.
    """
    if mixed := next((field.name for field in schema if is_json_column(field)), None):
        message = "holds values of several types, or empty structs beside filled ones, which Parquet has no form for"
        raise InputError.at(path, f"{message}. Write .jsonl instead", field=mixed)


def _write_parquet(path: Path, table: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    check_parquet_form(path, schema)
    try:
        return write_parquet(path, table, schema)
    except pa.ArrowException as error:
        message = f"these rows have no form in Parquet: {str(error).splitlines()[0]}. Write .jsonl instead"
        raise InputError.at(path, message) from error


def _write_json_lines(file: BinaryIO, path: Path, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> int:
    rows = 0
    for row in _plain_rows(batches, names, _as_fragment):
        file.write(_to_json(dict(zip(names, row, strict=True)), path) + b"\n")
        rows += 1
    return rows


def _write_csv(file: BinaryIO, path: Path, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> int:
    rows = 0
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in _plain_rows(batches, names, str):
        writer.writerow([_csv_cell(value, path) for value in row])
        rows += 1
    text.detach()
    return rows


def _plain_rows(
    batches: Iterable[pa.RecordBatch], names: Sequence[str], show_json: Callable[[str], Any]
) -> Iterator[Sequence[Any]]:
    """Rows of Python values; `show_json` makes one of the JSON of a column that is marked so."""
    for batch in batches:
        marked = [is_json_column(field) for field in batch.schema]
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            part = batch.slice(start, ROWS_AT_ONCE)
            columns = [part.column(place).to_pylist() for place in range(len(names))]
            for place, column in enumerate(columns):
                if marked[place]:
                    columns[place] = [None if text is None else show_json(text) for text in column]
            yield from zip(*columns, strict=True)


def _as_fragment(text: str) -> orjson.Fragment:
    """JSON that stands in a row as it is."""
    return orjson.Fragment(text)


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
        # A whole number of more than 64 bits is one in JSON too.
        return (
            orjson.Fragment(str(value))
            if value == value.to_integral_value() and value.as_tuple().exponent == 0
            else str(value)
        )
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"a {type(value).__name__}")


def join_tables(tables: Sequence[pa.Table], path: Path | str) -> pa.Table:
    """Tables read from `path`, one below the other; a column that one of them lacks is null there.

    Raises:
        InputError: A column has types in them that are not one.
    """
    try:
        return pa.concat_tables(_mark_alike(tables), promote_options="permissive")
    except (pa.ArrowException, ValueError) as error:
        message = f"a field must be of one type in all files. Got: {str(error).splitlines()[0]}"
        raise InputError.at(path, message) from error


def _mark_alike(tables: Sequence[pa.Table]) -> Iterator[pa.Table]:
    """The tables, each column that is JSON in one of them, or of types that are not one, as JSON in all."""
    marked = {field.name for table in tables for field in table.schema if is_json_column(field)}
    for table in tables:
        for place, field in enumerate(table.schema):
            if field.name in marked and not is_json_column(field):
                table = table.set_column(place, *json_column(table.column(place).to_pylist(), field.name))
        yield table
