"""One question with its gold answers, and every score of one answer to it."""

import re
from dataclasses import dataclass

from kdos.scoring.attempts import attempts_answer
from kdos.scoring.matching import is_correct_answer
from kdos.scoring.plain import contains_gold_answer, exact_match, harness_match, token_f1


@dataclass(frozen=True, slots=True)
class BenchmarkQuestion:
    """A benchmark's question: any one of `answers` is right, or what a pattern of `patterns` finds.

    `group` is what macro averages are taken over, such as the relation in EntityQuestions.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    benchmark: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """The scores of one answer, each in [0, 1]; `correct` is the one we recommend.

    `em_harness` is lm-evaluation-harness's own, None for benchmarks it does not have.
    """

    em: float
    f1: float
    contains: float
    correct: float
    attempted: float
    em_harness: float | None = None


def score_answer(answer: str, question: BenchmarkQuestion) -> AnswerScores:
    """Every score of an answer. An answer that says it has none is not correct."""
    tried = attempts_answer(answer)
    if question.patterns:
        return _score_by_pattern(answer, question.patterns, tried=tried)
    golds = question.answers
    return AnswerScores(
        em=exact_match(answer, golds),
        f1=token_f1(answer, golds),
        contains=contains_gold_answer(answer, golds),
        correct=float(tried and is_correct_answer(answer, golds, question=question.question)),
        attempted=float(tried),
        em_harness=harness_match(answer, golds, question.benchmark),
    )


def _score_by_pattern(answer: str, patterns: tuple[str, ...], *, tried: bool) -> AnswerScores:
    """Scores where regular expressions say what is right, as in CuratedTREC.

    They search without case (DPR's convention); there are no tokens to count, so F1 is `em`.
    """
    compiled = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in patterns]
    whole = float(any(pattern.fullmatch(answer.strip()) for pattern in compiled))
    found = float(any(pattern.search(answer) for pattern in compiled))
    return AnswerScores(whole, whole, found, found * tried, float(tried))
