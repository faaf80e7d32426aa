"""Which sentences of a long answer are worth reading: those that hold a part of a gold answer (our design).

To read an answer takes milliseconds for 1,500 characters, to search it for the letters of a gold answer microseconds.
What is left out could not have stated the gold answer; what is kept is read as any other answer.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from kdos.scoring.answer_words import LONGEST_READ, UNITS, Words, mend_decoding

SMALLEST_SEARCHED = 100
"""Smaller numbers are written in too many ways to look for their digits."""
_NEITHER = bytes(code for code in range(1, 128) if not chr(code).isalnum())
# Words that a text need not hold letter by letter for `read_answer_words` to give them.
_MADE_WORDS = frozenset(
    [*UNITS.values(), *UNITS, "will", "not", "degree", "less", "more", "least", "most", "than", "and"]
)
_MADE_ENDINGS = ("positive", "negative", "sharp", "star", "bc")
# The least number that is written with each: "0.01 million".
_SCALES = {"hundred": 100, "thousand": 500, "million": 10_000, "billion": 10**7, "trillion": 10**10}
# Not after an initial or an abbreviation of two letters: "Dr. Smith" stays in one piece.
_SENTENCE_END = re.compile(r"[.!?\n](?:(?<=\n)|(?<=\w\w\w.)\s)\s*+")


def searched_parts(words: Words) -> Words:
    """Those of a gold answer's words that every text which states it holds as they are, but for numbers in words."""
    return tuple(filter(_is_searched, words))


def _is_searched(word: str) -> bool:
    if not word.isascii():
        return False
    if word.isdigit():
        return int(word) >= SMALLEST_SEARCHED
    return word.isalpha() and word not in _MADE_WORDS and not word.endswith(_MADE_ENDINGS)


def keep_relevant_sentences(text: str, forms: Sequence[Words]) -> str:
    """The sentences that hold a part of a form whose parts all stand in the text, each once."""
    sentences = list(dict.fromkeys(_SENTENCE_END.split(text[:LONGEST_READ])))
    squeezed = _squeeze_text("\0".join(sentences))
    held = [parts for parts in forms if all(any(map(squeezed.__contains__, _spellings(part))) for part in parts)]
    wanted = {spelling for parts in held for part in parts for spelling in _spellings(part)}
    pairs = zip(sentences, squeezed.split("\0"), strict=True)
    return ". ".join([sentence for sentence, plain in pairs if any(part in plain for part in wanted)])


def _squeeze_text(text: str) -> str:
    """The ASCII letters and digits of a text, without case, accents and what stands between them, but for NUL."""
    plain = mend_decoding(text)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.replace("ß", "ss"))
    # Lower case of bytes takes a tenth of the time; of what is left of the text it is the same.
    return plain.encode("ascii", "ignore").lower().translate(None, _NEITHER).decode()


@lru_cache(maxsize=1 << 14)
def _spellings(part: str) -> Words:
    """What a text that says the part holds one of: the part, or a word that numbers are written with."""
    return (part, *(scale for scale, least in _SCALES.items() if part.isdigit() and int(part) >= least))
