"""Sentences read back as facts: text in, facts out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kdos.rules.relations import PYTHON, Relation
from kdos.rules.sentences import sentences_of
from kdos.rules.triples import TRIPLES

SENTENCES_KEPT = 65_536
PASSAGES_KEPT = 4_096
FACTS_PREVAIL = 0.5  # share of a passage's characters that facts must fill to speak for it
WORDING = frozenset({"s", "n", "besides", "noun", "module"})
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


@lru_cache(SENTENCES_KEPT)
def read_fact(sentence: str) -> Fact | None:
    """The fact a sentence states; None where it is of no known relation."""
    for relation in (*PYTHON, *TRIPLES):
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
                parent=parent(topic) if relation.topic == "owner" else "",
                askable=tuple(slot for slot in relation.asks if is_askable(match, slot)),
                content=tuple(text for slot, text in slots.items() if slot not in WORDING),
            )
    return None


def parent(name: str) -> str:
    """The name without its last part."""
    return name.rpartition(".")[0]


def is_askable(match: re.Match[str], slot: str) -> bool:
    """Has the slot words, and does it stand in the sentence before anything that reads the same?

    Readers find an answer in its sentence by the first place where it stands.
    """
    value = match[slot]
    return match.string.find(value) == match.start(slot) and WORD.search(value) is not None


@lru_cache(PASSAGES_KEPT)
def read_facts(text: str) -> tuple[Fact, ...]:
    """The facts that stand in a passage, in order; none where most of it says other things."""
    found = [fact for line in text.split("\n") for fact in facts_in(line)]
    share = sum(len(fact.sentence) for fact in found) / max(len(text), 1)
    return tuple(found) if share >= FACTS_PREVAIL else ()


def facts_in(line: str) -> list[Fact]:
    """The one fact that a line states, or the facts among its sentences."""
    whole = read_fact(line)
    if whole is not None and whole.relation in PYTHON:
        return [whole]
    parts = (read_fact(part) for part in sentences_of(line))
    return [fact for fact in parts if fact is not None]


@lru_cache(SENTENCES_KEPT)
def words(text: str) -> str:
    """The text's words in lower case between single spaces, with a space at either end."""
    return f" {' '.join(WORD.findall(text.casefold()))} "


def stands_in(part: str, text: str) -> bool:
    """Do the words of `part` follow one another in `text`?"""
    return words(part) in words(text)
