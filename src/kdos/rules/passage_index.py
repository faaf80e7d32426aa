"""What the passages of a request say: facts where sentences state them, statements where any do.

A fact is a sentence of a known relation, read back; a statement is any sentence that can be understood alone, with
what is concrete in it. An index holds either by knowledge point, and says how near they are to each other.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any, Generic, TypeVar

from kdos.checks.sentence_checks import is_abstract_sentence
from kdos.pool.sentences import is_mostly_unspaced, quotable_sentences, split_sentences
from kdos.pool.wording import KANA_AND_HAN
from kdos.rules.instances import NAME, NOT_NAMES, TIMES, Instance, find_chinese_instances, find_instances
from kdos.rules.relations import PYTHON_RELATIONS, TRIPLE_RELATIONS, Relation
from kdos.rules.subjects import PERSONAL, PRONOUN, is_name, relative_pronoun, split_subject

# Requests about one passage or group follow one another: what was read of it is kept.
PASSAGES_CACHED, INDEXES_CACHED = 4_096, 1_024
Inputs = Mapping[str, Any]
"""What a request says, by name, as `kdos.tasks` writes it."""
Passages = Sequence[Mapping[str, Any]]
PassageKey = tuple[tuple[str, str, str], ...]
SENTENCES_CACHED = 65_536
FACTS_PREVAIL = 0.5  # share of a passage's characters that facts must fill to speak for it
# Slots that follow from the others: they agree in number or only name a kind.
WORDING_SLOTS = frozenset({"s", "n", "besides", "noun", "module"})
WORD = re.compile(r"[^\W_]+")
# A Chinese sentence that begins so points back; with the title before it, it can be understood.
LEANING_CHINESE = re.compile(
    r"[他她它牠该此这那其另而但并又也]|同年|同时|后来|因此|之后|当时|此外|由于|然而|不过|随后|其后|目前|现时"
)
# A pronoun among its first words: its subject stands elsewhere, so nothing in it is asked for.
POINTING = re.compile(
    r"(?:[\w'’-]+,? ){0,4}(?:he|she|it|they|we|you|his|her|its|their|our|this|these|those|such|"
    r"both|the (?:former|latter|same|following|above|other|latter's))\b",
    re.IGNORECASE,
)
# Words of four letters or more, numbers, and each Han or kana character by itself.
TOPIC_WORD = re.compile(rf"\w{{4,}}|\d+|[{KANA_AND_HAN}]")

BRACKETED_ASIDE = re.compile(r"(?:(?<!\s)\s++)?\([^()]*\)")
CLAUSE_START = re.compile(r"(?:; |, (?:which|who|whose|where|although|though|while|but|as well as) | – | — )")
MAIN_VERB = re.compile(
    r"\b(?:is|was|are|were|has|had|became|began|won|made|took|led|held|wrote|gave|can|could|will)\b"
)
SHORTEST_CLUE = 40  # characters
SHORTEST_NAME, SHORTEST_CHINESE_NAME = 3, 2  # characters of a name that joins statements


ItemT = TypeVar("ItemT", bound="Fact | PassageStatement")


@dataclass(frozen=True, slots=True)
class PassageIndex(Generic[ItemT]):
    """Items by their knowledge point, in order; by the same key its passage and that one's title.

    An item that stands in several passages belongs to the first.
    """

    items: Mapping[str, ItemT]
    passages: Mapping[str, str]
    titles: Mapping[str, str]


def passage_key(passages: Passages) -> PassageKey:
    """Id, title and text of each passage, to look their index up by."""
    return tuple((p["id"], p["title"], p["text"]) for p in passages)


def collect_items(
    key: PassageKey, read: Callable[[str, str], Iterable[ItemT]]
) -> tuple[dict[str, ItemT], dict[str, str], dict[str, str]]:
    """The three tables of an index; `read` gives the items of a text under a title."""
    items: dict[str, ItemT] = {}
    homes: dict[str, str] = {}
    titles: dict[str, str] = {}
    for name, title, text in key:
        for item in read(text, title):
            if item.point not in items:
                items[item.point], homes[item.point], titles[item.point] = item, name, title
    return items, homes, titles


# Facts


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
        related = one.parent == other.topic or other.parent == one.topic
        if related or other.topic in one.content or one.topic in other.content:
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


def index_facts(passages: Passages) -> FactIndex:
    """The facts of these passages."""
    return _index_facts(passage_key(passages))


@lru_cache(INDEXES_CACHED)
def _index_facts(key: PassageKey) -> FactIndex:
    return FactIndex(*collect_items(key, lambda text, _title: read_facts(text)))


# Statements


@dataclass(frozen=True, slots=True, eq=False)
class PassageStatement:
    """One sentence of a passage.

    `point` is the sentence as it can be understood alone: word for word, with the title and a
    colon before it where it leans on what went before. `entities` are the names in it, `instances`
    what may be asked for: nothing where its subject is a pronoun. `gist` is the sentence cut short
    to serve as a clue; `titled` says whether it mentions the title. `subject` is what it tells of,
    the title also where a part of it or a pronoun says so, and `predicate` what it tells; both are
    empty where that is not sure. `pronoun` is "who" or "which" where the sentence shows which it is.
    """

    sentence: str
    point: str
    gist: str
    title: str
    titled: bool
    chinese: bool
    entities: tuple[str, ...]
    instances: tuple[Instance, ...]
    subject: str = ""
    predicate: str = ""
    pronoun: str = ""

    @property
    def needs_title(self) -> bool:
        """Must the title be there to understand it?"""
        return self.point != self.sentence

    @property
    def names(self) -> tuple[str, ...]:
        """The names and dates in it that join it to other statements; in Chinese, what can be asked for."""
        found = [each.text for each in self.instances if self.chinese or each.kind in TIMES]
        shortest = SHORTEST_CHINESE_NAME if self.chinese else SHORTEST_NAME
        return tuple(name for name in dict.fromkeys([*self.entities, *found]) if len(name) >= shortest)

    @property
    def tells_of_title(self) -> bool:
        """Is it about the title, or does it mention that? A Chinese sentence may leave out that it is."""
        return self.titled or self.chinese or self.subject == self.title


@lru_cache(PASSAGES_CACHED)
def read_statements(text: str, title: str) -> tuple[PassageStatement, ...]:
    """The statements of a passage, in order; those nobody could understand alone left out."""
    return tuple(each for line in text.split("\n") for each in _statements_in_line(line, title))


def _statements_in_line(line: str, title: str) -> Iterator[PassageStatement]:
    """A paragraph's statements; a pronoun that opens one stands for what the one before it told of."""
    quotable = quotable_sentences(line)
    # A paragraph that opens with "he" goes on about a person; "it" may be anything.
    subject = title if line.lstrip().startswith(PERSONAL) else ""
    for sentence in quotable if is_mostly_unspaced(line) else split_sentences(line.strip()):
        if not PRONOUN.match(sentence):
            subject = _name_subject(split_subject(sentence)[0], title)
        if sentence in quotable and (statement := _read_statement(sentence, title, subject)) is not None:
            yield statement


def _name_subject(words: str, title: str) -> str:
    """What the words before a verb name: the title, in whole or in part, as "the university", or something else."""
    if words == title or (topic_words(words) and topic_words(words) <= topic_words(title)):
        return title
    return words if is_name(words) else ""


def _read_statement(sentence: str, title: str, subject: str) -> PassageStatement | None:
    """A sentence as a statement; None if nothing in it is concrete, or it leans on what is not."""
    chinese = is_mostly_unspaced(sentence)
    points = not chinese and POINTING.match(sentence) is not None
    leans = points or (chinese and LEANING_CHINESE.match(sentence) is not None)
    if leans and not title:
        return None
    point = sentence
    if leans:
        point = f"{title}：{sentence}" if chinese else f"{title}: {sentence}"
    instances = find_chinese_instances(sentence) if chinese else find_instances(sentence)
    entities = () if chinese else tuple(_names_in_sentence(sentence))
    concrete = chinese or entities or instances
    if not concrete or is_abstract_sentence(point, (*entities, title), asked_for=""):
        return None
    # Who "he" is, only the title says: to ask about it would ask about the title.
    if points:
        instances = []
    return PassageStatement(
        sentence=sentence,
        point=point,
        gist=_shorten_sentence(sentence),
        title=title,
        titled=mentions_title(sentence, title),
        chinese=chinese,
        entities=entities,
        instances=tuple(instances),
        subject=subject,
        predicate=split_subject(_shorten_sentence(sentence))[1] if subject else "",
        pronoun=relative_pronoun(sentence) if subject else "",
    )


def _shorten_sentence(sentence: str) -> str:
    """The sentence without asides, its stop, and all after its first clause if that says enough."""
    text = strip_full_stop(BRACKETED_ASIDE.sub("", sentence))
    clause = CLAUSE_START.search(text, SHORTEST_CLUE)
    # An odd number of quotes before the cut: it would fall within a quotation. Without a verb before it, it would
    # leave a subject alone.
    if clause is None or text.count('"', 0, clause.start()) % 2 or not MAIN_VERB.search(text, 0, clause.start()):
        return text
    return text[: clause.start()]


def strip_full_stop(text: str) -> str:
    """The text without the stop at its end."""
    return text.rstrip(".!?")


def _names_in_sentence(text: str) -> Iterator[str]:
    """The names in an English text; a first word with a capital is none of its own."""
    for match in NAME.finditer(text):
        name = match[0]
        while name and NOT_NAMES.fullmatch(name.split()[0]):
            name = name.partition(" ")[2]
        if len(name) > 2 and (match.start() > 0 or " " in name):
            yield name


def stands_in(name: str, text: str) -> bool:
    """Is the name in the text, in its own letters, and not the second half of "Hadrian's Wall"?"""
    # Most names are not: to compile a pattern for each is what would take the time.
    if name not in text or is_mostly_unspaced(name):
        return name in text
    return re.search(rf"(?<!\w)(?<!['’]s ){re.escape(name)}(?!\w)", text) is not None


def topic_words(text: str) -> set[str]:
    """The words that tell what a text is about."""
    return set(TOPIC_WORD.findall(text.casefold()))


def mentions_title(text: str, title: str) -> bool:
    """Does the text say at least half of the title's words?"""
    wanted = topic_words(title)
    return 2 * len(wanted & topic_words(text)) >= len(wanted)


@dataclass(frozen=True, slots=True)
class StatementIndex(PassageIndex[PassageStatement]):
    """The statements of some passages, and which stand near or share a name."""

    _linked: dict[str, list[PassageStatement]] = field(default_factory=dict[str, list[PassageStatement]], repr=False)
    _holders: dict[str, list[PassageStatement]] = field(default_factory=dict[str, list[PassageStatement]], repr=False)

    def holders_of_names(self) -> Mapping[str, Sequence[PassageStatement]]:
        """Each name, with the statements that it stands in: "Kennedy" also in that on "John F. Kennedy"."""
        if not self._holders:
            all_statements = list(self.items.values())
            for name in dict.fromkeys(name for each in all_statements for name in each.names):
                self._holders[name] = [each for each in all_statements if stands_in(name, each.sentence)]
        return self._holders

    def linked_statements(self, statement: PassageStatement) -> list[PassageStatement]:
        """All other statements, those that share a name first, then the nearest ones."""
        if statement.point not in self._linked:
            # By shared names, then by how far apart they stand in the passages.
            ordered = list(self.items.values())
            at = ordered.index(statement)
            ours = set(statement.entities)
            near = [
                (ours.isdisjoint(other.entities), abs(place - at), place)
                for place, other in enumerate(ordered)
                if place != at
            ]
            self._linked[statement.point] = [ordered[place] for *_, place in sorted(near)]
        return self._linked[statement.point]

    def rival_answers(self, statement: PassageStatement, answer: str) -> list[str]:
        """Instances of the same kind as the answer, in other statements."""
        kind = next(each.kind for each in statement.instances if each.text == answer)
        texts = [
            found.text
            for other in self.items.values()
            if other is not statement
            for found in other.instances
            if found.kind == kind
        ]
        return [text for text in dict.fromkeys(texts) if text not in statement.sentence]


def index_statements(passages: Passages) -> StatementIndex:
    """The statements of these passages."""
    return _index_statements(passage_key(passages))


@lru_cache(INDEXES_CACHED)
def _index_statements(key: PassageKey) -> StatementIndex:
    return StatementIndex(*collect_items(key, read_statements))
