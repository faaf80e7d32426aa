"""The questions nobody may train on, and whether a new question is one of them (our design).

Found are questions word for word but for case and punctuation, lightly reworded ones (their rare
words, with an answer that agrees), and ones inside a longer question (shared word n-grams).
Paraphrases in quite other words need sentence vectors: `find_paraphrases`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from kdos.arrays import Float32Array
from kdos.checks.known_questions import (
    BENCHMARK_THRESHOLDS,
    KnownQuestions,
    QuestionMatch,
    answers_agree,
    differ_by_names,
    normalise_answers,
)
from kdos.pool.grouping import normalise_text
from kdos.pool.wording import SentenceWords, read_sentence_words

NGRAM_WORDS = 6
"""Words of an n-gram. A question with fewer is not looked for inside others."""
CONTAINED_SHARE = 0.6
"""Share of a benchmark question's n-grams that make it stand inside another question."""
Ngram = tuple[str, ...]
"""NGRAM_WORDS words that follow each other."""
# On questions in quite other words MiniLM's vectors lift recall from 0.898 to 0.968; precision
# falls from 0.992 to 0.979 (checks_contamination_minilm.json).
COSINE_SAME_ANSWER, COSINE_ANY_ANSWER = 0.8, 0.95
"""Cosines from which two questions are one: where their answers agree, and whatever these are."""
PRODUCT_ROWS = 1024
"""Rows of one matrix product."""


class BenchmarkIndex:
    """Benchmark questions by their words and by their word n-grams (an inverted index each)."""

    def __init__(self) -> None:
        self.questions = KnownQuestions(BENCHMARK_THRESHOLDS)
        self._rows_with: dict[Ngram, tuple[int, ...]] = {}
        self._entries: list[tuple[str, str, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        """How many distinct questions there are."""
        return len(self.questions)

    def add_question(self, question: str, answers: Sequence[str] = (), *, name: str = "") -> None:
        """Add one question with its answers; `name` says which benchmark and row."""
        self.questions.add_question(question, answers, name=name)
        ngrams = set(_word_ngrams(question))
        for ngram in ngrams:
            self._rows_with[ngram] = (*self._rows_with.get(ngram, ()), len(self._entries))
        self._entries.append((name, question, len(ngrams), tuple(normalise_answers(answers))))

    def count_by_benchmark(self) -> dict[str, int]:
        """How many questions were added of each benchmark: their names up to a colon."""
        return dict(Counter(name.partition(":")[0] for name, *_ in self._entries))

    def find_match(self, question: str, answers: Sequence[str] = ()) -> QuestionMatch | None:
        """The benchmark question that this one is, or None."""
        return self.questions.find_match(question, answers) or self._find_contained(
            question, answers
        )

    def _find_contained(self, question: str, answers: Sequence[str]) -> QuestionMatch | None:
        """The benchmark question that stands inside this one, all but word for word.

        With names added to it, it is another question unless the answers agree.
        """
        # Each shared n-gram votes for the benchmark questions that hold it; only the one with most
        # votes is looked at, and must have CONTAINED_SHARE of its own n-grams here. Sorted, so that
        # a tie does not depend on the order of a set.
        shared = {ngram for ngram in _word_ngrams(question) if ngram in self._rows_with}
        if not shared:  # nearly always: a counter costs 2.5 of the 17 µs that a question takes
            return None
        votes = Counter(row for ngram in sorted(shared) for row in self._rows_with[ngram])
        for row, n_shared in votes.most_common(1):
            name, held, n_ngrams, theirs = self._entries[row]
            if n_shared < CONTAINED_SHARE * n_ngrams:
                continue
            ours, inner = read_sentence_words(question), read_sentence_words(held)
            agreeing = ours.names <= inner.words or answers_agree(
                normalise_answers(answers), theirs
            )
            if inner.names <= ours.words and agreeing:
                return QuestionMatch(name, held, n_shared / n_ngrams)
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

    A pair counts from cosine CLOSE on where the answers agree, and from SAME on anyway; never where
    names part the two.
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
            if _is_same_question(our_fact(start + row), their_fact(other), cosine):
                best[row] = ParaphraseMatch(start + row, other, cosine)
        found += best.values()
    return found


def _words_and_answers(
    asked: Sequence[AnsweredQuestion], row: int
) -> tuple[SentenceWords, frozenset[str]]:
    """The words of the question in this row, and its normalised answers."""
    return read_sentence_words(asked[row].question), normalise_answers(asked[row].answers)


def _is_same_question(
    one: tuple[SentenceWords, frozenset[str]],
    other: tuple[SentenceWords, frozenset[str]],
    cosine: float,
) -> bool:
    """Is it one question, at this cosine?"""
    if differ_by_names(one[0], other[0]):
        return False
    return cosine >= COSINE_ANY_ANSWER or answers_agree(one[1], other[1]) is True


def _word_ngrams(question: str) -> Iterator[Ngram]:
    """The n-grams of NGRAM_WORDS words of a question; none where it is shorter."""
    words = normalise_text(question).split()
    return zip(*(words[start:] for start in range(NGRAM_WORDS)), strict=False)
