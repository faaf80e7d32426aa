"""The terminal: results on stdout, everything for the eye on stderr."""

import sys
from collections.abc import Mapping
from typing import Any

import orjson
from rich.console import Console

console = Console(stderr=True, highlight=False)


def show_json(summary: Mapping[str, Any]) -> None:
    """One line of JSON on stdout."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(summary, option=options).decode() + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for the eye, on stderr; never markup."""
    console.print(text, markup=False, soft_wrap=True)
