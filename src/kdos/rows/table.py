"""Tables as a stream of batches: memory is bounded by one batch, whatever the file's size."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from kdos.errors import InputError
from kdos.rows.fields import JOIN, PARAGRAPH_BREAK, field_roots, list_field_paths, value_at_path
from kdos.rows.files import COLUMNAR_SUFFIXES, InputPath, list_table_files, uncompressed_suffix
from kdos.rows.json_columns import column_of_values, is_json_column, read_json_value
from kdos.rows.labels import label_text
from kdos.rows.layouts import find_fields
from kdos.rows.limits import MAX_EMPTY_CELLS, MIN_FILLED_SHARE
from kdos.rows.records import (
    BATCH_BYTES,
    Record,
    check_utf8_text,
    open_columnar,
    read_columnar_records,
    read_hub_records,
    read_records,
    record_error,
    row_unit,
)

BATCH_ROWS = 8192
DECIMAL_DIGITS = 38
SAMPLED_ROWS = 100
"""Rows that are looked at to learn which fields there are."""
ARTICLE_FIELDS = frozenset(("paragraphs", "data"))
"""Fields of SQuAD's nested rows: where one is asked for, rows are its articles and not their questions."""

Column: TypeAlias = "pa.Array[Any]"


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of one file: row i of `batch` stands at `positions[i]`, counted from 1.

    `unit` says in what: ``line`` of a text file, or ``row`` where there are no lines.
    """

    path: Path | str
    batch: pa.RecordBatch
    positions: Sequence[int]
    unit: str = "line"

    def text_column(self, field: str) -> Column:
        """A column as text, shape (n_rows,): null where it is null, empty or white space.

        A list of texts is joined by blank lines. Anything that is not text is an `InputError`.
        """
        if is_json_column(self.batch.schema.field(field)):
            raise self._mixed_types_error(field)
        column = _join_text_lists(self.batch.column(field))
        if pa.types.is_null(column.type):
            return column.cast(pa.large_string())
        if not _is_text(column.type):
            row = pc.index(column.is_valid(), value=True).as_py()
            got = repr(column[max(row, 0)].as_py())
            raise self.row_error(row, f"must be text. Got {got[:60]}. Name another field", field=field)
        text: Any = column.cast(pa.large_string())
        blank = pc.is_in(pc.utf8_trim_whitespace(text), pa.array([""], pa.large_string()))
        return pc.if_else(blank, None, text)

    def _mixed_types_error(self, field: str) -> InputError:
        """The error that names the first row whose type is not that of the rows before it."""
        values = self.values(field)
        known = [row for row, value in enumerate(values) if value is not None]
        kinds = [type(value).__name__ for value in values]
        row = next((row for row in known if kinds[row] != kinds[known[0]]), known[0])
        message = f"must be of one type in all rows. Got {kinds[row]} after {kinds[known[0]]}"
        return self.row_error(row, message, field=field)

    def values(self, field: str) -> list[Any]:
        """A column as Python values, whatever their types are."""
        values = self.batch.column(field).to_pylist()
        return list(map(read_json_value, values)) if is_json_column(self.batch.schema.field(field)) else values

    def label_column(self, field: str) -> Column:
        """A column of short values as text, shape (n_rows,): numbers are written out, in all their digits."""
        column = self.batch.column(field)
        if pa.types.is_nested(column.type):
            raise self.row_error(0, "must be one value, not a list or struct", field=field)
        try:
            return column.cast(pa.large_string())
        except pa.ArrowException:  # bytes, halves of floats: Arrow has no text for every type
            values = [None if value is None else label_text(value) for value in column.to_pylist()]
            return pa.array(values, pa.large_string())

    def row_error(self, row: int, message: str, *, field: str | None = None) -> InputError:
        """The error that names the file, the place of one row of this batch, and the field."""
        position = self.positions[row]
        return record_error(self.path, message, position=position, unit=self.unit, field=field)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _join_text_lists(column: Column) -> Column:
    """A column of lists of texts as one of texts; any other column as it is."""
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return column
    if pa.types.is_null(kind.value_type):
        return pa.nulls(len(column))
    if not _is_text(kind.value_type):
        return column
    lists = column.to_pylist()
    joined = [None if texts is None else PARAGRAPH_BREAK.join(filter(None, texts)) for texts in lists]
    return pa.array(joined, pa.large_string())


def read_table_rows(
    path: InputPath,
    *,
    columns: Sequence[str] | None = None,
    labels: Collection[str] = (),
    optional: Collection[str] = (),
    batch_size: int = BATCH_ROWS,
    articles: bool = False,
) -> Iterator[Rows]:
    """The rows of a table file, or of all tables below a folder, in batches of one file each.

    `columns` (all where None) are fields as `kdos.rows.fields` has them; each comes back as a column of that name.
    They must be there in every file; those that are `optional` are null in a file that lacks them. SQuAD's articles
    come as one row for each question, unless `articles` or a column asks for what is in them. Types are found batch by
    batch: a column that is empty in one batch is null there. Those of `labels` hold ids and the like: each value
    becomes its own text, be the others numbers, truths or texts. A table without any row is an `InputError`.
    """
    empty = True
    articles = articles or asks_for_articles(columns or ())
    for file in list_table_files(path):
        for rows in _read_file(file, columns, labels, optional, batch_size, articles):
            empty = False
            yield rows
    if empty:
        raise _no_rows_error(path)


def asks_for_articles(columns: Iterable[str]) -> bool:
    """Whether one of the fields lies inside SQuAD's articles."""
    return any(root in ARTICLE_FIELDS for name in columns for root in field_roots(name, ()))


def _read_file(
    file: Path,
    columns: Sequence[str] | None,
    labels: Collection[str],
    optional: Collection[str],
    batch_size: int,
    articles: bool,
) -> Iterator[Rows]:
    if uncompressed_suffix(file) in COLUMNAR_SUFFIXES:
        return _read_columnar(file, columns, labels, optional, batch_size)
    found, unit = read_records(file, flatten=not articles), row_unit(file)
    return _batch_records(found, file, columns, labels, batch_size, unit, optional)


def read_first_rows(path: InputPath, *, articles: bool = False) -> list[Mapping[str, Any]]:
    """The first `SAMPLED_ROWS` rows of a table, or of a folder's first table that has any."""
    for file in list_table_files(path):
        with closing(read_records(file, flatten=not articles)) as records:
            if rows := [record.row for record in islice(records, SAMPLED_ROWS)]:
                return rows
    return []


def require_first_rows(path: InputPath, *, articles: bool = False) -> list[Mapping[str, Any]]:
    """The first rows of a table; one that has none is an `InputError`."""
    rows = read_first_rows(path, articles=articles)
    if not rows:
        raise _no_rows_error(path)
    return rows


def _no_rows_error(path: InputPath) -> InputError:
    return InputError.at(str(path), "must hold at least one row. Got none")


def list_table_fields(path: InputPath) -> list[str]:
    """The fields of the first rows of a table, or of a folder's first table, as dotted paths."""
    return list_field_paths(read_first_rows(path))


def find_table_fields(path: InputPath, parts: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The field of each part of a table, by `find_fields`."""
    articles = asks_for_articles((given or {}).values())
    return find_fields(require_first_rows(path, articles=articles), parts, given)


def read_hub_rows(
    path: str,
    *,
    name: str = "",
    split: str = "train",
    columns: Sequence[str] | None = None,
    labels: Collection[str] = (),
    batch_size: int = BATCH_ROWS,
) -> Iterator[Rows]:
    """The rows of one split; `name` is the data set's configuration where it has several."""
    where = f"{path} ({', '.join(filter(None, (name, split)))})"
    records = read_hub_records(path, name=name, split=split)
    return _batch_records(records, where, columns, labels, batch_size, "row")


def read_first_hub_rows(path: str, *, name: str = "", split: str = "train") -> list[Mapping[str, Any]]:
    """The first `SAMPLED_ROWS` rows of a data set."""
    return [record.row for record in islice(read_hub_records(path, name=name, split=split), SAMPLED_ROWS)]


def list_hub_fields(path: str, *, name: str = "", split: str = "train") -> list[str]:
    """The fields of a data set's first rows, as dotted paths."""
    return list_field_paths(read_first_hub_rows(path, name=name, split=split))


def _batch_records(
    records: Iterable[Record],
    path: Path | str,
    columns: Sequence[str] | None,
    labels: Collection[str],
    batch_size: int,
    unit: str,
    optional: Collection[str] = (),
) -> Iterator[Rows]:
    """Records as batches; the first one must hold every column that is not optional in at least one of its rows."""
    for number, held in enumerate(_chunk_records(records, batch_size)):
        if number == 0 and columns is not None:
            needed = [name for name in columns if name not in optional]
            check_fields(path, needed, [record.row for record in held])
        if columns is None:
            _refuse_sparse([record.row for record in held], held, path, unit)
        names = columns or list(dict.fromkeys(name for record in held for name in record.row))
        found = [_column_of(held, name, path, unit, is_label=name in labels) for name in names]
        batch = pa.RecordBatch.from_arrays(
            [column for _, column in found], schema=pa.schema([one for one, _ in found])
        )
        yield Rows(path, batch, [record.position for record in held], unit)


def _chunk_records(records: Iterable[Record], batch_size: int) -> Iterator[list[Record]]:
    held: list[Record] = []
    size = 0
    for record in records:
        held.append(record)
        size += record.size
        if len(held) >= batch_size or size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def check_fields(path: InputPath, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a field that none of the rows, the first of a file, has; one of which all values are null is there."""
    # Each of the fields that are joined must be there.
    for name in (part for column in columns for part in ([column] if column in rows[0] else column.split(JOIN))):
        if any(value_at_path(row, name) not in (None, []) for row in rows):
            continue
        known = list_field_paths(rows)
        there = {root.partition(".")[0] for root in known}
        is_path = not set(name) & set("[+(")
        if name not in known and (is_path or not set(field_roots(name, ())) <= there):
            message = f"no such field. There are: {', '.join(known) or 'none'}"
            raise InputError.at(str(path), message, field=name)


def _column_of(
    held: Sequence[Record], name: str, path: Path | str, unit: str, *, is_label: bool
) -> "tuple[pa.Field[Any], Column]":
    """A column of records; as JSON text, and marked so, where no type of Arrow holds all its values as they are."""
    values = [value_at_path(record.row, name) for record in held]
    _refuse_sparse(values, held, path, unit, field=name)
    kinds = {type(value) for value in values} - {type(None)}
    if is_label and not kinds & {list, dict}:
        values = [None if value is None else label_text(value) for value in values]
    elif kinds == {int} and _has_long_integer(values):
        values = _long_integers(values)
    return column_of_values(values, name)


def _has_long_integer(values: Iterable[int | None]) -> bool:
    """Whether one has more than the 64 bits of Arrow's integers."""
    return any(value is not None and not -(2**63) <= value < 2**63 for value in values)


def _long_integers(values: Sequence[int | None]) -> list[Any]:
    """Integers of more than 64 bits as decimals, which are whole; with more digits than these as they are."""
    if max(abs(value) for value in values if value is not None) < 10**DECIMAL_DIGITS:
        return [None if value is None else Decimal(value) for value in values]
    return list(values)


def _refuse_sparse(
    values: Sequence[Any], held: Sequence[Record], path: Path | str, unit: str, *, field: str | None = None
) -> None:
    """Refuse structs of other fields each: Arrow keeps a cell for every field of any of them in all of them."""
    structs: list[Mapping[str, Any]] = [value for value in values if isinstance(value, Mapping)]
    items: list[Any] = [item for value in values if isinstance(value, list) for item in value]
    if items:
        _refuse_sparse(items, held, path, unit, field=field)
    filled = sum(map(len, structs))
    cells = len(structs) * len({name for struct in structs for name in struct})
    if cells > MAX_EMPTY_CELLS and filled < MIN_FILLED_SHARE * cells:
        message = f"must have much the same fields in all rows or structs. Got {len(structs):,} of {cells:,} cells"
        message = f"{message}, of which {filled:,} are filled. Name the fields in a field of their own"
        raise record_error(path, message, position=held[0].position, unit=unit, field=field)
    by_name: dict[str, list[Any]] = {}
    for struct in structs:
        for name, value in struct.items():
            if isinstance(value, Mapping | list):
                by_name.setdefault(name, []).append(value)
    for inner in by_name.values():
        _refuse_sparse(inner, held, path, unit, field=field)


def _read_columnar(
    path: Path, columns: Sequence[str] | None, labels: Collection[str], optional: Collection[str], batch_size: int
) -> Generator[Rows]:
    with open_columnar(path) as (schema, read_batches):
        there = schema.names
        roots = {name: field_roots(name, there) for name in columns or there}
        named = {name: found for name, found in roots.items() if name not in optional or set(found) <= set(there)}
        wanted = list(dict.fromkeys(root for found in named.values() for root in found))
        if missing := [name for name in wanted if name not in there]:
            message = f"no such field. There are: {', '.join(there)}"
            raise InputError.at(path, message, field=missing[0])
        if columns is None or set(columns) <= set(wanted):
            yield from number_rows(read_batches(batch_size, wanted), path)
        else:
            records = read_columnar_records(path, wanted)
            yield from _batch_records(records, path, columns, labels, batch_size, "row", optional)


def number_rows(parts: Iterable[pa.RecordBatch], path: Path | str) -> Iterator[Rows]:
    """The rows of a table that is read in parts, counted from 1 over all of them."""
    place = 1
    for part in parts:
        check_utf8_text(part, path, position=place)
        yield Rows(path, part, range(place, place + part.num_rows), "row")
        place += part.num_rows
