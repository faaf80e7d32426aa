"""Dates, numbers and acceptable ranges read from answers."""

import re
from dataclasses import dataclass

from kdos.checks.answers import canonicalise_text

_NAMES = "january february march april may june july august september october november december"
_MONTHS = {
    form: number
    for number, name in enumerate(_NAMES.split(), start=1)
    for form in (name, name[:3], name[:4])
}
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b",
        rf"\b{_MONTH}\.?,?(?: of)? (?P<year>[12]\d{{3}})\b",
        rf"\b{_MONTH}\.? {_DAY}\b",
        rf"\b{_DAY}(?: of)? {_MONTH}\b",
        r"(?<![\d.,:$€£-])(?P<year>1\d{3}|20\d\d)(?![.,:%-]?\d|%)",
    )
)
"""Full dates as `canonicalise_text` writes them, then months and days, then years alone."""
_ABOUT_DATES = re.compile(
    r"\b(?:in|on|by|since|from|the|of|year|around|about|circa|c|ca|early|late|mid|ad|ce)\b|[\W_]"
)
_ASKS_DAY = re.compile(r"\b(?:day|date)\b", re.IGNORECASE)
_ASKS_MONTH = re.compile(r"\bmonth\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date; what it does not say is 0."""

    year: int = 0
    month: int = 0
    day: int = 0


def read_dates(text: str) -> list[PartialDate]:
    """Every date in the text."""
    return _split_off_dates(canonicalise_text(text))[0]


def is_date_only(text: str) -> bool:
    """Whether the text is a date and nothing else, but for words such as ``around``."""
    dates, rest = _split_off_dates(canonicalise_text(text))
    return bool(dates) and not _ABOUT_DATES.sub("", rest)


def _split_off_dates(text: str) -> tuple[list[PartialDate], str]:
    """The dates of a canonical text, and what is left of it."""
    dates: list[PartialDate] = []
    for pattern in _PATTERNS:
        dates += [_make_date(**found.groupdict()) for found in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return dates, text


def _make_date(*, year: str = "0", month: str = "0", day: str = "0") -> PartialDate:
    return PartialDate(int(year), _MONTHS.get(month) or int(month), int(day))


def dates_agree(given: PartialDate, gold: PartialDate, *, question: str) -> bool:
    """Whether a date is the gold one, though it may say more or less.

    Less will do where the year is there and the question asks for neither day nor month.
    """
    pairs = ((given.month, gold.month), (given.day, gold.day))
    if given.year != gold.year or any(mine and its and mine != its for mine, its in pairs):
        return False
    day = not gold.year or _ASKS_DAY.search(question)
    month = day or _ASKS_MONTH.search(question)
    too_coarse = (gold.month and not given.month and month) or (gold.day and not given.day and day)
    return not too_coarse


_RANGE = re.compile(
    r"\((?:an )?acceptable range:? (?:is )?(?:anything )?(?:between )?(?P<ends>[^()]*)\)", re.I
)
_BETWEEN = re.compile(r"\band\b|\bto\b|[-–—]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?::\d\d)?(?:st|nd|rd|th)?(?![\d:])")


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Every number from `low` to `high` is right."""

    low: float
    high: float


def read_acceptable_range(gold: str) -> NumberRange | None:
    """The acceptable range that a gold answer names, or None."""
    found = _RANGE.search(gold)
    if found is None:
        return None
    ends = [read_numbers(part) for part in _BETWEEN.split(found["ends"])]
    if len(ends) != 2 or not all(len(end) == 1 for end in ends):
        return None
    low, high = ends[0][0], ends[1][0]
    return NumberRange(low, high) if low <= high else None


def read_numbers(text: str) -> list[float]:
    """Every number in the text; a time as 41:18 in its smaller unit."""
    return [_number_value(found[0]) for found in _NUMBER.finditer(canonicalise_text(text))]


def _number_value(written: str) -> float:
    large, _, small = written.rstrip("stndrh").partition(":")
    return float(large) * 60 + float(small) if small else float(large)


def is_in_range(answer: str, wanted: NumberRange, *, question: str) -> bool:
    """Whether a number of the answer that is not the question's own lies in the range."""
    known = set(read_numbers(question))
    given = [number for number in read_numbers(answer) if number not in known]
    return any(wanted.low <= number <= wanted.high for number in given)
