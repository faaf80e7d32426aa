"""Tables as records, one row at a time: JSONL, JSON, delimited text, Parquet, Arrow, hub data sets."""

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from kdos.errors import InputError
from kdos.rows.delimited import read_delimited, refuse_repeated_names
from kdos.rows.fields import role_of_turn
from kdos.rows.files import (
    COLUMNAR_SUFFIXES,
    COMPRESSIONS,
    DELIMITED_SUFFIXES,
    decode_utf8,
    open_decompressed,
    read_numbered_lines,
    read_whole_file,
    uncompressed_suffix,
)
from kdos.rows.labels import read_float
from kdos.rows.limits import MAX_BATCH_ROWS, MAX_JSON_DEPTH
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


def read_records(path: Path, *, flatten: bool = True) -> Generator[Record]:
    """The rows of one table file, one by one; a JSON document is read whole before.

    With `flatten`, a row that is an article of SQuAD gives a row for each of its questions.
    """
    found = _read_rows(path)
    return _flatten_articles(found) if flatten else found


def _read_rows(path: Path) -> Generator[Record]:
    match uncompressed_suffix(path):
        case suffix if suffix in COLUMNAR_SUFFIXES:
            return read_columnar_records(path)
        case suffix if suffix in DELIMITED_SUFFIXES:
            return _read_cells(path)
        case _:
            return _read_jsonl(path) if row_unit(path) == "line" else _read_document(path)


def row_unit(path: Path) -> str:
    """What rows are counted in: ``line``, or ``row`` where a row is no line."""
    suffix = uncompressed_suffix(path)
    if suffix in COLUMNAR_SUFFIXES:
        return "row"
    if suffix in DELIMITED_SUFFIXES:
        return "line"
    return "line" if _is_jsonl(path, is_said=suffix != ".json") else "row"


def record_error(path: Path | str, message: str, *, position: int, unit: str, field: str | None = None) -> InputError:
    """The error that names the file, the row and the field."""
    if unit == "line":
        return InputError.at(path, message, line=position, field=field)
    return InputError.at(f"{path}, {unit} {position}", message, field=field)


def _is_jsonl(path: Path, *, is_said: bool) -> bool:
    """Whether a file holds an object a line, as its suffix may say: not where its first line opens a list of them."""
    with closing(read_numbered_lines(path)) as lines:
        first, *more = [line for _, line in islice(lines, 2)] or [b""]
    if first.startswith(b"["):
        return False
    if is_said:
        return True
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
    for number, row in enumerate(_rows_of_document(found, path), start=1):
        if not isinstance(row, dict):
            message = f"must be a JSON object. Got {str(row)[:40]!r}"
            raise record_error(path, message, position=number, unit="row")
        yield Record(number, 0, row)


def _flatten_articles(records: Iterable[Record]) -> Generator[Record]:
    """Each question of an article of SQuAD with its passage and answers, as `datasets` has them; other rows as is."""
    for record in records:
        paragraphs = record.row.get("paragraphs")
        if not isinstance(paragraphs, list) or not any(isinstance(one, dict) and one.get("qas") for one in paragraphs):
            yield record
            continue
        for paragraph in paragraphs:
            kept = {name: value for name, value in record.row.items() if name != "paragraphs"}
            kept |= {name: value for name, value in paragraph.items() if name != "qas"}
            for question in paragraph.get("qas") or ():
                yield Record(record.position, 0, kept | _columns_of_answers(question))


def _columns_of_answers(question: Mapping[str, Any]) -> dict[str, Any]:
    """A question whose list of answers is one of texts and one of places."""
    answers = question.get("answers")
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        return dict(question)
    names = dict.fromkeys(name for answer in answers for name in answer)
    columns = {name: [answer.get(name) for answer in answers] for name in names} or {"text": []}
    return {**question, "answers": columns}


def _rows_of_document(document: Any, path: Path) -> Sequence[Any]:
    """The rows of a list, of an object around one or around several lists of rows, as splits are; else one row."""
    if not isinstance(document, dict):
        return document if isinstance(document, list) else [document]
    lists = [part for part in document.values() if isinstance(part, list)]
    if len(lists) == 1 and (len(document) == 1 or _holds_rows(lists[0])):
        return lists[0]
    if len(lists) > 1 and len(lists) == len(document):
        if all(map(_holds_rows, lists)):
            return list(chain.from_iterable(lists))
        if len(set(map(len, lists))) == 1 and len(lists[0]) > 1:
            message = "must hold rows. Got one object of columns, each a list. Make it a list of objects, one a row"
            raise InputError.at(path, message)
    return [document]


def _holds_rows(part: list[Any]) -> bool:
    """Whether it is a list of objects that are no turns of a conversation."""
    return bool(part) and all(isinstance(row, dict) and role_of_turn(row) is None for row in part)


def _read_cells(path: Path) -> Generator[Record]:
    for number, row in read_delimited(path):
        yield Record(number, sum(len(cell) for cell in row.values() if cell), row)


def read_columnar_records(path: Path, columns: Sequence[str] | None = None) -> Generator[Record]:
    """The rows of a Parquet or Arrow file, with all fields or only some."""
    with open_columnar(path) as (_, read_batches):
        place = 1
        for part in read_batches(MAX_BATCH_ROWS, columns):
            check_utf8_text(part, path, position=place)
            for row in part.to_pylist():
                yield Record(place, 0, row)
                place += 1


BatchReader = Callable[[int, Sequence[str] | None], Iterator[pa.RecordBatch]]


@contextmanager
def open_columnar(path: Path) -> Generator[tuple[pa.Schema, BatchReader]]:
    """A Parquet or Arrow file: its schema, and what reads its rows, so many at a time at most, some columns or all."""
    with open_decompressed(path) as stream:
        if uncompressed_suffix(path) == ".parquet":
            file = pq.ParquetFile(stream)
            refuse_repeated_names(file.schema_arrow.names, path)
            yield file.schema_arrow, partial(_parquet_batches, file)
        else:
            # What `datasets` saves is a stream; Feather, and others' .arrow, are files of the same format.
            data: Any = stream.read() if path.suffix.lower() in COMPRESSIONS else pa.memory_map(str(path))
            is_file = bytes(data[:6] if isinstance(data, bytes) else data.read(6)) == b"ARROW1"
            if not isinstance(data, bytes):
                data.seek(0)
            reader: Any = pa.ipc.open_file(data) if is_file else pa.ipc.open_stream(data)
            refuse_repeated_names(reader.schema.names, path)
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
            yield reader.schema, partial(_arrow_batches, batches)


def _parquet_batches(file: pq.ParquetFile, most: int, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    return map(
        plain_batch, file.iter_batches(min(most, rows_per_batch(file)), columns=list(columns) if columns else None)
    )


def _arrow_batches(
    batches: Iterator[pa.RecordBatch], most: int, columns: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        kept = batch.select(list(columns)) if columns else batch
        yield from (plain_batch(kept.slice(start, most)) for start in range(0, kept.num_rows, most))


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows in types that Arrow can choose rows of: views, which polars writes, as plain texts and lists."""
    for place, column in enumerate(batch.columns):
        kind = _plain_type(column.type)
        if kind != column.type:
            # Arrow casts no runs, and lists in views wrongly.
            plain = column.cast(kind) if _is_view(column.type) else pa.array(column.to_pylist(), kind)
            batch = batch.set_column(place, batch.schema.field(place).with_type(kind), plain)
    return batch


def _is_view(kind: Any) -> bool:
    return pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)


def _plain_type(kind: Any) -> Any:
    types = pa.types
    if _is_view(kind):
        return pa.large_string() if types.is_string_view(kind) else pa.large_binary()
    if types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if types.is_list_view(kind) or types.is_large_list_view(kind) or types.is_list(kind) or types.is_large_list(kind):
        make: Any = pa.large_list if types.is_large_list(kind) or types.is_large_list_view(kind) else pa.list_
        return make(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind


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
