"""Seed questions from the facts of a passage."""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from kdos.llm.rules.facts import Fact, read_facts
from kdos.llm.rules.questions import Wording, ask
from kdos.llm.rules.shelf import Shelf
from kdos.llm.rules.synthesizing import sound

MOST_HELPERS = 2
Seed = dict[str, Any]


def seed_facts(text: str, title: str, wanted: int) -> list[Seed]:
    """Questions about the facts of a passage, spread over all of it."""
    shelf = Shelf.of([{"id": "", "title": title, "text": text}])
    open_facts = dict.fromkeys(read_facts(text))
    seeds: list[Seed] = []
    for asked in spread([f for f in open_facts if f.askable], wanted):
        helpers = [f for f in shelf.linked(asked) if f in open_facts and f.topic == asked.topic]
        if seed := seed_for(asked, helpers[:MOST_HELPERS]):
            seeds.append(seed)
            for fact in (asked, *helpers[:MOST_HELPERS]):
                open_facts.pop(fact, None)
    return seeds[:wanted]


def spread(facts: Sequence[Fact], wanted: int) -> list[Fact]:
    """All facts, `wanted` of them first that lie evenly over the passage."""
    step = max(1, len(facts) // max(wanted, 1))
    return [fact for start in range(step) for fact in facts[start::step]]


def seed_for(asked: Fact, helpers: Sequence[Fact]) -> Seed | None:
    """A seed that asks for one slot of a fact, helped by others where that gives nothing away."""
    key = crc32(asked.sentence.encode())
    wording = Wording(phrase=key, frame=0, clause=key >> 8)
    for clues in (helpers, ()):
        for slot in asked.askable:
            question = ask(asked, slot, clues, wording)
            if question and sound(question):
                return {
                    "question": question.text,
                    "answer": question.answer,
                    "quote": asked.sentence,
                }
    return None
