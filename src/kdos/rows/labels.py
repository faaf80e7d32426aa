"""Ids and other short values as text, exactly: no number is rounded, so what differs in a file differs here."""

import math
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson


class LongFloat(float):
    """A number of more digits than a float holds: the nearest float, which shows as it stood in the file."""

    text: str

    def __str__(self) -> str:
        return self.text


def read_float(text: str) -> float:
    """The float that stands for a number in JSON; a `LongFloat` where it stands for another number too."""
    value = float(text)
    with suppress(InvalidOperation):  # of an exponent beyond those of decimals
        if math.isfinite(value) and Decimal(text) == Decimal(repr(value)):
            return value
    found = LongFloat(value)
    found.text = text
    return found


def label_text(value: Any) -> str:
    """A value of a row as text: a text as it is, any other as JSON writes it, of however many digits."""
    match value:
        case str():
            return value
        case LongFloat():
            return value.text
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex()
        case float() | list() | dict():
            return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        case _:
            return str(value)
