"""Any text as statements: sentences that can be understood alone, with what is concrete in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kdos.checks.instances import is_abstract
from kdos.rules.instances import (
    NAME,
    NO_NAMES,
    Instance,
    find_instances,
    find_wide_instances,
)
from kdos.rules.sentences import is_wide, split_sentences

PASSAGES_KEPT = 4_096
SHEETS_KEPT = 1_024
LEANING = re.compile(
    r"(?:He|She|It|They|We|I|You|His|Her|Its|Their|Our|This|That|These|Those|Such|There|However|"
    r"Therefore|Thus|Hence|But|And|Or|So|Yet|Also|Moreover|Furthermore|Additionally|Instead|"
    r"Otherwise|Then|Here|Both|Another|Others|Some|Many|Most|Several|Each|One|Two|Similarly|"
    r"Likewise|Meanwhile|Nevertheless|Nonetheless|Later|Afterwards?|Finally|Consequently|Indeed|"
    r"In addition|In contrast|In this|In that|At this|At that|For example|For instance|As a result|"
    r"As such|On the other hand|After this|After that|During this|The (?:former|latter|same|other|"
    r"following|above|second|first|next|last|[a-z]+))\\b"
)
LEANING_WIDE = re.compile(
    r"[他她它牠该此这那其另而但并又也]|同年|同时|后来|因此|之后|当时|此外|由于|然而|不过|随后|其后|目前|现时"
)
POINTING = re.compile(
    r"(?:[\w'’-]+,? ){0,4}(?:he|she|it|they|we|you|his|her|its|their|our|this|these|those|such|"
    r"both|the (?:former|latter|same|following|above|other|latter's))\b",
    re.IGNORECASE,
)
LONGER = re.compile(r"\w{4,}|\d+|[\u3040-\u30ff\u3400-\u9fff]")

ASIDE = re.compile(r"\s*\([^()]*\)")
CLAUSE = re.compile(
    r"(?:; |, (?:which|who|whose|where|although|though|while|but|as well as) | – | — )"
)
SHORTEST_CLUE = 40  # characters


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One sentence of a passage.

    `point` is the sentence as it can be understood alone: word for word, with the title and a
    colon before it where it leans on what went before. `entities` are the names in it, `instances`
    what may be asked for: nothing where its subject is a pronoun. `gist` is the sentence cut short
    to serve as a clue; `titled` says whether it mentions the title.
    """

    sentence: str
    point: str
    gist: str
    title: str
    titled: bool
    wide: bool
    entities: tuple[str, ...]
    instances: tuple[Instance, ...]

    @property
    def leans(self) -> bool:
        """Must the title be there to understand it?"""
        return self.point != self.sentence


@lru_cache(PASSAGES_KEPT)
def read_statements(text: str, title: str) -> tuple[Statement, ...]:
    """The statements of a passage, in order; those nobody could understand alone left out."""
    found = (statement(sentence, title) for sentence in split_sentences(text))
    return tuple(each for each in found if each is not None)


def statement(sentence: str, title: str) -> Statement | None:
    """A sentence as a statement; None if nothing in it is concrete, or it leans on what is not."""
    wide = is_wide(sentence)
    points = not wide and POINTING.match(sentence) is not None
    leans = points or (LEANING_WIDE if wide else LEANING).match(sentence) is not None
    if leans and not title:
        return None
    point = sentence
    if leans:
        point = f"{title}：{sentence}" if wide else f"{title}: {sentence}"
    instances = find_wide_instances(sentence) if wide else find_instances(sentence)
    entities = () if wide else tuple(names_in(sentence))
    concrete = wide or entities or instances
    if not concrete or is_abstract(point, (*entities, title), asked_for=""):
        return None
    if points:
        instances = []
    return Statement(
        sentence=sentence,
        point=point,
        gist=short(sentence),
        title=title,
        titled=mentions(sentence, title),
        wide=wide,
        entities=entities,
        instances=tuple(instances),
    )


def short(sentence: str) -> str:
    """The sentence without asides, its stop, and all after its first clause if that says enough."""
    text = ended(ASIDE.sub("", sentence))
    clause = CLAUSE.search(text, SHORTEST_CLUE)
    whole = clause is None or text.count('"', 0, clause.start()) % 2
    return text if whole or clause is None else text[: clause.start()]


def ended(text: str) -> str:
    """The text without the stop at its end."""
    return text.rstrip(".!?")


def names_in(text: str) -> Iterator[str]:
    """The names in an English text; a first word with a capital is none of its own."""
    for match in NAME.finditer(text):
        name = match[0]
        while name and NO_NAMES.fullmatch(name.split()[0]):
            name = name.partition(" ")[2]
        if len(name) > 2 and (match.start() > 0 or " " in name):
            yield name


def longer_words(text: str) -> set[str]:
    """The words that tell what a text is about."""
    return set(LONGER.findall(text.casefold()))


def mentions(text: str, title: str) -> bool:
    """Does the text say at least half of the title's words?"""
    wanted = longer_words(title)
    return 2 * len(wanted & longer_words(text)) >= len(wanted)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Statements by their knowledge point, in order, and the passage each stands in."""

    statements: Mapping[str, Statement]
    passages: Mapping[str, str]
    _linked: dict[str, list[Statement]] = field(
        default_factory=dict[str, list[Statement]], repr=False
    )

    def linked(self, statement: Statement) -> list[Statement]:
        """All other statements, those that share a name first, then the nearest ones."""
        if statement.point not in self._linked:
            ordered = list(self.statements.values())
            at = ordered.index(statement)
            ours = set(statement.entities)
            near = [
                (ours.isdisjoint(other.entities), abs(place - at), place)
                for place, other in enumerate(ordered)
                if place != at
            ]
            self._linked[statement.point] = [ordered[place] for *_, place in sorted(near)]
        return self._linked[statement.point]

    def rivals(self, statement: Statement, instance: Instance) -> list[str]:
        """Other instances of the same kind, in other statements."""
        texts = [
            found.text
            for other in self.statements.values()
            if other is not statement
            for found in other.instances
            if found.kind == instance.kind
        ]
        return [text for text in dict.fromkeys(texts) if text not in statement.sentence]


def lay_out(passages: Sequence[Mapping[str, Any]]) -> Sheet:
    """The statements of these passages; one that stands in several belongs to the first."""
    return _lay_out(tuple((p["id"], p["title"], p["text"]) for p in passages))


@lru_cache(SHEETS_KEPT)
def _lay_out(passages: tuple[tuple[str, str, str], ...]) -> Sheet:
    statements: dict[str, Statement] = {}
    homes: dict[str, str] = {}
    for name, title, text in passages:
        for each in read_statements(text, title):
            if statements.setdefault(each.point, each) is each:
                homes.setdefault(each.point, name)
    return Sheet(statements, homes)
