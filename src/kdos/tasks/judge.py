"""Draft and passages in, a judgement by rubric out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdos.pool import Draft, ErrorClass, Passage, Refusal
from kdos.tasks.prompt import FLAG, an_object, load_prompt
from kdos.tasks.reading import failed, read_json
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
CRITERION = an_object(ok=FLAG, quote={"type": "string"})
SCHEMA = an_object(
    **dict.fromkeys(CHECKS, FLAG), criteria=an_object(**dict.fromkeys(CRITERIA, CRITERION))
)
PROMPT = load_prompt("judge", SCHEMA)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Each check and criterion by name: does the draft pass, and by which quote."""

    passed: Mapping[str, bool]
    quotes: Mapping[str, str]

    @property
    def refusal(self) -> Refusal | None:
        """The first thing the draft fails, as a refusal; None if it passes all."""
        for name, error_class in (CHECKS | CRITERIA).items():
            if not self.passed[name]:
                return Refusal(name, error_class)
        return None


def ask_judgement(draft: Draft, *, passages: Sequence[Passage]) -> Request:
    """Ask for a judgement of one draft against its passages."""
    inputs = {
        "question": draft.question,
        "answer": draft.answer,
        "knowledge_points": list(draft.knowledge_points),
        "logic": draft.logic,
        "distractors": list(draft.distractors),
        "passages": [{"id": p.id, "title": p.title, "text": p.text} for p in passages],
    }
    return Request(id=f"judge/{draft.id}", prompt=PROMPT, inputs=inputs)


def read_judgement(reply: Reply) -> Judgement | Refusal:
    """The judgement, or why there is none."""
    value = failed(reply.error) if reply.error else read_json(reply.text, SCHEMA)
    if isinstance(value, Refusal):
        return value
    passed = {name: not value[name] for name in CHECKS}
    passed |= {name: value["criteria"][name]["ok"] for name in CRITERIA}
    quotes = {name: value["criteria"][name]["quote"] for name in CRITERIA}
    return Judgement(passed=passed, quotes=quotes)
