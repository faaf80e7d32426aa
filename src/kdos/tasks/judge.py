"""What judges a draft and what evaluates a model.

A draft: a judgement by rubric, and answers given without seeing ours. A model: a question put
closed book, and a grade for an answer to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kdos.pool import Draft, ErrorClass, Passage, Refusal
from kdos.tasks.prompt import FLAG, an_object, list_passages, load_prompt
from kdos.tasks.reading import no_reply_refusal
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
JUDGE_SCHEMA = an_object(**dict.fromkeys(CHECKS, FLAG), criteria=an_object(**dict.fromkeys(CRITERIA, CRITERION)))
JUDGE_PROMPT = load_prompt("judge", JUDGE_SCHEMA)

ANSWER_SCHEMA = an_object(answer={"type": "string"})
ANSWER_PROMPT = load_prompt("answer", ANSWER_SCHEMA)
ATTEMPT_TEMPERATURE = 0.7
"""Attempts must be able to differ: agreement between equal attempts proves nothing."""


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
        "passages": list_passages(passages),
    }
    if judge == 0:
        return Request(f"judge/{draft.id}", JUDGE_PROMPT, inputs)
    params = {"temperature": JUDGE_TEMPERATURE, "seed": judge}
    return Request(f"judge/{draft.id}/{judge}", JUDGE_PROMPT, inputs, params)


def read_judgement(reply: Reply) -> Judgement | Refusal:
    """The judgement, or why there is none."""
    value = reply.value
    if isinstance(value, Refusal):
        return value
    passed = {name: not value[name] for name in CHECKS}
    passed |= {name: value["criteria"][name]["ok"] for name in CRITERIA}
    quotes = {name: value["criteria"][name]["quote"] for name in CRITERIA}
    return Judgement(passed=passed, quotes=quotes)


def ask_answer(draft: Draft, *, passages: Sequence[Passage], attempt: int) -> Request:
    """Ask the draft's question once more; `attempt` makes each asking a request of its own."""
    inputs = {"question": draft.question, "passages": list_passages(passages)}
    params = {"temperature": ATTEMPT_TEMPERATURE, "seed": attempt}
    return Request(f"answer/{draft.id}/{attempt}", ANSWER_PROMPT, inputs, params)


def read_answer(reply: Reply) -> str | Refusal:
    """The answer, empty where the model says it does not know; or why there is none."""
    value = reply.value
    return value if isinstance(value, Refusal) else value["answer"]


RECALL_PROMPT = load_prompt("recall", {})
"""No schema: a reply is the answer itself, so that small models are not asked for JSON."""


@dataclass(frozen=True)
class QuestionRequest(Request):
    """A question put as a chat: instructions, solved examples as earlier turns, the question."""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat that is sent."""
        turns = [
            {"role": role, "content": example[part]}
            for example in self.inputs["examples"]
            for role, part in (("user", "question"), ("assistant", "answer"))
        ]
        question = {"role": "user", "content": self.inputs["question"]}
        return [{"role": "system", "content": self.prompt.text}, *turns, question]


def ask_recall(name: str, *, question: str, examples: Sequence[tuple[str, str]] = ()) -> Request:
    """Ask one question; `examples` are (question, answer) pairs shown before it."""
    shown = [{"question": asked, "answer": given} for asked, given in examples]
    inputs = {"question": question, "examples": shown}
    return QuestionRequest(f"recall/{name}", RECALL_PROMPT, inputs, {"temperature": 0.0})


def read_recall(reply: Reply) -> str | Refusal:
    """The answer, or why there is none."""
    return no_reply_refusal(reply.error) if reply.error else reply.text.strip()


class Grade(StrEnum):
    """The grades of SimpleQA (Wei et al., 2024)."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not_attempted"


GRADE_SCHEMA = an_object(grade={"type": "string", "enum": [str(grade) for grade in Grade]})
GRADE_PROMPT = load_prompt("grade", GRADE_SCHEMA)
# Graders made for SimpleQA's own prompt reply with a letter.
GRADE_WORDS = {str(grade): grade for grade in Grade} | dict(zip("abc", Grade, strict=True))


def ask_grade(name: str, *, question: str, answers: Sequence[str], answer: str) -> Request:
    """Ask for the grade of one answer."""
    inputs = {"question": question, "gold_answers": list(answers), "answer": answer}
    return Request(f"grade/{name}", GRADE_PROMPT, inputs, {"temperature": 0.0})


def read_grade(reply: Reply) -> Grade | Refusal:
    """The grade, or why there is none; never a default."""
    if reply.error:
        return no_reply_refusal(reply.error)
    value = reply.value
    said = reply.text if isinstance(value, Refusal) else str(value["grade"])
    word = said.strip(" \n\t.`*\"'").casefold().replace(" ", "_")
    refusal = Refusal("unreadable_grade", ErrorClass.FORMAT_MISMATCH, reply.text[:200])
    return GRADE_WORDS.get(word, refusal)
