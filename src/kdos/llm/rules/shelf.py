"""The facts at hand: passages in, their facts and how near each other these are, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdos.llm.rules.facts import Fact, read_facts

SAME_TOPIC, KIN, SIBLINGS, SAME_TITLE, APART = range(5)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Facts by their sentence, in order, with the passage each stands in and that one's title."""

    facts: Mapping[str, Fact]
    passages: Mapping[str, str]
    titles: Mapping[str, str]

    @classmethod
    def of(cls, passages: Sequence[Mapping[str, Any]]) -> "Shelf":
        """The facts of these passages; one that stands in several belongs to the first."""
        facts: dict[str, Fact] = {}
        homes: dict[str, str] = {}
        titles: dict[str, str] = {}
        for passage in passages:
            for fact in read_facts(passage["text"]):
                if fact.sentence not in facts:
                    facts[fact.sentence] = fact
                    homes[fact.sentence] = passage["id"]
                    titles[fact.sentence] = passage["title"]
        return cls(facts, homes, titles)

    def distance(self, one: Fact, other: Fact) -> int:
        """How far two facts are apart: same topic, one part of the other, siblings, same title."""
        ours, theirs = one.topic, other.topic
        if ours == theirs:
            return SAME_TOPIC
        if ours.startswith(theirs + ".") or theirs.startswith(ours + "."):
            return KIN
        if self.titles[one.sentence] != self.titles[other.sentence]:
            return APART
        return SIBLINGS if parent(ours) == parent(theirs) else SAME_TITLE

    def linked(self, fact: Fact) -> list[Fact]:
        """All facts that share something with this one, the nearest first."""
        near = [(self.distance(fact, other), other) for other in self.facts.values()]
        near.sort(key=lambda pair: pair[0])
        return [other for far, other in near if far < APART and other is not fact]

    def rivals(self, fact: Fact, slot: str) -> list[str]:
        """Other values that facts of the same relation have in this slot."""
        values = [
            other.slots[slot]
            for other in self.facts.values()
            if other.relation is fact.relation and other is not fact
        ]
        return [value for value in dict.fromkeys(values) if value != fact.slots[slot]]


def parent(name: str) -> str:
    """The name without its last part: of a method its class, of a function its module."""
    return name.rpartition(".")[0]
