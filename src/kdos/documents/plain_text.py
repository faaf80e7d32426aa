"""Plain text as blocks: paragraphs whose lines were broken to fit are joined, lists, tables and code keep theirs."""

import re
from collections.abc import Iterator, Sequence, Set

from kdos.documents.blocks import Block
from kdos.documents.contents import is_contents_line
from kdos.documents.lines import join_lines, words_of

MIN_WRAPPED, MAX_WRAPPED = 36, 130
"""Characters of the longest line of a paragraph that was broken to fit a width (our choice)."""
HEADING_CHARS = 80
CODE_SIGNS = 0.07
"""The share of brackets, signs of operations and the like from which lines that are set in are code (our choice)."""
_BLANK = re.compile(r"\n(?:[ \t]*+\n)++")
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣◦–·]|\(?(?:\d{1,3}|[a-z])[.)])[ \t]+(?=\S)")
_RULE = re.compile(r"[ \t]*([=\-~^*#_+\"'`])\1{2,}[ \t]*")
_CELL_GAP = re.compile(r"\S(?: {2,}|\t| \| )(?=\S)")
_CODE_SIGN = re.compile(r"[{}();=<>\[\]&|$\\]|->|::")
_NUMBERED_HEADING = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVXLC]{1,6}\.|Chapter \d{1,3}\b.?|Appendix [A-Z]\b.?)\s+\S"
)
_OPENING_MARK = re.compile(r"\s*(?:```|~~~)")


def read_plain_text(text: str) -> list[Block]:
    """The blocks of a text without mark-up."""
    lines = text.expandtabs(8).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    known = words_of([lines])
    found = [block for part in _split_parts(lines) for block in _read_part(part, known)]
    if found and found[-1].kind == "heading":
        found[-1] = Block("prose", found[-1].text)  # of nothing
    return found


def _split_parts(text: str) -> Iterator[list[str]]:
    """The lines between blank ones; what stands between fences is one part."""
    fenced: list[str] = []
    for part in _BLANK.split(text):
        lines = [line.rstrip() for line in part.split("\n") if line.strip()]
        marks = sum(_OPENING_MARK.match(line) is not None for line in lines)
        if fenced or marks % 2:
            fenced += lines
            if marks % 2 and len(fenced) > len(lines):
                yield fenced
                fenced = []
            continue
        if lines:
            yield lines
    if fenced:
        yield fenced


def _read_part(lines: list[str], known: Set[str]) -> Iterator[Block]:
    if _OPENING_MARK.match(lines[0]):
        yield Block("code", "\n".join(line for line in lines if not _OPENING_MARK.match(line)))
        return
    lines = [line for line in lines if not is_contents_line(line.strip())]
    while lines and (heading := _read_heading(lines)):
        yield heading
        lines = lines[2 if len(lines) > 1 and _RULE.fullmatch(lines[1]) else 1 :]
    lines = [line for line in lines if not _RULE.fullmatch(line)]
    if not lines:
        return
    if _is_code(lines):
        yield Block("code", "\n".join(lines))
    elif _is_table(lines):
        yield Block("table", "\n".join(" | ".join(re.split(r" {2,}|\t| \| ", line.strip())) for line in lines))
    else:
        yield from _read_paragraphs(lines, known)


def _read_heading(lines: Sequence[str]) -> Block | None:
    """A heading at the top: underlined, or a short line by itself that no sentence's end closes."""
    first = lines[0].strip()
    if len(first) > HEADING_CHARS or not any(letter.isalpha() for letter in first):
        return None
    if len(lines) > 1 and (rule := _RULE.fullmatch(lines[1])) and not _RULE.fullmatch(first):
        return Block("heading", first, level=1 if rule[1] in "=*#" else 2)
    if len(lines) > 1 or lines[0].startswith((" ", "\t")) or _ITEM.match(lines[0]):
        return None
    if first.isupper() or _NUMBERED_HEADING.match(first):
        return Block("heading", first, level=1 if first.isupper() else 2) if first[-1] not in ".,;" else None
    return Block("heading", first, level=2) if first[0].isupper() and first[-1].isalnum() and len(first) < 60 else None


def _is_code(lines: Sequence[str]) -> bool:
    """Whether lines that are all set in hold as many signs as code does."""
    if not all(line.startswith(("  ", "\t", ">>>", "$ ")) for line in lines):
        return False
    text = "".join(line.strip() for line in lines)
    return lines[0].strip().startswith((">>>", "$ ")) or len(_CODE_SIGN.findall(text)) > CODE_SIGNS * len(text)


def _is_table(lines: Sequence[str]) -> bool:
    return len(lines) > 2 and sum(_CELL_GAP.search(line.strip()) is not None for line in lines) > 0.8 * len(lines)


def _read_paragraphs(lines: Sequence[str], known: Set[str]) -> Iterator[Block]:
    """Items of lists and paragraphs, each as one line."""
    width = max(map(len, lines))
    held: list[str] = []
    for line in lines:
        if held and not _goes_on(held[-1], line, width):
            yield _join(held, known)
            held = []
        held.append(line)
    yield _join(held, known)


def _goes_on(line: str, following: str, width: int) -> bool:
    """Whether a line was broken only because the next word did not fit, or in the middle of a sentence."""
    if width > MAX_WRAPPED:
        return False
    # A dash that opens a line is no item's mark where it did not fit into the line before.
    if width >= MIN_WRAPPED and len(line) + 1 + len(following.split(maxsplit=1)[0]) > width:
        return True
    return following.strip()[0].islower() and not _ITEM.match(following)


def _join(lines: Sequence[str], known: Set[str]) -> Block:
    item = _ITEM.match(lines[0])
    return Block("list" if item else "prose", join_lines(lines, known))


def is_item(text: str) -> bool:
    """Whether a text opens as an item of a list does."""
    return _ITEM.match(text) is not None
