"""The questions nobody may train on, and whether a new question is one of them (our design).

Found are questions word for word but for case and punctuation, lightly reworded ones (their rare
words, with an answer that agrees), and ones that stand inside a longer question (runs of words).
Paraphrases in quite other words need sentence vectors: `paraphrased`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from kdos.arrays import Float32Array
from kdos.checks.known import (
    IN_BENCHMARK,
    Known,
    KnownQuestions,
    agree,
    parted,
    plain_answers,
)
from kdos.pool.grouping import normalise
from kdos.pool.wording import Wording, read_wording

RUN = 6
"""Words of a run. A question with fewer is not looked for inside others."""
INSIDE = 0.6
"""Share of a benchmark question's runs that make it stand inside another question."""
Run = tuple[str, ...]
"""RUN words that follow each other."""
CLOSE, SAME = 0.8, 0.95
"""Cosines from which two questions are one: where their answers agree, and whatever these are."""
BLOCK = 1024
"""Rows of one matrix product."""


class Benchmarks:
    """Benchmark questions by their words and by their runs of words."""

    def __init__(self) -> None:
        self.questions = KnownQuestions(IN_BENCHMARK)
        self._runs: dict[Run, tuple[int, ...]] = {}
        self._added: list[tuple[str, str, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        """How many distinct questions there are."""
        return len(self.questions)

    def add(self, question: str, answers: Sequence[str] = (), *, name: str = "") -> None:
        """Add one question with its answers; `name` says which benchmark and row."""
        self.questions.add(question, answers, name=name)
        runs = set(_runs(question))
        for run in runs:
            self._runs[run] = (*self._runs.get(run, ()), len(self._added))
        self._added.append((name, question, len(runs), tuple(plain_answers(answers))))

    def sizes(self) -> dict[str, int]:
        """How many questions were added of each benchmark: their names up to a colon."""
        return dict(Counter(name.partition(":")[0] for name, *_ in self._added))

    def find(self, question: str, answers: Sequence[str] = ()) -> Known | None:
        """The benchmark question that this one is, or None."""
        return self.questions.find(question, answers) or self._inside(question, answers)

    def _inside(self, question: str, answers: Sequence[str]) -> Known | None:
        """The benchmark question that stands inside this one, all but word for word.

        With names added to it, it is another question unless the answers agree.
        """
        known = {run for run in _runs(question) if run in self._runs}
        if not known:
            return None
        rows = Counter(row for run in sorted(known) for row in self._runs[run])
        for row, shared in rows.most_common(1):
            name, held, runs, theirs = self._added[row]
            if shared < INSIDE * runs:
                continue
            ours, inner = read_wording(question), read_wording(held)
            added = ours.names - inner.words
            if inner.names <= ours.words and (not added or agree(plain_answers(answers), theirs)):
                return Known(name, held, shared / runs)
        return None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with every form of its answer."""

    question: str
    answers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """Row `row` of ours says what row `other` of the benchmark says, at this cosine."""

    row: int
    other: int
    cosine: float


def paraphrased(
    ours: Sequence[Asked],
    theirs: Sequence[Asked],
    *,
    our_vectors: Float32Array,
    their_vectors: Float32Array,
) -> list[Paraphrase]:
    """Our questions that paraphrase one of theirs; unit vectors, shapes (n, dim) and (m, dim).

    A pair counts from cosine CLOSE on where the answers agree, and from SAME on anyway; never where
    names part the two.
    """
    found: list[Paraphrase] = []
    our_fact, their_fact = (cache(partial(_fact, asked)) for asked in (ours, theirs))
    for start in range(0, len(ours), BLOCK):
        cosines = our_vectors[start : start + BLOCK] @ their_vectors.T
        best: dict[int, Paraphrase] = {}
        rows, others = np.nonzero(cosines >= CLOSE)
        for row, other in zip(rows.tolist(), others.tolist(), strict=True):
            cosine = float(cosines[row, other])
            if row in best and cosine <= best[row].cosine:
                continue
            if _same_fact(our_fact(start + row), their_fact(other), cosine):
                best[row] = Paraphrase(start + row, other, cosine)
        found += best.values()
    return found


def _fact(asked: Sequence[Asked], row: int) -> tuple[Wording, frozenset[str]]:
    """The words of the question in this row, and its normalised answers."""
    return read_wording(asked[row].question), plain_answers(asked[row].answers)


def _same_fact(
    one: tuple[Wording, frozenset[str]], other: tuple[Wording, frozenset[str]], cosine: float
) -> bool:
    """Is it one question, at this cosine?"""
    if parted(one[0], other[0]):
        return False
    return cosine >= SAME or agree(one[1], other[1]) is True


def _runs(question: str) -> Iterator[Run]:
    """The runs of RUN words of a question; none where it is shorter."""
    words = normalise(question).split()
    return zip(*(words[start:] for start in range(RUN)), strict=False)
