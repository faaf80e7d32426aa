"""Draft and passages in, a judgement by rubric out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdos.pool import Draft, ErrorClass, Passage, Refusal
from kdos.tasks.prompt import FLAG, an_object, load_prompt
from kdos.tasks.reading import no_reply_refusal, read_json
from kdos.tasks.request import Reply, Request

CHECKS: dict[str, ErrorClass] = {
    "answer_directly_in_question": ErrorClass.QUESTION,
    "ambiguous": ErrorClass.QUESTION,
    "not_self_contained": ErrorClass.QUESTION,
}
CRITERIA: dict[str, ErrorClass] = {
    "supported": ErrorClass.ANSWER,
    "knowledge_points_true": ErrorClass.KNOWLEDGE_POINTS,
    "entailed": ErrorClass.KNOWLEDGE_LOGIC,
    "logic_valid": ErrorClass.KNOWLEDGE_LOGIC,
    "distractors_valid": ErrorClass.QUESTION,
}
QUOTED_CRITERIA = ("supported", "knowledge_points_true")
"""Criteria that hold only with a quote that stands in a passage."""
JUDGE_TEMPERATURE = 0.7
"""Of every judge after the first, so that several judges can differ."""
CRITERION = an_object(ok=FLAG, quote={"type": "string"})
JUDGE_SCHEMA = an_object(
    **dict.fromkeys(CHECKS, FLAG), criteria=an_object(**dict.fromkeys(CRITERIA, CRITERION))
)
JUDGE_PROMPT = load_prompt("judge", JUDGE_SCHEMA)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Each check and criterion by name: does the draft pass, and by which quote."""

    passed: Mapping[str, bool]
    quotes: Mapping[str, str]


def judgement_refusal(name: str) -> Refusal:
    """The refusal for a check that was flagged, or a criterion that was not met."""
    if name in CHECKS:
        return Refusal(name, CHECKS[name])
    return Refusal(f"not_{name}", CRITERIA[name])


def ask_judgement(draft: Draft, *, passages: Sequence[Passage], judge: int = 0) -> Request:
    """Ask for a judgement of one draft against its passages; `judge` numbers several judges."""
    inputs = {
        "question": draft.question,
        "answer": draft.answer,
        "knowledge_points": list(draft.knowledge_points),
        "logic": draft.logic,
        "distractors": list(draft.distractors),
        "passages": [{"id": p.id, "title": p.title, "text": p.text} for p in passages],
    }
    if judge == 0:
        return Request(id=f"judge/{draft.id}", prompt=JUDGE_PROMPT, inputs=inputs)
    params = {"temperature": JUDGE_TEMPERATURE, "seed": judge}
    return Request(
        id=f"judge/{draft.id}/{judge}", prompt=JUDGE_PROMPT, inputs=inputs, params=params
    )


def read_judgement(reply: Reply) -> Judgement | Refusal:
    """The judgement, or why there is none."""
    value = no_reply_refusal(reply.error) if reply.error else read_json(reply.text, JUDGE_SCHEMA)
    if isinstance(value, Refusal):
        return value
    passed = {name: not value[name] for name in CHECKS}
    passed |= {name: value["criteria"][name]["ok"] for name in CRITERIA}
    quotes = {name: value["criteria"][name]["quote"] for name in CRITERIA}
    return Judgement(passed=passed, quotes=quotes)
