"""Every reason for a refusal, the class it counts under, and the counts."""

from collections import Counter
from collections.abc import Iterable

from kdos.pool import ErrorClass, Refusal

REASONS: dict[str, ErrorClass] = {
    # no model could say it
    "not_answered_alike": ErrorClass.KNOWLEDGE_GAP,
    # the form that was asked for
    "no_reply": ErrorClass.FORMAT_MISMATCH,
    "unreadable": ErrorClass.FORMAT_MISMATCH,
    "knowledge_points_number": ErrorClass.FORMAT_MISMATCH,
    "logic_unreadable": ErrorClass.FORMAT_MISMATCH,
    "logic_too_long": ErrorClass.FORMAT_MISMATCH,
    "multiple_choice": ErrorClass.FORMAT_MISMATCH,
    "question_length": ErrorClass.FORMAT_MISMATCH,
    "answer_length": ErrorClass.FORMAT_MISMATCH,
    "knowledge_point_length": ErrorClass.FORMAT_MISMATCH,
    "wrong_language": ErrorClass.FORMAT_MISMATCH,
    # the question
    "answer_directly_in_question": ErrorClass.QUESTION,
    "abstract_question": ErrorClass.QUESTION,
    "ambiguous": ErrorClass.QUESTION,
    "not_self_contained": ErrorClass.QUESTION,
    "copied_question": ErrorClass.QUESTION,
    "contaminated": ErrorClass.QUESTION,
    "distractors_valid": ErrorClass.QUESTION,
    # the answer
    "no_evidence": ErrorClass.ANSWER,
    "evidence_not_in_passage": ErrorClass.ANSWER,
    "answer_not_in_evidence": ErrorClass.ANSWER,
    "answer_not_found": ErrorClass.ANSWER,
    "supported": ErrorClass.ANSWER,
    # the knowledge points
    "knowledge_points_repeated": ErrorClass.KNOWLEDGE_POINTS,
    "knowledge_points_contradict": ErrorClass.KNOWLEDGE_POINTS,
    "abstract_knowledge_point": ErrorClass.KNOWLEDGE_POINTS,
    "knowledge_points_true": ErrorClass.KNOWLEDGE_POINTS,
    # the logic between them
    "logic_not_connected": ErrorClass.KNOWLEDGE_LOGIC,
    "logic_circular": ErrorClass.KNOWLEDGE_LOGIC,
    "logic_many_ends": ErrorClass.KNOWLEDGE_LOGIC,
    "logic_end_not_answer": ErrorClass.KNOWLEDGE_LOGIC,
    "knowledge_point_not_in_logic": ErrorClass.KNOWLEDGE_LOGIC,
    "entailed": ErrorClass.KNOWLEDGE_LOGIC,
    "logic_valid": ErrorClass.KNOWLEDGE_LOGIC,
    # sound, but there already
    "near_duplicate": ErrorClass.DISTRIBUTION,
    "same_shape_again": ErrorClass.DISTRIBUTION,
}
"""Reason → class. The classes are KDoS Fig. 7's; which reason falls under which is our design."""


def refuse(reason: str, detail: str = "") -> Refusal:
    """The refusal for a reason in the table."""
    return Refusal(reason, REASONS[reason], detail)


def count_classes(refusals: Iterable[Refusal]) -> dict[str, int]:
    """How many refusals fall under each class; every class is there, in the order of the enum."""
    counts = Counter(refusal.error_class for refusal in refusals)
    return {error_class.value: counts[error_class] for error_class in ErrorClass}


def count_reasons(refusals: Iterable[Refusal]) -> dict[str, int]:
    """How many refusals give each reason, most frequent first, then by name."""
    counts = Counter(refusal.reason for refusal in refusals)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
