"""How much of a wikitext nothing closes, which is what makes a parser of wikitext slow; and its text without marks."""

import re
from collections import Counter
from typing import NamedTuple

from kdos.seed.wikitext_templates import UNKNOWN

CLOSING_MARKS = {"{{": "}}", "{{{": "}}}", "[[": "]]", "{|": "|}", "[": "]", "<!--": "-->"}
TAG_END = ">"
UNPAIRED_TAGS = frozenset({"br", "wbr", "hr", "img", "meta", "link", "li", "dt", "dd", "tr", "td", "th"})
_MARK = re.compile(
    r"\{{2,3}|\}{2,3}|\[\[|\]\]|\{\||\|\}|\[(?=[a-z]++:|//)|\]|<!--|-->|'{2,5}|</?[a-z]\w*+|/?>", re.IGNORECASE
)
_LINK = re.compile(r"\[\[(?:[^\[\]|\n]*+\|)*+([^\[\]|\n]*+)\]\]")
_TEMPLATE_OR_TAG = re.compile(r"\{\{[^{}]*+\}\}|<!--|-->|</?[a-z][^<>]*+>", re.IGNORECASE)
_RAISED = re.compile(r"<sup[^<>]{0,200}>", re.IGNORECASE)
_LEFT_OVER = re.compile(r"\{{2,}|\}{2,}|\[\[|\]\]|\{\||\|\}|'{2,}|</?[a-z]\w*+", re.IGNORECASE)


class _OpenMarks:
    """The marks that are open at a place, each as what would close it, and how many never were closed."""

    def __init__(self) -> None:
        self.stack: list[tuple[str, str]] = []
        self.held: Counter[str] = Counter()
        self.unclosed = 0
        self.depth = 0

    def open_mark(self, closing: str, tag: str = "") -> None:
        self.stack.append((closing, tag))
        self.depth = max(self.depth, len(self.stack))
        self.held[closing] += 1

    def close_mark(self, closing: str) -> str:
        """Close the innermost mark that `closing` closes, and leave those within it unclosed; its tag's name."""
        if not self.held[closing]:
            return ""
        while True:
            found, tag = self.stack.pop()
            self.held[found] -= 1
            if found == closing:
                return tag
            self.unclosed += 1


class MarkCounts(NamedTuple):
    """How many marks are not closed, or end within another; and how many are open at once at most."""

    unclosed: int
    depth: int


def count_marks(wikitext: str) -> MarkCounts:
    """The counts of a wikitext's templates, links, tables, tags, comments and quotes."""
    marks = _OpenMarks()
    for match in _MARK.finditer(wikitext):
        mark = match[0].lower()
        if mark in CLOSING_MARKS:
            marks.open_mark(CLOSING_MARKS[mark])
        elif mark.startswith("</"):
            marks.close_mark(mark)
        elif mark.startswith("<"):
            marks.open_mark(TAG_END, mark[1:])
        elif mark == TAG_END:
            tag = marks.close_mark(TAG_END)
            if tag and tag not in UNPAIRED_TAGS:
                marks.open_mark(f"</{tag}")
        elif mark.startswith("'") and not marks.held[mark]:
            marks.open_mark(mark)
        else:
            marks.close_mark(TAG_END if mark == "/>" else mark)
    return MarkCounts(marks.unclosed + len(marks.stack), marks.depth)


def strip_marks(wikitext: str) -> str:
    """The text between the marks, read without regard to what they enclose: links by what they show."""
    linked = _RAISED.sub("^", _LINK.sub(r"\1", wikitext))
    return _LEFT_OVER.sub("", _TEMPLATE_OR_TAG.sub(lambda mark: UNKNOWN if mark[0][0] == "{" else "", linked))
