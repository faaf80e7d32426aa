"""What the words of a sentence are: those that say something, and those that pin it down."""

import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache

from kdos.pool.grouping import normalise

_WORD = re.compile(r"\d+(?:,\d{3})+\b|\w+(?:[.'’&]\w+)*[+#]*")
_INNER = re.compile("[.,'’]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_WIDE_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_ENDINGS = ("ing", "ed", "e")
_STOPS = frozenset(":.?!")
_QUOTES = frozenset("`'\"“‘«")
_QUOTE = re.compile(f"[{''.join(sorted(_QUOTES))}]")


def _words(listed: str) -> frozenset[str]:
    """The words of a list written with spaces between them."""
    return frozenset(listed.split())


SMALL_WORDS = _words(
    """a an the of in on at to for from by with as and or but is are was were be been being do does
    did has have had can could will would shall should may might must what which who whom whose
    when where why how that this these those it its they them their he she his her him you your
    we our i me my there here than then so if not no any some all each every into over under about
    after before during between both same name named called one ones please tell give know
    exactly also whether whats"""
)


@dataclass(frozen=True, slots=True)
class Wording:
    """How a sentence says it.

    `words` are its words without the small ones, `names` those that pin it down, `order` the words
    in order. `text` is the sentence without accents.
    """

    text: str
    words: frozenset[str]
    names: frozenset[str]
    order: tuple[str, ...]

    def said(self) -> list[str]:
        """All its words as they are, in order."""
        return normalise(self.text).split()

    def beyond(self, held: Container[str]) -> list[str]:
        """The words that `held` lacks, each once, in order."""
        return [word for word in dict.fromkeys(self.order) if word not in held]


@lru_cache(maxsize=8192)
def read_wording(sentence: str) -> Wording:
    """The words of a sentence, stemmed and without case; and which are names or numbers.

    A name is a word with a capital that does not begin the sentence, with a digit or a sign inside,
    or in quotes; a small word may be part of one. Capitals say nothing where all words have them.
    """
    ascii_only = sentence.isascii()
    text = sentence if ascii_only else _without_accents(sentence)
    found = _WORD.findall(text)
    cased = any(word[0].islower() for word in found)
    quoted = _QUOTE.search(text) is not None
    names: list[str] = []
    order: list[str] = []
    end = 0
    for word in found:
        if not ascii_only and _WIDE_RUN.search(word):
            order += [word[start : start + 2] for start in range(max(1, len(word) - 1))]
            end = text.index(word, end) + len(word)
            continue
        plain, small, uncased, letters = _read_word(word)
        if uncased and letters and not quoted:
            if not small:
                order.append(plain)
            continue
        start = text.index(word, end)  # no word that was passed over holds one of these
        end = start + len(word)
        capital = cased and start > 0 and not uncased
        if small and not (capital and text[start - 2] not in _STOPS):
            continue
        order.append(plain)
        if capital or not letters or (start > 0 and text[start - 1] in _QUOTES):
            names.append(plain)
    return Wording(text, frozenset(order), frozenset(names), tuple(order))


@lru_cache(maxsize=1 << 16)
def _read_word(word: str) -> tuple[str, bool, bool, bool]:
    """A word's stem; is it a small word, without capitals, of letters alone?"""
    lowered = word.casefold()
    return stem(lowered), lowered in SMALL_WORDS, lowered == word, word.isalpha()


def stem(word: str) -> str:
    """The word without dots, apostrophes and a common English ending: U.K. is UK."""
    if not word.isalpha():
        word = _INNER.sub("", word)
    if len(word) < 4 or not word.isalpha():
        return word
    word = word.rstrip("s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word[: -len(ending)]
    return word


def _without_accents(text: str) -> str:
    """The text in NFKC without accents on its letters."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).replace("ı", "i")
    return unicodedata.normalize("NFKC", plain)
