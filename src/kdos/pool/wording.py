"""What a text says: the key of its fact, its words, and which of them pin it down."""

import re
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import lru_cache

from kdos.chance import key_bits

_PLAIN_WORD = re.compile(r"[^\W_]+")
_DIGIT_GROUPS = re.compile(r"[,\u00a0\u2009\u202f](?<=\d.)(?=\d{3}(?!\d))")
_SPACES = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128))
_ASCII = _SPACES + bytes(range(128, 256))
_OPENING = "([{\"'`“‘«„¿¡"
_CLOSING = ")]}\"'`”’»,;:.!?…。、"
_HYPHEN = re.compile(r"(?<=[^\W_])[-‐‑–](?=[^\W_])")
_WORDS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
_USUAL = re.compile(r"(?:[a-zA-Z0-9]++(?:[,;]? |-))*+[a-zA-Z0-9]++")
_SYMBOLS = frozenset(bytes([code]) for code in b"bcdefghjklmnopqrstuvwxyz")
_WORD = re.compile(r"\d+(?:,\d{3})+\b|\w+(?:[.'’&]\w+)*[+#]*")
_INNER = re.compile("[.,'’]")
_ACCENTS = re.compile("[\u0300-\u036f]")
KANA_AND_HAN = r"\u3040-\u30ff\u3400-\u9fff"
WIDE_LETTERS = KANA_AND_HAN + r"\uac00-\ud7af"
"""Letters of scripts whose characters are words or syllables, Hangul among them: for a class in an
expression. Korean puts spaces between words, so what asks for spaces takes `KANA_AND_HAN`."""
_WIDE_RUN = re.compile(f"[{WIDE_LETTERS}]+")
WORD_CACHE_SIZE = 1 << 15
"""Words that are remembered with what there is to know about them."""
_ENDINGS = ("ing", "ed", "e")
_STOPS = frozenset(":.?!")
_ENDS = ("?", ",", ".", ":", ";", "!")
_QUOTES = frozenset("`'\"“‘«")
_STOP_WORDS = """
a an the of in on at to for from by with as and or but is are was were be been being do does did has
have had can could will would shall should may might must what which who whom whose when where why
how that this these those it its they them their he she his her him you your we our i me my there
here than then so if not no any some all each every into over under about after before during
between both same name named called one ones please tell give know exactly also whether whats
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


@lru_cache(maxsize=1 << 16)
def normalise_text(text: str) -> str:
    """The text in NFKC, without case; runs of anything but letters and digits become one space.

    Digits stay together over a thousands separator: 1,000 is 1000.
    """
    if not text.isascii():
        text = _DIGIT_GROUPS.sub("", unicodedata.normalize("NFKC", _DIGIT_GROUPS.sub("", text)))
        return " ".join(_PLAIN_WORD.findall(text.casefold()))
    if "," in text:
        text = _DIGIT_GROUPS.sub("", text)
    return b" ".join(text.encode().translate(_ASCII).split()).decode()


@lru_cache(maxsize=1 << 16)
def fact_key(text: str) -> str:
    """What two statements share if they differ in case, width, spacing and punctuation only.

    Stricter than `normalise_text`, since signs make facts: -1 is not 1, C++ not C, __add__ not add,
    and the case of identifiers, single letters and quoted symbols is kept.
    """
    if "," in text:
        text = _DIGIT_GROUPS.sub("", text)
    said = text[:-1] if text.endswith((".", "!", "?")) else text
    if said.isascii() and said[-1:].isalnum():
        data = said.encode()
        if not data.translate(None, _WORDS) or _USUAL.fullmatch(said):
            words = data.translate(_ASCII).split()
            if _SYMBOLS.isdisjoint(words):
                return b" ".join(words).decode()
    return _fact_key_with_signs(text)


def fact_number(text: str) -> int:
    """A number in [0, 2**64) that depends on the fact alone: what breaks ties between facts whatever their order."""
    return key_bits(0, fact_key(text)) >> 64


def _fact_key_with_signs(text: str) -> str:
    """The key of a statement that may hold signs, identifiers or other scripts."""
    text = unicodedata.normalize("NFKC", text)
    words = _HYPHEN.sub(" ", text).split()
    if words:
        words[-1] = words[-1].rstrip(".!?。") or words[-1]
    return " ".join(filter(None, map(_word_key, words)))


@lru_cache(maxsize=1 << 14)
def _word_key(word: str) -> str:
    """One word without the punctuation around it; a word of signs alone stays as it is."""
    bare = word.lstrip(_OPENING).rstrip(_CLOSING)
    if not bare:
        return "" if word in {"-", "–", "—", ",", ";", ":", "."} else word
    if bare in {"A", "I"} or (len(bare) > 1 and bare.isalnum()):
        return bare.casefold()
    return bare


@dataclass(frozen=True, slots=True)
class SentenceWords:
    """How a sentence says it.

    `words` are its words without the small ones, `names` those that pin it down, `order` the words
    in order. `text` is the sentence without accents.
    """

    text: str
    words: frozenset[str]
    names: frozenset[str]
    order: tuple[str, ...]

    def all_words(self) -> list[str]:
        """All its words as they are, in order."""
        return normalise_text(self.text).split()

    def words_beyond(self, held: Container[str]) -> list[str]:
        """The words that `held` lacks, each once, in order."""
        return [word for word in dict.fromkeys(self.order) if word not in held]


@lru_cache(maxsize=2048)
def read_sentence_words(sentence: str) -> SentenceWords:
    """The words of a sentence, stemmed and without case; and which are names or numbers.

    A name is a word with a capital that does not begin the sentence, with a digit or a sign inside,
    or in quotes; a small word may be part of one. Capitals say nothing where all words have them.
    """
    text = sentence if sentence.isascii() else _strip_accents(sentence)
    parts = text.split(" ")
    read = list(map(_word_cache.__getitem__, parts))
    cased = any(word[0] for words in read for word in words)
    names: list[str] = []
    order: list[str] = []
    begin = 0
    for number, words in enumerate(read):
        for _, plain, small, capital, pinned, place in words:
            named = capital and cased and (number > 0 or place > 0)
            if small and (not named or text[begin + place - 2] in _STOPS):
                continue
            order.append(plain)
            if named or pinned:
                names.append(plain)
        begin += len(parts[number]) + 1
    return SentenceWords(text, frozenset(order), frozenset(names), tuple(order))


_Word = tuple[bool, str, bool, bool, bool, int]
"""Of a word: does it begin small; its stem; is it a small word, has it capitals, has it a digit or
a sign inside or a quote before it; where it starts in what stands between two spaces."""


class _WordCache(dict[str, tuple[_Word, ...]]):
    """The words of whatever stands between two spaces, nearly always one; read once."""

    def __missing__(self, part: str) -> tuple[_Word, ...]:
        if len(self) >= WORD_CACHE_SIZE:
            self.clear()
        words = self[part] = _read_plain_word(part) or tuple(_read_words(part))
        return words


_word_cache = _WordCache()


def _read_plain_word(part: str) -> tuple[_Word, ...]:
    """The one word of a part that is nothing but ASCII letters, a sign after them aside; or none.

    What `_read_words` gives for it, sooner.
    """
    word = part[:-1] if part.endswith(_ENDS) else part
    if not (word.isascii() and word.isalpha()):
        return ()
    lowered = word.lower()
    small = lowered in STOP_WORDS
    return ((word[0].islower(), stem_word(lowered), small, lowered != word, False, 0),)


def _read_words(part: str) -> Iterator[_Word]:
    """The words of what stands between two spaces."""
    for found in _WORD.finditer(part):
        word, at = found[0], found.start()
        begins_small = word[0].islower()
        if not word.isascii() and _WIDE_RUN.search(word):
            for start in range(max(1, len(word) - 1)):
                yield begins_small, word[start : start + 2], False, False, False, at
            continue
        lowered = word.casefold()
        pinned = not word.isalpha() or (at > 0 and part[at - 1] in _QUOTES)
        yield begins_small, stem_word(lowered), lowered in STOP_WORDS, lowered != word, pinned, at


def stem_word(word: str) -> str:
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


def _strip_accents(text: str) -> str:
    """The text in NFKC without accents on its letters."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).replace("ı", "i")
    return unicodedata.normalize("NFKC", plain)
