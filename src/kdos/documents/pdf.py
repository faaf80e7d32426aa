"""PDF: lines with their places, read in a process of their own, put together to headings and paragraphs."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from importlib.util import find_spec
from typing import NamedTuple

import orjson

from kdos.documents import pdf_worker
from kdos.documents.blocks import Block
from kdos.documents.contents import find_repeated_lines, is_contents_line, is_page_number, without_digits
from kdos.documents.errors import UnreadableError
from kdos.documents.lines import join_lines, words_of
from kdos.documents.plain_text import is_item
from kdos.documents.processes import run_reader
from kdos.errors import UsageError

MEMORY = 4 << 30
"""Bytes that reading one PDF may take."""
EDGE_LINES = 3
"""Lines at a page's top and bottom that may be a running title or a page number."""
HEADING_SIZE = 1.12
"""Times the size of most letters, from which a line is a heading (our choice)."""
HEADING_WORDS = 20
SAME_SIZE = 0.1
PARAGRAPH_GAP = 0.6
"""Between two lines of a paragraph at most, in sizes of a letter."""
INDENT = 0.8
"""In sizes of a letter: a line that is set in so much opens a paragraph, if the one before ends a sentence."""
NO_TITLES = frozenset(("", "anonymous", "unspecified", "untitled"))
"""What writers of PDF put where nobody gave a title."""
COLUMN_SHARE = 0.8
"""Of a column's lines, what ends before its edge."""
_STOPS = (".", "!", "?", ":", "。", "！", "？", ".”", '."', ".)")


class _Line(NamedTuple):
    """A line as the worker gives it: places in points, from the left and from the bottom of the page."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool
    page: int = 0
    edge: float = 0.0
    """Where lines of this column end."""


def read_pdf(data: bytes) -> tuple[str, list[Block]]:
    """The title, empty where none is given, and the blocks of a PDF, without running titles and page numbers.

    Raises:
        UnreadableError: It needs a password, is damaged, or takes more memory or time than it may.
        UsageError: pypdfium2 is not installed.
    """
    if find_spec("pypdfium2") is None:
        raise UsageError("reading PDF needs the package `pypdfium2`: pip install 'kdos[documents]'")
    head, *pages = map(orjson.loads, _run_worker(data).splitlines())
    lines = [[_Line(*line) for line in page["lines"]] for page in pages]
    widths = [page["width"] for page in pages]
    title = "" if head["title"].strip("()").lower() in NO_TITLES else head["title"]
    return title, list(_build_blocks(list(_place_lines(lines, widths))))


def _run_worker(data: bytes) -> bytes:
    # Its file alone, and nothing found beside it: importing the package takes longer than most PDFs.
    command = [sys.executable, "-P", pdf_worker.__file__, str(MEMORY)]
    done = run_reader(command, data)
    if done.status == pdf_worker.PASSWORD_EXIT:
        raise UnreadableError("needs_a_password")
    if done.status or not done.output:
        raise UnreadableError("takes_too_much_memory" if "MemoryError" in done.said else "damaged", done.said)
    return done.output


def _place_lines(pages: Sequence[Sequence[_Line]], widths: Sequence[float]) -> Iterator[_Line]:
    """The lines of all pages in order, without those that stand on most pages and those of tables of contents."""
    edges = [_edge_lines(page) for page in pages]
    repeated = find_repeated_lines(edges)
    for number, (page, at_edge, width) in enumerate(zip(pages, edges, widths, strict=True), start=1):
        kept = [line for line in page if not (line.text in at_edge and _is_running(line.text, repeated))]
        for line in kept:
            text = " ".join(line.text.split())
            if text and not is_contents_line(text):
                column = sorted(other.right for other in kept if abs(other.left - line.left) < width / 4)
                edge = column[int(COLUMN_SHARE * (len(column) - 1))]
                yield line._replace(text=text, page=number, edge=edge)


def _edge_lines(page: Sequence[_Line]) -> list[str]:
    """The lines nearest to a page's top and bottom."""
    by_height = sorted(page, key=lambda line: line.bottom)
    return [line.text for line in (*by_height[:EDGE_LINES], *by_height[-EDGE_LINES:])]


def _is_running(text: str, repeated: Set[str]) -> bool:
    return without_digits(text) in repeated or is_page_number(text)


def _build_blocks(lines: Sequence[_Line]) -> Iterator[Block]:
    sizes = Counter[float]()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    known = words_of(line.text for line in lines)
    larger = sorted({round(line.size) for line in lines if _is_large(line, body)}, reverse=True)
    for part in _split_paragraphs(lines):
        first = part[0]
        text = join_lines((line.text for line in part), known, divides=True)
        if _is_heading(part, text, body):
            level = 1 + larger.index(round(first.size)) if _is_large(first, body) else 1 + len(larger)
            yield Block("heading", text, level=level, page=first.page)
        else:
            yield Block("list" if is_item(text) else "prose", text, page=first.page)


def _is_large(line: _Line, body: float) -> bool:
    return line.size > HEADING_SIZE * body


def _is_heading(part: Sequence[_Line], text: str, body: float) -> bool:
    """Larger letters, or bold ones that end no sentence; few words."""
    if len(text.split()) > HEADING_WORDS or not any(letter.isalpha() for letter in text):
        return False
    return _is_large(part[0], body) or (all(line.bold for line in part) and not text.endswith(_STOPS[:3]))


def _split_paragraphs(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    held: list[_Line] = []
    for line in lines:
        if held and not _goes_on(held, line):
            yield held
            held = []
        held.append(line)
    if held:
        yield held


def _goes_on(held: Sequence[_Line], line: _Line) -> bool:
    """Whether a line belongs to the paragraph before it."""
    last = held[-1]
    if abs(line.size - last.size) > SAME_SIZE * last.size or line.bold != last.bold or is_item(line.text):
        return False
    ends = last.text.endswith(_STOPS)
    if line.page != last.page or line.bottom > last.top:
        # Another column or page: a sentence goes on there, a paragraph cannot be told.
        return not ends and (line.text[0].islower() or last.text[-1] in "-,\u00ad\x02\ufffe")
    if last.bottom - line.top > PARAGRAPH_GAP * line.size:
        return False
    if ends and line.left > last.left + INDENT * line.size and len(held) > 1:
        return False
    return line.text[0].islower() or not _had_room(last, line)


def _had_room(last: _Line, line: _Line) -> bool:
    """Whether the next line's first word had fitted behind this one: then the line was ended on purpose."""
    first = len(line.text.split(maxsplit=1)[0]) + 1
    letter = (line.right - line.left) / max(len(line.text), 1)
    return last.right + first * letter < last.edge
