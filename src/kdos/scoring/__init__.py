"""Answers and gold answers in, scores with intervals out."""

from kdos.scoring.answer_matching import is_correct_answer
from kdos.scoring.intervals import bootstrap_mean, compare_paired_scores, macro_mean
from kdos.scoring.scores import (
    AnswerScores,
    BenchmarkQuestion,
    attempts_answer,
    contains_gold_answer,
    exact_match,
    harness_match,
    score_answer,
    token_f1,
)

__all__ = [
    "AnswerScores", "BenchmarkQuestion", "attempts_answer", "bootstrap_mean", "compare_paired_scores",
    "contains_gold_answer", "exact_match", "harness_match", "is_correct_answer", "macro_mean", "score_answer",
    "token_f1",
]  # fmt: skip
