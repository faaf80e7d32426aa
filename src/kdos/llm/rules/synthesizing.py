"""Facts recombined: a group of seeds and passages in, drafts out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any
from zlib import crc32

from kdos.llm.rules.diagrams import steps
from kdos.llm.rules.facts import Fact
from kdos.llm.rules.questions import Question, Wording, ask
from kdos.llm.rules.shelf import Shelf, parent
from kdos.verdict.answers import given_away
from kdos.verdict.checks import MAX_QUESTION

MOST_CLUES, FEWEST_CLUES = 4, 2
CANDIDATES = 8  # clues looked at for one asked fact
NEIGHBOURS_ASKED = 3  # facts near the one a draft is about that may be asked about instead
TRIES = 12  # wordings tried for one draft
MOST_DISTRACTORS = 3
SPREAD = 2_654_435_761  # Knuth's multiplier: neighbouring numbers land far apart in 32 bits

Inputs = Mapping[str, Any]
Draft = dict[str, Any]


def synthesize_facts(inputs: Inputs, shelf: Shelf) -> list[Draft]:
    """Up to `drafts` drafts that recombine facts; another `variant` gives other ones."""
    wanted: int = inputs["drafts"]
    seeds = inputs["seeds"]
    key = crc32("|".join(seed["question"] for seed in seeds).encode())
    drafts: dict[str, Draft] = {}
    focuses = focus_facts(inputs, shelf)
    taboo = {seed["question"] for seed in seeds}
    for number in range(inputs["variant"] * wanted, (inputs["variant"] + 1) * wanted):
        for focus in focuses[:TRIES]:
            question = write(focus, shelf, inputs, number=number, key=key)
            if question and question.text not in drafts and question.text not in taboo:
                drafts[question.text] = draft_of(question, shelf)
                break
    return list(drafts.values())


def focus_facts(inputs: Inputs, shelf: Shelf) -> list[Fact]:
    """What drafts should be about: facts to use, then the seeds' own, then all, none to avoid."""
    claimed = [point for seed in inputs["seeds"] for point in seed["knowledge_points"]]
    avoid = set(inputs["avoid"])
    wanted = [*inputs["use"], *(p for p in claimed if p not in avoid)]
    rest = [sentence for sentence in shelf.facts if sentence not in avoid]
    return [shelf.facts[s] for s in dict.fromkeys([*wanted, *rest]) if s in shelf.facts]


def write(focus: Fact, shelf: Shelf, inputs: Inputs, *, number: int, key: int) -> Question | None:
    """The `number`-th question about a fact that passes the checks; None where none does."""
    linked = shelf.linked(focus)
    options = list(asked_options(focus, linked))
    for turn in range(number, number + TRIES if options else number):
        asked, slot = options[turn % len(options)]
        clues = clue_candidates(asked, focus, shelf, inputs)
        seed = crc32(f"{asked.sentence}|{slot}".encode(), key)
        for attempt in range(2):
            question = combine(
                asked, slot, clues, focus=focus, turn=turn // len(options) + attempt * 97, key=seed
            )
            if question and sound(question):
                return question
    return None


def asked_options(focus: Fact, linked: Sequence[Fact]) -> Iterator[tuple[Fact, str]]:
    """What to ask so that the question rests on `focus`: itself, or a near fact it is a clue to."""
    for slot in focus.askable:
        yield focus, slot
    near = [fact for fact in linked if fact.askable][:NEIGHBOURS_ASKED]
    for fact in near:
        yield fact, fact.askable[0]


def clue_candidates(asked: Fact, focus: Fact, shelf: Shelf, inputs: Inputs) -> list[Fact]:
    """Facts that may help to ask: first `focus`, then those to use, the nearest, none to avoid."""
    use, avoid = set(inputs["use"]), set(inputs["avoid"])

    def rank(fact: Fact) -> tuple[bool, bool, bool, int]:
        far = shelf.distance(asked, fact)
        return fact is not focus, fact.sentence in avoid, fact.sentence not in use, far

    linked = sorted(shelf.linked(asked), key=rank)
    return linked[:CANDIDATES]


def combine(
    asked: Fact, slot: str, clues: Sequence[Fact], *, focus: Fact, turn: int, key: int
) -> Question | None:
    """Ask with one of the possible sets of clues, in one of the possible wordings."""
    sets = clue_sets(len(clues), focus is not asked and focus in clues)
    if not sets:
        return None
    place = (turn * SPREAD + key) % len(sets)
    chosen = [clues[i] for i in sets[place]]
    rounds = turn // len(sets) + place + key
    wording = Wording(phrase=rounds, frame=rounds // 7, clause=rounds // 3)
    return ask(asked, slot, chosen, wording)


@lru_cache(64)
def clue_sets(candidates: int, with_first: bool) -> tuple[tuple[int, ...], ...]:
    """Every set of clues by their numbers, small ones before; maybe only those with the first."""
    sets = [
        each
        for size in range(FEWEST_CLUES, MOST_CLUES + 1)
        for each in combinations(range(candidates), size)
        if each[0] == 0 or not with_first
    ]
    return tuple(sets)


def sound(question: Question) -> bool:
    """Does the question pass the checks a writer makes: not too long, the answer not in it?"""
    if len(question.text) > MAX_QUESTION:
        return False
    return not given_away(question.text, [question.answer])


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
    return shelf.rivals(asked, slot)[:MOST_DISTRACTORS]
