"""A model's reply as JSON that fits a schema, or the reason why it does not."""

from collections.abc import Mapping
from typing import Any

import orjson

from kdos.pool import ErrorClass, Refusal


def read_json(text: str, schema: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """The JSON object in `text` that fits `schema`; never a guess."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Refusal("unreadable", ErrorClass.FORMAT_MISMATCH, str(error))
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return Refusal("unreadable", ErrorClass.FORMAT_MISMATCH, f"no {missing[0]} in the reply")
    return value


def failed(error: str) -> Refusal:
    """The refusal for a request whose reply never came."""
    return Refusal("no_reply", ErrorClass.FORMAT_MISMATCH, error)
