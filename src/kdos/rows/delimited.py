"""Delimited text as rows: commas, tabs, semicolons or bars between the cells, with a header or without one.

Commas are read strictly: what is not CSV is an error. Between tabs a quotation mark is a sign like any other, unless
it opens a cell that another one closes; so a mark that nothing closes costs no row.
"""

import csv
import re
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from kdos.errors import InputError
from kdos.rows.files import decode_utf8, read_raw_lines, uncompressed_suffix
from kdos.rows.limits import MAX_LINE_BYTES

SAMPLED_LINES = 20
JOINED_LINES = 100
"""Lines that one quoted cell may go over where cells are separated by tabs."""
HEADER_CHARS = 64
"""A cell of a header is no longer, and is neither a number nor a sentence (our choice)."""
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*\Z", re.IGNORECASE)
_QUOTED_CELL = re.compile(r'"(?:[^"]|"")*+"(?=\t|\Z)')
_INNER_MARK = re.compile(r'(?<!")"(?:"")*+(?!")')
_NUMBER = re.compile(r"[-+]?(?=[.,]*+\d)[\d.,]++(?:[eE][-+]?\d++)?")
_CLOSING = "\"'”’»)」』"


class Line(NamedTuple):
    """A line of text, or several that a quoted cell joins; `number` is that of the first, from 1."""

    number: int
    text: str


class Cells(NamedTuple):
    """The cells of one row and the line it begins in."""

    line: int
    cells: list[str]


def read_delimited(path: Path) -> Generator[tuple[int, dict[str, str | None]]]:
    """The rows with the lines they begin in; every cell is text, an empty one null."""
    lines = (Line(number, decode_utf8(line, path, line=number)) for number, line in read_raw_lines(path))
    first = list(islice(lines, SAMPLED_LINES))
    if len(first) == 1 and "\r" in first[0].text.rstrip("\r\n"):
        message = "must end its lines with a line feed. Got carriage returns alone. Convert the file"
        raise InputError.at(path, message, line=1)
    if first and (told := _SEPARATOR_LINE.match(first[0].text)):
        delimiter = told[1]
        first = first[1:]
    else:
        delimiter = _find_delimiter([line.text for line in first], path)
    read = _read_tabbed if delimiter == "\t" else _read_quoted
    rows = read(chain(first, lines), delimiter, path)
    header = next(rows, None)
    if header is None:
        return
    names, rows = _name_columns(header, rows, path)
    for number, cells in rows:
        if len(cells) != len(names):
            message = f"must have {len(names)} cells, as the header has. Got {len(cells)}"
            raise InputError.at(path, message, line=number)
        yield number, dict(zip(names, (cell or None for cell in cells), strict=True))


def _find_delimiter(lines: Sequence[str], path: Path) -> str:
    """What separates the cells: the suffix says it, unless no line holds it and all hold another as often.

    One semicolon or bar a line may belong to the text; two are taken as separators.
    """
    usual = "\t" if uncompressed_suffix(path) in (".tsv", ".tab") else ","
    full = [line for line in lines if line.strip()]
    if not full or usual in full[0]:
        return usual
    for other, least in (("\t", 1), (",", 1), (";", 2), ("|", 2)):
        counts = {len(line.split(other)) for line in full}
        if len(counts) == 1 and counts.pop() > least:
            return other
    return usual


def _name_columns(header: Cells, rows: Iterator[Cells], path: Path) -> tuple[list[str], Iterator[Cells]]:
    """The columns' names, and the rows below them; of a table without a header also its first row."""
    names = header.cells
    if not is_header(names):
        return [f"column_{place}" for place in range(1, 1 + len(names))], chain([header], rows)
    refuse_repeated_names(names, path, line=header.line)
    return names, rows


def refuse_repeated_names(names: Sequence[str], path: Path | str, *, line: int | None = None) -> None:
    """Refuse a table in which a column cannot be told from another by its name."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        message = f"must have columns of different names. Got {twice!r} twice. Rename one"
        raise InputError.at(path, message, line=line)


def is_header(cells: Sequence[str]) -> bool:
    """Whether a table's first cells are names: no numbers (but 0, 1, 2 …), no sentences, nothing long."""
    if list(cells) == [str(place) for place in range(len(cells))]:
        return True
    if any(len(cell) > HEADER_CHARS or "\n" in cell for cell in cells):
        return False
    return not any(_NUMBER.fullmatch(cell.strip()) or _is_sentence(cell) for cell in cells)


def _is_sentence(cell: str) -> bool:
    """Whether it ends as a sentence does, and has three words where words have spaces between them."""
    said = cell.rstrip(_CLOSING + " ")
    return said.endswith(("。", "！", "？")) or (said.endswith((".", "!", "?")) and len(said.split()) > 2)


def _read_quoted(lines: Iterator[Line], delimiter: str, path: Path) -> Generator[Cells]:
    """Rows of CSV as RFC 4180 has it; anything else is an error."""
    csv.field_size_limit(MAX_LINE_BYTES)
    first = next(lines, None)
    if first is None:
        return
    reader = csv.reader((line.text for line in chain([first], lines)), delimiter=delimiter, strict=True)
    start = first.number
    try:
        for cells in reader:
            if cells:
                yield Cells(start, cells)
            start = first.number + reader.line_num
    except csv.Error as error:
        raise InputError.at(path, f"must be CSV. Got: {error}", line=start) from error


def _read_tabbed(lines: Iterator[Line], delimiter: str, path: Path) -> Generator[Cells]:  # noqa: ARG001
    """Rows between tabs: a line each, unless a cell that opens with a mark is closed in a later line."""
    ahead: deque[Line] = deque()
    width = 0
    while line := ahead.popleft() if ahead else next(lines, None):
        text = line.text.rstrip("\r\n")
        if not text:
            continue
        cells = _split_tabs(text, width)
        if width and _opens_cell(text) and (joined := _join_lines(text, lines, ahead, width)):
            cells = joined
        width = width or len(cells)
        yield Cells(line.number, cells)


def _join_lines(text: str, lines: Iterator[Line], ahead: deque[Line], width: int) -> list[str] | None:
    """The cells of a row whose last cell goes on in the next lines; None where these are rows themselves."""
    is_row = len(_split_tabs(text, width)) == width
    for place in range(JOINED_LINES):
        if place == len(ahead):
            ahead.extend(islice(lines, 1))
        if place == len(ahead) or (is_row and len(_split_tabs(ahead[place].text.rstrip("\r\n"), width)) == width):
            return None
        text = f"{text}\n{ahead[place].text}".rstrip("\r\n")
        if not _opens_cell(text):
            cells = _split_tabs(text, width)
            if len(cells) != width:
                return None
            for _ in range(place + 1):
                ahead.popleft()
            return cells
    return None


def _opens_cell(text: str) -> bool:
    """Whether the last cell opens with a mark that nothing closes."""
    return _cells_between_tabs(text)[-1][1]


def _split_tabs(text: str, width: int) -> list[str]:
    """The cells of a line; those in marks may hold tabs, where that makes as many cells as there are columns."""
    cells = [cell for cell, _ in _cells_between_tabs(text)]
    return cells if width in (0, len(cells)) else [_unquote(cell) for cell in text.split("\t")]


def _cells_between_tabs(text: str) -> list[tuple[str, bool]]:
    """The cells, and whether each opens with a mark that nothing closes."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at <= len(text):
        quoted = _QUOTED_CELL.match(text, at)
        end = quoted.end() if quoted else text.find("\t", at)
        end = len(text) if end < 0 else end
        cell = text[at:end]
        is_open = not quoted and cell.startswith('"') and not _INNER_MARK.search(text, at + 1)
        found.append((_unquote(cell) if quoted else cell, is_open))
        at = end + 1
    return found


def _unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _QUOTED_CELL.fullmatch(cell) else cell
