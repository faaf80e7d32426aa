"""A benchmark and answers in, or a model that answers; scores by question and a summary out."""

from kdos.evaluate.benchmark import BENCHMARKS, open_benchmark
from kdos.evaluate.given import read_given
from kdos.evaluate.map import Places, by_cell, by_density, place_questions
from kdos.evaluate.marking import (
    Example,
    Mark,
    draw_examples,
    grade_marks,
    mark_asked,
    mark_given,
    measure_losses,
)
from kdos.evaluate.records import LEDGER, read_evaluation, write_evaluation
from kdos.evaluate.summary import METRICS, compare_marks, summarise

__all__ = [
    "BENCHMARKS",
    "LEDGER",
    "METRICS",
    "Example",
    "Mark",
    "Places",
    "by_cell",
    "by_density",
    "compare_marks",
    "draw_examples",
    "grade_marks",
    "mark_asked",
    "mark_given",
    "measure_losses",
    "open_benchmark",
    "place_questions",
    "read_evaluation",
    "read_given",
    "summarise",
    "write_evaluation",
]
