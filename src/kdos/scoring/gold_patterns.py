"""Gold answers that are regular expressions: a benchmark's own, so bounded in size and in time."""

import re
from functools import lru_cache
from math import prod

import regex

MAX_REPEATS = 10_000
"""The counted repeats of a pattern, multiplied: nested ones are written out, and a billion of them fill the memory."""
MAX_SECONDS = 1.0
"""Processor time for one search; one that is not about to run for ever takes microseconds."""
_COUNTED = re.compile(r"\{(\d*)(?:,(\d*))?\}")


class SlowPatternError(ValueError):
    """A pattern takes longer on an answer than any pattern should; the message names it."""


@lru_cache(maxsize=4_096)
def compile_gold_pattern(pattern: str) -> "regex.Pattern[str]":
    """The pattern, searching without case and line by line (the convention of DPR, Karpukhin et al., 2020).

    Raises:
        ValueError: It is no regular expression, or repeats too much; the message says which.
    """
    counts = [max(int(number) for number in found if number) for found in _COUNTED.findall(pattern) if any(found)]
    if prod(count for count in counts if count) > MAX_REPEATS:
        raise ValueError(f"its counted repeats must come to at most {MAX_REPEATS} together")
    try:
        return regex.compile(pattern, regex.IGNORECASE | regex.MULTILINE)
    except regex.error as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("its groups are nested too deeply") from error


def finds_gold_pattern(pattern: str, answer: str, *, whole: bool) -> bool:
    """Whether the pattern stands in the answer, or with `whole` is all of it.

    Raises:
        SlowPatternError: Finding out takes more than `MAX_SECONDS`.
    """
    compiled = compile_gold_pattern(pattern)
    try:
        find = compiled.fullmatch if whole else compiled.search
        return find(answer, timeout=MAX_SECONDS) is not None
    except TimeoutError as error:
        raise SlowPatternError(f"the pattern {pattern!r} takes more than {MAX_SECONDS:g} s on this answer") from error
