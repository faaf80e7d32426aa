"""Questions seen before or that nobody may train on, and whether a new one is one of them.

Found are questions word for word but for case and punctuation, lightly reworded ones (their rare
words, with an answer that agrees), and benchmark questions inside a longer one (shared word
n-grams). Paraphrases in quite other words need sentence vectors: `find_paraphrases`. Our design.

Two questions say the same where they ask with the same words but for small ones, rare words
weighing most. Three rules keep distinct questions apart, however alike their phrasing: a name,
number or identifier on each side that the other lacks parts them; a number or identifier that only
one side has parts them; and where their answers differ, they must agree nearly word for word.
"""

import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice, pairwise

import numpy as np

from kdos.arrays import Float32Array
from kdos.pool.wording import SentenceWords, normalise_text, read_sentence_words

PRIOR_QUESTIONS = 64
"""Questions we pretend to have seen with no word in common, so that early weights are flat."""
VERBATIM_WORDS, VERBATIM_ORDER = 0.85, 0.8
"""Shares of words and of neighbouring words that must be the same where the answers differ."""
MOST_CANDIDATES = 2048
"""Known questions that a new one is compared with at most, those with its rarest words first: where all of a pool
have the same words, comparing each with each would be quadratic."""
MOST_CONTAINED = 256
"""The same for benchmark questions that share an n-gram with a question."""
NO_ROWS = array("I")
NGRAM_WORDS = 6
"""Words of an n-gram. A question with fewer is not looked for inside others."""
CONTAINED_SHARE = 0.6
"""Share of a benchmark question's n-grams that make it stand inside another question."""
Ngram = tuple[str, ...]
"""NGRAM_WORDS words that follow each other."""
QuestionFacts = tuple[SentenceWords, frozenset[str]]
"""The words of a question, and its normalised answers."""
# On questions in quite other words MiniLM's vectors lift recall from 0.898 to 0.968; precision
# falls from 0.992 to 0.979 (checks_contamination_minilm.json).
COSINE_SAME_ANSWER, COSINE_ANY_ANSWER = 0.8, 0.95
"""Cosines from which two questions are one: where their answers agree, and whatever these are."""
PRODUCT_ROWS = 1024
"""Rows of one matrix product."""


@dataclass(frozen=True, slots=True)
class SimilarityThresholds:
    """The least likeness, a share of weight in [0, 1], at which two questions say the same.

    The more else agrees, the more rewording is allowed: `same_fact` where the same names and
    numbers stand in both and the answers agree, `same_answer` where only the answers agree.
    """

    same_fact: float
    same_answer: float
    answer_unknown: float
    other_answer: float


# Measured on 29,133 benchmark questions and 20,000 clean ones (checks_contamination.json): the benchmark thresholds
# find 0.942 of lightly reworded questions with precision 0.993. They can be lower than the pool's because names must
# agree first: without `differ_by_names` they convicted templates about other people with the same answer.
POOL_THRESHOLDS = SimilarityThresholds(same_fact=0.75, same_answer=0.8, answer_unknown=0.85, other_answer=0.95)
"""For the pool: a distinct question lost is worse than a close one kept."""
BENCHMARK_THRESHOLDS = SimilarityThresholds(same_fact=0.3, same_answer=0.65, answer_unknown=0.75, other_answer=0.9)
"""For benchmarks: a question kept by mistake spoils a score."""


@dataclass(frozen=True, slots=True)
class QuestionMatch:
    """A question seen before: its name, its words, and how alike it is (1: word for word)."""

    name: str
    question: str
    similarity: float


class KnownQuestions:
    """Questions by their words: adding one files it under each, finding looks under the rarest.

    Deterministic: what is found depends only on the questions added before, in their order.
    """

    def __init__(self, thresholds: SimilarityThresholds = POOL_THRESHOLDS) -> None:
        self.thresholds = thresholds
        self._by_text: dict[str, int] = {}
        self._rows_with: dict[str, array[int]] = {}
        self._names: list[str] = []
        self._questions: list[str] = []
        # tuples of texts, which the garbage collector soon stops visiting; sets it visits for ever
        self._words_in: list[tuple[str, ...]] = []
        self._names_in: list[tuple[str, ...]] = []
        self._answers: list[tuple[str, ...]] = []

    def __len__(self) -> int:
        """How many questions are known."""
        return len(self._questions)

    def add_question(self, question: str, answers: Sequence[str] = (), *, name: str = "") -> None:
        """Remember a question; one that is known word for word is not kept twice."""
        row = len(self._questions)
        if self._by_text.setdefault(normalise_text(question), row) != row:
            return
        wording = read_sentence_words(question)
        self._names.append(name or str(row))
        self._questions.append(question)
        self._words_in.append(tuple(wording.words))
        self._names_in.append(tuple(wording.names))
        self._answers.append(tuple(normalise_answers(answers)))
        for word in wording.words:
            self._rows_with.setdefault(word, array("I")).append(row)

    def find_match(
        self, question: str, answers: Sequence[str] = (), *, among: int | None = None
    ) -> QuestionMatch | None:
        """The known question that says the same, the most alike one; None if there is none.

        With `among`, as it was when so many were known: those that came later change nothing.
        """
        among = len(self._questions) if among is None else among
        row = self._by_text.get(normalise_text(question), among)
        if row < among:
            return QuestionMatch(self._names[row], self._questions[row], 1.0)
        wording, ours = read_sentence_words(question), normalise_answers(answers)
        # A weighted Jaccard index: shared weight over the weight of all words of both.
        weights = self._word_weights(wording.order, among)
        best, most = -1, 0.0
        for row in self._candidate_rows(wording, weights, among):
            alike = self._score_candidate(wording, weights, ours, row, among)
            if alike > most:
                best, most = row, alike
        return QuestionMatch(self._names[best], self._questions[best], most) if best >= 0 else None

    def _score_candidate(
        self, wording: SentenceWords, weights: Mapping[str, float], ours: frozenset[str], row: int, among: int
    ) -> float:
        """How alike a known question is; 0 where it is another one."""
        words, names = self._words_in[row], self._names_in[row]
        only_ours = [name for name in wording.names if name not in words]
        only_theirs = [name for name in names if name not in wording.words]
        if _unshared_names_differ(only_ours, only_theirs):  # nearly all do
            return 0.0
        # Only the few candidates that names do not part are read again: keeping every wording
        # would cost memory, and the garbage collector visits what is kept again and again.
        other, bounds = read_sentence_words(self._questions[row]), self.thresholds
        shared = sum(weights[word] for word in weights if word in other.words)
        weight = sum(weights.values())
        close = bounds.same_fact if _share_all_names(wording, other) else bounds.same_answer
        if not shared or shared < close * weight:
            return 0.0
        beyond = sum(self._word_weights(other.words_beyond(weights), among).values())
        alike = shared / (weight + beyond)
        match answers_agree(ours, self._answers[row]):
            case True:
                least = close
            case None:
                least = bounds.answer_unknown
            case False:
                verbatim = is_nearly_verbatim(wording, other)
                least = bounds.other_answer if verbatim else math.inf
        return alike if alike >= least else 0.0

    def _word_weights(self, words: Iterable[str], among: int) -> dict[str, float]:
        """How much each word tells: the log of how rare it is among the first `among` questions."""
        # Inverse document frequency. The prior keeps the first questions of a pool from weighing
        # by accident, when no word has been seen twice.
        most = PRIOR_QUESTIONS + among + 1
        rows_with, log = self._rows_with.get, math.log
        return {word: log(most / (_count_below(rows_with(word, NO_ROWS), among) + 1)) for word in words}

    def _candidate_rows(self, wording: SentenceWords, weights: Mapping[str, float], among: int) -> list[int]:
        """Every row that may be alike enough.

        A row that shares `same_answer` of our weight holds one of our rarest words; one that is
        alike by its names holds our rarest name.
        """
        # Prefix filtering: words are visited rarest first, until those left weigh less than a match
        # needs to share. Common words, whose lists are long, are then never opened.
        rarest = sorted(weights, key=weights.__getitem__, reverse=True)
        left = sum(weights.values())
        enough = self.thresholds.same_answer * left
        name = next((word for word in rarest if word in wording.names), "")
        rows = set(self._first_rows(name, MOST_CANDIDATES, among))
        for word in rarest:
            room = MOST_CANDIDATES - len(rows)
            if left < enough or room <= 0:
                break
            left -= weights[word]
            rows.update(self._first_rows(word, room, among))
        return sorted(rows)

    def _first_rows(self, word: str, most: int, among: int) -> "array[int]":
        rows = self._rows_with.get(word, NO_ROWS)
        return rows[: min(most, _count_below(rows, among))]


def _count_below(rows: "array[int]", limit: int) -> int:
    """How many of these rows, ascending, are below a limit."""
    # Nearly always all are: the last one tells.
    return len(rows) if not rows or rows[-1] < limit else bisect_left(rows, limit)


class BenchmarkIndex:
    """Benchmark questions by their words and by their word n-grams (an inverted index each)."""

    def __init__(self) -> None:
        self.questions = KnownQuestions(BENCHMARK_THRESHOLDS)
        self._rows_with: dict[Ngram, array[int]] = {}
        self._entries: list[tuple[str, str, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        """How many distinct questions there are."""
        return len(self.questions)

    def add_question(self, question: str, answers: Sequence[str] = (), *, name: str = "") -> None:
        """Add one question with its answers; `name` says which benchmark and row."""
        self.questions.add_question(question, answers, name=name)
        ngrams = set(_word_ngrams(question))
        for ngram in ngrams:
            self._rows_with.setdefault(ngram, array("I")).append(len(self._entries))
        self._entries.append((name, question, len(ngrams), tuple(normalise_answers(answers))))

    def count_by_benchmark(self) -> dict[str, int]:
        """How many questions were added of each benchmark: their names up to a colon."""
        return dict(Counter(name.partition(":")[0] for name, *_ in self._entries))

    def find_match(self, question: str, answers: Sequence[str] = ()) -> QuestionMatch | None:
        """The benchmark question that this one is, or None."""
        known = self.questions.find_match(question, answers)
        return known or self._find_contained(question, answers)

    def _find_contained(self, question: str, answers: Sequence[str]) -> QuestionMatch | None:
        """The benchmark question that stands inside this one, all but word for word.

        With names added to it, it is another question unless the answers agree.
        """
        # Of the benchmark questions that hold a shared n-gram, the rarest first, only the one that
        # shares most is looked at, and must have CONTAINED_SHARE of its own n-grams here.
        shared = {ngram for ngram in _word_ngrams(question) if ngram in self._rows_with}
        if not shared:  # nearly always: a counter costs 2.5 of the 17 µs that a question takes
            return None
        rarest = sorted(shared, key=lambda ngram: (len(self._rows_with[ngram]), ngram))
        rows = islice(chain.from_iterable(map(self._rows_with.__getitem__, rarest)), MOST_CONTAINED)
        n_shared, row = max((len(shared.intersection(_word_ngrams(self._entries[row][1]))), -row) for row in set(rows))
        row = -row
        name, contained, n_ngrams, theirs = self._entries[row]
        if n_shared < CONTAINED_SHARE * n_ngrams:
            return None
        ours, inner = read_sentence_words(question), read_sentence_words(contained)
        if not inner.names <= ours.words:
            return None
        if ours.names <= inner.words or answers_agree(normalise_answers(answers), theirs):
            return QuestionMatch(name, contained, n_shared / n_ngrams)
        return None


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question with every form of its answer."""

    question: str
    answers: Sequence[str]


@dataclass(frozen=True, slots=True)
class ParaphraseMatch:
    """Row `row` of ours says what row `other` of the benchmark says, at this cosine."""

    row: int
    other: int
    cosine: float


def find_paraphrases(
    ours: Sequence[AnsweredQuestion],
    theirs: Sequence[AnsweredQuestion],
    *,
    our_vectors: Float32Array,
    their_vectors: Float32Array,
) -> list[ParaphraseMatch]:
    """Our questions that paraphrase one of theirs; unit vectors, shapes (n, dim) and (m, dim).

    A pair counts from `COSINE_SAME_ANSWER` on where the answers agree, from `COSINE_ANY_ANSWER` on
    anyway, and never where names part the two.
    """
    found: list[ParaphraseMatch] = []
    our_fact, their_fact = (cache(partial(_words_and_answers, asked)) for asked in (ours, theirs))
    # In blocks of rows, so that the matrix of all cosines is never held whole.
    for start in range(0, len(ours), PRODUCT_ROWS):
        cosines = our_vectors[start : start + PRODUCT_ROWS] @ their_vectors.T
        best: dict[int, ParaphraseMatch] = {}
        rows, others = np.nonzero(cosines >= COSINE_SAME_ANSWER)
        for row, other in zip(rows.tolist(), others.tolist(), strict=True):
            cosine = float(cosines[row, other])
            if row in best and cosine <= best[row].cosine:
                continue
            if _is_paraphrase(our_fact(start + row), their_fact(other), cosine):
                best[row] = ParaphraseMatch(start + row, other, cosine)
        found += best.values()
    return found


def _words_and_answers(asked: Sequence[AnsweredQuestion], row: int) -> QuestionFacts:
    return read_sentence_words(asked[row].question), normalise_answers(asked[row].answers)


def _is_paraphrase(one: QuestionFacts, other: QuestionFacts, cosine: float) -> bool:
    if differ_by_names(one[0], other[0]):
        return False
    return cosine >= COSINE_ANY_ANSWER or answers_agree(one[1], other[1]) is True


def _word_ngrams(question: str) -> Iterator[Ngram]:
    """The n-grams of NGRAM_WORDS words of a question; none where it is shorter."""
    words = normalise_text(question).split()
    return zip(*(words[start:] for start in range(NGRAM_WORDS)), strict=False)


def differ_by_names(one: SentenceWords, other: SentenceWords) -> bool:
    """Do names part the two questions, however alike they are?

    Names on both sides that the other lacks do, and so does a number or identifier on one side.
    """
    return _unshared_names_differ(one.names - other.words, other.names - one.words)


def _unshared_names_differ(ours: Collection[str], theirs: Collection[str]) -> bool:
    """Do names that only we have and names that only they have part two questions?"""
    # Alone on one side only a number or identifier does: letters may be a part of a longer name.
    return bool(ours and theirs) or not all(map(str.isalpha, ours or theirs))


def is_nearly_verbatim(one: SentenceWords, other: SentenceWords) -> bool:
    """Do two questions with different answers ask for the same all the same?

    Then one answer is wrong: no name stands on one side alone, and the words come in nearly the
    same order ("who beat X" and "who did X beat" do not).
    """
    if not (one.names <= other.words and other.names <= one.words):
        return False
    if word_overlap(one, other) < VERBATIM_WORDS:
        return False
    # Neighbouring words keep the direction of a relation, which a bag of words loses.
    pairs, others = set(pairwise(one.all_words())), set(pairwise(other.all_words()))
    return len(pairs & others) >= VERBATIM_ORDER * max(len(pairs), len(others))


def word_overlap(one: SentenceWords, other: SentenceWords) -> float:
    """Share of all their words that both questions hold, in [0, 1]."""
    shared = len(one.words & other.words)
    return shared / max(1, len(one.words) + len(other.words) - shared)


def _share_all_names(one: SentenceWords, other: SentenceWords) -> bool:
    """Do both hold all names of either, and is there one at all?"""
    names = one.names | other.names
    return bool(names) and names <= one.words and names <= other.words


def normalise_answers(answers: Sequence[str]) -> frozenset[str]:
    """The answers, normalised; those that are nothing but signs are left out."""
    return frozenset(filter(None, map(normalise_text, answers)))


def answers_agree(ours: frozenset[str], theirs: Collection[str]) -> bool | None:
    """Do the normalised answers agree? None where one side has none.

    One may hold the other where it adds no more words than there are: Paris, France is Paris.
    """
    if not ours or not theirs:
        return None
    if not ours.isdisjoint(theirs):
        return True
    return any(_is_extended_answer(one, other) for one in ours for other in theirs)


def _is_extended_answer(one: str, other: str) -> bool:
    """Is one answer the other with at most as many words added?"""
    short, long = sorted((one, other), key=len)
    return f" {short} " in f" {long} " and 2 * len(short.split()) >= len(long.split())
