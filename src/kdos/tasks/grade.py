"""Question, gold answers and an answer in; one of three grades out, as SimpleQA grades."""

from collections.abc import Sequence
from enum import StrEnum

from kdos.pool import ErrorClass, Refusal
from kdos.tasks.prompt import an_object, load_prompt
from kdos.tasks.reading import failed, read_json
from kdos.tasks.request import Reply, Request


class Grade(StrEnum):
    """The grades of SimpleQA (Wei et al., 2024)."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not_attempted"


SCHEMA = an_object(grade={"type": "string", "enum": [str(grade) for grade in Grade]})
PROMPT = load_prompt("grade", SCHEMA)
LETTERS = {"a": Grade.CORRECT, "b": Grade.INCORRECT, "c": Grade.NOT_ATTEMPTED}
"""What graders made for SimpleQA's own prompt reply."""


def ask_grade(name: str, *, question: str, answers: Sequence[str], answer: str) -> Request:
    """Ask for the grade of one answer."""
    inputs = {"question": question, "gold_answers": list(answers), "answer": answer}
    return Request(f"grade/{name}", PROMPT, inputs, {"temperature": 0.0})


def read_grade(reply: Reply) -> Grade | Refusal:
    """The grade, or why there is none; never a default."""
    if reply.error:
        return failed(reply.error)
    value = read_json(reply.text, SCHEMA)
    said = reply.text if isinstance(value, Refusal) else str(value["grade"])
    word = said.strip(" \n\t.`*\"'").casefold().replace(" ", "_")
    if word in LETTERS:
        return LETTERS[word]
    if word in [*Grade]:
        return Grade(word)
    return Refusal("unreadable_grade", ErrorClass.FORMAT_MISMATCH, reply.text[:200])
