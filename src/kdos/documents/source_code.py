"""Source code: what its comments and doc strings say, under the names of what they explain."""

import re
from collections.abc import Iterator

from kdos.documents.blocks import Block
from kdos.documents.plain_text import read_plain_text
from kdos.errors import UsageError

_MARKS = re.compile(
    r"^[ \t]*(?:///?!?|/\*+!?|\*+/|\*(?!\*)|#+!?|--+|;+|%+|\"{3}|'{3}|[rR]?\"\"\")?[ \t]?", re.MULTILINE
)
_CLOSING = re.compile(r"(?:(?<!\*)\*++/|\"{3}|'{3}|\*\)|-})[ \t]*+$", re.MULTILINE)


def read_source_code(text: str, name: str) -> list[Block]:
    """The comments and doc strings of a file, by the lexer that its name tells.

    Raises:
        UsageError: Pygments is not installed.
    """
    try:
        from pygments.lexers import get_lexer_for_filename
        from pygments.token import Comment, Name, String
        from pygments.util import ClassNotFound
    except ImportError as error:
        raise UsageError("reading source code needs the package `pygments`: pip install 'kdos[documents]'") from error
    try:
        lexer = get_lexer_for_filename(name, text[:4096], stripnl=False)
    except ClassNotFound:
        return []
    found: list[Block] = []
    held = ""
    for kind, value in lexer.get_tokens(text):
        if kind in Comment and kind not in Comment.Preproc and kind not in Comment.PreprocFile:
            held += value if value.endswith("\n") else f"{value}\n"
        elif kind in String.Doc:
            found += _flush(held)
            found += _flush(value)
            held = ""
        elif value.strip():
            found += _flush(held)
            held = ""
            if kind in Name.Class or kind in Name.Function:
                found.append(Block("heading", value, level=1 if kind in Name.Class else 2))
    found += _flush(held)
    return list(_without_empty_headings(found))


def _flush(comment: str) -> list[Block]:
    plain = _CLOSING.sub("", _MARKS.sub("", comment)) if comment else ""
    return read_plain_text(plain) if len(plain.split()) > 2 else []


def _without_empty_headings(blocks: list[Block]) -> Iterator[Block]:
    for place, block in enumerate(blocks):
        follows = blocks[place + 1] if place + 1 < len(blocks) else None
        if block.kind != "heading" or (follows is not None and follows.kind != "heading"):
            yield block
