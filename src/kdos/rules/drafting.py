"""Seeds, extractions and drafts from passages: by facts where they speak for them, else by statements.

A draft is settled by its number: the number picks the fact or statement that is asked about, the
set of clues and the wording, so the same request has the same reply and the next `variant` of it has other ones.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, combinations
from typing import Any, Generic, TypeVar
from zlib import crc32

from kdos.checks.answers import find_leaked_answer
from kdos.checks.draft_checks import MAX_QUESTION
from kdos.rules.instances import Instance, question_entities
from kdos.rules.passage_index import (
    Distance,
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
from kdos.rules.questions import ComposedQuestion, QuestionWording, ask_fact, ask_instance

FEWEST_POINTS, MOST_POINTS = 3, 5
FEWEST_CLUES = 2
FACT_CANDIDATES, STATEMENT_CANDIDATES = 8, 7  # clues looked at for one question
MOST_FAR = 3  # clues that share only the document with the asked fact
NEIGHBOURS_ASKED = 3  # items near the one a draft is about that may be asked about instead
AVOIDED = 3  # rank of a fact to avoid
TRIES_PER_DRAFT = 12  # items to be about, and sets of clues with a wording, for one draft
MOST_HELPERS = 2  # facts that help to ask a seed
MOST_DISTRACTORS = 3
LONGEST_CLUES = MAX_QUESTION - 60  # characters that statements may fill; the rest is other words
USED_SHARE = 0.5  # share of a point's longer words that a question holds if it uses the point
SECOND_TRIES = 997  # drafts in place of failed ones are numbered from here
KNUTH = 2_654_435_761  # his multiplier (TAOCP 3, 6.4): neighbouring numbers land far apart

# Mermaid's codes for characters that would end or change a label in quotes.
MERMAID_CODES = str.maketrans({"#": "#35;", '"': "#quot;", "&": "#amp;", "<": "#lt;"})

JsonObject = dict[str, Any]
ClueSet = tuple[int, ...]
OptionT = TypeVar("OptionT")


# Seeds


def seed_from_facts(text: str, title: str, wanted: int) -> list[JsonObject]:
    """Questions about the facts of a passage, spread over all of it.

    A fact that no question holds yet is asked about, helped by others of its topic that none holds
    either; then, if more are wanted, about facts that have been helpers.
    """
    facts = read_facts(text)
    index = index_facts([{"id": "", "title": title, "text": text}])
    helpers = min(MOST_HELPERS, math.ceil(len(facts) / max(wanted, 1)) - 1)
    order = _spread_over_passage([fact for fact in facts if fact.askable], wanted)
    unheld = dict.fromkeys(facts)
    found: dict[str, ComposedQuestion[Fact]] = {}
    for turn, asked in enumerate([*order, *order]):
        if len(found) < wanted and (asked in unheld or turn >= len(order)):
            near = _unheld_helpers(asked, index, unheld)[:helpers]
            if question := _ask_seed_question(asked, near):
                found.setdefault(question.text, question)
                for fact in question.items:
                    unheld.pop(fact, None)
    return [_write_seed(question) for question in found.values()]


def _unheld_helpers(asked: Fact, index: FactIndex, unheld: Container[Fact]) -> list[Fact]:
    """Facts about the same topic that no question holds, those that cannot be asked for first."""
    near = [fact for far, fact in index.linked_facts(asked) if far == Distance.SAME_TOPIC]
    return sorted((fact for fact in near if fact in unheld), key=lambda fact: bool(fact.askable))


def _spread_over_passage(facts: Sequence[Fact], wanted: int) -> list[Fact]:
    """All facts, `wanted` of them first that lie evenly over the passage."""
    step = max(1, len(facts) // max(wanted, 1))
    return [fact for start in range(step) for fact in facts[start::step]]


def _ask_seed_question(asked: Fact, helpers: Sequence[Fact]) -> ComposedQuestion[Fact] | None:
    """A question for one slot of a fact, helped by others where that gives nothing away."""
    key = crc32(asked.sentence.encode())
    # An even clause number keeps the topic's own name in a seed.
    wording = QuestionWording(phrase=key, frame=0, clause=key >> 8 << 1)
    for clues in (helpers, ()):
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
        if len(seeds) < wanted and _is_sound_question(question):
            seeds[question.text] = _write_seed(question)
    return list(seeds.values())


def _askable_instances(statement: PassageStatement) -> list[tuple[PassageStatement, Instance]]:
    return [(statement, instance) for instance in statement.instances]


def _is_sound_question(question: ComposedQuestion[PassageStatement]) -> bool:
    return len(question.text) <= MAX_QUESTION and not find_leaked_answer(question.text, [question.answer])


def _write_seed(question: ComposedQuestion[ItemT]) -> JsonObject:
    quote = question.items[0].sentence
    return {"question": question.text, "answer": question.answer, "quote": quote}


# Extraction


def extract_from_facts(question: str, answer: str, claimed: Sequence[str], index: FactIndex) -> JsonObject | None:
    """The facts the question rests on, the one with the answer first; None where none fits."""
    said = spaced_words(question)
    known = [fact for point in claimed if (fact := read_fact(point)) is not None]
    used = [fact for fact in known if _question_uses_fact(fact, said, answer, known)]
    if not used:
        used = [fact for fact in index.items.values() if _question_uses_fact(fact, said, answer, ())]
    asked = next((fact for fact in used if answer in fact.content), None)
    if asked is None:
        return None
    points = dict.fromkeys([asked, *used])
    if len(points) < FEWEST_POINTS:
        linked = index.linked_facts(asked)
        near = [f for far, f in linked if far <= Distance.SIBLINGS and f not in points]
        points |= dict.fromkeys(near[: FEWEST_POINTS - len(points)])
    return _fact_extraction(ComposedQuestion(question, answer, tuple(points)[:MOST_POINTS]))


def _question_uses_fact(fact: Fact, said: str, answer: str, known: Iterable[Fact]) -> bool:
    """Does the question say what the fact says? One part may stand in another fact."""
    missing = [part for part in fact.content if part != answer and spaced_words(part) not in said]
    if len(missing) <= 1:
        return not missing or any(missing[0] in o.content for o in known if o is not fact)
    return False


def extract_from_statements(
    question: str, answer: str, claimed: Sequence[str], index: StatementIndex
) -> JsonObject | None:
    """The statements a question rests on, the one with the answer first; None where none fits."""
    said = topic_words(f"{question} {answer}")
    share = {
        point: len(said & words) / len(words) for point in (claimed or index.items) if (words := topic_words(point))
    }
    holding = [point for point in share if answer in point]
    if not holding:
        return None
    asked = max(holding, key=lambda point: share[point])
    used = [point for point in share if point != asked and share[point] >= USED_SHARE]
    points = [asked, *used]
    if len(points) < FEWEST_POINTS and asked in index.items:
        near = [each.point for each in index.linked_statements(index.items[asked])]
        points += [point for point in near if point not in points][: FEWEST_POINTS - len(points)]
    points = points[:MOST_POINTS]
    found = tuple(index.items[point] for point in points if point in index.items)
    if len(found) == len(points):
        return _statement_extraction(ComposedQuestion(question, answer, found))
    # A claimed point that no passage says has no names to chain by: all lead to the asked one.
    logic = write_chains([[point] for point in points[1:]], asked, answer)
    return _write_extraction(_statement_entities(question, answer, found), points, logic)


def extract_without_passages(question: str, answer: str) -> JsonObject:
    """What a question holds where no passage is at hand: itself, answered."""
    point = f"The question “{question}” is answered by “{answer}”."
    entities = question_entities(question) or [answer]
    return _write_extraction(entities, [point], write_chains([], point, answer))


def _write_extraction(entities: list[str], points: list[str], logic: str) -> JsonObject:
    return {"topic_entities": entities, "knowledge_points": points, "logic": logic}


def _fact_extraction(question: ComposedQuestion[Fact]) -> JsonObject:
    """Entities are the topics; facts of one topic form a chain, and all chains lead to the asked
    fact and to the answer.
    """
    asked, *clues = question.items
    topics = dict.fromkeys(fact.topic for fact in question.items)
    entities = [topic for topic in topics if topic != question.answer]
    chains: dict[str, list[str]] = {}
    for number, clue in enumerate(clues):
        own = clue.topic == asked.topic
        chains.setdefault(str(number) if own else clue.topic, []).append(clue.point)
    return _write_extraction(
        entities or [parent_name(question.answer) or "builtins"],
        [fact.point for fact in question.items],
        write_chains(list(chains.values()), asked.point, question.answer),
    )


def _statement_extraction(question: ComposedQuestion[PassageStatement]) -> JsonObject:
    """Clues that share a name with the one before follow it; all lead to the asked statement."""
    asked, *clues = question.items
    chains: list[list[str]] = []
    last: set[str] = set()
    for clue in clues:
        if chains and not last.isdisjoint(clue.entities):
            chains[-1].append(clue.point)
        else:
            chains.append([clue.point])
        last = set(clue.entities)
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
    labels = list(dict.fromkeys([*(text for chain in chains for text in chain), last]))
    names = {label: f"n{number}" for number, label in enumerate(labels)}
    ways = [
        f"    {names[one]} --> {names[other]}"
        for chain in chains
        for one, other in zip(chain, [*chain[1:], last], strict=True)
    ]
    kind = "flowchart" if any(len(chain) > 1 for chain in chains) else "graph"
    boxes = [f'    {names[label]}["{label.translate(MERMAID_CODES)}"]' for label in labels]
    boxes.append(f'    answer["{answer.translate(MERMAID_CODES)}"]')
    return "\n".join([f"{kind} TD", *boxes, *ways, f"    {names[last]} --> answer"])


# Drafts


class _Drafter(ABC, Generic[ItemT, OptionT]):
    """Writes the drafts of one request; facts and statements differ in the abstract methods.

    An option is what may be asked: a fact or statement with its slot or instance.
    """

    most_clues: int
    taken: Container[str] = ()
    """Questions that no draft may repeat."""

    def __init__(self, inputs: Inputs, index: PassageIndex[ItemT]) -> None:
        self.inputs = inputs
        self.index = index
        self.wanted = list(chain.from_iterable(inputs["use"]))
        self.use, self.avoid = frozenset(self.wanted), frozenset(inputs["avoid"])
        # The same draft number from other seeds is another draft.
        self.key = crc32("|".join(seed["question"] for seed in inputs["seeds"]).encode())

    @abstractmethod
    def _list_options(self, focus: ItemT) -> list[OptionT]:
        """What to ask so that the question rests on `focus`: of itself, or of what is near it."""

    @abstractmethod
    def _compose_question(self, option: OptionT, focus: ItemT, turn: int) -> ComposedQuestion[ItemT] | None:
        """Ask with the `turn`-th set of clues and wording; None where that fails the checks."""

    @abstractmethod
    def _extract_points(self, question: ComposedQuestion[ItemT]) -> JsonObject: ...

    @abstractmethod
    def _list_distractors(self, question: ComposedQuestion[ItemT]) -> list[str]: ...

    def write_drafts(self) -> list[JsonObject]:
        """Up to `drafts` drafts, each with a question of its own."""
        drafts: dict[str, JsonObject] = {}
        focuses = self._focus_items()[:TRIES_PER_DRAFT]
        for number in _draft_numbers(self.inputs):
            # Where one item gives a question that is known already, the next one is asked about.
            for focus in focuses:
                question = self._compose_about(focus, number)
                if question and question.text not in drafts and question.text not in self.taken:
                    drafts[question.text] = self._write_draft(question)
                    break
        return list(drafts.values())

    def _focus_items(self) -> list[ItemT]:
        """What drafts should be about: items to use, the seeds' own, all others; none to avoid."""
        items = self.index.items
        claimed = [point for seed in self.inputs["seeds"] for point in seed["knowledge_points"]]
        others = (point for point in (*claimed, *items) if point not in self.avoid)
        wanted = dict.fromkeys([*self.wanted, *others])
        return [items[point] for point in wanted if point in items]

    def _compose_about(self, focus: ItemT, number: int) -> ComposedQuestion[ItemT] | None:
        """The first question about an item from the `number`-th try on, options in turn."""
        options = self._list_options(focus)
        for turn in range(number, number + TRIES_PER_DRAFT if options else number):
            lap, place = divmod(turn, len(options))
            if question := self._compose_question(options[place], focus, lap):
                return question
        return None

    def _choose_clues(
        self, candidates: Sequence[ItemT], strange: Sequence[bool], *, first: ItemT | None, turn: int, key: int
    ) -> tuple[list[ItemT], int] | None:
        """The `turn`-th set of clues, and a number that picks the wording; None without any set.

        Sets with the fewest `strange` clues (not asked to be used) come first; within those of
        equally many `key` and the turn pick, so that sets that resemble each other do not follow
        each other. With `first`, every set holds it; it must be the first candidate.
        """
        if first is not None and first not in candidates:
            return None
        tiers = _list_clue_tiers(tuple(strange), first is not None, self.most_clues)
        ends = list(accumulate(map(len, tiers)))
        if not ends:
            return None
        lap, rank = divmod(turn, ends[-1])
        tier = tiers[bisect_right(ends, rank)]
        place = (turn * KNUTH + key) % len(tier)
        # Once all sets are used up, the next lap brings the same ones in other words.
        return [candidates[number] for number in tier[place]], lap + place + key

    def _write_draft(self, question: ComposedQuestion[ItemT]) -> JsonObject:
        asked = question.items[0]
        return {
            "question": question.text,
            "answer": question.answer,
            **self._extract_points(question),
            "distractors": self._list_distractors(question)[:MOST_DISTRACTORS],
            "evidence": [{"passage": self.index.passages[asked.point], "quote": asked.sentence}],
        }


def _draft_numbers(inputs: Inputs) -> range:
    # In place of drafts that failed, others are asked for.
    first = inputs["variant"] * inputs["drafts"] + (SECOND_TRIES if "failed" in inputs else 0)
    return range(first, first + inputs["drafts"])


@lru_cache(4096)
def _list_clue_tiers(strange: tuple[bool, ...], with_first: bool, most: int) -> tuple[tuple[ClueSet, ...], ...]:
    """The sets of clues, those with the fewest strange ones first, in tiers of equals."""
    by_number: dict[int, list[ClueSet]] = {}
    for each in _list_clue_sets(len(strange), with_first, most):
        by_number.setdefault(sum(strange[i] for i in each), []).append(each)
    return tuple(tuple(by_number[number]) for number in sorted(by_number))


@lru_cache(64)
def _list_clue_sets(candidates: int, with_first: bool, most: int) -> tuple[ClueSet, ...]:
    """Every set of clues by their numbers, small ones before; maybe only those with the first."""
    return tuple(
        each
        for size in range(FEWEST_CLUES, most + 1)
        for each in combinations(range(candidates), size)
        if each[0] == 0 or not with_first
    )


class FactDrafter(_Drafter[Fact, tuple[Fact, str]]):
    """Drafts that recombine facts."""

    index: FactIndex
    most_clues = 4

    def __init__(self, inputs: Inputs, index: FactIndex) -> None:
        super().__init__(inputs, index)
        self.taken = frozenset(seed["question"] for seed in inputs["seeds"])

    def _list_options(self, focus: Fact) -> list[tuple[Fact, str]]:
        """The slots of `focus`, and of near facts that it is a clue to the first one each.

        Facts to use are preferred: another one is asked about only where nothing else can be.
        """
        askable = [
            fact
            for _, fact in self.index.linked_facts(focus)
            if fact.askable and fact.slots[fact.askable[0]] not in focus.content
        ]
        near = [fact for fact in askable if fact.point in self.use]
        if not near and not focus.askable:
            near = askable
        own = [(focus, slot) for slot in focus.askable]
        return own + [(fact, fact.askable[0]) for fact in near[:NEIGHBOURS_ASKED]]

    def _compose_question(self, option: tuple[Fact, str], focus: Fact, turn: int) -> ComposedQuestion[Fact] | None:
        asked, slot = option
        clues = self._clue_candidates(asked, slot, focus)
        strange = [clue is not focus and clue.point not in self.use for clue in clues]
        key = crc32(slot.encode(), crc32(asked.sentence.encode(), self.key))
        first = None if focus is asked else focus
        choice = self._choose_clues(clues, strange, first=first, turn=turn, key=key)
        if choice is None:
            return None
        chosen, number = choice
        # Divided so that phrase, frame and clause do not change in step.
        wording = QuestionWording(
            phrase=number,
            frame=number // 7,
            clause=number // 3,
            title=self.index.titles[asked.point],
            rival=self._lookalike_topic(asked, slot),
        )
        question = ask_fact(asked, slot, chosen, wording)
        return question if question and len(question.text) <= MAX_QUESTION else None

    def _clue_candidates(self, asked: Fact, slot: str, focus: Fact) -> list[Fact]:
        """Facts that help to ask and do not hold the answer: `focus`, those to use, the nearest.

        Of those that share no more than the document with the asked one, only a few; of those to
        avoid, none unless there is nothing else.
        """
        answer = asked.slots[slot]
        ranks: list[tuple[int, Fact]] = []
        far = 0
        for distance, fact in self.index.linked_facts(asked):
            if answer in fact.content:
                continue
            if distance == Distance.SAME_TITLE and fact is not focus:
                far += 1
                if far > MOST_FAR or fact.point not in self.use:
                    continue
            ranks.append((self._clue_rank(fact, focus), fact))
        ranks.sort(key=lambda pair: pair[0])
        welcome = sum(rank < AVOIDED for rank, _ in ranks)
        return [fact for _, fact in ranks[: min(max(welcome, FEWEST_CLUES), FACT_CANDIDATES)]]

    def _clue_rank(self, fact: Fact, focus: Fact) -> int:
        if fact is focus:
            return 0
        if fact.point in self.avoid:
            return AVOIDED
        return 1 if fact.point in self.use else 2

    def _lookalike_topic(self, asked: Fact, slot: str) -> str:
        """A sibling of the topic for which the same question has another answer; or empty."""
        rivals = self.index.rival_facts(asked, slot)
        siblings = (rival.topic for rival in rivals if rival.parent == asked.parent)
        return next((topic for topic in siblings if topic != asked.topic), "")

    def _extract_points(self, question: ComposedQuestion[Fact]) -> JsonObject:
        return _fact_extraction(question)

    def _list_distractors(self, question: ComposedQuestion[Fact]) -> list[str]:
        asked = question.items[0]
        slot = next(s for s, text in asked.slots.items() if text == question.answer)
        rivals = [rival.slots[slot] for rival in self.index.rival_facts(asked, slot)]
        wrong = {spaced_words(rival): rival for rival in rivals}
        wrong.pop(spaced_words(question.answer), None)
        return list(wrong.values())


class StatementDrafter(_Drafter[PassageStatement, tuple[PassageStatement, Instance]]):
    """Drafts that ask for an instance, with other statements as clues."""

    index: StatementIndex
    most_clues = 3

    def _list_options(self, focus: PassageStatement) -> list[tuple[PassageStatement, Instance]]:
        near = self.index.linked_statements(focus)[:NEIGHBOURS_ASKED]
        return [option for each in (focus, *near) for option in _askable_instances(each)]

    def _compose_question(
        self, option: tuple[PassageStatement, Instance], focus: PassageStatement, turn: int
    ) -> ComposedQuestion[PassageStatement] | None:
        """Ask for an instance; clues that are too long together are left out from the last on."""
        asked, instance = option
        clues = self._clue_candidates(asked, instance, focus)
        strange = [False] * len(clues)
        first = None if focus is asked else focus
        choice = self._choose_clues(clues, strange, first=first, turn=turn, key=self.key)
        if choice is None:
            return None
        chosen, number = choice
        while len(asked.sentence) + sum(len(clue.gist) for clue in chosen) > LONGEST_CLUES:
            if len(chosen) <= FEWEST_CLUES:
                return None
            chosen.pop()
        wording = QuestionWording(phrase=number, frame=number, clause=number // 3)
        question = ask_instance(asked, instance, chosen, wording)
        return question if _is_sound_question(question) else None

    def _clue_candidates(
        self, asked: PassageStatement, instance: Instance, focus: PassageStatement
    ) -> list[PassageStatement]:
        """Statements that may help to ask and do not tell the answer, the most wanted first."""
        linked = self.index.linked_statements(asked)
        silent = [clue for clue in linked if instance.text not in clue.sentence]
        silent.sort(key=lambda c: (c is not focus, c.point in self.avoid, c.point not in self.use))
        return silent[:STATEMENT_CANDIDATES]

    def _extract_points(self, question: ComposedQuestion[PassageStatement]) -> JsonObject:
        return _statement_extraction(question)

    def _list_distractors(self, question: ComposedQuestion[PassageStatement]) -> list[str]:
        return self.index.rival_answers(question.items[0], question.answer)
