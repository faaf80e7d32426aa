"""What lm-evaluation-harness calls for the tasks of this folder: a row and its answer, scored."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdos.evaluate.evaluation_files import read_question_row
from kdos.scoring import score_answer

HARNESS_METRICS = ("em", "f1", "contains", "correct", "attempted")


def first_gold_answer(row: Mapping[str, Any]) -> str:
    """The first gold answer, which few-shot examples show."""
    return read_question_row(row).answers[0]


def format_prompt(row: Mapping[str, Any]) -> str:
    """The prompt: the question, and where its answer is to begin."""
    return f"Question: {read_question_row(row).question.strip()}\nAnswer:"


def score_results(row: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Every score of the generated answer."""
    found = score_answer(results[0].strip(), read_question_row(row))
    return {name: getattr(found, name) for name in HARNESS_METRICS}
