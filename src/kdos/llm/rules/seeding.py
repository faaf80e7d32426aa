"""Seed questions from the facts of a passage."""

from collections.abc import Container, Sequence
from typing import Any
from zlib import crc32

from kdos.llm.rules.facts import Fact, read_facts
from kdos.llm.rules.questions import Wording, ask
from kdos.llm.rules.shelf import Distance, Shelf, shelve

MOST_HELPERS = 2
Seed = dict[str, Any]


def seed_facts(text: str, title: str, wanted: int) -> list[Seed]:
    """Questions about the facts of a passage, spread over all of it."""
    shelf = shelve([{"id": "", "title": title, "text": text}])
    open_facts = dict.fromkeys(read_facts(text))
    seeds: list[Seed] = []
    for asked in spread([f for f in open_facts if f.askable], wanted):
        if len(seeds) == wanted:
            break
        helpers = own_clues(asked, shelf, open_facts)
        if seed := seed_for(asked, helpers):
            seeds.append(seed)
            for fact in (asked, *helpers):
                open_facts.pop(fact, None)
    return seeds


def own_clues(asked: Fact, shelf: Shelf, open_facts: Container[Fact]) -> list[Fact]:
    """Facts about the same topic that no seed has used yet."""
    near = [fact for far, fact in shelf.linked(asked) if far == Distance.SAME_TOPIC]
    return [fact for fact in near if fact in open_facts][:MOST_HELPERS]


def spread(facts: Sequence[Fact], wanted: int) -> list[Fact]:
    """All facts, `wanted` of them first that lie evenly over the passage."""
    step = max(1, len(facts) // max(wanted, 1))
    return [fact for start in range(step) for fact in facts[start::step]]


def seed_for(asked: Fact, helpers: Sequence[Fact]) -> Seed | None:
    """A seed that asks for one slot of a fact, helped by others where that gives nothing away."""
    key = crc32(asked.sentence.encode())
    wording = Wording(phrase=key, frame=0, clause=key >> 8 << 1)
    for clues in (helpers, ()):
        for slot in asked.askable:
            question = ask(asked, slot, clues, wording)
            if question:
                return {
                    "question": question.text,
                    "answer": question.answer,
                    "quote": asked.sentence,
                }
    return None
