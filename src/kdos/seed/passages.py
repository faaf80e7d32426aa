"""Document in, passages out: stretches short enough for a prompt."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from kdos.pool import Document, Passage

PASSAGE_SIZE = 1200
"""Characters of a passage at most: some 300 tokens of English, our choice."""
SHORT_SHARE = 0.25
"""Of the size: a passage that is shorter goes on under the next heading, longer ones end there (our choice)."""
_PARAGRAPH_GAP = re.compile(r"\n\s*\n")
# Coarser than `kdos.pool.sentences` on purpose: a gap too many ends no sentence here, it only
# allows a passage to end there, and every word must stand between two gaps.
_SENTENCE_GAP = re.compile(
    r"\n|(?<=[.!?])\s+|(?<=[.!?]['\")\]’”])\s+|(?<=[。！？])(?![”』」）])|(?<=[。！？][”』」）])"
)
_WORD_GAP = re.compile(r"\s+")
_GAPS = (_PARAGRAPH_GAP, _SENTENCE_GAP, _WORD_GAP)


def cut_passages(document: Document, *, size: int = PASSAGE_SIZE) -> Iterator[Passage]:
    """Passages of at most `size` characters that together hold all of the document's text but its code.

    Whole paragraphs are packed together, those under one heading if they make `SHORT_SHARE` of the size. A paragraph
    that is longer is cut between sentences, a longer sentence between words, a longer word anywhere.
    """
    for spans in _runs_of_sections(document, size):
        pieces = [piece for span in spans for piece in _split_to_size(document.text, span, size, gaps=_GAPS)]
        for start, end in _pack_spans(pieces, size):
            yield passage_of_span(document, start, end)


def _runs_of_sections(document: Document, size: int) -> Iterator[list[tuple[int, int]]]:
    """The stretches of text that may share passages: of one heading, or of several that hold little each."""
    if not document.sections:
        yield [(0, len(document.text))]
        return
    held: list[tuple[int, int]] = []
    heading = ""
    for section in document.sections:
        is_long = bool(held) and held[-1][1] - held[0][0] >= SHORT_SHARE * size
        if held and (section.is_code or (is_long and section.heading != heading)):
            yield held
            held = []
        if not section.is_code:
            held.append((section.start, section.end))
        heading = section.heading
    if held:
        yield held


def passage_of_span(document: Document, start: int, end: int) -> Passage:
    """The passage that is the stretch [start, end) of a document, in characters."""
    where = bisect_right(document.sections, start, key=lambda section: section.start) - 1
    section = document.sections[where] if where >= 0 else None
    return Passage(
        id=f"{document.id}#{start}",
        document=document.id,
        title=document.title,
        domain=document.domain,
        lang=document.lang,
        start=start,
        end=end,
        text=document.text[start:end],
        heading=section.heading if section else "",
        page=section.page if section else 0,
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
