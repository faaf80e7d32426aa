"""Columns that no type of Arrow holds as they are: their values as JSON text, and a mark that says so.

Text beside numbers, lists of both, an empty struct beside filled ones: Arrow refuses the first and fills the last with
nulls. As JSON they stay what they were; whoever writes rows as JSON writes such a column as it stands.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson
import pyarrow as pa

Column: TypeAlias = "pa.Array[Any]"
_MARK = {b"kdos": b"json"}


def column_of_values(values: Sequence[Any], name: str) -> "tuple[pa.Field[Any], Column]":
    """A column with its field: of Arrow's type for the values, or of their JSON."""
    is_nested = any(isinstance(value, Mapping | list) for value in values)
    if not (is_nested and _has_mixed_emptiness(values)):
        try:
            column: Any = pa.array(values)
        except (pa.ArrowException, OverflowError, ValueError):
            return json_column(values, name)
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return pa.field(name, column.type), column
    return json_column(values, name)


def json_column(values: Iterable[Any], name: str) -> "tuple[pa.Field[Any], Column]":
    """The values as JSON text, null where they are null."""
    texts = [None if value is None else write_json_value(value) for value in values]
    return pa.field(name, pa.large_string(), metadata=_MARK), pa.array(texts, pa.large_string())


def write_json_value(value: Any) -> str:
    """A value as JSON; integers of more than 64 bits in all their digits."""
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value, default=str, ensure_ascii=False)


def read_json_value(text: str | None) -> Any:
    """What `write_json_value` wrote."""
    return None if text is None else json.loads(text)


def is_json_column(field: "pa.Field[Any]") -> bool:
    """Whether a column holds JSON text in place of its values."""
    return (field.metadata or {}).get(b"kdos") == b"json"


def _has_mixed_emptiness(values: Iterable[Any]) -> bool:
    """Whether structs at the same place are empty in some rows and filled in others; Arrow has no such thing."""
    structs = [value for value in values if isinstance(value, Mapping)]
    items = [item for value in values if isinstance(value, list) for item in value]
    if structs and 0 < sum(map(bool, structs)) < len(structs):
        return True
    by_name: dict[str, list[Any]] = {}
    for struct in structs:
        for name, value in struct.items():
            if isinstance(value, Mapping | list):
                by_name.setdefault(name, []).append(value)
    return (bool(items) and _has_mixed_emptiness(items)) or any(map(_has_mixed_emptiness, by_name.values()))
