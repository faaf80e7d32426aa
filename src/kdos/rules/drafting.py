"""Seeds, extractions and drafts from passages: by facts where they speak for them, else by statements.

A draft is settled by its number: the number picks the fact or statement that is asked about, the
set of clues and the wording, so the same request has the same reply and the next `variant` of it has other ones.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import Any, Generic, TypeVar
from zlib import crc32

from kdos.checks.answers import find_leaked_answer
from kdos.checks.draft_checks import MAX_QUESTION
from kdos.logic import LEVELS, Edge, Kind, Logic, Node, find_answering_point, measure_difficulty, parse, write_mermaid
from kdos.rules.chains import ask_chain, lead_to_asked, list_chains
from kdos.rules.instances import Instance, question_entities
from kdos.rules.links import is_part_of, link_clues, may_link, shared_name
from kdos.rules.passage_index import (
    Fact,
    FactIndex,
    Inputs,
    ItemT,
    PassageIndex,
    PassageStatement,
    StatementIndex,
    index_facts,
    mentions_title,
    parent_name,
    read_fact,
    read_facts,
    read_statements,
    spaced_words,
    topic_words,
)
from kdos.rules.questions import FULL_NAMES, ComposedQuestion, QuestionWording, ask_fact, ask_instance

FEWEST_POINTS, MOST_POINTS = 3, 5
FEWEST_CLUES = 2
NEIGHBOURS_ASKED = 3  # items asked about where nothing of a group can be
CLUES_CONSIDERED = 8  # from outside a group, to join its clues
MOST_HELPERS = 2  # facts that help to ask a seed
MOST_DISTRACTORS = 3
LEAST_LOWER_WORDS = 3
"""Of a statement: one of names and numbers alone is a reference, or a heading (our choice)."""
# What leans on a sentence before it, tells the reader to do something, or notes a change: none of them states a fact.
NO_STATEMENT = re.compile(
    r"^(?:But|And|Or|So|Nor|Yet|Note|See|Use|Set|Run|Add|Update|Revert|Clean|Build|Create|Make|Check|Enable|Disable|"
    r"Specify|Print|Display|Show|Read|Write|Return|Allow|Try|Let|Get|Put|Take|Install|Remove|Delete|Copy|Move|Change|"
    r"Fix|Improve|Support|Avoid|Ensure|Include|Exclude|Ignore|Treat|Output|Start|Stop|Wait|Send|Limit|Force|Skip|Keep|"
    r"Turn|Select|Choose|Open|Close|Merge|Apply|Call|Provide|Report|Store|Save|Load|List|Find|Search|Sort|Compare|"
    r"Convert|Replace|Drop|Bump|Pin|Refactor|Document|Test|Consider|Suppose|Assume|Remember|Please|Do|First)\b"
    r"|\(#\d+\)|:$"
)
_LOWER_WORD = re.compile(r"\b[a-zß-öø-ÿ]{2,}+\b")
LONGEST_CLUES = MAX_QUESTION - 60  # characters that statements may fill; the rest is other words
# Share of a point's longer words that a question holds if it uses the point; where nobody claims that, more.
USED_SHARE, SURELY_USED_SHARE = 0.5, 0.8
SECOND_TRIES = 997  # drafts in place of failed ones are numbered from here
CHAINS_TRIED = 8
"""Chains of one asked instance of which the question is written."""
QUESTIONS_MEASURED = 32
"""Questions of which the level is measured to find one of the level that was asked for."""

JsonObject = dict[str, Any]
T = TypeVar("T")
OptionT = TypeVar("OptionT")


# Seeds


def seed_from_facts(text: str, title: str, wanted: int) -> list[JsonObject]:
    """Questions about the facts of a passage, spread over all of it.

    A fact that no question holds yet is asked about, helped by others that none holds either; then, if more are
    wanted, about facts that have been helpers.
    """
    facts = read_facts(text)
    index = index_facts([{"id": "", "title": title, "text": text}])
    helpers = min(MOST_HELPERS, math.ceil(len(facts) / max(wanted, 1)) - 1)
    order = _spread_over_passage([fact for fact in facts if fact.askable], wanted)
    unheld = dict.fromkeys(facts)
    found: dict[str, ComposedQuestion[Fact]] = {}
    for turn, asked in enumerate([*order, *order]):
        if len(found) < wanted and (asked in unheld or turn >= len(order)):
            near = _unheld_helpers(asked, index, unheld) if helpers else []
            if question := _ask_seed_question(asked, near, helpers, title):
                found.setdefault(question.text, question)
                for fact in question.items:
                    unheld.pop(fact, None)
    return [_write_seed(question) for question in found.values()]


def _unheld_helpers(asked: Fact, index: FactIndex, unheld: Container[Fact]) -> list[Fact]:
    """Facts that no question holds and that may help, the nearest first, of these what cannot be asked for."""
    near = [(far, fact) for far, fact in index.linked_facts(asked) if fact in unheld]
    near.sort(key=lambda pair: (pair[0], bool(pair[1].askable)))
    return [fact for _, fact in near]


def _spread_over_passage(facts: Sequence[Fact], wanted: int) -> list[Fact]:
    """All facts, `wanted` of them first that lie evenly over the passage."""
    step = max(1, len(facts) // max(wanted, 1))
    return [fact for start in range(step) for fact in facts[start::step]]


def _ask_seed_question(asked: Fact, near: Sequence[Fact], helpers: int, title: str) -> ComposedQuestion[Fact] | None:
    """A question for one slot of a fact, helped by others where that gives nothing away."""
    key = crc32(asked.sentence.encode())
    # An even clause number keeps the topic's own name in a seed.
    wording = QuestionWording(phrase=key, frame=key // 7, clause=key >> 8 << 1, title=title)
    # It takes two to identify a module by its parts, even where one helper would do.
    for clues in (near[:helpers], near[:MOST_HELPERS], near[: helpers - 1], ()):
        for slot in asked.askable:
            if question := ask_fact(asked, slot, clues, wording):
                return question
    return None


def seed_from_statements(text: str, title: str, wanted: int) -> list[JsonObject]:
    """Questions about the instances of a passage: one of each statement before a second of any."""
    options = [_askable_instances(each) for each in read_statements(text, title)]
    deepest = max(map(len, options), default=0)
    turns = [own[turn] for turn in range(deepest) for own in options if turn < len(own)]
    wording = QuestionWording(phrase=crc32(title.encode()))
    seeds: dict[str, JsonObject] = {}
    for statement, instance in turns:
        question = ask_instance(statement, instance, (), wording)
        if question and len(seeds) < wanted and _is_sound_question(question):
            seeds[question.text] = _write_seed(question)
    return list(seeds.values())


def _may_help(clue: PassageStatement, asked: PassageStatement, instance: Instance) -> bool:
    """Does a statement tell of something that the question about an instance names, and not the answer?"""
    return instance.text not in clue.sentence and shared_name(asked, instance.text, clue) != ""


def _turned(items: Sequence[T], turn: int) -> list[T]:
    """The items in their order, from the `turn`-th on, those before it last."""
    start = turn % len(items) if items else 0
    return [*items[start:], *items[:start]]


def _askable_instances(statement: PassageStatement) -> list[tuple[PassageStatement, Instance]]:
    return [(statement, instance) for instance in statement.instances]


def _is_sound_question(question: ComposedQuestion[PassageStatement]) -> bool:
    statement = question.items[0]
    if not statement.chinese and _is_no_statement(statement.sentence):
        return False
    return len(question.text) <= MAX_QUESTION and not find_leaked_answer(question.text, [question.answer])


def _is_no_statement(sentence: str) -> bool:
    """Whether a sentence in English tells no fact that can be asked for by itself."""
    return NO_STATEMENT.search(sentence) is not None or len(_LOWER_WORD.findall(sentence)) < LEAST_LOWER_WORDS


def _write_seed(question: ComposedQuestion[ItemT]) -> JsonObject:
    quote = question.items[0].sentence
    return {"question": question.text, "answer": question.answer, "quote": quote}


# Extraction


def extract_from_facts(question: str, answer: str, claimed: Sequence[str], index: FactIndex) -> JsonObject | None:
    """The facts the question rests on, the one with the answer first; None where none fits."""
    said = spaced_words(question)
    known = [fact for point in claimed if (fact := read_fact(point)) is not None]
    used = [fact for fact in known if _question_uses_fact(fact, question, said, answer, known)]
    if not used:
        used = [fact for fact in index.items.values() if _question_uses_fact(fact, question, said, answer, ())]
    asked = next((fact for fact in used if answer in fact.content), None)
    if asked is None:
        return None
    points = tuple(dict.fromkeys([asked, *used]))[:MOST_POINTS]
    return _fact_extraction(ComposedQuestion(question, answer, points), index.titles.get(asked.point, ""))


def _question_uses_fact(fact: Fact, question: str, said: str, answer: str, known: Sequence[Fact]) -> bool:
    """Does the question say what the fact says?

    It may call things by their last names. Beside other known facts, one part may stand in another of them: a class
    that is identified and not named is the one that their topics stand in.
    """
    missing = [
        text
        for slot, text in fact.slots.items()
        if text in fact.content and text != answer and not _is_said(slot, text, question, said)
    ]
    others = [other for other in known if other is not fact]
    return not missing or (
        len(missing) == 1
        and any(missing[0] in other.content or is_part_of(other.topic, missing[0]) for other in others)
    )


def _is_said(slot: str, text: str, question: str, said: str) -> bool:
    """Do a slot's words stand in the question, or the last parts of a name, or signs where there are no words?"""
    words = spaced_words(text)
    if words in said and words.strip():
        return True
    parts = text.split(".") if slot in FULL_NAMES else []
    return any(f"`{'.'.join(parts[place:])}`" in question for place in range(1, len(parts))) or f"`{text}`" in question


def extract_from_statements(
    question: str, answer: str, claimed: Sequence[str], index: StatementIndex
) -> JsonObject | None:
    """The statements a question rests on, the one with the answer first; None where none fits."""
    said = topic_words(f"{question} {answer}")
    share = {point: _share_said(point, said, index) for point in (claimed or index.items)}
    holding = [point for point in share if answer in point]
    if not holding:
        return None
    asked = max(holding, key=lambda point: share[point])
    least = USED_SHARE if claimed else SURELY_USED_SHARE
    points = [asked, *(point for point in share if point != asked and share[point] >= least)][:MOST_POINTS]
    if not claimed:
        # A bare question rests on one statement; those that tell of what it names belong to it, and others to none.
        points += _telling_points(index.items[asked], answer, points, index)[: FEWEST_POINTS - len(points)]
    found = tuple(index.items[point] for point in points if point in index.items)
    if len(found) == len(points):
        return _statement_extraction(ComposedQuestion(question, answer, found))
    # A claimed point that no passage says has no names to link it by: all lead to the asked one.
    logic = write_chains([[point] for point in points[1:]], asked, answer)
    return _write_extraction(_statement_entities(question, answer, found), points, logic)


def _share_said(point: str, said: set[str], index: StatementIndex) -> float:
    """Which share of a point's longer words, or of its gist's, is said."""
    texts = (point, index.items[point].gist) if point in index.items else (point,)
    return max(len(said & words) / max(len(words), 1) for words in map(topic_words, texts))


def _telling_points(asked: PassageStatement, answer: str, known: Container[str], index: StatementIndex) -> list[str]:
    """Other statements that tell of a name in the asked one or of the title, those that cannot be asked for first."""
    linked = [each for each in index.linked_statements(asked) if each.point not in known]
    telling = [each for each in linked if answer not in each.sentence and shared_name(asked, answer, each)]
    return [each.point for each in sorted(telling, key=lambda each: bool(each.instances))]


def extract_without_passages(question: str, answer: str) -> JsonObject:
    """What a question holds where no passage is at hand: itself, answered."""
    point = f"The question “{question}” is answered by “{answer}”."
    entities = question_entities(question) or [answer]
    return _write_extraction(entities, [point], write_chains([], point, answer))


def _write_extraction(entities: list[str], points: list[str], logic: str) -> JsonObject:
    return {"topic_entities": entities, "knowledge_points": points, "logic": logic}


def _fact_extraction(question: ComposedQuestion[Fact], title: str) -> JsonObject:
    """Entities are the topics; each clue leads to what it identifies, and that to the asked fact and to the answer."""
    topics = dict.fromkeys(fact.topic for fact in question.items)
    entities = [topic for topic in topics if topic != question.answer]
    return _write_extraction(
        entities or [parent_name(question.answer) or "builtins"],
        [fact.point for fact in question.items],
        _write_fact_logic(question, title),
    )


def _write_fact_logic(question: ComposedQuestion[Fact], title: str) -> str:
    asked, *clues = question.items
    links = link_clues(asked, clues, title)
    if links is None:
        return write_chains([[clue.point] for clue in clues], asked.point, question.answer)
    # Where the topic is asked for, no clue leads to its name: they bear on what is asked.
    # No backquotes around its name: to Mermaid they would mean Markdown.
    named = [asked.topic] if asked.topic != question.answer else []
    chains = [
        [clue.point] if _identifies_parameter(clue, question) else [clue.point, *named] for clue in links.topic_clues
    ]
    home = f"the {links.home_noun} `{links.home}`"
    chains += [[clue.point, home, *named] for clue in links.home_clues]
    return write_chains(chains, asked.point, question.answer)


def _identifies_parameter(clue: Fact, question: ComposedQuestion[Fact]) -> bool:
    """Does a clue say which parameter is meant, where the question calls it by its place?"""
    parameter = question.items[0].slots.get("parameter")
    return clue.relation.name == "position" and (
        clue.slots["parameter"] == parameter and f"`{parameter}`" not in question.text
    )


def _statement_extraction(question: ComposedQuestion[PassageStatement]) -> JsonObject:
    """Each clue leads to the name that it tells of, and that on to the asked statement and the answer."""
    asked, *clues = question.items
    chains = lead_to_asked(question.text, question.answer, asked, clues)
    return _write_extraction(
        _statement_entities(question.text, question.answer, question.items),
        [each.point for each in question.items],
        write_chains(chains, asked.point, question.answer),
    )


def _statement_entities(question: str, answer: str, statements: Sequence[PassageStatement]) -> list[str]:
    """The title, if the question mentions it, and the names in the question."""
    title = statements[0].title if statements else ""
    known = [name for each in statements for name in each.entities if name in question]
    names = known or question_entities(question)
    topic = [title] if title and mentions_title(question, title) else []
    found = dict.fromkeys([*topic, *names])
    return [name for name in found if name != answer] or [title or question]


def write_chains(chains: Sequence[Sequence[str]], last: str, answer: str) -> str:
    """Logic as Mermaid: chains of points, each ending in the `last` one, which gives the answer.

    A flowchart where there are steps in a row, a graph where all bear on the last one at once.
    """
    ways = dict.fromkeys(way for chain in chains for way in zip(chain, [*chain[1:], last], strict=True))
    # Nodes in the order in which the edges name them, as every reader of the diagram counts them.
    labels = list(dict.fromkeys([*(text for way in ways for text in way), last]))
    nodes = [Node(f"n{number}", label) for number, label in enumerate([*labels, answer])]
    names = dict(zip(labels, (node.id for node in nodes), strict=False))
    edges = [*(Edge(names[one], names[other]) for one, other in ways), Edge(names[last], nodes[-1].id)]
    kind = Kind.FLOWCHART if any(len(chain) > 1 for chain in chains) else Kind.GRAPH
    return write_mermaid(Logic(kind, tuple(nodes), tuple(edges)))


# Drafts


@dataclass(frozen=True, slots=True)
class _GroupOption(Generic[ItemT, OptionT]):
    """What may be asked of an item of a group, and those of the group that may help to ask it."""

    item: ItemT
    option: OptionT
    clues: Sequence[ItemT]


class _Drafter(ABC, Generic[ItemT, OptionT]):
    """Writes the drafts of one request; facts and statements differ in the abstract methods.

    Draft i rests on the knowledge points of `use[i]`. Which of them it asks about is settled by the turn, the number
    of times that the same was asked for before: the first one is asked about first, then each of the others, and only
    then any of them in other words. The others are its clues, all of them where that can be; others join them only
    where there are fewer than two. An option is what may be asked: a fact or statement with its slot or instance.
    """

    taken: Container[str] = ()
    """Questions that no draft may repeat."""

    def __init__(self, inputs: Inputs, index: PassageIndex[ItemT]) -> None:
        self.inputs = inputs
        self.index = index
        self.avoid = frozenset(inputs["avoid"])
        # The same draft number from other seeds is another draft.
        self.key = crc32("|".join(seed["question"] for seed in inputs["seeds"]).encode())

    @abstractmethod
    def _list_options(self, item: ItemT) -> list[OptionT]:
        """What of an item may be asked for."""

    @abstractmethod
    def _may_be_clue(self, clue: ItemT, option: OptionT) -> bool:
        """Could this help to ask, by itself, without telling the answer?"""

    @abstractmethod
    def _linked_items(self, item: ItemT) -> Iterable[ItemT]:
        """All others that an item may stand with, what is linked most closely first."""

    @abstractmethod
    def _compose_question(self, option: OptionT, clues: Sequence[ItemT], lap: int) -> ComposedQuestion[ItemT] | None:
        """The question with these clues, in words of its own each lap; None where that fails the checks."""

    @abstractmethod
    def _extract_points(self, question: ComposedQuestion[ItemT]) -> JsonObject: ...

    @abstractmethod
    def _list_distractors(self, question: ComposedQuestion[ItemT]) -> list[str]: ...

    def write_drafts(self) -> list[JsonObject]:
        """Up to `drafts` drafts, each with a question of its own."""
        drafts: dict[str, JsonObject] = {}
        groups = list(self._list_groups())
        for number, group in enumerate(groups):
            turn = self.inputs["variant"] + groups[:number].count(group)
            # In place of a draft that failed, another one is asked for.
            turn += SECOND_TRIES if "failed" in self.inputs else 0
            for question in self._compose_at_level(group, turn):
                if question.text not in drafts and question.text not in self.taken:
                    drafts[question.text] = self._write_draft(question)
                    break
        return list(drafts.values())

    def _list_groups(self) -> Iterator[list[ItemT]]:
        """The items that each draft is to rest on; where it was not said, one of the seeds' own or of all others."""
        items = self.index.items
        claimed = [point for seed in self.inputs["seeds"] for point in seed["knowledge_points"]]
        free = [p for p in dict.fromkeys([*claimed, *items]) if p in items and p not in self.avoid]
        for number in range(self.inputs["drafts"]):
            points = self.inputs["use"][number] if number < len(self.inputs["use"]) else ()
            group = [items[point] for point in dict.fromkeys(points) if point in items]
            if not group and free:
                place = self.inputs["variant"] * self.inputs["drafts"] + number
                group = [items[free[place % len(free)]]]
            yield group

    def _compose_questions(self, group: Sequence[ItemT], turn: int) -> Iterator[ComposedQuestion[ItemT]]:
        """Sound questions about a group: those that rest on most of it first, those from the `turn`-th on before."""
        asked = [item for item in group if self._list_options(item)]
        if group and not asked:
            # What can only help to ask is held by a question about what it is linked with.
            near = (item for item in self._linked_items(group[0]) if self._list_options(item))
            asked = list(islice(near, NEIGHBOURS_ASKED))
        options = self._list_group_options(asked, group)
        for size in range(MOST_POINTS - 1, -1, -1):
            for place in range(turn, turn + len(options)):
                lap, number = divmod(place, len(options))
                composed = (
                    self._compose_question(options[number].option, clues, lap)
                    for clues in self._list_clues(options[number], size, lap)
                )
                if question := next(filter(None, composed), None):
                    yield question

    def _compose_at_level(self, group: Sequence[ItemT], turn: int) -> Iterator[ComposedQuestion[ItemT]]:
        """Sound questions about a group: those of the level that was asked for first, then the nearest below."""
        wanted = self.inputs.get("difficulty", "").partition(":")[0]
        if wanted not in LEVELS:
            yield from self._compose_questions(group, turn)
            return
        others: list[tuple[int, ComposedQuestion[ItemT]]] = []
        found = chain(self._compose_chains(group, turn, wanted), self._compose_questions(group, turn))
        for question in islice(found, QUESTIONS_MEASURED):
            beyond = self._measure_level(question) - LEVELS.index(wanted)
            if not beyond:
                yield question
            else:
                others.append((len(LEVELS) + beyond if beyond > 0 else -beyond, question))
        yield from (question for _, question in sorted(others, key=lambda pair: pair[0]))

    @abstractmethod
    def _compose_chains(self, group: Sequence[ItemT], turn: int, level: str, /) -> Iterable[ComposedQuestion[ItemT]]:
        """Questions of as many steps as a level takes; none where items form no chains."""

    def _measure_level(self, question: ComposedQuestion[ItemT]) -> int:
        found = self._extract_points(question)
        logic, points = parse(found["logic"]), found["knowledge_points"]
        if not isinstance(logic, Logic):
            return 0
        return measure_difficulty(
            logic,
            knowledge_points=points,
            question=question.text,
            answering=find_answering_point(logic, knowledge_points=points, answer=question.answer),
            topic_entities=found["topic_entities"],
        ).level

    def _list_group_options(
        self, asked: Sequence[ItemT], group: Sequence[ItemT]
    ) -> list[_GroupOption[ItemT, OptionT]]:
        """What may be asked, one of each item before a second of any; and which of the group help to ask it."""
        own = [(item, self._list_options(item)) for item in asked]
        deepest = max((len(options) for _, options in own), default=0)
        turns = [(item, options[turn]) for turn in range(deepest) for item, options in own if turn < len(options)]
        return [
            _GroupOption(
                item, option, [each for each in group if each is not item and self._may_be_clue(each, option)]
            )
            for item, option in turns
        ]

    def _list_clues(self, asked: _GroupOption[ItemT, OptionT], size: int, lap: int) -> Iterator[Sequence[ItemT]]:
        """Sets of clues with `size` of the group's; what two need from outside it changes with the lap."""
        own = asked.clues
        if size >= FEWEST_CLUES or size > len(own):
            yield from combinations(own, size)
            return
        near = [
            each
            for each in self._linked_items(asked.item)
            if each not in own and self._may_be_clue(each, asked.option)
        ]
        near.sort(key=lambda each: each.point in self.avoid)
        joining = list(combinations(near[:CLUES_CONSIDERED], FEWEST_CLUES - size))
        start = lap % len(joining) if joining else 0
        joining = [*joining[start:], *joining[:start]]
        joining.sort(key=lambda clues: sum(each.point in self.avoid for each in clues))
        for more in joining:
            for kept in combinations(own, size):
                yield [*kept, *more]

    def _write_draft(self, question: ComposedQuestion[ItemT]) -> JsonObject:
        asked = question.items[0]
        return {
            "question": question.text,
            "answer": question.answer,
            **self._extract_points(question),
            "distractors": self._list_distractors(question)[:MOST_DISTRACTORS],
            "evidence": [{"passage": self.index.passages[asked.point], "quote": asked.sentence}],
        }


class FactDrafter(_Drafter[Fact, tuple[Fact, str]]):
    """Drafts that recombine facts.

    Facts can join one question where (the strongest link first) they are about one topic; about the class or module
    that the topic stands in; about a part of the topic, as a method of the class that is asked about; where one names
    the other's topic or the class it stands in, as a base class; or about other parts of that class, or of the module,
    which then identify it in the place of its name: one of them by its documentation, or two of them together.
    """

    index: FactIndex

    def __init__(self, inputs: Inputs, index: FactIndex) -> None:
        super().__init__(inputs, index)
        self.taken = frozenset(seed["question"] for seed in inputs["seeds"])

    def _list_options(self, item: Fact) -> list[tuple[Fact, str]]:
        return [(item, slot) for slot in item.askable]

    def _may_be_clue(self, clue: Fact, option: tuple[Fact, str]) -> bool:
        asked, slot = option
        # Where the topic itself is asked for, its own facts tell of it without its name.
        told = [part for part in clue.content if part != asked.topic or clue.topic != asked.topic]
        return asked.slots[slot] not in told and may_link(asked, clue, self._title(asked))

    def _linked_items(self, item: Fact) -> Iterable[Fact]:
        return (fact for _, fact in self.index.linked_facts(item))

    def _title(self, fact: Fact) -> str:
        return self.index.titles[fact.point]

    def _compose_question(
        self, option: tuple[Fact, str], clues: Sequence[Fact], lap: int
    ) -> ComposedQuestion[Fact] | None:
        asked, slot = option
        number = crc32(slot.encode(), crc32(asked.sentence.encode(), self.key)) + lap
        # Divided so that phrase, frame and clause do not change in step.
        wording = QuestionWording(phrase=number, frame=number // 7, clause=number // 3, title=self._title(asked))
        question = ask_fact(asked, slot, clues, wording)
        if question is None or len(question.text) > MAX_QUESTION:
            return None
        # "1.0" is given away by a count of 1, and 1000000 by "one million"; a name stands there or does not.
        leaks = any(map(str.isdigit, question.answer)) and find_leaked_answer(question.text, [question.answer])
        return None if leaks else question

    def _compose_chains(self, *_: object) -> Iterable[ComposedQuestion[Fact]]:
        return ()

    def _extract_points(self, question: ComposedQuestion[Fact]) -> JsonObject:
        return _fact_extraction(question, self._title(question.items[0]))

    def _list_distractors(self, question: ComposedQuestion[Fact]) -> list[str]:
        asked = question.items[0]
        slot = next(s for s, text in asked.slots.items() if text == question.answer)
        rivals = [rival.slots[slot] for rival in self.index.rival_facts(asked, slot)]
        wrong = {spaced_words(rival): rival for rival in rivals}
        wrong.pop(spaced_words(question.answer), None)
        return list(wrong.values())


class StatementDrafter(_Drafter[PassageStatement, tuple[PassageStatement, Instance]]):
    """Drafts that ask for an instance, with other statements as clues.

    Statements can join one question where (the strongest link first) one tells of a name in the other; one has a name
    of the other's in it; or one tells of the title, in the first place or by the way, that the question is about.
    """

    index: StatementIndex

    def _list_options(self, item: PassageStatement) -> list[tuple[PassageStatement, Instance]]:
        return _askable_instances(item)

    def _may_be_clue(self, clue: PassageStatement, option: tuple[PassageStatement, Instance]) -> bool:
        return _may_help(clue, *option)

    def _linked_items(self, item: PassageStatement) -> Iterable[PassageStatement]:
        return self.index.linked_statements(item)

    def _compose_question(
        self, option: tuple[PassageStatement, Instance], clues: Sequence[PassageStatement], lap: int
    ) -> ComposedQuestion[PassageStatement] | None:
        asked, instance = option
        if len(asked.sentence) + sum(len(clue.gist) for clue in clues) > LONGEST_CLUES:
            return None
        number = crc32(instance.text.encode(), crc32(asked.sentence.encode(), self.key)) + lap
        wording = QuestionWording(phrase=number, frame=number, clause=number // 3)
        question = ask_instance(asked, instance, clues, wording)
        return question if question and _is_sound_question(question) else None

    def _compose_chains(
        self, group: Sequence[PassageStatement], turn: int, level: str, /
    ) -> Iterator[ComposedQuestion[PassageStatement]]:
        if level == LEVELS[0] or not group:
            return
        wanted = frozenset(item.point for item in group)
        own = [option for item in group for option in self._list_options(item)]
        # What is asked about may be another statement, as long as the group leads to it.
        near = (item for item in self._linked_items(group[0]) if item.point not in wanted)
        others = [option for item in near for option in self._list_options(item)]
        laps = turn // max(len(own), 1)
        for asked, instance in [*_turned(own, turn), *_turned(others, self.key + turn)]:
            wording = QuestionWording(clause=crc32(asked.sentence.encode(), self.key) + laps)
            chains = list_chains(asked, instance, self.index, level=level, wanted=wanted, avoid=self.avoid)
            for each in _turned(list(islice(chains, CHAINS_TRIED)), laps):
                if asked.point in wanted or any(clue.point in wanted for clue in each.clues):
                    question = ask_chain(asked, instance, each, wording)
                    if question and _is_sound_question(question):
                        yield question

    def _extract_points(self, question: ComposedQuestion[PassageStatement]) -> JsonObject:
        return _statement_extraction(question)

    def _list_distractors(self, question: ComposedQuestion[PassageStatement]) -> list[str]:
        return self.index.rival_answers(question.items[0], question.answer)
