"""What evaluates a model: a question put closed book, and a grade for an answer to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kdos.pool import ErrorClass, Refusal
from kdos.tasks.prompt import an_object, load_prompt
from kdos.tasks.reading import no_reply_refusal, read_json
from kdos.tasks.request import Reply, Request

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
GRADE_LETTERS = {"a": Grade.CORRECT, "b": Grade.INCORRECT, "c": Grade.NOT_ATTEMPTED}
"""What graders made for SimpleQA's own prompt reply."""


def ask_grade(name: str, *, question: str, answers: Sequence[str], answer: str) -> Request:
    """Ask for the grade of one answer."""
    inputs = {"question": question, "gold_answers": list(answers), "answer": answer}
    return Request(f"grade/{name}", GRADE_PROMPT, inputs, {"temperature": 0.0})


def read_grade(reply: Reply) -> Grade | Refusal:
    """The grade, or why there is none; never a default."""
    if reply.error:
        return no_reply_refusal(reply.error)
    value = read_json(reply.text, GRADE_SCHEMA)
    said = reply.text if isinstance(value, Refusal) else str(value["grade"])
    word = said.strip(" \n\t.`*\"'").casefold().replace(" ", "_")
    if word in GRADE_LETTERS:
        return GRADE_LETTERS[word]
    if word in [*Grade]:
        return Grade(word)
    return Refusal("unreadable_grade", ErrorClass.FORMAT_MISMATCH, reply.text[:200])
