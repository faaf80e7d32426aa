"""Questions seen before, and whether a new one says the same (our design).

Two questions say the same where they ask with the same words but for small ones, rare words
weighing most. Three rules keep distinct questions apart, however alike their phrasing: a name,
number or identifier on each side that the other lacks parts them; a number or identifier that only
one side has parts them; and where their answers differ, they must agree nearly word for word.
"""

import math
import re
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kdos.pool.grouping import normalise

PRIOR_QUESTIONS = 64
"""Questions we pretend to have seen with no word in common, so that early weights are flat."""
SAME_ORDER = 0.8
"""Share of neighbouring words that must be the same where the answers differ."""

_WORD = re.compile(r"\w+(?:[.\-'’/&+#:@]\w+)*[+#]*")
_WIDE_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_ENDINGS = ("ing", "ed", "es", "s", "e")
_QUOTES = frozenset("`'\"“‘«")


def _words(listed: str) -> frozenset[str]:
    """The words of a list written with spaces between them."""
    return frozenset(listed.split())


SMALL_WORDS = _words(
    """a an the of in on at to for from by with as and or but is are was were be been being do does
    did has have had can could will would shall should may might must what which who whom whose
    when where why how that this these those it its they them their he she his her him you your
    we our i me my there here than then so if not no any some all each every into over under about
    after before during between both same name named called one ones please tell give know
    exactly also whether whats"""
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """The least likeness, a share of weight in [0, 1], at which two questions say the same.

    Answers that agree allow more rewording; answers that differ allow next to none.
    """

    same_answer: float
    answer_unknown: float
    other_answer: float


IN_POOL = Likeness(same_answer=0.8, answer_unknown=0.85, other_answer=0.95)
"""For the pool: a distinct question lost is worse than a close one kept."""
IN_BENCHMARK = Likeness(same_answer=0.6, answer_unknown=0.75, other_answer=0.9)
"""For benchmarks: a question kept by mistake spoils a score."""


@dataclass(frozen=True, slots=True)
class Known:
    """A question seen before: its name, its words, and how alike it is (1: word for word)."""

    name: str
    question: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Wording:
    """A question's words without the small ones, those that pin it down, and all in order."""

    words: frozenset[str]
    names: frozenset[str]
    order: tuple[str, ...]


class KnownQuestions:
    """Questions by their words: adding one files it under each, finding looks under the rarest.

    Deterministic: what is found depends only on the questions added before, in their order.
    """

    def __init__(self, least: Likeness = IN_POOL) -> None:
        self.least = least
        self._by_text: dict[str, int] = {}
        self._rows_with: dict[str, array[int]] = {}
        self._names: list[str] = []
        self._questions: list[str] = []
        self._wordings: list[Wording] = []
        self._answers: list[frozenset[str]] = []

    def __len__(self) -> int:
        """How many questions are known."""
        return len(self._questions)

    def add(self, question: str, answers: Sequence[str] = (), *, name: str = "") -> None:
        """Remember a question; one that is known word for word is not kept twice."""
        row = len(self._questions)
        if self._by_text.setdefault(normalise(question), row) != row:
            return
        wording = read_wording(question)
        self._names.append(name or str(row))
        self._questions.append(question)
        self._wordings.append(wording)
        self._answers.append(plain_answers(answers))
        for word in wording.words:
            self._rows_with.setdefault(word, array("I")).append(row)

    def find(self, question: str, answers: Sequence[str] = ()) -> Known | None:
        """The known question that says the same, the most alike one; None if there is none."""
        row = self._by_text.get(normalise(question))
        if row is not None:
            return Known(self._names[row], self._questions[row], 1.0)
        wording, given = read_wording(question), plain_answers(answers)
        best, most = -1, 0.0
        for row in self._candidates(wording):
            same = agree(given, self._answers[row])
            alike = likeness(wording, self._wordings[row], same, self._weight)
            if alike > most and alike >= self._enough(same):
                best, most = row, alike
        return Known(self._names[best], self._questions[best], most) if best >= 0 else None

    def _enough(self, same_answer: bool | None) -> float:
        """The least likeness that counts, by whether the answers agree."""
        if same_answer is None:
            return self.least.answer_unknown
        return self.least.same_answer if same_answer else self.least.other_answer

    def _weight(self, word: str) -> float:
        """How much a word tells: the log of how rare it is among the known questions."""
        held = len(self._rows_with.get(word, ()))
        return math.log((PRIOR_QUESTIONS + len(self._questions) + 1) / (held + 1))

    def _candidates(self, wording: Wording) -> list[int]:
        """Every row that may share enough of the weight: it must hold one of our rarest words."""
        weighed = sorted(((self._weight(word), word) for word in wording.words), reverse=True)
        left = sum(weight for weight, _ in weighed)
        enough = self.least.same_answer * left
        rows: set[int] = set()
        for weight, word in weighed:
            if left < enough:
                break
            left -= weight
            rows.update(self._rows_with.get(word, ()))
        return sorted(rows)


def likeness(
    one: Wording,
    other: Wording,
    same_answer: bool | None,
    weight: Callable[[str], float] = lambda _: 1.0,
) -> float:
    """Share of the words' weight that both questions hold; 0 where a rule parts them."""
    ours, theirs = one.names - other.words, other.names - one.words
    if (ours and theirs) or any(map(_pins, ours or theirs)):
        return 0.0
    if same_answer is False and (ours or theirs or not _same_order(one, other)):
        return 0.0
    shared = one.words & other.words
    if not shared:
        return 0.0
    return sum(map(weight, sorted(shared))) / sum(map(weight, sorted(one.words | other.words)))


@lru_cache(maxsize=8192)
def read_wording(question: str) -> Wording:
    """The words of a question, stemmed and without case; and which are names or numbers.

    A name is a word with a capital that does not begin the sentence, with a digit or a sign inside,
    or in quotes.
    """
    text = question if question.isascii() else unicodedata.normalize("NFKC", question)
    names: list[str] = []
    order: list[str] = []
    for found in _WORD.finditer(text):
        raw = found[0]
        if not raw.isascii() and _WIDE_RUN.search(raw):
            order += [raw[start : start + 2] for start in range(max(1, len(raw) - 1))]
            continue
        if raw in SMALL_WORDS:
            continue
        word = _stem(raw.casefold())
        start = found.start()
        quoted = start > 0 and text[start - 1] in _QUOTES
        if quoted or not (raw.isalpha() and (start == 0 or raw.islower())):
            names.append(word)
        elif word in SMALL_WORDS:
            continue
        order.append(word)
    return Wording(frozenset(order), frozenset(names), tuple(order))


def plain_answers(answers: Sequence[str]) -> frozenset[str]:
    """The answers, normalised; those that are nothing but signs are left out."""
    return frozenset(filter(None, map(normalise, answers)))


def agree(ours: frozenset[str], theirs: frozenset[str]) -> bool | None:
    """Do the normalised answers agree? One may hold the other. None where one side has none."""
    if not ours or not theirs:
        return None
    if not ours.isdisjoint(theirs):
        return True
    return any(
        f" {one} " in f" {other} " or f" {other} " in f" {one} " for one in ours for other in theirs
    )


def _stem(word: str) -> str:
    """The word without a possessive or a common English ending."""
    if word[-2:] in {"'s", "’s"}:
        word = word[:-2]
    if len(word) > 4 and word.isalpha():
        for ending in _ENDINGS:
            if word.endswith(ending):
                return word[: -len(ending)]
    return word


def _pins(name: str) -> bool:
    """Is this a number or an identifier, no mere part of a person's or place's name?"""
    return not name.isalpha()


def _same_order(one: Wording, other: Wording) -> bool:
    """Do the words come in nearly the same order? "Who beat X" and "who did X beat" do not."""
    pairs = set(zip(one.order, one.order[1:], strict=False))
    others = set(zip(other.order, other.order[1:], strict=False))
    return len(pairs & others) >= SAME_ORDER * max(len(pairs), len(others))
