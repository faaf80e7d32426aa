"""Seeds, extractions and drafts from passages: by facts where they speak for them, else by
statements.

A draft is settled by its number: the number picks the fact or statement that is asked about, the
set of clues and the wording, so the same request has the same reply and the next `variant` of it
has other ones.
"""

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, TypeVar
from zlib import crc32

from kdos.checks.answers import given_away
from kdos.checks.draft import MAX_QUESTION
from kdos.rules.facts import (
    Distance,
    Fact,
    FactIndex,
    index_facts,
    parent_name,
    read_fact,
    read_facts,
    spaced_words,
)
from kdos.rules.index import ItemT, PassageIndex
from kdos.rules.instances import Instance, question_entities
from kdos.rules.questions import ComposedQuestion, Wording, ask_fact, ask_instance
from kdos.rules.statements import (
    Statement,
    StatementIndex,
    mentions_title,
    read_statements,
    telling_words,
)

FEWEST_POINTS, MOST_POINTS = 3, 5
FEWEST_CLUES = 2
MOST_FACT_CLUES, MOST_STATEMENT_CLUES = 4, 3
FACT_CANDIDATES, STATEMENT_CANDIDATES = 8, 7  # clues looked at for one question
MOST_FAR = 3  # clues that share only the document with the asked fact
NEIGHBOURS_ASKED = 3  # items near the one a draft is about that may be asked about instead
AVOIDED = 3  # rank of a fact to avoid
WORDINGS_TRIED = 12  # for one draft
MOST_HELPERS = 2  # facts that help to ask a seed
MOST_DISTRACTORS = 3
LONGEST_CLUES = MAX_QUESTION - 60  # characters that statements may fill; the rest is other words
USED_SHARE = 0.5  # share of a point's longer words that a question holds if it uses the point
SECOND_TRIES = 997  # drafts in place of failed ones are numbered from here
KNUTH = 2_654_435_761  # his multiplier (TAOCP 3, 6.4): neighbouring numbers land far apart

# Mermaid's codes for characters that would end or change a label in quotes.
MERMAID_CODES = str.maketrans({"#": "#35;", '"': "#quot;", "&": "#amp;", "<": "#lt;"})

Inputs = Mapping[str, Any]
Draft = dict[str, Any]
Places = tuple[int, ...]
Option = TypeVar("Option")


# Seeds


def seed_from_facts(text: str, title: str, wanted: int) -> list[Draft]:
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
            if question := _ask_seed(asked, near):
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


def _ask_seed(asked: Fact, helpers: Sequence[Fact]) -> ComposedQuestion[Fact] | None:
    """A question for one slot of a fact, helped by others where that gives nothing away."""
    key = crc32(asked.sentence.encode())
    # An even clause number keeps the topic's own name in a seed.
    wording = Wording(phrase=key, frame=0, clause=key >> 8 << 1)
    for clues in (helpers, ()):
        for slot in asked.askable:
            if question := ask_fact(asked, slot, clues, wording):
                return question
    return None


def seed_from_statements(text: str, title: str, wanted: int) -> list[Draft]:
    """Questions about the instances of a passage: one of each statement before a second of any."""
    options = [_askable_instances(each) for each in read_statements(text, title)]
    deepest = max(map(len, options), default=0)
    turns = [own[turn] for turn in range(deepest) for own in options if turn < len(own)]
    wording = Wording(phrase=crc32(title.encode()))
    seeds: dict[str, Draft] = {}
    for statement, instance in turns:
        question = ask_instance(statement, instance, (), wording)
        if len(seeds) < wanted and _is_sound(question):
            seeds[question.text] = _write_seed(question)
    return list(seeds.values())


def _askable_instances(statement: Statement) -> list[tuple[Statement, Instance]]:
    return [(statement, instance) for instance in statement.instances]


def _is_sound(question: ComposedQuestion[Statement]) -> bool:
    """Is the question short enough, and without its answer?"""
    return len(question.text) <= MAX_QUESTION and not given_away(question.text, [question.answer])


def _write_seed(question: ComposedQuestion[ItemT]) -> Draft:
    """The seed in the form the schema asks for."""
    quote = question.items[0].sentence
    return {"question": question.text, "answer": question.answer, "quote": quote}


# Extraction


def extract_from_facts(
    question: str, answer: str, claimed: Sequence[str], index: FactIndex
) -> Draft | None:
    """The facts the question rests on, the one with the answer first; None where none fits."""
    said = spaced_words(question)
    known = [fact for point in claimed if (fact := read_fact(point)) is not None]
    used = [fact for fact in known if _is_used(fact, said, answer, known)]
    if not used:
        used = [fact for fact in index.items.values() if _is_used(fact, said, answer, ())]
    asked = next((fact for fact in used if answer in fact.content), None)
    if asked is None:
        return None
    points = dict.fromkeys([asked, *used])
    if len(points) < FEWEST_POINTS:
        linked = index.linked_facts(asked)
        near = [f for far, f in linked if far <= Distance.SIBLINGS and f not in points]
        points |= dict.fromkeys(near[: FEWEST_POINTS - len(points)])
    return _fact_extraction(ComposedQuestion(question, answer, tuple(points)[:MOST_POINTS]))


def _is_used(fact: Fact, said: str, answer: str, known: Iterable[Fact]) -> bool:
    """Does the question say what the fact says? One part may stand in another fact."""
    missing = [part for part in fact.content if part != answer and spaced_words(part) not in said]
    if len(missing) <= 1:
        return not missing or any(missing[0] in o.content for o in known if o is not fact)
    return False


def extract_from_statements(
    question: str, answer: str, claimed: Sequence[str], index: StatementIndex
) -> Draft | None:
    """The statements a question rests on, the one with the answer first; None where none fits."""
    said = telling_words(f"{question} {answer}")
    share = {
        point: len(said & words) / len(words)
        for point in (claimed or index.items)
        if (words := telling_words(point))
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
    return _extraction(_statement_entities(question, answer, found), points, logic)


def extract_without_passages(question: str, answer: str) -> Draft:
    """What a question holds where no passage is at hand: itself, answered."""
    point = f"The question “{question}” is answered by “{answer}”."
    entities = question_entities(question) or [answer]
    return _extraction(entities, [point], write_chains([], point, answer))


def _extraction(entities: list[str], points: list[str], logic: str) -> Draft:
    return {"topic_entities": entities, "knowledge_points": points, "logic": logic}


def _fact_extraction(question: ComposedQuestion[Fact]) -> Draft:
    points = [fact.point for fact in question.items]
    return _extraction(_fact_entities(question), points, _fact_logic(question))


def _fact_entities(question: ComposedQuestion[Fact]) -> list[str]:
    """What the question is about: the topics of its facts; of what is asked for, its module."""
    topics = dict.fromkeys(fact.topic for fact in question.items)
    known = [topic for topic in topics if topic != question.answer]
    return known or [parent_name(question.answer) or "builtins"]


def _fact_logic(question: ComposedQuestion[Fact]) -> str:
    """Facts of one topic form a chain; all chains lead to the asked fact and to the answer."""
    asked, *clues = question.items
    chains: dict[str, list[str]] = {}
    for number, clue in enumerate(clues):
        own = clue.topic == asked.topic
        chains.setdefault(str(number) if own else clue.topic, []).append(clue.point)
    return write_chains(list(chains.values()), asked.point, question.answer)


def _statement_extraction(question: ComposedQuestion[Statement]) -> Draft:
    entities = _statement_entities(question.text, question.answer, question.items)
    return _extraction(entities, [e.point for e in question.items], _statement_logic(question))


def _statement_entities(question: str, answer: str, statements: Sequence[Statement]) -> list[str]:
    """The title, if the question mentions it, and the names in the question."""
    title = statements[0].title if statements else ""
    known = [name for each in statements for name in each.entities if name in question]
    names = known or question_entities(question)
    topic = [title] if title and mentions_title(question, title) else []
    found = dict.fromkeys([*topic, *names])
    return [name for name in found if name != answer] or [title or question]


def _statement_logic(question: ComposedQuestion[Statement]) -> str:
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
    return write_chains(chains, asked.point, question.answer)


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
    end = [
        f'    answer["{answer.translate(MERMAID_CODES)}"]',
        *ways,
        f"    {names[last]} --> answer",
    ]
    return "\n".join([f"{kind} TD", *boxes, *end])


# Drafts: what facts and statements share


def _collect_drafts(
    inputs: Inputs,
    index: PassageIndex[ItemT],
    *,
    compose: Callable[[ItemT, int], ComposedQuestion[ItemT] | None],
    finish: Callable[[ComposedQuestion[ItemT]], Draft],
    taken: Container[str],
) -> list[Draft]:
    """Up to `drafts` drafts with questions of their own, none of them `taken`.

    A number whose question is known already goes on to the next item to be about.
    """
    drafts: dict[str, Draft] = {}
    focuses = _focus_items(inputs, index)[:WORDINGS_TRIED]
    for number in _draft_numbers(inputs):
        for focus in focuses:
            question = compose(focus, number)
            if question and question.text not in drafts and question.text not in taken:
                drafts[question.text] = finish(question)
                break
    return list(drafts.values())


def _draft_numbers(inputs: Inputs) -> range:
    """Which of a group's drafts are asked for; in place of one that failed, another one."""
    first = inputs["variant"] * inputs["drafts"] + (SECOND_TRIES if "failed" in inputs else 0)
    return range(first, first + inputs["drafts"])


def _focus_items(inputs: Inputs, index: PassageIndex[ItemT]) -> list[ItemT]:
    """What drafts should be about: items to use, then the seeds' own, then all, none to avoid."""
    claimed = [point for seed in inputs["seeds"] for point in seed["knowledge_points"]]
    avoid = set(inputs["avoid"])
    wanted = [*inputs["use"], *(p for p in (*claimed, *index.items) if p not in avoid)]
    return [index.items[p] for p in dict.fromkeys(wanted) if p in index.items]


def _seed_questions(inputs: Inputs) -> list[str]:
    return [seed["question"] for seed in inputs["seeds"]]


def _seeds_key(inputs: Inputs) -> int:
    """A number of the seeds: the same draft number from other seeds is another draft."""
    return crc32("|".join(_seed_questions(inputs)).encode())


def _first_composed(
    options: Sequence[Option],
    number: int,
    compose: Callable[[Option, int], ComposedQuestion[ItemT] | None],
) -> ComposedQuestion[ItemT] | None:
    """The first question from the `number`-th attempt on; options in turn, lap after lap."""
    for turn in range(number, number + WORDINGS_TRIED if options else number):
        lap, place = divmod(turn, len(options))
        if question := compose(options[place], lap):
            return question
    return None


def _choose_clues(
    strange: tuple[bool, ...], *, with_first: bool, most: int, turn: int, key: int
) -> tuple[Places, int] | None:
    """The places of the clues of the `turn`-th set, and a number that picks the wording.

    Sets with the fewest `strange` clues (not asked to be used) come first; within those of equally
    many `key` and the turn pick, so that sets that resemble each other do not follow each other.
    `with_first` leaves only sets with the first clue. None where there is no set.
    """
    tiers = _clue_tiers(strange, with_first, most)
    if not tiers:
        return None
    total = sum(map(len, tiers))
    tier = _tier_of_turn(turn % total, tiers)
    place = (turn * KNUTH + key) % len(tier)
    # Once all sets are used up (turn // total), the same ones come again in other words.
    return tier[place], turn // total + place + key


@lru_cache(4096)
def _clue_tiers(
    strange: tuple[bool, ...], with_first: bool, most: int
) -> tuple[tuple[Places, ...], ...]:
    """The sets of clues, those with the fewest strange ones first, in tiers of equals."""
    by_number: dict[int, list[Places]] = {}
    for each in _clue_sets(len(strange), with_first, most):
        by_number.setdefault(sum(strange[i] for i in each), []).append(each)
    return tuple(tuple(by_number[number]) for number in sorted(by_number))


@lru_cache(64)
def _clue_sets(candidates: int, with_first: bool, most: int) -> tuple[Places, ...]:
    """Every set of clues by their numbers, small ones before; maybe only those with the first."""
    return tuple(
        each
        for size in range(FEWEST_CLUES, most + 1)
        for each in combinations(range(candidates), size)
        if each[0] == 0 or not with_first
    )


def _tier_of_turn(turn: int, tiers: Sequence[tuple[Places, ...]]) -> tuple[Places, ...]:
    for tier in tiers:
        if turn < len(tier):
            return tier
        turn -= len(tier)
    return tiers[-1]


def _write_draft(
    question: ComposedQuestion[ItemT],
    index: PassageIndex[ItemT],
    *,
    extraction: Draft,
    distractors: Sequence[str],
) -> Draft:
    """The draft in the form the schema asks for."""
    asked = question.items[0]
    return {
        "question": question.text,
        "answer": question.answer,
        **extraction,
        "distractors": list(distractors[:MOST_DISTRACTORS]),
        "evidence": [{"passage": index.passages[asked.point], "quote": asked.sentence}],
    }


# Drafts from facts


def draft_from_facts(inputs: Inputs, index: FactIndex) -> list[Draft]:
    """Drafts that recombine facts."""
    composer = _FactComposer(
        index, frozenset(inputs["use"]), frozenset(inputs["avoid"]), _seeds_key(inputs)
    )
    return _collect_drafts(
        inputs,
        index,
        compose=composer.compose_about,
        finish=lambda question: _write_draft(
            question,
            index,
            extraction=_fact_extraction(question),
            distractors=_fact_distractors(question, index),
        ),
        taken=frozenset(_seed_questions(inputs)),
    )


def _fact_distractors(question: ComposedQuestion[Fact], index: FactIndex) -> list[str]:
    """Wrong answers that other facts of the same kind would give."""
    asked = question.items[0]
    slot = next(s for s, text in asked.slots.items() if text == question.answer)
    rivals = index.rival_facts(asked, slot)
    wrong = {spaced_words(rival.slots[slot]): rival.slots[slot] for rival in rivals}
    wrong.pop(spaced_words(question.answer), None)
    return list(wrong.values())


@dataclass(frozen=True, slots=True)
class _FactComposer:
    """Composes questions about facts, with points to use and to avoid."""

    index: FactIndex
    use: frozenset[str]
    avoid: frozenset[str]
    key: int

    def compose_about(self, focus: Fact, number: int) -> ComposedQuestion[Fact] | None:
        """The `number`-th question that rests on a fact and passes the checks; None if none."""

        def compose(option: tuple[Fact, str], lap: int) -> ComposedQuestion[Fact] | None:
            return self.compose_with_clues(*option, focus=focus, turn=lap)

        return _first_composed(self.asked_options(focus), number, compose)

    def asked_options(self, focus: Fact) -> list[tuple[Fact, str]]:
        """What to ask so that the question rests on `focus`: itself, or a near fact it clues.

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

    def clue_candidates(self, asked: Fact, slot: str, focus: Fact) -> list[Fact]:
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
            ranks.append((self.clue_rank(fact, focus), fact))
        ranks.sort(key=lambda pair: pair[0])
        welcome = sum(rank < AVOIDED for rank, _ in ranks)
        most = min(max(welcome, FEWEST_CLUES), FACT_CANDIDATES)
        return [fact for _, fact in ranks[:most]]

    def clue_rank(self, fact: Fact, focus: Fact) -> int:
        """How welcome a fact is as a clue; less is better."""
        if fact is focus:
            return 0
        if fact.point in self.avoid:
            return AVOIDED
        return 1 if fact.point in self.use else 2

    def compose_with_clues(
        self, asked: Fact, slot: str, *, focus: Fact, turn: int
    ) -> ComposedQuestion[Fact] | None:
        """Ask with one of the possible sets of clues, in one of the possible wordings."""
        clues = self.clue_candidates(asked, slot, focus)
        if focus is not asked and focus not in clues:
            return None
        strange = tuple(clue is not focus and clue.point not in self.use for clue in clues)
        choice = _choose_clues(
            strange,
            with_first=focus is not asked,
            most=MOST_FACT_CLUES,
            turn=turn,
            key=crc32(slot.encode(), crc32(asked.sentence.encode(), self.key)),
        )
        if choice is None:
            return None
        places, number = choice
        # Divided by numbers that share no factor with most counts of forms, so that phrase, frame
        # and clause do not change together.
        wording = Wording(
            phrase=number,
            frame=number // 7,
            clause=number // 3,
            title=self.index.titles[asked.point],
            rival=_lookalike_topic(asked, slot, self.index),
        )
        question = ask_fact(asked, slot, [clues[place] for place in places], wording)
        return question if question and len(question.text) <= MAX_QUESTION else None


def _lookalike_topic(asked: Fact, slot: str, index: FactIndex) -> str:
    """A sibling of the topic for which the same question has another answer; or empty."""
    rivals = (rival for rival in index.rival_facts(asked, slot) if rival.topic != asked.topic)
    return next((rival.topic for rival in rivals if rival.parent == asked.parent), "")


# Drafts from statements


def draft_from_statements(inputs: Inputs, index: StatementIndex) -> list[Draft]:
    """Drafts that ask for an instance, with other statements as clues."""
    use, avoid = frozenset(inputs["use"]), frozenset(inputs["avoid"])
    composer = _StatementComposer(index, use, avoid, _seeds_key(inputs))
    return _collect_drafts(
        inputs,
        index,
        compose=composer.compose_about,
        finish=lambda question: _write_draft(
            question,
            index,
            extraction=_statement_extraction(question),
            distractors=index.rival_answers(question.items[0], question.answer),
        ),
        taken=(),
    )


@dataclass(frozen=True, slots=True)
class _StatementComposer:
    """Composes questions about statements, with points to use and to avoid."""

    index: StatementIndex
    use: frozenset[str]
    avoid: frozenset[str]
    key: int

    def compose_about(self, focus: Statement, number: int) -> ComposedQuestion[Statement] | None:
        """The `number`-th question that rests on a statement and passes the checks, or None."""

        def compose(
            option: tuple[Statement, Instance], lap: int
        ) -> ComposedQuestion[Statement] | None:
            return self.compose_with_clues(*option, focus=focus, turn=lap)

        near = self.index.linked_statements(focus)[:NEIGHBOURS_ASKED]
        options = [option for each in (focus, *near) for option in _askable_instances(each)]
        return _first_composed(options, number, compose)

    def clue_candidates(
        self, statement: Statement, instance: Instance, focus: Statement
    ) -> list[Statement]:
        """Statements that may help to ask and do not tell the answer, the most wanted first."""

        def rank(other: Statement) -> tuple[bool, bool, bool]:
            return other is not focus, other.point in self.avoid, other.point not in self.use

        linked = self.index.linked_statements(statement)
        silent = [clue for clue in linked if instance.text not in clue.sentence]
        return sorted(silent, key=rank)[:STATEMENT_CANDIDATES]

    def compose_with_clues(
        self, statement: Statement, instance: Instance, *, focus: Statement, turn: int
    ) -> ComposedQuestion[Statement] | None:
        """Ask with one of the possible sets of clues, in one of the possible wordings."""
        clues = self.clue_candidates(statement, instance, focus)
        if focus is not statement and focus not in clues:
            return None
        choice = _choose_clues(
            (False,) * len(clues),
            with_first=focus is not statement,
            most=MOST_STATEMENT_CLUES,
            turn=turn,
            key=self.key,
        )
        if choice is None:
            return None
        places, number = choice
        chosen = [clues[place] for place in places]
        wording = Wording(phrase=number, frame=number, clause=number // 3)
        while len(statement.sentence) + sum(len(clue.gist) for clue in chosen) > LONGEST_CLUES:
            if len(chosen) <= FEWEST_CLUES:
                return None
            chosen = chosen[:-1]
        question = ask_instance(statement, instance, chosen, wording)
        return question if _is_sound(question) else None
