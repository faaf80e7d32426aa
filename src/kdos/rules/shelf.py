"""The facts at hand: passages in, their facts and how near each other these are, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any

from kdos.rules.facts import Fact, read_facts

SHELVES_KEPT = 1_024


class Distance(IntEnum):
    """What links two facts, the strongest link first."""

    SAME_TOPIC = 0
    KIN = 1
    """One topic is part of the other, as a method of its class, or stands in the other's fact."""
    SIBLINGS = 2
    """Two methods of a class, two functions of a module."""
    SAME_TITLE = 3
    """Their passages are of one document."""
    APART = 4


@dataclass(frozen=True, slots=True)
class Shelf:
    """Facts by their sentence, in order, with the passage each stands in and that one's title."""

    facts: Mapping[str, Fact]
    passages: Mapping[str, str]
    titles: Mapping[str, str]
    _linked: dict[str, list[tuple[Distance, Fact]]] = field(
        default_factory=dict[str, list[tuple[Distance, Fact]]], repr=False
    )

    def linked(self, fact: Fact) -> list[tuple[Distance, Fact]]:
        """All other facts that share something with this one, the nearest first."""
        if fact.sentence not in self._linked:
            near = [(self.distance(fact, o), o) for o in self.facts.values() if o is not fact]
            near = [pair for pair in near if pair[0] < Distance.APART]
            self._linked[fact.sentence] = sorted(near, key=lambda pair: pair[0])
        return self._linked[fact.sentence]

    def distance(self, one: Fact, other: Fact) -> Distance:
        """What links two facts."""
        if one.topic == other.topic:
            return Distance.SAME_TOPIC
        if one.parent == other.topic or other.parent == one.topic or meet(one, other):
            return Distance.KIN
        if self.titles[one.sentence] != self.titles[other.sentence]:
            return Distance.APART
        return Distance.SIBLINGS if one.parent == other.parent else Distance.SAME_TITLE

    def rivals(self, fact: Fact, slot: str) -> list[Fact]:
        """Facts of the same relation with another value in this slot, the nearest first."""
        known = {fact.slots[slot]}
        found: list[Fact] = []
        for _, other in self.linked(fact):
            if other.relation is fact.relation and other.slots[slot] not in known:
                known.add(other.slots[slot])
                found.append(other)
        return found


def meet(one: Fact, other: Fact) -> bool:
    """Does one fact speak of the other's topic?"""
    return other.topic in one.content or one.topic in other.content


def shelve(passages: Sequence[Mapping[str, Any]]) -> Shelf:
    """The facts of these passages; one that stands in several belongs to the first."""
    return _shelve(tuple((p["id"], p["title"], p["text"]) for p in passages))


@lru_cache(SHELVES_KEPT)
def _shelve(passages: tuple[tuple[str, str, str], ...]) -> Shelf:
    facts: dict[str, Fact] = {}
    homes: dict[str, str] = {}
    titles: dict[str, str] = {}
    for name, title, text in passages:
        for fact in read_facts(text):
            if facts.setdefault(fact.sentence, fact) is fact and fact.sentence not in homes:
                homes[fact.sentence], titles[fact.sentence] = name, title
    return Shelf(facts, homes, titles)
