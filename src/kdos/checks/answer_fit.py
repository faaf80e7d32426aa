"""Whether an answer is the one that its question asks for, by the wording of its passage (our design).

No model: how much of the question's wording stands where the answer stands, how much stands elsewhere, and whether the
answer is of the kind that is asked for. The weights are a logistic regression's on half of the articles of SQuAD's and
SquadShifts' questions, against the same with another answer of their passage (benchmarks/verify_accuracy.py).
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import NamedTuple

from kdos.checks.answers import CARDINALS, MONTH_NAMES, MONTHS, canonicalise_text
from kdos.checks.sentence_checks import has_unspaced_letter
from kdos.pool.sentences import split_sentences
from kdos.pool.wording import read_sentence_words, stem_word

NEAR_WORDS = 10
"""Words before and after an answer that are near it."""
CONTEXT_SHARE = 0.8
"""What a word in the sentence before counts."""
MOST_PLACES = 20
"""Places of the answer in its passage that are looked at."""
LONGEST_READ = 20_000
"""Characters of a passage that are read."""
THRESHOLD = 2.1
"""Score from which an answer is another question's: 2 % of sound answers are above it."""
_WORD = re.compile(r"\w+")
_NUMBER_WORDS = CARDINALS.union(
    """
    half quarter third dozen dozens hundreds thousands millions several many few most all none both single double twice
    once pair couple no majority first second
    """.split()
)
_TIME_WORDS = frozenset(MONTH_NAMES).union(
    """
    monday tuesday wednesday thursday friday saturday sunday spring summer autumn fall winter century centuries
    decade decades year years month months day days week weeks morning night midnight noon today before after
    during until since ago early late mid era period age time times bc ad bce ce daily hour hours minutes
    """.split()
)
_HOW_MUCH = r"\bhow (?:many|much|long|old|tall|far|deep|high|large|big|fast|often|wide|heavy)\b"
_ASKS_NUMBER = re.compile(
    rf"{_HOW_MUCH}|\bwhat (?:is|was|were) the "
    r"(?:number|population|percentage|amount|length|height|cost|price|rate|size|area|average|distance|temperature|speed"
    r"|total)\b|\bwhat (?:percentage|percent|number|amount|proportion|fraction|portion)\b"
)
_ASKS_TIME = re.compile(r"\b(?:what|which) (?:\w+ )?(?:year|date|day|month|century|decade|years)\b|\bwhen\b")
_ASKS_PERSON = re.compile(r"\b(?:who|whom|whose)\b")
_ASKS_PLACE = re.compile(
    r"\bwhere\b"
    r"|\b(?:what|which) (?:\w+ )?(?:city|country|state|town|continent|region|county|river|place|location|area)\b"
)
_ASKS_WAY = re.compile(r"\b(?:why|how)\b")
_SPEAKS_OF_NUMBER = re.compile(
    rf"{_HOW_MUCH}|\b(?:number|percentage|percent"
    r"|amount|population|proportion|fraction|length|height|cost|price|rate|size|area|average|distance|temperature|speed"
    r"|total|score|age|figure|budget|income|value|record|salary|share|weight|depth|width|ratio|frequency|capacity"
    r"|attendance|density|version|code|channel|route|range|time|measure\w*|quantity|duration|sum|mass|voltage|pressure"
    r"|altitude|elevation|money|yards|points|wins)\b"
)
_SPEAKS_OF_TIME = re.compile(
    r"\bwhen\b|\b(?:year|date|day|month|century|decade|years|period|era|time|age|season|long|recent|last|first)\b"
)
_MONEY = re.compile(r"[$£€¥]|\b(?:dollars?|euros?|pounds?|usd)\b")
_DATED = re.compile(rf"1\d{{3}}|20\d\d|centur|{'|'.join(MONTH_NAMES)}")
_DATE = re.compile(
    r"(?:(?:in|on|by|from|to|until|since|the|early|late|mid|about|around|circa|c|between|and|of"
    rf"|{'|'.join(form for form in MONTHS if form != 'sept')}"
    r"|\d{4}-\d\d-\d\d|1\d{3}s?|20\d\ds?|\d{1,2}(?:st|nd|rd|th)?|century|centuries|bc|ad|bce|ce)(?:[\s,.'’–-]++|$))++"
)
_NAME_WORD = re.compile(r"\b[A-Z][a-z]+")
_MEASURED_IN_WORDS = 4
"""Words of the longest answer that is called a number, with its unit."""


class _Signs(NamedTuple):
    """What tells a question's own answer from another's, each a share in [0, 1] or 0 or 1."""

    said_elsewhere: float
    said_with_it: float
    nearer_elsewhere: float
    said_near_it: float
    pairs_elsewhere: float
    no_name_for_who: float
    another_kind: float


_WEIGHTS = _Signs(2.42, -0.85, 0.89, -1.16, 2.88, 0.93, 2.30)
_CONSTANT = -0.11


def find_misfit(question: str, answers: Sequence[str], passage: str) -> str:
    """Why the answer seems to be another question's, or the empty string; only a plain case counts.

    `answers` are the forms of one answer. Passages in scripts without spaces between words are not judged.
    """
    if has_unspaced_letter(passage):
        return ""
    signs, sentence = _read_signs(question, answers, passage[:LONGEST_READ])
    score = _CONSTANT + sum(weight * sign for weight, sign in zip(_WEIGHTS, signs, strict=True))
    if score < THRESHOLD:
        return ""
    if signs.another_kind:
        return "not of the kind that is asked for"
    return f"the passage speaks of it elsewhere: {sentence[:160]}"


def _read_signs(question: str, answers: Sequence[str], passage: str) -> tuple[_Signs, str]:
    """The signs, and the sentence that speaks most of what is asked."""
    sentences = [one for line in passage.split("\n") for one in split_sentences(line)] or [passage]
    asked = read_sentence_words(question).words
    words = [read_sentence_words(sentence).words for sentence in sentences]
    weights = _word_weights(asked, words)
    held = [asked & some for some in words]
    before = [frozenset[str](), *held[:-1]]
    total = sum(weights.values()) or 1.0
    said = [sum(map(weights.__getitem__, some)) / total for some in held]
    context = [
        max(own, CONTEXT_SHARE * sum(map(weights.__getitem__, some | last)) / total)
        for own, some, last in zip(said, held, before, strict=True)
    ]
    lowered = [sentence.casefold() for sentence in sentences]
    forms = [answer.casefold().strip(" .,") for answer in answers]
    own = [place for place, text in enumerate(lowered) if any(form and form in text for form in forms)]
    best = max(range(len(said)), key=said.__getitem__)
    pairs = _pair_shares(question, sentences)
    near, nearest = _shares_near(answers[0], passage, weights, total)
    signs = _Signs(
        said_elsewhere=said[best] - max((context[place] for place in own), default=0.0),
        said_with_it=max((said[place] for place in own), default=0.0),
        nearer_elsewhere=nearest - near,
        said_near_it=near,
        pairs_elsewhere=max(pairs) - max((pairs[place] for place in own), default=0.0),
        no_name_for_who=float(_kind_asked(question) == "person" and not any(map(_has_capital, answers[:1]))),
        another_kind=float(_is_another_kind(question, answers)),
    )
    return signs, sentences[best]


def _word_weights(asked: frozenset[str], sentences: Sequence[frozenset[str]]) -> dict[str, float]:
    """What each word of the question counts: the more, the fewer sentences hold it; nothing where none does."""
    counts = {word: sum(word in words for words in sentences) for word in asked}
    return {word: log((len(sentences) + 1) / (count + 0.5)) if count else 0.0 for word, count in counts.items()}


def _pair_shares(question: str, sentences: Sequence[str]) -> list[float]:
    """Of each sentence the share of the question's neighbouring words that are neighbours there."""
    asked = _neighbours(question)
    return [len(asked & _neighbours(sentence)) / max(1, len(asked)) for sentence in sentences]


def _neighbours(text: str) -> set[tuple[str, str]]:
    return set(pairwise(_stems(text)))


def _stems(text: str) -> list[str]:
    return [stem_word(word) for word in _WORD.findall(text.lower())]


def _shares_near(answer: str, passage: str, weights: dict[str, float], total: float) -> tuple[float, float]:
    """How much of the question stands near the answer, and near the place where most of it stands."""
    stems, wanted = _stems(passage), _stems(answer)
    width = 2 * NEAR_WORDS + len(wanted)
    starts = [at for at in range(len(stems) - len(wanted) + 1) if stems[at : at + len(wanted)] == wanted]

    def share_from(start: int) -> float:
        here = set(stems[max(0, start - NEAR_WORDS) : start - NEAR_WORDS + width])
        return sum(weight for word, weight in weights.items() if word in here) / total

    near = max(map(share_from, starts[:MOST_PLACES]), default=0.0)
    return near, max(map(share_from, range(0, len(stems), 3)), default=0.0)


def _kind_asked(question: str) -> str:
    """The kind of answer that the question asks for, by its own words."""
    plain = question.lower()
    kinds = {
        "number": _ASKS_NUMBER,
        "time": _ASKS_TIME,
        "person": _ASKS_PERSON,
        "place": _ASKS_PLACE,
        "way": _ASKS_WAY,
    }
    return next((kind for kind, asks in kinds.items() if asks.search(plain)), "thing")


def kind_given(answer: str) -> str:
    """The kind of answer that is given: money, percent, date, number or other."""
    plain = canonicalise_text(answer)
    if _MONEY.search(plain):
        return "money"
    if "%" in plain or "percent" in plain:
        return "percent"
    if _DATED.search(plain) and _DATE.fullmatch(plain.rstrip(".,")):
        return "date"
    words = _WORD.findall(answer.lower())
    numeric = any(map(str.isdigit, plain)) or not _NUMBER_WORDS.isdisjoint(words)
    # A number in a name is no amount: Apollo 11. One that begins the answer may have a capital.
    is_amount = numeric and len(words) <= _MEASURED_IN_WORDS and not _NAME_WORD.search(answer, 1)
    return "number" if is_amount else "other"


def _is_another_kind(question: str, answers: Sequence[str]) -> bool:
    """Is the answer of a kind that the question's words rule out: a name for how many, a date for who?"""
    plain, asked = question.lower(), _kind_asked(question)
    given = {kind_given(answer) for answer in answers}
    speaks_of_time = _SPEAKS_OF_TIME.search(plain) is not None
    if asked == "number":
        return not any(map(_holds_amount, answers)) or (given == {"date"} and not speaks_of_time)
    if asked == "time":
        return given <= {"money", "percent"} or ("year" in plain and not any(map(_holds_year, answers)))
    if "other" in given:
        return "percent" in plain and given == {"other"}
    if asked == "thing":
        return not speaks_of_time and (given == {"date"} or not _SPEAKS_OF_NUMBER.search(plain))
    return True


def _holds_amount(answer: str) -> bool:
    words = _WORD.findall(canonicalise_text(answer))
    return any(c.isdigit() for word in words for c in word) or not (_NUMBER_WORDS | _TIME_WORDS).isdisjoint(words)


def _holds_year(answer: str) -> bool:
    return re.search(r"\d{3}", canonicalise_text(answer)) is not None or "centur" in answer.lower()


def _has_capital(text: str) -> bool:
    return any(map(str.isupper, text))
