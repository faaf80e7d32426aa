"""Document in, passages out: stretches short enough for a prompt."""

import re
from collections.abc import Iterable, Iterator

from kdos.pool import Document, Passage

PASSAGE_SIZE = 1200
"""Characters of a passage at most: some 300 tokens of English, our choice."""
_PARAGRAPH_GAP = re.compile(r"\n\s*\n")
# Coarser than `kdos.pool.sentences` on purpose: a gap too many ends no sentence here, it only
# allows a passage to end there, and every word must stand between two gaps.
_SENTENCE_GAP = re.compile(
    r"\n|(?<=[.!?])\s+|(?<=[.!?]['\")\]’”])\s+|(?<=[。！？])(?![”』」）])|(?<=[。！？][”』」）])"
)
_WORD_GAP = re.compile(r"\s+")


def cut_passages(document: Document, *, size: int = PASSAGE_SIZE) -> Iterator[Passage]:
    """Passages of at most `size` characters that together hold all of the document's text.

    Whole paragraphs are packed together. A paragraph that is longer is cut between sentences, a
    longer sentence between words, a longer word anywhere.
    """
    text, gaps = document.text, (_PARAGRAPH_GAP, _SENTENCE_GAP, _WORD_GAP)
    pieces = _split_to_size(text, (0, len(text)), size, gaps=gaps)
    for start, end in _pack_spans(pieces, size):
        yield passage_of_span(document, start, end)


def passage_of_span(document: Document, start: int, end: int) -> Passage:
    """The passage that is the stretch [start, end) of a document, in characters."""
    return Passage(
        id=f"{document.id}#{start}",
        document=document.id,
        title=document.title,
        domain=document.domain,
        lang=document.lang,
        start=start,
        end=end,
        text=document.text[start:end],
    )


def _pack_spans(pieces: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Neighbouring pieces as one, as long as they fit."""
    begin = until = -1
    for start, end in pieces:
        # Offsets, not lengths: the gap between two pieces counts once they are packed together.
        if begin >= 0 and end - begin > size:
            yield begin, until
            begin = -1
        begin, until = (start if begin < 0 else begin), end
    if begin >= 0:
        yield begin, until


def _split_to_size(
    text: str, span: tuple[int, int], size: int, *, gaps: tuple[re.Pattern[str], ...]
) -> Iterator[tuple[int, int]]:
    """Paragraphs, sentences, words or parts of words: the longest that fit into `size`."""
    start, end = span
    if not gaps:  # one word without a gap: cut anywhere
        yield from ((at, min(at + size, end)) for at in range(start, end, size))
        return
    for part in _spans_between_gaps(gaps[0], text, start, end):
        if part[1] - part[0] <= size:
            yield part
        else:
            yield from _split_to_size(text, part, size, gaps=gaps[1:])


def _spans_between_gaps(gap: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What stands between the gaps, without white space at its ends; nothing empty."""
    stops = [(match.start(), match.end()) for match in gap.finditer(text, start, end)]
    at = start
    for stop, after in [*stops, (end, end)]:
        part = text[at:stop]
        left = at + len(part) - len(part.lstrip())
        right = at + len(part.rstrip())
        if left < right:
            yield left, right
        at = after
