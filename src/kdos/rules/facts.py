"""Sentences read back as facts: text in, facts out, and how near each other these are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from kdos.pool.sentences import split_sentences
from kdos.rules.index import (
    INDEXES_CACHED,
    PASSAGES_CACHED,
    PassageIndex,
    PassageKey,
    Passages,
    collect_items,
    passage_key,
)
from kdos.rules.relations import PYTHON_RELATIONS, TRIPLE_RELATIONS, Relation

SENTENCES_CACHED = 65_536
FACTS_PREVAIL = 0.5  # share of a passage's characters that facts must fill to speak for it
# Slots that follow from the others: they agree in number or only name a kind.
WORDING_SLOTS = frozenset({"s", "n", "besides", "noun", "module"})
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """One sentence of a relation with what stands in its slots.

    `topic` is what the sentence is about and `parent` what that belongs to: of a method its class,
    of a function its module. `askable` are the slots a question may ask for; `content` is what the
    fact says, without the slots that follow from the others.
    """

    sentence: str
    relation: Relation
    slots: Mapping[str, str]
    topic: str
    parent: str
    askable: tuple[str, ...]
    content: tuple[str, ...]

    @property
    def point(self) -> str:
        """Its knowledge point: a fact's sentence is understood without the passage."""
        return self.sentence


@lru_cache(SENTENCES_CACHED)
def read_fact(sentence: str) -> Fact | None:
    """The fact a sentence states; None where it is of no known relation."""
    for relation in (*PYTHON_RELATIONS, *TRIPLE_RELATIONS):
        # The fixed words before the first slot rule out most relations before any pattern runs.
        if not sentence.startswith(relation.opening):
            continue
        if match := relation.pattern.fullmatch(sentence):
            slots = match.groupdict()
            topic = slots[relation.topic]
            return Fact(
                sentence=sentence,
                relation=relation,
                slots=slots,
                topic=topic,
                parent=parent_name(topic) if relation.topic == "owner" else "",
                askable=tuple(slot for slot in relation.asks if _is_askable(match, slot)),
                content=tuple(text for slot, text in slots.items() if slot not in WORDING_SLOTS),
            )
    return None


def parent_name(name: str) -> str:
    """A dotted name without its last part."""
    return name.rpartition(".")[0]


def _is_askable(match: re.Match[str], slot: str) -> bool:
    """Has the slot words, and does it stand in the sentence before anything that reads the same?

    Readers find an answer in its sentence by the first place where it stands.
    """
    value = match[slot]
    return match.string.find(value) == match.start(slot) and WORD.search(value) is not None


@lru_cache(PASSAGES_CACHED)
def read_facts(text: str) -> tuple[Fact, ...]:
    """The facts that stand in a passage, in order; none where most of it says other things."""
    found = [fact for line in text.split("\n") for fact in _facts_in_line(line)]
    share = sum(len(fact.sentence) for fact in found) / max(len(text), 1)
    return tuple(found) if share >= FACTS_PREVAIL else ()


def _facts_in_line(line: str) -> list[Fact]:
    """The one fact that a line states, or the facts among its sentences."""
    # Python facts stand one a line and may quote a full stop; triples stand in running text.
    whole = read_fact(line)
    if whole is not None and whole.relation in PYTHON_RELATIONS:
        return [whole]
    parts = (read_fact(part) for part in split_sentences(line))
    return [fact for fact in parts if fact is not None]


@lru_cache(SENTENCES_CACHED)
def spaced_words(text: str) -> str:
    """The text's words in lower case between single spaces, with a space at either end.

    So that ``spaced_words(a) in spaced_words(b)`` says whether whole words follow one another.
    """
    return f" {' '.join(WORD.findall(text.casefold()))} "


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
class FactIndex(PassageIndex[Fact]):
    """The facts of some passages, and what links them."""

    _linked: dict[str, list[tuple[Distance, Fact]]] = field(
        default_factory=dict[str, list[tuple[Distance, Fact]]], repr=False
    )

    def linked_facts(self, fact: Fact) -> list[tuple[Distance, Fact]]:
        """All other facts that share something with this one, the nearest first."""
        if fact.point not in self._linked:
            near = [(self.link_distance(fact, o), o) for o in self.items.values() if o is not fact]
            near = [pair for pair in near if pair[0] < Distance.APART]
            # By distance alone: the sort is stable, so equals stay in the order of the passages.
            self._linked[fact.point] = sorted(near, key=lambda pair: pair[0])
        return self._linked[fact.point]

    def link_distance(self, one: Fact, other: Fact) -> Distance:
        """What links two facts."""
        if one.topic == other.topic:
            return Distance.SAME_TOPIC
        # Kin: parent and child, or one speaks of the other ("the base class of A is B").
        if one.parent == other.topic or other.parent == one.topic or _name_each_other(one, other):
            return Distance.KIN
        if self.titles[one.point] != self.titles[other.point]:
            return Distance.APART
        return Distance.SIBLINGS if one.parent == other.parent else Distance.SAME_TITLE

    def rival_facts(self, fact: Fact, slot: str) -> list[Fact]:
        """Facts of the same relation with another value in this slot, the nearest first."""
        known = {fact.slots[slot]}
        found: list[Fact] = []
        for _, other in self.linked_facts(fact):
            if other.relation is fact.relation and other.slots[slot] not in known:
                known.add(other.slots[slot])
                found.append(other)
        return found


def _name_each_other(one: Fact, other: Fact) -> bool:
    return other.topic in one.content or one.topic in other.content


def index_facts(passages: Passages) -> FactIndex:
    """The facts of these passages."""
    return _index_facts(passage_key(passages))


@lru_cache(INDEXES_CACHED)
def _index_facts(key: PassageKey) -> FactIndex:
    return FactIndex(*collect_items(key, lambda text, _title: read_facts(text)))
