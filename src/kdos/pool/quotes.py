"""Where a quote stands in a text."""

import re
from functools import lru_cache

from kdos.pool.sentences import is_mostly_unspaced

_LOOSE = {
    letter: f"[{alike}]"
    for letters, alike in (("'’‘", "'’‘ʼ"), ('"“”', '"“”„'), ("-–—", "-‐-―−"))
    for letter in letters
}
"""Quotation marks and dashes, each with the expression that takes its like."""


def find_quote_span(quote: str, text: str) -> tuple[int, int] | None:
    """Where the quote stands in the text: start and end, or None.

    Word for word; only the width of spaces and the shape of quotes and dashes may differ.
    """
    quote = quote.strip()
    if not quote:
        return None
    start = text.find(quote)
    if start >= 0:
        return start, start + len(quote)
    found = _loose_quote_pattern(quote).search(text)
    return found.span() if found else None


def find_whole_span(quote: str, text: str) -> tuple[int, int] | None:
    """Where the quote first stands in the text without being a piece of something longer; None where it never does."""
    if not quote.strip():
        return None
    spans = (found.span() for found in _loose_quote_pattern(quote.strip()).finditer(text))
    return next((span for span in spans if not is_cut(text, *span)), None)


def is_cut(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is a piece of a longer word, or of a name that `&` binds: ``ABC O`` of ``ABC O&O``.

    Scripts without spaces between words have no such edges.
    """
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    if _binds(before[::-1]) or _binds(after):
        return True
    return any(_goes_on(one, other) for one, other in ((before[-1:], text[start]), (text[end - 1], after[:1])))


def _binds(beside: str) -> bool:
    """Whether what stands beside a name, the nearest first, is an `&`, with a space before it or none."""
    return beside.lstrip(" ").startswith("&")


def _goes_on(one: str, other: str) -> bool:
    """Whether two signs that touch are of one word."""
    return one.isalnum() and other.isalnum() and not (is_mostly_unspaced(one) or is_mostly_unspaced(other))


@lru_cache(maxsize=4096)
def _loose_quote_pattern(quote: str) -> re.Pattern[str]:
    """The quote as a pattern that lets spaces, quotation marks and dashes differ."""
    words = ["".join(_LOOSE.get(letter, re.escape(letter)) for letter in w) for w in quote.split()]
    return re.compile(r"\s+".join(words))
