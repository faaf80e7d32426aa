"""A text as sentences, word for word: the project's one splitter into sentences.

Three places keep a rule of their own on purpose: `kdos.seed.passages` needs the gaps between sentences of any script
and loses nothing; `kdos.seed.pydocs` reads doc strings, where "B." is a variable and no initial; `kdos.scoring.scores`
reads case-folded answers, where no capital shows that a sentence begins.
"""

import re
from itertools import pairwise

from kdos.pool.wording import KANA_AND_HAN

MIN_SENTENCE, MAX_SENTENCE = 30, 300  # characters of a sentence worth quoting (our design)
MIN_UNSPACED = 10  # of one in Chinese or Japanese, whose characters say more
# A stop ends a sentence only before a capital or a digit: "approx. half" goes on.
_SPACED_END = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9À-Þ])")
_UNSPACED_END = re.compile(r"[。！？]+[”』」）]*")
# Kana and Han. Hangul is left out: Korean puts spaces between words and Latin stops at the end.
_UNSPACED_LETTER = re.compile(f"[{KANA_AND_HAN}]")
LONGEST_ABBREVIATION = 16
"""Characters at a part's end that are searched for one; the longest has seven with its stop."""
# What may stand before a capital without ending a sentence: titles, initials, months, units.
_ABBREVIATED = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|Jr|Sr|Mt|Ft|No|"
    r"Nos|vs|cf|ca|c|fl|b|d|r|approx|etc|al|ed|eds|vol|pp|p|Inc|Ltd|Co|Corp|Bros|Jan|Feb|Mar|Apr|"
    r"Jun|Jul|Aug|Sept?|Oct|Nov|Dec|[a-z]\.[a-z]|[A-Z]\.[A-Z]|a\.m|p\.m|Ph\.D|lit|sq)\.)$"
)


def is_mostly_unspaced(text: str) -> bool:
    """Is over a third of it letters of scripts that put no spaces between words?"""
    return len(_UNSPACED_LETTER.findall(text)) * 3 > len(text)


def quotable_sentences(text: str) -> list[str]:
    """Every whole sentence of the text that is neither too short nor too long to quote."""
    return [sentence for line in text.split("\n") for sentence in _quotable_in_line(line.strip())]


def split_sentences(line: str) -> list[str]:
    """All sentences of a line in a script with spaces; abbreviations and initials end none."""
    parts: list[str] = []
    begun: list[str] = []
    for part in _split_after(line, _SPACED_END):
        begun.append(part)  # "J. R. Tolkien" is three of them
        # A part begins after white space, so that none before it can be a piece of its last word.
        if not _ABBREVIATED.search(part.rstrip()[-LONGEST_ABBREVIATION:]):
            parts.append("".join(begun).strip())
            begun.clear()
    return parts


def _quotable_in_line(line: str) -> list[str]:
    if is_mostly_unspaced(line):
        parts = _split_after(line, _UNSPACED_END)
        return [part for part in parts if MIN_UNSPACED <= len(part) <= MAX_SENTENCE]
    parts = split_sentences(line)
    return [part for part in parts if MIN_SENTENCE <= len(part) <= MAX_SENTENCE and _is_whole(part)]


def _is_whole(sentence: str) -> bool:
    """Does it begin and end as a sentence does, with every bracket and quote closed?"""
    return (
        (sentence[0].isupper() or sentence[0].isdigit() or sentence[0] in "\"“‘'")
        and sentence[-1] in '.!?"”’)'
        and sentence.count("(") == sentence.count(")")
        and sentence.count('"') % 2 == 0
        and sentence.count("“") == sentence.count("”")
    )


def _split_after(line: str, end: re.Pattern[str]) -> list[str]:
    stops = [0, *(match.end() for match in end.finditer(line)), len(line)]
    return [line[a:b] for a, b in pairwise(stops) if line[a:b].strip()]
