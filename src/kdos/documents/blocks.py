"""What a document is made of: headings, prose, lists, tables, code; and these as one text with its sections."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kdos.pool import Section

BlockKind = Literal["heading", "prose", "list", "table", "code"]
BREAK = "\n\n"
HEADING_GAP = " > "
"""Between a heading and the one below it, where a place is named."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document: `level` is a heading's, from 1; `page` counts from 1, 0 where there are no pages."""

    kind: BlockKind
    text: str
    level: int = 0
    page: int = 0


def lay_out(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...]]:
    """Blocks as one text, with blank lines between them, and its sections: what is under one heading, on one page."""
    parts: list[str] = []
    sections: list[Section] = []
    above: list[tuple[int, str]] = []
    at = 0
    for block in blocks:
        text = block.text.strip()
        if not text:
            continue
        if block.kind == "heading":
            above = [*((level, name) for level, name in above if level < block.level), (block.level, text)]
        start = at + len(BREAK) if parts else 0
        at = start + len(text)
        parts.append(text)
        heading = HEADING_GAP.join(" ".join(name.split()) for _, name in above)
        found = Section(start, at, heading, block.page, block.kind == "code")
        # A heading opens a section, though it has the name of the one before.
        if sections and block.kind != "heading" and _belong_together(sections[-1], found):
            found = Section(sections.pop().start, at, heading, block.page, found.is_code)
        sections.append(found)
    return BREAK.join(parts), tuple(sections)


def _belong_together(one: Section, other: Section) -> bool:
    return (one.heading, one.page, one.is_code) == (other.heading, other.page, other.is_code)
