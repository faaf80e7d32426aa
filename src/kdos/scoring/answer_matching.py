"""Whether an answer is right: the rule that agrees best with people (our design).

It reads numbers, dates, units, initials, accents and plurals alike, takes longer and shorter forms
of a name, coarser dates where the question allows it, and numbers within an acceptable range.
Agreement with people on 2,435 judged answers (benchmarks/results/evaluate_people.json): 90.4 %,
against 84.7 % for exact match, 86.5 % for containment and 88.1 % for F1 of at least a half.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from kdos.checks.answers import MONTHS, canonicalise_text
from kdos.pool.wording import WIDE_LETTERS

# One spelling a unit, so that "5 kilometres" and "5km" are the same words.
_UNITS = {
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
_UNCOUNTED_WORDS = frozenset(["a", "an", "the", "of", "in", "on", "at", "by", "from", "to", "and"])
_SIGNS = str.maketrans({"%": " percent ", "&": " and ", "°": " degrees ", "\xad": None})
_DOLLARS = re.compile(r"\$\s?((?:\d[\d.,]*\d|\d)(?: (?:thousand|million|billion|trillion)\b)?)", re.IGNORECASE)
_ACRONYM_STOP = re.compile(r"['’‘`´]|(?<=\b\w)\.(?=\w\b)|(?<=\b\w)\.(?= ?\w\.)")
_GROUPED = re.compile(r"\b\d{1,3}(?:, \d{3})+\b")
_RATIO = re.compile(r"(?<=\d) ?: ?(?=\d)")
_WORD = re.compile(rf"\d{{4}}-\d\d-\d\d|\d+(?:[.:]\d+)+|[{WIDE_LETTERS}]|[^\W_{WIDE_LETTERS}]+")
_UNIT_START = re.compile(r"(?<=\d)(?=[a-z]+$)(?!(?:st|nd|rd|th)$)")
_SINGLE_LETTERS = re.compile(r"\b(?:[a-z] )+[a-z]\b")
_OTHER_NAME = re.compile(
    r"(?:(?<!\s)\s++)?\((?:also|aka|a\.k\.a\.|or|then|formerly|previously)\b(?P<name>[^()]*)\)", re.IGNORECASE
)
_KNOWN_AS = re.compile(r"^\W*(?:kn?own?|called|know)?(?:\s+as)?\s*", re.IGNORECASE)
_OR = re.compile(r"(?<!\s)\s++or\s+|(?:(?<!\s)\s++)?/\s*")
_LIST_SIGN = re.compile(r"\band\b|&|;")
_SHORTER_FORM_SHARE = 1 / 3
"""Share of the gold answer's words that a shorter form of it must hold."""
# Cut to four letters a month is one here too ("Febr. 1920"), which no canonical date allows for.
_MONTHS = {form: number for name, number in MONTHS.items() for form in (name, name[:4])}
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
# Full dates as `canonicalise_text` writes them, then months and days, then years alone.
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b",
        rf"\b{_MONTH}\.?,?(?: of)? (?P<year>[12]\d{{3}})\b",
        rf"\b{_MONTH}\.? {_DAY}\b",
        rf"\b{_DAY}(?: of)? {_MONTH}\b",
        r"(?<![\d.,:$€£-])(?P<year>1\d{3}|20\d\d)(?![.,:%-]?\d|%)",
    )
)
_ABOUT_DATES = re.compile(
    r"\b(?:in|on|by|since|from|the|of|year|around|about|circa|c|ca|early|late|mid|ad|ce)\b|[\W_]"
)
_ASKS_DAY = re.compile(r"\b(?:day|date)\b", re.IGNORECASE)
_ASKS_MONTH = re.compile(r"\bmonth\b", re.IGNORECASE)
_RANGE = re.compile(r"\((?:an )?acceptable range:? (?:is )?(?:anything )?(?:between )?(?P<ends>[^()]*)\)", re.I)
_BETWEEN = re.compile(r"\band\b|\bto\b|[-–—]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?::\d\d)?(?:st|nd|rd|th)?(?![\d:])")
Words = tuple[str, ...]


class _PartialDate(NamedTuple):
    """A date; what it does not say is 0."""

    year: int = 0
    month: int = 0
    day: int = 0


def is_correct_answer(answer: str, golds: Sequence[str], *, question: str) -> bool:
    """Whether the answer says what one of the gold answers says."""
    return any(_states_gold(answer, form, question) for gold in golds for form in _gold_answer_forms(gold))


def _gold_answer_forms(gold: str) -> list[str]:
    """A gold answer, and its alternatives where it names some: ``A (also known as B)``, ``A or B``.

    One with an acceptable range stays whole.
    """
    if _read_acceptable_range(gold):
        return [gold]
    others = [_KNOWN_AS.sub("", found["name"]) for found in _OTHER_NAME.finditer(gold)]
    names = (_OTHER_NAME.sub("", gold), *others)
    return [form for name in names for form in (name, *_OR.split(name)) if _answer_words(form)]


def _states_gold(answer: str, gold: str, question: str) -> bool:
    if bounds := _read_acceptable_range(gold):
        return _is_in_range(answer, bounds, question)
    # From the strictest to the loosest; dates are settled among dates, since a shorter form of a
    # date is right only where the question asks for no more.
    ours, needed = _answer_words(answer), _answer_words(gold)
    if ours == needed or "".join(needed) in ours:
        return True
    dates, rest = _split_off_dates(gold)
    if dates and not _ABOUT_DATES.sub("", rest):
        found = _split_off_dates(answer)[0]
        return any(_dates_agree(one, other, question) for one in found for other in dates)
    pairs = ((ours, needed), (_drop_middle_initials(ours), _drop_middle_initials(needed)))
    return any(
        _is_run_of(its, mine) or _is_longer_name(mine, its) or _is_shorter_form(mine, its, gold) for mine, its in pairs
    )


@lru_cache(maxsize=1 << 16)
def _answer_words(text: str) -> Words:
    """The words that count, in one form each; small words count where there are no others.

    Numbers are in digits and dates as 1776-07-04 (`checks.answers.canonicalise_text`), units have
    one name, accents and apostrophes are gone, initials stand together, plurals lose their s. Of
    Chinese, Japanese and Korean each character is a word.
    """
    # Amounts come apart from their unit ("5km"), single letters together ("u s a").
    words = _UNIT_START.sub(" ", " ".join(_WORD.findall(_unify_spelling(text))))
    joined = _SINGLE_LETTERS.sub(lambda run: run[0].replace(" ", ""), words)
    every = [_singular_form(_UNITS.get(word, word)) for word in joined.split()]
    large = [word for word in every if word not in _UNCOUNTED_WORDS]
    return tuple(large or every)


def _unify_spelling(text: str) -> str:
    text = _DOLLARS.sub(r"\1 usd", text.translate(_SIGNS))
    text = _GROUPED.sub(lambda number: number[0].replace(", ", ""), text)
    return _RATIO.sub(":", _ACRONYM_STOP.sub("", _strip_accents(canonicalise_text(text))))


def _strip_accents(text: str) -> str:
    """The text with every letter bare of its marks."""
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if unicodedata.category(c) != "Mn"))


def _singular_form(word: str) -> str:
    plural = len(word) > 3 and word.isalpha() and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if plural else word


def _drop_middle_initials(words: Words) -> Words:
    """The words but for single letters between others: a middle initial tells nothing apart."""
    inner = (word for word in words[1:-1] if len(word) > 1 or not "a" <= word <= "z")
    return (*words[:1], *inner, *words[-1:]) if len(words) > 1 else words


def _is_run_of(part: Words, whole: Words) -> bool:
    """Whether `part` is a run of `whole`."""
    # As texts, for these are searched in time linear in both; no word holds a line break.
    return "\n".join(("", *part, "")) in "\n".join(("", *whole, ""))


def _is_subsequence(part: Words, whole: Words) -> bool:
    """Whether `part` is `whole` with words left out."""
    # `in` consumes the iterator, so each word is looked for after the one before it.
    rest = iter(whole)
    return all(word in rest for word in part)


def _is_longer_name(ours: Words, needed: Words) -> bool:
    """Whether the answer is the gold answer with as many words between, such as a middle name."""
    return 2 <= len(needed) <= len(ours) <= 2 * len(needed) and _is_subsequence(needed, ours)


def _is_shorter_form(ours: Words, needed: Words, gold: str) -> bool:
    """Whether the answer is part of the gold answer that leaves out no number and no list item."""
    if not ours or len(ours) < _SHORTER_FORM_SHARE * len(needed) or _LIST_SIGN.search(gold):
        return False
    # "Apollo" is not "Apollo 11", and one name of a list is not the list.
    if any(any(c.isdigit() for c in word) for word in set(needed).difference(ours)):
        return False
    return _is_run_of(ours, needed) or (len(ours) > 1 and _is_subsequence(ours, needed))


def _split_off_dates(text: str) -> tuple[list[_PartialDate], str]:
    """Every date in the text, and what is left of its canonical form."""
    text = canonicalise_text(text)
    dates: list[_PartialDate] = []
    for pattern in _DATES:
        dates += [_make_date(**found.groupdict()) for found in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return dates, text


def _make_date(*, year: str = "0", month: str = "0", day: str = "0") -> _PartialDate:
    return _PartialDate(int(year), _MONTHS.get(month) or int(month), int(day))


def _dates_agree(ours: _PartialDate, gold: _PartialDate, question: str) -> bool:
    """Whether a date is the gold one, though it may say more or less.

    Less will do where the year is there and the question asks for neither day nor month.
    """
    pairs = ((ours.month, gold.month), (ours.day, gold.day))
    if ours.year != gold.year or any(mine and its and mine != its for mine, its in pairs):
        return False
    day = not gold.year or _ASKS_DAY.search(question)
    month = day or _ASKS_MONTH.search(question)
    too_coarse = (gold.month and not ours.month and month) or (gold.day and not ours.day and day)
    return not too_coarse


def _read_acceptable_range(gold: str) -> tuple[float, float] | None:
    """The bounds of the acceptable range that a gold answer names, or None."""
    found = _RANGE.search(gold)
    if found is None:
        return None
    ends = [_read_numbers(part) for part in _BETWEEN.split(found["ends"])]
    if [len(end) for end in ends] != [1, 1]:
        return None
    low, high = ends[0][0], ends[1][0]
    return (low, high) if low <= high else None


def _is_in_range(answer: str, bounds: tuple[float, float], question: str) -> bool:
    """Whether a number of the answer that is not the question's own lies within the bounds."""
    known, (low, high) = _read_numbers(question), bounds
    return any(low <= number <= high for number in _read_numbers(answer) if number not in known)


def _read_numbers(text: str) -> list[float]:
    """Every number in the text; a time as 41:18 in its smaller unit."""
    return [_number_value(found[0]) for found in _NUMBER.finditer(canonicalise_text(text))]


def _number_value(written: str) -> float:
    large, _, small = written.rstrip("stndrh").partition(":")
    return float(large) * 60 + float(small) if small else float(large)
