"""Tables as records, one row at a time: JSONL, JSON, CSV, TSV, Parquet, hub data sets."""

import csv
import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from kdos.errors import InputError
from kdos.rows.files import (
    decode_utf8,
    open_decompressed,
    read_numbered_lines,
    read_raw_lines,
    read_whole_file,
    uncompressed_suffix,
)
from kdos.rows.labels import read_float
from kdos.rows.limits import MAX_BATCH_ROWS, MAX_JSON_DEPTH, MAX_LINE_BYTES
from kdos.tasks.reading import is_deeper_than

BATCH_BYTES = 32 << 20
"""What is held at a time, at least: rows may be few and long."""
# Integers of more than 63 bits, and numbers with a point or exponent that may be beyond 2^53.
_LONG_NUMBER = re.compile(rb"[0-9]{19}|(?<![0-9])(?:[0-9]{16,}+\.|[0-9]{15,}+[eE]\+?[0-9])")


class Record(NamedTuple):
    """One row as it was read: where it stands (from 1), its size in bytes, its fields."""

    position: int
    size: int
    row: Mapping[str, Any]


def read_records(path: Path) -> Generator[Record]:
    """The rows of one table file, one by one; a JSON document is read whole before."""
    match uncompressed_suffix(path):
        case ".parquet":
            return read_parquet_records(path)
        case ".csv":
            return _read_csv(path, delimiter=",")
        case ".tsv":
            return _read_csv(path, delimiter="\t")
        case _:
            return _read_jsonl(path) if row_unit(path) == "line" else _read_document(path)


def row_unit(path: Path) -> str:
    """What rows are counted in: ``line``, or ``row`` where a row is no line."""
    suffix = uncompressed_suffix(path)
    if suffix == ".json":
        return "line" if _is_jsonl(path) else "row"
    return "row" if suffix == ".parquet" else "line"


def record_error(path: Path | str, message: str, *, position: int, unit: str, field: str | None = None) -> InputError:
    """The error that names the file, the row and the field."""
    if unit == "line":
        return InputError.at(path, message, line=position, field=field)
    return InputError.at(f"{path}, {unit} {position}", message, field=field)


def _is_jsonl(path: Path) -> bool:
    """Whether a .json file holds an object a line: its first line is one, and there is a second."""
    with closing(read_numbered_lines(path)) as lines:
        first, *more = [line for _, line in islice(lines, 2)] or [b""]
    try:
        return bool(more) and isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def _read_jsonl(path: Path) -> Generator[Record]:
    for number, line in read_numbered_lines(path):
        row = _parse_json(line, path, line=number)
        if not isinstance(row, dict):
            raise InputError.at(path, f"must be a JSON object. Got {line[:40]!r}", line=number)
        yield Record(number, len(line), row)


def _parse_json(data: bytes, path: Path, *, line: int) -> Any:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        decode_utf8(data, path, line=line)
        where = f"line {line + error.lineno - 1}, column {error.colno}"
        message = f"must be one JSON object. Got broken JSON ({error.msg}, {where}). Mend the line"
        raise InputError.at(path, message, line=line + error.lineno - 1) from error
    # Counting brackets is nearly free, and few rows have so many.
    if data.count(b"[") + data.count(b"{") > MAX_JSON_DEPTH and is_deeper_than(value, MAX_JSON_DEPTH):
        message = f"must be nested at most {MAX_JSON_DEPTH} levels deep. Got more. Flatten the row"
        raise InputError.at(path, message, line=line)
    # orjson makes a float of an integer of more than 64 bits, refuses one past 308 digits, and rounds what is no
    # integer; json reads them whole, but takes ten times as long.
    return json.loads(data, parse_float=read_float) if _LONG_NUMBER.search(data) else value


def _read_document(path: Path) -> Generator[Record]:
    """The rows of one JSON document: a list of objects, or an object around one such list."""
    found = _parse_json(read_whole_file(path), path, line=1)
    for number, row in enumerate(_rows_of_document(found), start=1):
        if not isinstance(row, dict):
            message = f"must be a JSON object. Got {str(row)[:40]!r}"
            raise record_error(path, message, position=number, unit="row")
        yield Record(number, 0, row)


def _rows_of_document(document: Any) -> Sequence[Any]:
    if not isinstance(document, dict):
        return document if isinstance(document, list) else [document]
    tables = [part for part in document.values() if isinstance(part, list)]
    return tables[0] if len(tables) == 1 else [document]


def _read_csv(path: Path, *, delimiter: str) -> Generator[Record]:
    """Rows of a table with a header; every cell is text, an empty one null."""
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(_decoded_lines(path), delimiter=delimiter, strict=delimiter == ",")
    try:
        header = next(reader, None)
        if header is None:
            return
        start = reader.line_num + 1
        for cells in reader:
            if len(cells) not in (0, len(header)):
                message = f"must have {len(header)} cells, as the header has. Got {len(cells)}"
                raise InputError.at(path, message, line=start)
            if cells:
                row = dict(zip(header, (cell or None for cell in cells), strict=True))
                yield Record(start, sum(map(len, cells)), row)
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError.at(path, f"must be CSV. Got: {error}", line=reader.line_num) from error


def _decoded_lines(path: Path) -> Iterator[str]:
    for number, line in read_raw_lines(path):
        yield decode_utf8(line, path, line=number)


def read_parquet_records(path: Path, columns: Sequence[str] | None = None) -> Generator[Record]:
    """The rows of a Parquet file, with all fields or only some."""
    with open_decompressed(path) as stream:
        file = pq.ParquetFile(stream)
        place = 1
        for part in file.iter_batches(rows_per_batch(file), columns=list(columns) if columns else None):
            check_utf8_text(part, path, position=place)
            for row in part.to_pylist():
                yield Record(place, 0, row)
                place += 1


def check_utf8_text(batch: pa.RecordBatch, path: Path | str, *, position: int) -> None:
    """Refuse text that is not UTF-8: Arrow reads such a table without a look, and fails where a text is used.

    `position` is where the first row stands.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            rows = (row for row in range(len(column)) if not _is_sound(column.slice(row, 1)))
            if (row := next(rows, None)) is not None:
                message = "must be sound UTF-8 text. Got bytes that are none. Convert the file"
                raise record_error(path, message, position=position + row, unit="row", field=name) from error
        raise InputError.at(path, f"must be a sound table. Got: {' '.join(str(error).split())[:80]}") from error


def _is_sound(values: "pa.Array[Any]") -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def rows_per_batch(file: pq.ParquetFile) -> int:
    """How many rows of this file make `BATCH_BYTES`, by its own metadata; in [1, MAX_BATCH_ROWS]."""
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    return min(MAX_BATCH_ROWS, max(1, BATCH_BYTES * max(file.metadata.num_rows, 1) // max(size, 1)))


def read_hub_records(path: str, *, name: str = "", split: str = "train") -> Iterator[Record]:
    """One record a row; every way in which the data set cannot be had is an `InputError`."""
    datasets = _import_datasets(path)
    try:
        for place, row in enumerate(_open_split(datasets, path, name=name, split=split), start=1):
            yield Record(place, sum(len(v) for v in row.values() if isinstance(v, str)), row)
    except Exception as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"must be a data set that can be reached, with a split {split!r}. Got: {detail}"
        raise InputError.at(path, message) from error


def _import_datasets(path: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        message = "a Hugging Face data set needs the package `datasets`: pip install 'kdos[seed]'"
        raise InputError.at(path, message) from error
    return datasets


def _open_split(datasets: Any, path: str, *, name: str, split: str) -> Any:
    if (Path(path) / "dataset_dict.json").exists():
        return datasets.load_from_disk(path)[split]
    if (Path(path) / "state.json").exists():
        return datasets.load_from_disk(path)
    return datasets.load_dataset(path, name or None, split=split, streaming=True)
