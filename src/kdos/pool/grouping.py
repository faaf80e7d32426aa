"""Which knowledge points say the same thing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kdos.arrays import Int64Array

_WORD = re.compile(r"[^\W_]+")
_DIGIT_GROUPS = re.compile(r"[,\u00a0\u2009\u202f](?<=\d.)(?=\d{3}(?!\d))")
_SPACES = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128))
_ASCII = _SPACES + bytes(range(128, 256))
_OPENING = "([{\"'`“‘«„¿¡"
_CLOSING = ")]}\"'`”’»,;:.!?…。、"
_HYPHEN = re.compile(r"(?<=[^\W_])[-‐‑–](?=[^\W_])")
_WORDS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
_USUAL = re.compile(r"(?:[a-zA-Z0-9]++(?:[,;]? |-))*+[a-zA-Z0-9]++")
_SYMBOLS = frozenset(bytes([code]) for code in b"bcdefghjklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of equal rows: `group` shape (n_rows,), `first` and `size` shape (n_groups,).

    `first` is each group's first row: it speaks for the group.
    """

    group: Int64Array
    first: Int64Array
    size: Int64Array


def group_texts(texts: Sequence[str]) -> Grouping:
    """Group texts that state one fact in the same words (`fact_key`)."""
    known: dict[str, int] = {}
    group = np.fromiter(
        (known.setdefault(fact_key(text), len(known)) for text in texts), np.int64, len(texts)
    )
    first = np.full(len(known), len(texts), np.int64)
    np.minimum.at(first, group, np.arange(len(texts)))
    return Grouping(group, first, np.bincount(group, minlength=len(known)))


@lru_cache(maxsize=1 << 16)
def normalise_text(text: str) -> str:
    """The text in NFKC, without case; runs of anything but letters and digits become one space.

    Digits stay together over a thousands separator: 1,000 is 1000.
    """
    if not text.isascii():
        text = _DIGIT_GROUPS.sub("", unicodedata.normalize("NFKC", _DIGIT_GROUPS.sub("", text)))
        return " ".join(_WORD.findall(text.casefold()))
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
