"""What becomes of a draft or of a row: drafts in; refusals, each with a reason and a class, out."""

from kdos.checks.answers import AnswerSpan, is_quoted, locate_answer_evidence
from kdos.checks.draft_checks import (
    DraftInContext,
    answer_aliases,
    check_answer_not_leaked,
    check_concrete_instances,
    check_drafts,
    check_knowledge_points,
    check_language,
    check_lengths,
    check_logic,
    check_logic_shape,
    check_near_duplicate,
    check_not_multiple_choice,
    check_uncontaminated,
    find_first_refusals,
)
from kdos.checks.judging import check_attempts_agree, combine_judgements
from kdos.checks.known_questions import AnsweredQuestion, BenchmarkIndex, KnownQuestions, find_paraphrases
from kdos.checks.refusals import REASONS, count_error_classes, count_refusal_reasons, is_rewritable, make_refusal
from kdos.checks.row_checks import (
    check_answer_asked_for,
    check_answer_stated,
    check_fields_filled,
    check_given_away,
    check_row_language,
    check_single_answer,
    check_that_it_asks,
)

__all__ = [
    "REASONS", "AnswerSpan", "AnsweredQuestion", "BenchmarkIndex", "DraftInContext", "KnownQuestions",
    "answer_aliases", "check_answer_asked_for", "check_answer_not_leaked", "check_answer_stated",
    "check_attempts_agree", "check_concrete_instances", "check_drafts", "check_fields_filled", "check_given_away",
    "check_knowledge_points", "check_language", "check_lengths", "check_logic", "check_logic_shape",
    "check_near_duplicate", "check_not_multiple_choice", "check_row_language", "check_single_answer",
    "check_that_it_asks", "check_uncontaminated", "combine_judgements", "count_error_classes",
    "count_refusal_reasons", "find_first_refusals", "find_paraphrases", "is_quoted", "is_rewritable",
    "locate_answer_evidence", "make_refusal",
]  # fmt: skip
