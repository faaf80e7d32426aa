"""Fields of a row by name; a dot goes into a struct, and through a list item by item."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TEXT_FIELDS = (
    "text",
    "question",
    "knowledge_point",
    "content",
    "instruction",
    "prompt",
    "query",
    "passage",
    "paragraph",
    "body",
)
"""Names that a text goes by, the likeliest first: our choice, after the data sets we have seen."""


def guess_field(names: Sequence[str]) -> str | None:
    """The field that most likely holds the text, or None where no name says so."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[known] for known in TEXT_FIELDS if known in lower), None)


def pluck(row: Mapping[str, Any], field: str) -> Any:
    """What stands at `field`, which may be a dotted path; None where it leads nowhere.

    A list on the way gives the list of what stands in its items.
    """
    return row[field] if field in row else _follow(row, field.split("."))


def _follow(value: Any, path: Sequence[str]) -> Any:
    if not path:
        return value
    if isinstance(value, Mapping):
        return _follow(value.get(path[0]), path[1:])
    if isinstance(value, list):
        return [found for item in value for found in _items(_follow(item, path))]
    return None


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def names_in(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every field of the rows, as dotted paths, in the order in which they first appear."""
    found = dict.fromkeys(name for row in rows for name in _names(row))
    inner = {name.rpartition(".")[0] for name in found}
    return [name for name in found if name not in inner]


def _names(value: Any) -> list[str]:
    """The dotted paths below a value; the empty path where it is no struct."""
    if isinstance(value, Mapping):
        return [
            f"{key}.{below}" if below else str(key)
            for key, item in value.items()
            for below in _names(item)
        ]
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return names_in(item for item in value if isinstance(item, Mapping))
    return [""]
