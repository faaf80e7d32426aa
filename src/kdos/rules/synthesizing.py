"""Facts recombined: a group of seeds and passages in, drafts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any
from zlib import crc32

from kdos.checks.draft import MAX_QUESTION
from kdos.rules.diagrams import steps
from kdos.rules.facts import Fact, parent, words
from kdos.rules.questions import Question, Wording, ask
from kdos.rules.shelf import Distance, Shelf

MOST_CLUES, FEWEST_CLUES = 4, 2
CANDIDATES = 8  # clues looked at for one asked fact
MOST_FAR = 3  # clues that share only the document with the asked fact
NEIGHBOURS_ASKED = 3  # facts near the one a draft is about that may be asked about instead
AVOIDED = 3  # rank of a fact to avoid
TRIES = 12  # wordings tried for one draft
MOST_DISTRACTORS = 3
SECOND_TRIES = 997  # drafts in place of failed ones are numbered from here
SPREAD = 2_654_435_761  # Knuth's multiplier: neighbouring numbers land far apart in 32 bits

Inputs = Mapping[str, Any]
Draft = dict[str, Any]


def synthesize_facts(inputs: Inputs, shelf: Shelf) -> list[Draft]:
    """Up to `drafts` drafts that recombine facts; another `variant` gives other ones."""
    brief = Brief.of(inputs)
    drafts: dict[str, Draft] = {}
    focuses = focus_facts(inputs, shelf)
    for number in brief.numbers:
        for focus in focuses[:TRIES]:
            question = write(focus, shelf, brief, number)
            if question and question.text not in drafts and question.text not in brief.taken:
                drafts[question.text] = draft_of(question, shelf)
                break
    return list(drafts.values())


@dataclass(frozen=True, slots=True)
class Brief:
    """What a call asks for: which drafts by their numbers, what to use and avoid, what is taken.

    `key` depends on the seeds: the same number from other seeds is another draft.
    """

    numbers: range
    use: frozenset[str]
    avoid: frozenset[str]
    taken: frozenset[str]
    key: int

    @classmethod
    def of(cls, inputs: Inputs) -> "Brief":
        """The brief in a call's inputs."""
        questions = [seed["question"] for seed in inputs["seeds"]]
        return cls(
            numbers=draft_numbers(inputs),
            use=frozenset(inputs["use"]),
            avoid=frozenset(inputs["avoid"]),
            taken=frozenset(questions),
            key=crc32("|".join(questions).encode()),
        )

    def rank(self, fact: Fact, focus: Fact) -> int:
        """How welcome a fact is as a clue; less is better."""
        if fact is focus:
            return 0
        if fact.sentence in self.avoid:
            return AVOIDED
        return 1 if fact.sentence in self.use else 2


def draft_numbers(inputs: Inputs) -> range:
    """Which of a group's drafts are asked for; in place of one that failed, another one."""
    first = inputs["variant"] * inputs["drafts"] + (SECOND_TRIES if "failed" in inputs else 0)
    return range(first, first + inputs["drafts"])


def focus_facts(inputs: Inputs, shelf: Shelf) -> list[Fact]:
    """What drafts should be about: facts to use, then the seeds' own, then all, none to avoid."""
    claimed = [point for seed in inputs["seeds"] for point in seed["knowledge_points"]]
    avoid = set(inputs["avoid"])
    wanted = [*inputs["use"], *(p for p in (*claimed, *shelf.facts) if p not in avoid)]
    return [shelf.facts[p] for p in dict.fromkeys(wanted) if p in shelf.facts]


def write(focus: Fact, shelf: Shelf, brief: Brief, number: int) -> Question | None:
    """The `number`-th question that rests on a fact and passes the checks; None if none does."""
    options = asked_options(focus, shelf, brief)
    for turn in range(number, number + TRIES if options else number):
        asked, slot = options[turn % len(options)]
        clues = clue_candidates(asked, slot, focus, shelf, brief)
        question = combine(
            asked, slot, clues, focus=focus, turn=turn // len(options), shelf=shelf, brief=brief
        )
        if question and len(question.text) <= MAX_QUESTION:
            return question
    return None


def asked_options(focus: Fact, shelf: Shelf, brief: Brief) -> list[tuple[Fact, str]]:
    """What to ask so that the question rests on `focus`: itself, or a near fact it is a clue to.

    Facts to use are preferred: another one is asked about only where nothing else can be.
    """
    askable = [
        fact
        for _, fact in shelf.linked(focus)
        if fact.askable and fact.slots[fact.askable[0]] not in focus.content
    ]
    near = [fact for fact in askable if fact.sentence in brief.use]
    if not near and not focus.askable:
        near = askable
    near = near[:NEIGHBOURS_ASKED]
    return [
        (f, slot) for f in (focus, *near) for slot in (f.askable if f is focus else f.askable[:1])
    ]


def clue_candidates(asked: Fact, slot: str, focus: Fact, shelf: Shelf, brief: Brief) -> list[Fact]:
    """Facts that may help to ask and do not hold the answer: `focus`, those to use, the nearest.

    Of those that share no more than the document with the asked one, only a few; of those to avoid,
    none unless there is nothing else.
    """
    answer = asked.slots[slot]
    ranks: list[tuple[int, Fact]] = []
    far = 0
    for distance, fact in shelf.linked(asked):
        if answer in fact.content:
            continue
        if distance == Distance.SAME_TITLE and fact is not focus:
            far += 1
            if far > MOST_FAR or fact.sentence not in brief.use:
                continue
        ranks.append((brief.rank(fact, focus), fact))
    ranks.sort(key=lambda pair: pair[0])
    welcome = sum(rank < AVOIDED for rank, _ in ranks)
    return [fact for _, fact in ranks[: min(max(welcome, FEWEST_CLUES), CANDIDATES)]]


def combine(
    asked: Fact,
    slot: str,
    clues: Sequence[Fact],
    *,
    focus: Fact,
    turn: int,
    shelf: Shelf,
    brief: Brief,
) -> Question | None:
    """Ask with one of the possible sets of clues, in one of the possible wordings.

    Sets with the fewest clues that are not to be used come first.
    """
    if focus is not asked and focus not in clues:
        return None
    strange = tuple(clue is not focus and clue.sentence not in brief.use for clue in clues)
    tiers = clue_tiers(strange, focus is not asked)
    if not tiers:
        return None
    mixed = crc32(slot.encode(), crc32(asked.sentence.encode(), brief.key))
    total = sum(map(len, tiers))
    tier = tier_at(turn % total, tiers)
    place = (turn * SPREAD + mixed) % len(tier)
    rounds = turn // total + place + mixed
    wording = Wording(
        phrase=rounds,
        frame=rounds // 7,
        clause=rounds // 3,
        title=shelf.titles[asked.sentence],
        rival=lookalike(asked, slot, shelf),
    )
    return ask(asked, slot, [clues[i] for i in tier[place]], wording)


def lookalike(asked: Fact, slot: str, shelf: Shelf) -> str:
    """A sibling of the topic for which the same question has another answer; or empty."""
    rivals = (rival for rival in shelf.rivals(asked, slot) if rival.topic != asked.topic)
    return next((rival.topic for rival in rivals if rival.parent == asked.parent), "")


@lru_cache(4096)
def clue_tiers(
    strange: tuple[bool, ...], with_first: bool
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """The sets of clues, those with the fewest strange ones first, in tiers of equals."""
    by_number: dict[int, list[tuple[int, ...]]] = {}
    for each in clue_sets(len(strange), with_first):
        by_number.setdefault(sum(strange[i] for i in each), []).append(each)
    return tuple(tuple(by_number[number]) for number in sorted(by_number))


def tier_at(turn: int, tiers: Sequence[tuple[tuple[int, ...], ...]]) -> tuple[tuple[int, ...], ...]:
    """The tier that the `turn`-th set belongs to."""
    for tier in tiers:
        if turn < len(tier):
            return tier
        turn -= len(tier)
    return tiers[-1]


@lru_cache(64)
def clue_sets(
    candidates: int, with_first: bool, most: int = MOST_CLUES
) -> tuple[tuple[int, ...], ...]:
    """Every set of clues by their numbers, small ones before; maybe only those with the first."""
    return tuple(
        each
        for size in range(FEWEST_CLUES, most + 1)
        for each in combinations(range(candidates), size)
        if each[0] == 0 or not with_first
    )


def draft_of(question: Question, shelf: Shelf) -> Draft:
    """The draft in the form the schema asks for."""
    asked = question.facts[0]
    points = [fact.sentence for fact in question.facts]
    quote = {"passage": shelf.passages[asked.sentence], "quote": asked.sentence}
    return {
        "question": question.text,
        "answer": question.answer,
        "topic_entities": entities(question),
        "knowledge_points": points,
        "logic": logic(question),
        "distractors": distractors(question, shelf),
        "evidence": [quote],
    }


def entities(question: Question) -> list[str]:
    """What the question is about: the topics of its facts; of what is asked for, its module."""
    topics = dict.fromkeys(fact.topic for fact in question.facts)
    known = [topic for topic in topics if topic != question.answer]
    return known or [parent(question.answer) or "builtins"]


def logic(question: Question) -> str:
    """Facts of one topic form a chain; all chains lead to the asked fact and to the answer."""
    asked, *clues = question.facts
    chains: dict[str, list[str]] = {}
    for number, clue in enumerate(clues):
        own = clue.topic == asked.topic
        chains.setdefault(str(number) if own else clue.topic, []).append(clue.sentence)
    return steps(list(chains.values()), asked.sentence, question.answer)


def distractors(question: Question, shelf: Shelf) -> list[str]:
    """Wrong answers that other facts of the same kind would give."""
    asked = question.facts[0]
    slot = next(s for s, text in asked.slots.items() if text == question.answer)
    wrong = {words(rival.slots[slot]): rival.slots[slot] for rival in shelf.rivals(asked, slot)}
    wrong.pop(words(question.answer), None)
    return list(wrong.values())[:MOST_DISTRACTORS]
