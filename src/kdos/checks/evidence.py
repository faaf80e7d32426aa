"""Does the evidence stand where it is said to stand, and does it hold the answer?"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kdos.checks.answers import find_whole_words
from kdos.pool import Draft, Evidence, Passage

_LOOSE = {
    "'": "['’‘ʼ]",
    "’": "['’‘ʼ]",
    "‘": "['’‘ʼ]",
    '"': '["“”„]',
    "“": '["“”„]',
    "”": '["“”„]',
    "-": "[-‐-―−]",
    "–": "[-‐-―−]",
    "—": "[-‐-―−]",
}


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A stretch of a document: `start` and `end` count characters of the document's text."""

    document: str
    start: int
    end: int


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


def find_misquoted_evidence(draft: Draft, passages: Mapping[str, Passage]) -> Evidence | None:
    """The first piece of evidence that does not stand in the passage it names."""
    for piece in draft.evidence:
        passage = passages.get(piece.passage)
        if passage is None or find_quote_span(piece.quote, passage.text) is None:
            return piece
    return None


def locate_answer(
    evidence: Sequence[Evidence], answer: str, passages: Mapping[str, Passage]
) -> AnswerSpan | None:
    """Where the answer stands inside the first quote that holds it."""
    for piece in evidence:
        passage = passages.get(piece.passage)
        span = find_quote_span(piece.quote, passage.text) if passage else None
        if passage is None or span is None:
            continue
        inside = find_answer_span(answer, passage.text[span[0] : span[1]])
        if inside is not None:
            start = passage.start + span[0]
            return AnswerSpan(passage.document, start + inside[0], start + inside[1])
    return None


def find_answer_span(answer: str, text: str) -> tuple[int, int] | None:
    """Where the answer stands in the text as words of its own; case may differ if it must."""
    answer = answer.strip()
    for wanted, held in ((answer, text), (answer.lower(), text.lower())):
        start = find_whole_words(wanted, held)
        if start >= 0 and len(held) == len(text):
            return start, start + len(answer)
    return find_quote_span(answer, text) if " " in answer else None


@lru_cache(maxsize=4096)
def _loose_quote_pattern(quote: str) -> re.Pattern[str]:
    """The quote as a pattern that lets spaces, quotation marks and dashes differ."""
    words = ["".join(_LOOSE.get(letter, re.escape(letter)) for letter in w) for w in quote.split()]
    return re.compile(r"\s+".join(words))
