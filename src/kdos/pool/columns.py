"""Columns and rows of Arrow tables as plain Python values."""

from dataclasses import fields
from typing import Any

import pyarrow as pa


def values(table: pa.Table, column: str) -> list[Any]:
    """One column, row by row."""
    return table[column].to_pylist()


def row_of(table: pa.Table, row: int) -> dict[str, Any]:
    """One row, by column name."""
    return table.slice(row, 1).to_pylist()[0]


def fields_of(record: Any) -> dict[str, Any]:
    """A record's fields by name, as they are; `dataclasses.asdict` copies each of them."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
