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

from kdos.checks.answers import canonicalise_text
from kdos.scoring.answer_values import (
    dates_agree,
    is_date_only,
    is_in_range,
    read_acceptable_range,
    read_dates,
)

# One spelling a unit, so that "5 kilometres" and "5km" are the same words.
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
    # Amounts come apart from their unit ("5km"), single letters together ("u s a").
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
    # From the strictest to the loosest; dates are settled among dates, since a shorter form of a
    # date is right only where the question asks for no more.
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
    # `in` consumes the iterator, so each word is looked for after the one before it.
    rest = iter(whole)
    return all(word in rest for word in part)


def _is_longer_name(given: Words, needed: Words) -> bool:
    """Whether the answer is the gold answer with as many words between, such as a middle name."""
    return 2 <= len(needed) <= len(given) <= 2 * len(needed) and _is_subsequence(needed, given)


def _is_shorter_form(given: Words, needed: Words, gold: str) -> bool:
    """Whether the answer is part of the gold answer that leaves out no number and no list item."""
    if not given or len(given) < SHORTER_FORM_SHARE * len(needed) or _LIST.search(gold):
        return False
    # "Apollo" is not "Apollo 11", and one name of a list is not the list.
    if any(any(c.isdigit() for c in word) for word in needed if word not in given):
        return False
    return _is_run_of(given, needed) or (len(given) > 1 and _is_subsequence(given, needed))
