"""Seed questions from the facts of a passage."""

import math
from collections.abc import Container, Sequence
from typing import Any
from zlib import crc32

from kdos.rules.facts import Fact, read_facts
from kdos.rules.questions import Question, Wording, ask
from kdos.rules.shelf import Distance, Shelf, shelve

MOST_HELPERS = 2
Seed = dict[str, Any]


def seed_facts(text: str, title: str, wanted: int) -> list[Seed]:
    """Questions about the facts of a passage, spread over all of it.

    A fact that no question holds yet is asked about, helped by others of its topic that none holds
    either; then, if more are wanted, about facts that have been helpers.
    """
    facts = read_facts(text)
    shelf = shelve([{"id": "", "title": title, "text": text}])
    helpers = min(MOST_HELPERS, math.ceil(len(facts) / max(wanted, 1)) - 1)
    order = spread([fact for fact in facts if fact.askable], wanted)
    unheld = dict.fromkeys(facts)
    found: dict[str, Question] = {}
    for turn, asked in enumerate([*order, *order]):
        if len(found) < wanted and (asked in unheld or turn >= len(order)):
            near = own_clues(asked, shelf, unheld)[:helpers]
            if question := seed_for(asked, near):
                found.setdefault(question.text, question)
                for fact in question.facts:
                    unheld.pop(fact, None)
    return [seed_of(question) for question in found.values()]


def own_clues(asked: Fact, shelf: Shelf, unheld: Container[Fact]) -> list[Fact]:
    """Facts about the same topic that no question holds, those that cannot be asked for first."""
    near = [fact for far, fact in shelf.linked(asked) if far == Distance.SAME_TOPIC]
    return sorted((fact for fact in near if fact in unheld), key=lambda fact: bool(fact.askable))


def spread(facts: Sequence[Fact], wanted: int) -> list[Fact]:
    """All facts, `wanted` of them first that lie evenly over the passage."""
    step = max(1, len(facts) // max(wanted, 1))
    return [fact for start in range(step) for fact in facts[start::step]]


def seed_for(asked: Fact, helpers: Sequence[Fact]) -> Question | None:
    """A question for one slot of a fact, helped by others where that gives nothing away."""
    key = crc32(asked.sentence.encode())
    wording = Wording(phrase=key, frame=0, clause=key >> 8 << 1)
    for clues in (helpers, ()):
        for slot in asked.askable:
            if question := ask(asked, slot, clues, wording):
                return question
    return None


def seed_of(question: Question) -> Seed:
    """The seed in the form the schema asks for."""
    quote = question.facts[0].sentence
    return {"question": question.text, "answer": question.answer, "quote": quote}
