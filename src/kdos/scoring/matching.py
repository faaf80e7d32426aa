"""Whether an answer is right: the rule that agrees best with people (our design).

It reads numbers, dates, units, initials, accents and plurals alike, takes longer and shorter forms
of a name, coarser dates where the question allows it, and numbers within an acceptable range.
"""

import re
from collections.abc import Sequence

from kdos.scoring.dates import dates_agree, is_date_only, read_dates
from kdos.scoring.ranges import is_in_range, read_acceptable_range
from kdos.scoring.reading import answer_words, drop_middle_initials

_OTHER_NAME = re.compile(
    r"\s*\((?:also|aka|a\.k\.a\.|or|then|formerly|previously)\b(?P<name>[^()]*)\)", re.IGNORECASE
)
_KNOWN_AS = re.compile(r"^\W*(?:kn?own?|called|know)?(?:\s+as)?\s*", re.IGNORECASE)
_OR = re.compile(r"\s+or\s+|\s*/\s*")
_LIST = re.compile(r"\band\b|&|;")
SHORTER_FORM_SHARE = 1 / 3
"""Share of the gold answer's words that a shorter form of it must hold."""
Words = tuple[str, ...]


def is_correct_answer(answer: str, golds: Sequence[str], *, question: str) -> bool:
    """Whether the answer says what one of the gold answers says."""
    return any(
        _states_gold(answer, form, question) for gold in golds for form in gold_answer_forms(gold)
    )


def gold_answer_forms(gold: str) -> list[str]:
    """A gold answer, and its alternatives where it names some: ``A (also known as B)``, ``A or B``.

    One with an acceptable range stays whole.
    """
    if read_acceptable_range(gold):
        return [gold]
    others = [_KNOWN_AS.sub("", found["name"]) for found in _OTHER_NAME.finditer(gold)]
    main = _OTHER_NAME.sub("", gold)
    return [
        form for name in (main, *others) for form in (name, *_OR.split(name)) if answer_words(form)
    ]


def _states_gold(answer: str, gold: str, question: str) -> bool:
    if wanted := read_acceptable_range(gold):
        return is_in_range(answer, wanted, question=question)
    given, needed = answer_words(answer), answer_words(gold)
    if given == needed or "".join(needed) in given:
        return True
    if is_date_only(gold):
        dates = read_dates(gold)
        return any(dates_agree(d, g, question=question) for d in read_dates(answer) for g in dates)
    pairs = ((given, needed), (drop_middle_initials(given), drop_middle_initials(needed)))
    return any(
        _is_run_of(its, mine) or _is_longer_name(mine, its) or _is_shorter_form(mine, its, gold)
        for mine, its in pairs
    )


def _is_run_of(part: Words, whole: Words) -> bool:
    """Whether `part` is a run of `whole`."""
    size = len(part)
    return any(whole[at : at + size] == part for at in range(len(whole) - size + 1))


def _is_subsequence(part: Words, whole: Words) -> bool:
    """Whether `part` is `whole` with words left out."""
    rest = iter(whole)
    return all(word in rest for word in part)


def _is_longer_name(given: Words, needed: Words) -> bool:
    """Whether the answer is the gold answer with as many words between, such as a middle name."""
    return 2 <= len(needed) <= len(given) <= 2 * len(needed) and _is_subsequence(needed, given)


def _is_shorter_form(given: Words, needed: Words, gold: str) -> bool:
    """Whether the answer is part of the gold answer that leaves out no number and no list item."""
    if not given or len(given) < SHORTER_FORM_SHARE * len(needed) or _LIST.search(gold):
        return False
    if any(any(c.isdigit() for c in word) for word in needed if word not in given):
        return False
    return _is_run_of(given, needed) or (len(given) > 1 and _is_subsequence(given, needed))
