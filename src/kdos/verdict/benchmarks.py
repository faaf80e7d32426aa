"""The questions nobody may train on, and whether a new question is one of them (our design).

Found are questions word for word but for case and punctuation, lightly reworded ones (their rare
words, with an answer that agrees), and ones that stand inside a longer question (runs of words).
Paraphrases in quite other words need sentence vectors: `paraphrased`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdos.pool.grouping import normalise
from kdos.pool.wording import read_wording
from kdos.verdict.known import (
    IN_BENCHMARK,
    Known,
    KnownQuestions,
    agree,
    plain_answers,
)

RUN = 6
"""Words of a run. A question with fewer is not looked for inside others."""
INSIDE = 0.6
"""Share of a benchmark question's runs that make it stand inside another question."""
BLOCK = 4096
"""Rows of one matrix product."""


class Benchmarks:
    """Benchmark questions by their words and by their runs of words."""

    def __init__(self) -> None:
        self.questions = KnownQuestions(IN_BENCHMARK)
        self._runs: dict[str, list[int]] = {}
        self._added: list[tuple[str, str, int, frozenset[str]]] = []

    def __len__(self) -> int:
        """How many distinct questions there are."""
        return len(self.questions)

    def add(self, question: str, answers: Sequence[str] = (), *, name: str = "") -> None:
        """Add one question with its answers; `name` says which benchmark and row."""
        self.questions.add(question, answers, name=name)
        runs = set(_runs(question))
        for run in runs:
            self._runs.setdefault(run, []).append(len(self._added))
        self._added.append((name, question, len(runs), plain_answers(answers)))

    def find(self, question: str, answers: Sequence[str] = ()) -> Known | None:
        """The benchmark question that this one is, or None."""
        return self.questions.find(question, answers) or self._inside(question, answers)

    def _inside(self, question: str, answers: Sequence[str]) -> Known | None:
        """The benchmark question that stands inside this one, all but word for word.

        With names added to it, it is another question unless the answers agree.
        """
        rows = Counter(row for run in set(_runs(question)) for row in self._runs.get(run, ()))
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
class Paraphrase:
    """Row `row` of ours says what row `other` of the benchmark says, at this cosine."""

    row: int
    other: int
    cosine: float


def paraphrased(
    ours: npt.NDArray[np.float32],
    theirs: npt.NDArray[np.float32],
    *,
    our_answers: Sequence[Sequence[str]],
    their_answers: Sequence[Sequence[str]],
    same_answer: float = 0.8,
    any_answer: float = 0.95,
) -> list[Paraphrase]:
    """Our rows that paraphrase one of theirs; unit vectors, shapes (n, dim) and (m, dim).

    A row counts at cosine `same_answer` where the answers agree, and at `any_answer` anyway.
    """
    found: list[Paraphrase] = []
    plain = [plain_answers(answers) for answers in their_answers]
    for start in range(0, len(ours), BLOCK):
        cosines = ours[start : start + BLOCK] @ theirs.T
        best: dict[int, Paraphrase] = {}
        rows, others = np.nonzero(cosines >= same_answer)
        for row, other in zip(rows.tolist(), others.tolist(), strict=True):
            cosine = float(cosines[row, other])
            given = plain_answers(our_answers[start + row])
            if cosine < any_answer and not agree(given, plain[other]):
                continue
            if row not in best or cosine > best[row].cosine:
                best[row] = Paraphrase(start + row, other, cosine)
        found += best.values()
    return found


def _runs(question: str) -> list[str]:
    """The runs of RUN words of a question; none where it is shorter."""
    words = normalise(question).split()
    return [" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
