"""Gold answers with an acceptable range, as SimpleQA Verified writes them."""

import re
from dataclasses import dataclass

from kdos.checks.answers import canonicalise_text

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
