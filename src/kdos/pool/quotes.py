"""Where a quote stands in a text."""

import re
from functools import lru_cache

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


@lru_cache(maxsize=4096)
def _loose_quote_pattern(quote: str) -> re.Pattern[str]:
    """The quote as a pattern that lets spaces, quotation marks and dashes differ."""
    words = ["".join(_LOOSE.get(letter, re.escape(letter)) for letter in w) for w in quote.split()]
    return re.compile(r"\s+".join(words))
