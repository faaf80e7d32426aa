"""Spreadsheets: each sheet a heading, each row a line of cells."""

import io
from collections.abc import Iterator
from typing import Any
from zipfile import BadZipFile

from kdos.documents.blocks import Block
from kdos.documents.errors import UnreadableError
from kdos.errors import UsageError
from kdos.rows import label_text


def read_spreadsheet(data: bytes) -> list[Block]:
    """The sheets of an .xlsx file, formulas as their last values.

    Raises:
        UnreadableError: It is damaged.
        UsageError: openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError("reading .xlsx needs the package `openpyxl`: pip install 'kdos[documents]'") from error
    try:
        book: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        return [block for sheet in book.worksheets for block in _read_sheet(sheet)]
    except (BadZipFile, KeyError, ValueError, TypeError, SyntaxError) as error:
        raise UnreadableError("damaged", str(error).partition("\n")[0][:160]) from error


def _read_sheet(sheet: Any) -> Iterator[Block]:
    yield Block("heading", str(sheet.title), level=1)
    rows = ([_cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True))
    yield Block("table", "\n".join(" | ".join(filter(None, row)) for row in rows if any(row)))


def _cell_text(value: Any) -> str:
    return "" if value is None else " ".join(label_text(value).split())
