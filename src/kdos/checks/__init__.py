"""What becomes of a draft: drafts in; refusals, each with a reason and a class, out."""

from kdos.checks.benchmarks import Asked, Benchmarks, Paraphrase, paraphrased
from kdos.checks.draft import (
    Case,
    aliases,
    check,
    check_all,
    check_independent,
    check_instances,
    check_knowledge_points,
    check_language,
    check_lengths,
    check_logic,
    check_new,
    check_plain_question,
    check_shape,
    check_uncontaminated,
    first_refusals,
)
from kdos.checks.evidence import Place, answer_place, find_quote
from kdos.checks.judging import Ruling, answered_alike, rule
from kdos.checks.known import Known, KnownQuestions
from kdos.checks.taxonomy import REASONS, count_classes, count_reasons, mendable, refuse

__all__ = [
    "REASONS",
    "Asked",
    "Benchmarks",
    "Case",
    "Known",
    "KnownQuestions",
    "Paraphrase",
    "Place",
    "Ruling",
    "aliases",
    "answer_place",
    "answered_alike",
    "check",
    "check_all",
    "check_independent",
    "check_instances",
    "check_knowledge_points",
    "check_language",
    "check_lengths",
    "check_logic",
    "check_new",
    "check_plain_question",
    "check_shape",
    "check_uncontaminated",
    "count_classes",
    "count_reasons",
    "find_quote",
    "first_refusals",
    "mendable",
    "paraphrased",
    "refuse",
    "rule",
]
