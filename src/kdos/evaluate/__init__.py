"""A benchmark and answers in, or a model that answers; scores by question and a summary out."""

from kdos.evaluate.evaluation_files import (
    BENCHMARKS,
    LEDGER_FILE,
    find_benchmark_fields,
    open_benchmark,
    read_evaluation,
    read_given_answers,
    write_evaluation,
)
from kdos.evaluate.multiple_choice import (
    LIKELIHOODS_OF,
    FindExamples,
    find_shown_examples,
    is_multiple_choice,
    score_given_choices,
    score_likely_choices,
    score_model_choices,
    show_no_examples,
)
from kdos.evaluate.question_map import place_questions, summarise_by_density, tabulate_by_cell
from kdos.evaluate.scored_answers import (
    CHOICE_METRICS,
    METRICS,
    FewShotExample,
    ScoredAnswer,
    compare_evaluations,
    draw_examples,
    grade_answers,
    measure_losses,
    score_given_answers,
    score_model_answers,
    summarise_evaluation,
)

__all__ = [
    "BENCHMARKS", "CHOICE_METRICS", "LEDGER_FILE", "LIKELIHOODS_OF", "METRICS", "FewShotExample", "FindExamples",
    "ScoredAnswer", "compare_evaluations", "draw_examples", "find_benchmark_fields", "find_shown_examples",
    "grade_answers", "is_multiple_choice", "measure_losses", "open_benchmark", "place_questions", "read_evaluation",
    "read_given_answers", "score_given_answers", "score_given_choices", "score_likely_choices", "score_model_answers",
    "score_model_choices", "show_no_examples", "summarise_by_density", "summarise_evaluation", "tabulate_by_cell",
    "write_evaluation",
]  # fmt: skip
