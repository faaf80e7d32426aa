"""Answers and gold answers in, scores with intervals out."""

from kdos.scoring.attempts import attempts_answer
from kdos.scoring.intervals import (
    MeanInterval,
    PairedComparison,
    bootstrap_mean,
    compare_paired_scores,
    macro_mean,
)
from kdos.scoring.matching import is_correct_answer
from kdos.scoring.plain import contains_gold_answer, exact_match, harness_match, token_f1
from kdos.scoring.scores import AnswerScores, BenchmarkQuestion, score_answer

__all__ = [
    "AnswerScores",
    "BenchmarkQuestion",
    "MeanInterval",
    "PairedComparison",
    "attempts_answer",
    "bootstrap_mean",
    "compare_paired_scores",
    "contains_gold_answer",
    "exact_match",
    "harness_match",
    "is_correct_answer",
    "macro_mean",
    "score_answer",
    "token_f1",
]
