"""The built-in engine: no network, no weights; the same request, the same reply."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from kdos.rules.extracting import extract_facts
from kdos.rules.judging import judge
from kdos.rules.prose import lay_out
from kdos.rules.prose_tasks import extract_bare, extract_prose, seed_prose, synthesize_prose
from kdos.rules.seeding import seed_facts
from kdos.rules.shelf import shelve
from kdos.rules.synthesizing import synthesize_facts
from kdos.scoring import attempted, is_correct
from kdos.tasks import Grade, Reply, Request

VERSION = "1"
"""Changes whenever any reply may change: it is part of the ledger's keys."""

Inputs = Mapping[str, Any]


class RulesEngine:
    """An `Engine` that reads facts out of the passages and asks about them."""

    name = "rules"
    fingerprint = f"rules/{VERSION}"

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in their order."""
        for request in requests:
            yield Reply(request, text=answer(request.task, request.inputs))


def answer(task: str, inputs: Inputs) -> str:
    """The reply to one task: JSON that fits the task's schema, or text where it has none."""
    value = TASKS[task](inputs)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def seed(inputs: Inputs) -> dict[str, Any]:
    """Seed questions about a passage."""
    text, title, wanted = inputs["passage"], inputs["title"], inputs["per_passage"]
    return {"seeds": seed_facts(text, title, wanted) or seed_prose(text, title, wanted)}


def extract(inputs: Inputs) -> dict[str, Any]:
    """Entities, knowledge points and logic of a question."""
    question = inputs["question"], inputs["answer"], inputs["claimed"]
    found = extract_facts(*question, shelve(inputs["passages"]))
    found = found or extract_prose(*question, lay_out(inputs["passages"]))
    return found or extract_bare(inputs["question"], inputs["answer"])


def synthesize(inputs: Inputs) -> dict[str, Any]:
    """New drafts from a group of seeds."""
    shelf = shelve(inputs["passages"])
    if shelf.facts:
        return {"drafts": synthesize_facts(inputs, shelf)}
    return {"drafts": synthesize_prose(inputs, lay_out(inputs["passages"]))}


def recall(_: Inputs) -> str:
    """An answer without any passage: the rules have no memory to draw on."""
    return "I don't know."


def grade(inputs: Inputs) -> dict[str, Any]:
    """The grade of an answer, by the rule that `correct` stands for."""
    given, golds = inputs["answer"], inputs["gold_answers"]
    if not attempted(given):
        return {"grade": Grade.NOT_ATTEMPTED}
    right = is_correct(given, golds, question=inputs["question"])
    return {"grade": Grade.CORRECT if right else Grade.INCORRECT}


TASKS: Mapping[str, Callable[[Inputs], dict[str, Any] | str]] = {
    "seed": seed,
    "extract": extract,
    "synthesize": synthesize,
    "judge": judge,
    "recall": recall,
    "grade": grade,
}
