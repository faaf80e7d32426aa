"""Whether an answer is right: the rule that agrees best with people (our design).

It reads numbers, dates, units, initials, accents and plurals alike, takes longer and shorter forms of a name, coarser
dates where the question allows it, the items of a list in any order, and numbers within an acceptable range. What the
answer denies it does not say. Agreement with people on 2,435 judged answers (benchmarks/results/evaluate_people.json):
90.8 %, against 84.7 % for exact match, 86.5 % for containment and 88.1 % for F1 of at least a half.
"""

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

from kdos.checks.answers import canonicalise_text
from kdos.scoring.answer_dates import PartialDate, dates_agree, is_about_date, split_off_dates
from kdos.scoring.answer_words import DENIALS, Words, answer_words, read_answer_words, unify_spelling
from kdos.scoring.denials import drop_corrected_parts, drop_denied_parts
from kdos.scoring.long_answers import keep_relevant_sentences, searched_parts

_OTHER_NAME = re.compile(
    r"(?:(?<!\s)\s++)?\((?:also|aka|a\.k\.a\.|or|then|formerly|previously)\b(?P<name>[^()]*)\)", re.IGNORECASE
)
_KNOWN_AS = re.compile(r"^\W*(?:kn?own?|called|know)?(?:\s+as)?\s*", re.IGNORECASE)
# A slash between numbers is a part or a date.
_OR = re.compile(r"(?<!\s)\s++or\s+|(?:(?<!\s)\s++)?/(?!(?<=\d/)\s*\d)\s*")
_AND = re.compile(r"\band\b|;")
_LIST_PART = re.compile(r",(?:\s*and\b)?|\band\b|;")
_SHARED_TAIL = re.compile(r"\b(\w+) and (\w+) (\w+)")
_SHORTER_FORM_SHARE = 1 / 3
"""Share of the gold answer's words that a shorter form of it must hold."""
MIN_LIST_BY_COMMAS = 3
"""Items that make a list where commas alone part them: "Lisbon, Portugal" is one place."""
MIN_ACRONYM = 3
LONG_ANSWER = 200
"""Characters beyond four times the longest gold answer's: then no form of it is shorter, and it is searched first."""
_NICKNAMES = {
    short: full
    for full, forms in {
        "alexander": "alex", "andrew": "andy", "anthony": "tony", "barbara": "barb", "benjamin": "ben",
        "catherine": "cathy", "charles": "charlie chuck", "christopher": "chris", "daniel": "dan danny",
        "david": "dave davy", "deborah": "debbie", "donald": "don donny", "douglas": "doug", "edward": "ed eddie ted",
        "elizabeth": "liz beth betty", "frederick": "fred freddie", "gerald": "gerry jerry", "gregory": "greg",
        "james": "jim jimmy", "jeffrey": "jeff", "jennifer": "jen jenny", "joseph": "joe joey", "joshua": "josh",
        "katherine": "kathy kate", "kenneth": "ken kenny", "lawrence": "larry", "leonard": "len lenny",
        "margaret": "maggie peggy", "matthew": "matt", "michael": "mike mick mickey", "nicholas": "nick",
        "patricia": "pat patty", "peter": "pete", "philip": "phil", "raymond": "ray", "rebecca": "becky",
        "richard": "rick dick ricky", "robert": "rob bob bobby robbie", "ronald": "ron ronnie", "samuel": "sam sammy",
        "stephen": "steve", "steven": "steve", "susan": "sue susie", "theodore": "theo", "thomas": "tom tommy",
        "timothy": "tim", "victoria": "vicky", "walter": "walt", "william": "will bill billy willie",
    }.items()
    for short in forms.split()
}  # fmt: skip
_YES_NO = frozenset([("yes",), ("no",), ("true",), ("false",)])
_REGNAL = frozenset("ivx")
"""Numerals that are letters too, where a name ends with them: Elizabeth I, Malcolm X."""
_RANGE = re.compile(r"\((?:an )?acceptable range:? (?:is )?(?:anything )?(?:between )?(?P<ends>[^()]*)\)", re.I)
_BETWEEN = re.compile(r"\band\b|\bto\b|[-–—]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?::\d\d)?(?:st|nd|rd|th)?(?![\d:])")


class _ReadAnswer:
    """An answer; what it says is read when it is first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def words(self) -> Words:
        return read_answer_words(self.text)

    @cached_property
    def dates(self) -> list[PartialDate]:
        return split_off_dates(self.text)[0]


class _Gold(NamedTuple):
    """One form of a gold answer: its words, its list's items if it is one, its dates if it is nothing else.

    One that `is_literal` denies something or says yes or no: it is looked for in what an answer denies too.
    """

    text: str
    words: Words
    items: tuple[Words, ...]
    dates: tuple[PartialDate, ...]
    searched: Words
    is_literal: bool
    bounds: tuple[float, float] | None


def is_correct_answer(answer: str, golds: Sequence[str], *, question: str) -> bool:
    """Whether the answer says what one of the gold answers says."""
    forms = [form for gold in golds for form in _read_gold(gold)]
    is_long = len(answer) > LONG_ANSWER + 4 * max((len(form.text) for form in forms), default=0)
    if is_long and all(form.searched for form in forms):
        # A correction may stand in a sentence that holds no gold answer, so it is looked for first.
        corrected = drop_corrected_parts(answer)
        parts = [form.searched for form in forms]
        said = keep_relevant_sentences(corrected, parts)
        answer = said if corrected == answer else keep_relevant_sentences(answer, parts)
    else:
        said = drop_corrected_parts(answer)
    whole, affirmed = _ReadAnswer(answer), _ReadAnswer(drop_denied_parts(said, question))
    return any(_states_gold(whole if form.is_literal else affirmed, form, question) for form in forms)


@lru_cache(maxsize=1 << 14)
def _read_gold(gold: str) -> tuple[_Gold, ...]:
    """A gold answer, and its alternatives where it names some: ``A (also known as B)``, ``A or B``.

    One with an acceptable range stays whole.
    """
    if bounds := _read_acceptable_range(gold):
        return (_Gold(gold, answer_words(gold), (), (), (), False, bounds),)
    others = [_KNOWN_AS.sub("", found["name"]) for found in _OTHER_NAME.finditer(gold)]
    names = (_OTHER_NAME.sub("", gold), *others)
    forms = (form for name in names for form in (name, *_OR.split(name)) if answer_words(form))
    return tuple(_read_gold_form(form) for form in dict.fromkeys(forms))


def _read_gold_form(text: str) -> _Gold:
    dates, rest = split_off_dates(text)
    only_dates = tuple(dates) if dates and is_about_date(rest) else ()
    words = answer_words(text)
    years = {str(date.year) for date in only_dates}
    searched = (
        searched_parts(words) if not only_dates else tuple(years) if len(years) == 1 and "0" not in years else ()
    )
    is_literal = words in _YES_NO or not DENIALS.isdisjoint(words)
    return _Gold(text, words, _list_items(text), only_dates, searched, is_literal, None)


def _list_items(text: str) -> tuple[Words, ...]:
    """The words of each item of a list; none where the text is no list."""
    plain = unify_spelling(text)
    items = tuple(filter(None, map(answer_words, filter(str.strip, _LIST_PART.split(plain)))))
    is_list = len(items) >= (2 if _AND.search(plain) else MIN_LIST_BY_COMMAS)
    return items if is_list else ()


def _states_gold(answer: _ReadAnswer, gold: _Gold, question: str) -> bool:
    if gold.bounds:
        return _is_in_range(answer.text, gold.bounds, question)
    # From the strictest to the loosest; dates are settled among dates, since a shorter form of a date is right only
    # where the question asks for no more.
    ours, needed = answer.words, gold.words
    if needed in _YES_NO:
        return next((word for word in ours if (word,) in _YES_NO), "") == needed[0]
    if ours == needed or _joined(needed) in ours:
        return True
    if gold.dates:
        return any(dates_agree(one, other, question) for one in answer.dates for other in gold.dates)
    if gold.items and _holds_all_items(answer, gold):
        return True
    if _middle_names_differ(ours, needed):
        return False
    pairs = ((ours, needed), (_drop_middle_initials(ours), _drop_middle_initials(needed)))
    return (
        any(
            _is_run_of(its, mine) or _is_longer_name(mine, its) or _is_shorter_form(mine, its, gold)
            for mine, its in pairs
        )
        or _is_nicknamed(ours, needed)
        or _is_acronym(ours, gold.text)
        or _is_acronym(needed, answer.text)
    )


def _joined(words: Words) -> str:
    """The words as one, as NL-08 is NL08; not where two numbers would run together."""
    if any(before[-1].isdigit() and after[0].isdigit() for before, after in pairwise(words)):
        return ""
    return "".join(words)


def _holds_all_items(answer: _ReadAnswer, gold: _Gold) -> bool:
    """Whether the answer names each item of the gold list, in any order."""
    ours = answer.words
    if len(ours) < sum(map(len, gold.items)):
        return False
    if all(_is_run_of(item, ours) for item in gold.items):
        return True
    # "Tom and Ann Hill" are Tom Hill and Ann Hill.
    shared = " ; ".join(f"{one} {tail} ; {other} {tail}" for one, other, tail in _SHARED_TAIL.findall(answer.text))
    return bool(shared) and all(_is_run_of(item, answer_words(shared)) for item in _spread_tail(gold.items))


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


def _is_shorter_form(ours: Words, needed: Words, gold: _Gold) -> bool:
    """Whether the answer is part of the gold answer that leaves out no number, denial or list item."""
    if not ours or len(ours) < _SHORTER_FORM_SHARE * len(needed) or _AND.search(gold.text) or "&" in gold.text:
        return False
    # "Apollo" is not "Apollo 11", "guilty" not "not guilty", and one name of a list is not the list.
    left_out = set(needed).difference(ours)
    if not DENIALS.isdisjoint(left_out) or needed[-1] in _REGNAL.intersection(left_out):
        return False
    if any(c.isdigit() for word in left_out for c in word):
        return False
    return _is_run_of(ours, needed) or (len(ours) > 1 and _is_subsequence(ours, needed))


def _spread_tail(items: tuple[Words, ...]) -> tuple[Words, ...]:
    """The items of a list with the last one's last word on those that are a single word."""
    return tuple((*item, items[-1][-1]) if len(item) == 1 and len(items[-1]) > 1 else item for item in items)


def _middle_names_differ(ours: Words, needed: Words) -> bool:
    """Whether two names differ in the middle alone, so that neither may be the other's short form."""
    if min(len(ours), len(needed)) < 3 or (ours[0], ours[-1]) != (needed[0], needed[-1]):
        return False
    shorter, longer = sorted((ours[1:-1], needed[1:-1]), key=len)
    rest = iter(longer)
    # Initials stand together ("hw"), and one may stand for a name.
    return not all(any(one.startswith(word) or word.startswith(one) for one in rest) for word in shorter)


def _is_nicknamed(ours: Words, needed: Words) -> bool:
    """Whether two names are one, a usual short form of the first name aside: Bob Dylan, Robert Dylan."""
    if min(len(ours), len(needed)) < 2 or max(len(ours), len(needed)) > 3 or ours[-1] != needed[-1]:
        return False
    one, other = (_NICKNAMES.get(words[0], words[0]) for words in (ours, needed))
    return one == other and ours[0] != needed[0]


def _is_acronym(words: Words, name: str) -> bool:
    """Whether one word is the initials of the name: NFL of the National Football League."""
    if len(words) != 1 or len(words[0]) < MIN_ACRONYM:
        return False
    return words[0] == "".join(word[0] for word in name.replace("-", " ").split() if word[:1].isupper()).casefold()


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
