"""The dates in an answer, which may say less than the gold answer's where the question asks for less (our design)."""

import re
from typing import NamedTuple

from kdos.checks.answers import MONTHS, canonicalise_text

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
        r"(?<![\d.,:$€£-])(?P<year>1\d{3}|20\d\d)(?![.,:%-]?\d|%|s\b| ?b\.?c)",
    )
)
_ABOUT_DATES = re.compile(
    r"\b(?:in|on|by|since|from|the|of|year|around|about|circa|c|ca|early|late|mid|ad|ce)\b|[\W_]"
)
_ASKS_DAY = re.compile(r"\b(?:day|date)\b", re.IGNORECASE)
_ASKS_MONTH = re.compile(r"\bmonth\b", re.IGNORECASE)


class PartialDate(NamedTuple):
    """A date; what it does not say is 0."""

    year: int = 0
    month: int = 0
    day: int = 0


def split_off_dates(text: str) -> tuple[list[PartialDate], str]:
    """Every date in the text, and what is left of its canonical form."""
    text = canonicalise_text(text)
    dates: list[PartialDate] = []
    for pattern in _DATES:
        dates += [_make_date(**found.groupdict()) for found in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return dates, text


def is_about_date(rest: str) -> bool:
    """Whether what is left of a text without its dates is only what stands about dates."""
    return not _ABOUT_DATES.sub("", rest)


def _make_date(*, year: str = "0", month: str = "0", day: str = "0") -> PartialDate:
    return PartialDate(int(year), _MONTHS.get(month) or int(month), int(day))


def dates_agree(ours: PartialDate, gold: PartialDate, question: str) -> bool:
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
