"""Answers and gold answers in, scores with intervals out."""

from kdos.scoring.attempts import attempted
from kdos.scoring.intervals import Comparison, Interval, compare, macro_mean, mean_interval
from kdos.scoring.matching import is_correct
from kdos.scoring.plain import contains, exact_match, harness_match, token_f1
from kdos.scoring.scores import Question, Scores, score

__all__ = [
    "Comparison",
    "Interval",
    "Question",
    "Scores",
    "attempted",
    "compare",
    "contains",
    "exact_match",
    "harness_match",
    "is_correct",
    "macro_mean",
    "mean_interval",
    "score",
    "token_f1",
]
