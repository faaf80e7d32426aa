"""Answers and gold answers in, scores with intervals out."""

from kdos.scoring.answer_matching import is_correct_answer
from kdos.scoring.gold_patterns import SlowPatternError, compile_gold_pattern
from kdos.scoring.intervals import (
    PoolComparison,
    bootstrap_mean,
    compare_paired_scores,
    compare_pools,
    holm_levels,
    macro_mean,
)
from kdos.scoring.scores import (
    AnswerScores,
    BenchmarkQuestion,
    ChoiceScores,
    attempts_answer,
    contains_gold_answer,
    exact_match,
    harness_match,
    score_answer,
    token_f1,
)

__all__ = [
    "AnswerScores", "BenchmarkQuestion", "ChoiceScores", "PoolComparison", "SlowPatternError", "attempts_answer",
    "bootstrap_mean", "compare_paired_scores", "compare_pools", "compile_gold_pattern", "contains_gold_answer",
    "exact_match", "harness_match", "holm_levels", "is_correct_answer", "macro_mean", "score_answer", "token_f1",
]  # fmt: skip
