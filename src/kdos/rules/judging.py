"""The judge: a draft and its passages in, what holds and what does not, out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kdos.checks.answers import given_away
from kdos.logic import Fault, faults, parse
from kdos.pool.grouping import normalise
from kdos.rules.facts import Fact, read_fact, words
from kdos.rules.shelf import Shelf, shelve

POINTS_AT_TEXT = re.compile(
    r"\b(?:this|the) (?:passage|text|paragraph|excerpt)\b|^(?:he|she|it(?! is)|they|this|these)\b",
    re.IGNORECASE,
)
QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"")


def judge(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Checks and criteria, each found by looking; what a draft does not have cannot be wrong."""
    question, answer = inputs["question"], inputs["answer"]
    points: list[str] = inputs["knowledge_points"]
    quotes = [quoted(point, inputs["passages"]) for point in points]
    claims = quotes if points else [quoted(answer, inputs["passages"])]
    proof = next((quote for quote in claims if answer in quote), "")
    held = all(quotes)
    return {
        "answer_directly_in_question": bool(given_away(question, [answer])),
        "ambiguous": is_ambiguous(points, answer, shelve(inputs["passages"])),
        "not_self_contained": POINTS_AT_TEXT.search(QUOTED.sub("", question)) is not None,
        "criteria": {
            "supported": criterion(proof != "", proof),
            "knowledge_points_true": criterion(held, next(iter(quotes), "")),
            "entailed": criterion(
                not points or any(answer in p or words(answer) in words(p) for p in points), proof
            ),
            "logic_valid": criterion(
                not inputs["logic"] or is_logic(inputs["logic"], points, answer)
            ),
            "distractors_valid": criterion(are_wrong(inputs["distractors"], answer)),
        },
    }


def is_logic(text: str, points: Sequence[str], answer: str) -> bool:
    """Does the diagram name every knowledge point and end in the answer?"""
    logic = parse(text)
    return not isinstance(logic, Fault) and not faults(
        logic, knowledge_points=points, answer=answer
    )


def criterion(ok: bool, quote: str = "") -> dict[str, Any]:
    """One criterion's part of the reply."""
    return {"ok": ok, "quote": quote if ok else ""}


def quoted(point: str, passages: Sequence[Mapping[str, Any]]) -> str:
    """The knowledge point as a passage says it, without a title before it; "" if none does."""
    for passage in passages:
        for lead in ("", f"{passage['title']}: ", f"{passage['title']}："):
            if point.startswith(lead) and point.removeprefix(lead) in passage["text"]:
                return point.removeprefix(lead)
    return ""


def is_ambiguous(points: Sequence[str], answer: str, shelf: Shelf) -> bool:
    """Does another fact at hand give the same question another answer?"""
    facts = [fact for point in points if (fact := read_fact(point)) is not None]
    return any(
        others(fact, slot, shelf)
        for fact in facts[:1]
        for slot in fact.askable
        if fact.slots[slot] == answer
    )


def others(fact: Fact, slot: str, shelf: Shelf) -> bool:
    """Is there a fact of the same relation that differs from this one in this slot alone?"""
    rest = {name: text for name, text in fact.slots.items() if name != slot}
    return any(
        other.relation is fact.relation
        and other.slots[slot] != fact.slots[slot]
        and all(other.slots[name] == text for name, text in rest.items())
        for other in shelf.facts.values()
    )


def are_wrong(distractors: Sequence[str], answer: str) -> bool:
    """Do the distractors differ from the answer and from each other?"""
    said = [normalise(text) or text for text in (answer, *distractors)]
    return len(set(said)) == len(said)
