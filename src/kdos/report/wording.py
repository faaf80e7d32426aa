"""What the page calls things."""

from kdos.pool import ErrorClass

ACCEPTED = "accepted"
OUTCOME_NAMES = {
    ACCEPTED: "accepted",
    ErrorClass.DISTRIBUTION.value: "not needed",
    ErrorClass.KNOWLEDGE_GAP.value: "knowledge gap",
    ErrorClass.QUESTION.value: "question error",
    ErrorClass.ANSWER.value: "answer error",
    ErrorClass.KNOWLEDGE_POINTS.value: "knowledge points error",
    ErrorClass.KNOWLEDGE_LOGIC.value: "knowledge logic error",
    ErrorClass.FORMAT_MISMATCH.value: "format mismatch",
}
"""What can become of a draft: accepted, or refused in an error class."""

CLASS_MEANINGS = {
    ErrorClass.DISTRIBUTION.value: "sound, but what it knows is crowded already or wanted no more",
    ErrorClass.KNOWLEDGE_GAP.value: "the source does not support what it says",
    ErrorClass.QUESTION.value: "the question gives its answer away, is unclear or a copy",
    ErrorClass.ANSWER.value: "the answer is wrong or not in the source",
    ErrorClass.KNOWLEDGE_POINTS.value: "knowledge points are missing, too many or contradictory",
    ErrorClass.KNOWLEDGE_LOGIC.value: "the diagram cannot be read or does not lead to the answer",
    ErrorClass.FORMAT_MISMATCH.value: "the reply did not have the form that was asked for",
}

STOP_REASON_TEXTS = {
    "noise_floor": "the pool is as near to the target as independent draws from it would be",
    "total_variation": "the pool is within a total variation of 0.02 of the target",
    "no_gain": "five rounds brought no further gain",
    "unreachable": "no cell that lacks something can be reached any more",
    "budget": "the budget was spent",
}


def find_outcome_key(error_class: str | None) -> str:
    """The key in `OUTCOME_NAMES` of an error class; an unknown class is a format mismatch."""
    if not error_class:
        return ACCEPTED
    return error_class if error_class in OUTCOME_NAMES else ErrorClass.FORMAT_MISMATCH.value


def format_number(value: float | None) -> str:
    """A number to read: counts in full, measurements to three significant digits."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}"


def format_share(share: float) -> str:
    """A share as a percentage with a useful number of digits."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def spell_out_name(name: str) -> str:
    """A name of the code as words."""
    return name.replace("_", " ")
