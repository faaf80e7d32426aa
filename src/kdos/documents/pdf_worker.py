"""A process of its own that reads one PDF: bytes on stdin, a JSON line for each page on stdout.

PDFs come from anywhere, and the library that reads them is written in C++: what ends this process, or takes its
memory, ends nothing else. ``python pdf_worker.py BYTES_OF_MEMORY``; it imports nothing of kdos.
"""

import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import orjson

RAISED_SIZE = 0.85
RAISED_BY = 0.15
"""A digit stands above the line where it is so much smaller than the sign before it, and higher by so much of it."""
BOLD_WEIGHT = 600
PASSWORD_EXIT, DAMAGED_EXIT = 3, 4


def main(memory: int) -> int:
    """Write the pages of the PDF on stdin to stdout; the exit status says why there are none."""
    import pypdfium2 as pdfium

    _limit_memory(memory)
    try:
        document: Any = pdfium.PdfDocument(sys.stdin.buffer.read())
    except pdfium.PdfiumError as error:
        sys.stderr.write(str(error))
        return PASSWORD_EXIT if "assword" in str(error) else DAMAGED_EXIT
    write = sys.stdout.buffer.write
    title = document.get_metadata_value("Title") or ""
    write(orjson.dumps({"title": title, "pages": len(document)}) + b"\n")
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError as error:
            # A document without one of its pages would say less, and nobody would know.
            sys.stderr.write(f"page {number + 1}: {error}")
            return DAMAGED_EXIT
        text = page.get_textpage()
        lines = list(_read_lines(text.raw))
        write(orjson.dumps({"width": page.get_width(), "lines": lines}) + b"\n")
        text.close()
        page.close()
    return 0


def _limit_memory(most: int) -> None:
    try:
        import resource
    except ImportError:
        return  # Windows has no such limits
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _read_lines(text: Any) -> Iterator[list[Any]]:
    """Text, left, right, bottom, top, size of the letters and whether they are bold, of each line of a page."""
    from pypdfium2 import raw

    held: list[tuple[int, str]] = []
    for place in range(raw.FPDFText_CountChars(text)):
        code = raw.FPDFText_GetUnicode(text, place)
        sign = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
        if sign in ("\r", "\n"):
            if held:
                yield _line(text, held)
            held = []
        elif sign:
            held.append((place, sign))
    if held:
        yield _line(text, held)


def _line(text: Any, signs: list[tuple[int, str]]) -> list[Any]:
    from pypdfium2 import raw

    shown = [place for place, sign in signs if not sign.isspace()] or [signs[0][0]]
    left, _, _, top = _loose_box(text, shown[0])
    # A word that is divided at a line's end joins two lines to one here.
    _, bottom, right, _ = _loose_box(text, shown[-1])
    middle = shown[len(shown) // 2]
    size = raw.FPDFText_GetFontSize(text, middle)
    bold = raw.FPDFText_GetFontWeight(text, middle) >= BOLD_WEIGHT
    return ["".join(_mark_raised(text, signs)), left, right, bottom, top, size, bold]


def _mark_raised(text: Any, signs: list[tuple[int, str]]) -> Iterator[str]:
    """The signs, with a mark before a power: 10⁶ must not become 106."""
    from pypdfium2 import raw

    raised = False
    for (before, last), (place, sign) in zip([(-1, " "), *signs], signs, strict=False):
        if sign.isdigit() and last.isalnum() and not raised:
            small, usual = raw.FPDFText_GetFontSize(text, place), raw.FPDFText_GetFontSize(text, before)
            bottom, base = _box(text, place)[1], _box(text, before)[1]
            raised = small < RAISED_SIZE * usual and bottom > base + RAISED_BY * usual
            if raised:
                yield "^"
        else:
            raised = raised and sign.isdigit()
        yield sign


def _box(text: Any, place: int) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a sign, in points."""
    from pypdfium2 import raw

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(text, place, left, right, bottom, top)
    return left.value, bottom.value, right.value, top.value


def _loose_box(text: Any, place: int) -> tuple[float, float, float, float]:
    """The same of the room that a sign takes, as high for all signs of a font."""
    from pypdfium2 import raw

    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text, place, box)
    return box.left, box.bottom, box.right, box.top


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
