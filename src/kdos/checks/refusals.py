"""Every reason for a refusal, the class it counts under, and the counts."""

from collections import Counter
from collections.abc import Iterable

from kdos.pool import ErrorClass, Refusal

_BY_CLASS: dict[ErrorClass, tuple[str, ...]] = {
    ErrorClass.KNOWLEDGE_GAP: ("no_evidence", "no_draft", "unanswerable"),
    ErrorClass.FORMAT_MISMATCH: (
        *("no_reply", "unreadable", "knowledge_points_number", "multiple_choice"),
        *("logic_unreadable", "logic_too_long", "wrong_language"),
        *("question_length", "answer_length", "knowledge_point_length", "no_question", "no_answer"),
    ),
    ErrorClass.QUESTION: (
        *("answer_directly_in_question", "abstract_question", "copied_question", "contaminated"),
        *("ambiguous", "not_self_contained", "not_distractors_valid"),
    ),
    ErrorClass.ANSWER: (
        *("evidence_not_in_passage", "answer_not_in_evidence", "answer_not_found"),
        *("not_supported", "unproven_supported", "not_answered_alike"),
        *("answer_declined", "answer_vague", "answer_not_asked_for", "conflicting_answers"),
    ),
    ErrorClass.KNOWLEDGE_POINTS: (
        *("knowledge_points_repeated", "knowledge_points_contradict", "abstract_knowledge_point"),
        *("not_knowledge_points_true", "unproven_knowledge_points_true"),
    ),
    ErrorClass.KNOWLEDGE_LOGIC: (
        *("logic_not_connected", "logic_circular", "logic_many_ends", "logic_end_not_answer"),
        *("knowledge_point_not_in_logic", "not_entailed", "not_logic_valid"),
    ),
    ErrorClass.DISTRIBUTION: ("near_duplicate", "same_shape_again", "too_easy", "not_harder", "replaced_by_harder"),
}
REASONS: dict[str, ErrorClass] = {
    reason: error_class for error_class, reasons in _BY_CLASS.items() for reason in reasons
}
"""Reason → class. The classes are KDoS Fig. 7's; which reason falls under which is our design."""
NOT_REWRITABLE = frozenset({"no_reply", "no_draft", "unanswerable", *_BY_CLASS[ErrorClass.DISTRIBUTION]})
"""Reasons for which the same group is not asked again: the fault is not in the writing."""


def make_refusal(reason: str, detail: str = "") -> Refusal:
    """The refusal for a reason in the table."""
    return Refusal(reason, REASONS[reason], detail)


def is_rewritable(refusal: Refusal) -> bool:
    """Is it worth asking for the draft once more, with the reason?"""
    return refusal.reason in REASONS and refusal.reason not in NOT_REWRITABLE


def count_error_classes(refusals: Iterable[Refusal]) -> dict[str, int]:
    """How many refusals fall under each class; every class is there, in the order of the enum."""
    counts = Counter(refusal.error_class for refusal in refusals)
    return {error_class.value: counts[error_class] for error_class in ErrorClass}


def count_refusal_reasons(refusals: Iterable[Refusal]) -> dict[str, int]:
    """How many refusals give each reason, most frequent first, then by name."""
    counts = Counter(refusal.reason for refusal in refusals)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
