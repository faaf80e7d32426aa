"""Answers read as words: numbers, units, initials, accents and plurals in one form each."""

import re
import unicodedata
from functools import lru_cache

from kdos.checks.answers import canonicalise_text

UNITS = {
    form: unit
    for unit, forms in {
        "percent": "pct",
        "m": "metre metres meter meters",
        "km": "kilometre kilometres kilometer kilometers kms",
        "cm": "centimetre centimetres centimeter centimeters",
        "mm": "millimetre millimetres millimeter millimeters",
        "ft": "foot feet",
        "mi": "mile miles",
        "kg": "kilogram kilograms kilo kilos kgs",
        "g": "gram grams",
        "lb": "lbs pound pounds",
        "hp": "horsepower",
        "s": "sec secs second seconds",
        "min": "mins minute minutes",
        "h": "hr hrs hour hours",
        "usd": "dollar dollars",
    }.items()
    for form in forms.split()
}
"""Each spelling of a unit that is not the one we compare."""
UNCOUNTED_WORDS = frozenset(["a", "an", "the", "of", "in", "on", "at", "by", "from", "to", "and"])
_SIGNS = str.maketrans({"%": " percent ", "&": " and ", "°": " degrees ", "\xad": None})
_DOLLARS = re.compile(
    r"\$\s?((?:\d[\d.,]*\d|\d)(?: (?:thousand|million|billion|trillion)\b)?)", re.IGNORECASE
)
_ACRONYM_STOP = re.compile(r"['’‘`´]|(?<=\b\w)\.(?=\w\b)|(?<=\b\w)\.(?= ?\w\.)")
_GROUPED = re.compile(r"\b\d{1,3}(?:, \d{3})+\b")
_RATIO = re.compile(r"(?<=\d) ?: ?(?=\d)")
_WIDE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"\d{{4}}-\d\d-\d\d|\d+(?:[.:]\d+)+|[{_WIDE}]|[^\W_{_WIDE}]+")
_AMOUNT = re.compile(r"(?<=\d)(?=[a-z]+$)(?!(?:st|nd|rd|th)$)")
_LETTERS = re.compile(r"\b(?:[a-z] )+[a-z]\b")


@lru_cache(maxsize=1 << 16)
def answer_words(text: str) -> tuple[str, ...]:
    """The words that count, in one form each; small words count where there are no others.

    Numbers are in digits and dates as 1776-07-04 (`checks.answers.canonicalise_text`), units have
    one name, accents and apostrophes are gone, initials stand together, plurals lose their s. Of
    Chinese, Japanese and Korean each character is a word.
    """
    found = _WORD.findall(_unify_spelling(text))
    joined = _LETTERS.sub(lambda run: run[0].replace(" ", ""), _AMOUNT.sub(" ", " ".join(found)))
    every = [_singular_form(UNITS.get(word, word)) for word in joined.split()]
    large = [word for word in every if word not in UNCOUNTED_WORDS]
    return tuple(large or every)


def _unify_spelling(text: str) -> str:
    text = _DOLLARS.sub(r"\1 usd", text.translate(_SIGNS))
    text = _GROUPED.sub(lambda number: number[0].replace(", ", ""), text)
    return _RATIO.sub(":", _ACRONYM_STOP.sub("", _strip_accents(canonicalise_text(text))))


def _strip_accents(text: str) -> str:
    """The text with every letter bare of its marks."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize(
        "NFC", "".join(c for c in parts if unicodedata.category(c) != "Mn")
    )


def _singular_form(word: str) -> str:
    plural = len(word) > 3 and word.isalpha() and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if plural else word


def drop_middle_initials(found: tuple[str, ...]) -> tuple[str, ...]:
    """The words but for single letters between others: a middle initial tells nothing apart."""
    inner = (word for word in found[1:-1] if len(word) > 1 or not "a" <= word <= "z")
    return (*found[:1], *inner, *found[-1:]) if len(found) > 1 else found
