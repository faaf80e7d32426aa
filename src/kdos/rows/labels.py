"""Ids and other short values as text, exactly: no number is rounded, so what differs in a file differs here."""

from typing import Any

import orjson


def label_text(value: Any) -> str:
    """A value of a row as text: a text as it is, any other as JSON writes it, of however many digits."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex()
        case float() | list() | dict():
            return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        case _:
            return str(value)
