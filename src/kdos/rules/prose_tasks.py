"""The tasks on any text: seeds, extractions and drafts made from statements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

from kdos.checks.answers import given_away
from kdos.checks.draft import MAX_QUESTION
from kdos.rules.diagrams import steps
from kdos.rules.entities import question_entities
from kdos.rules.instances import Instance
from kdos.rules.prose import (
    Sheet,
    Statement,
    longer_words,
    mentions,
    read_statements,
)
from kdos.rules.prose_questions import Asked, ask_instance
from kdos.rules.questions import Wording
from kdos.rules.synthesizing import (
    FEWEST_CLUES,
    SPREAD,
    TRIES,
    clue_sets,
    draft_numbers,
)

MOST_CLUES = 3
MOST_TOLD = MAX_QUESTION - 60  # characters that statements may fill; the rest is for other words
CANDIDATES = 7  # clues looked at for one statement
MOST_DISTRACTORS = 3
FEWEST_POINTS, MOST_POINTS = 3, 5
USED = 0.5  # share of a point's longer words that a question holds if it uses the point

Inputs = Mapping[str, Any]
Option = tuple[Statement, Instance]


def seed_prose(text: str, title: str, wanted: int) -> list[dict[str, Any]]:
    """Questions about the instances of a passage: one of each statement before a second of any."""
    options = [list(askable(each)) for each in read_statements(text, title)]
    deepest = max(map(len, options), default=0)
    turns = [own[turn] for turn in range(deepest) for own in options if turn < len(own)]
    seeds: dict[str, dict[str, Any]] = {}
    for statement, instance in turns:
        asked = ask_instance(statement, instance, (), Wording(phrase=crc32(title.encode())))
        if len(seeds) < wanted and sound(asked):
            quote = statement.sentence
            seeds[asked.text] = {"question": asked.text, "answer": asked.answer, "quote": quote}
    return list(seeds.values())


def askable(statement: Statement) -> Iterator[Option]:
    """What can be asked of a statement."""
    for instance in statement.instances:
        yield statement, instance


def sound(asked: Asked) -> bool:
    """Is the question short enough, and without its answer?"""
    return len(asked.text) <= MAX_QUESTION and not given_away(asked.text, [asked.answer])


def synthesize_prose(inputs: Inputs, sheet: Sheet) -> list[dict[str, Any]]:
    """Up to `drafts` drafts that ask for an instance, with other statements as clues."""
    key = crc32("|".join(seed["question"] for seed in inputs["seeds"]).encode())
    drafts: dict[str, dict[str, Any]] = {}
    focuses = focus_statements(inputs, sheet)
    for number in draft_numbers(inputs):
        for focus in focuses[:TRIES]:
            asked = write(focus, sheet, inputs, number=number, key=key)
            if asked and asked.text not in drafts:
                drafts[asked.text] = draft_of(asked, sheet)
                break
    return list(drafts.values())


def focus_statements(inputs: Inputs, sheet: Sheet) -> list[Statement]:
    """What drafts should be about: statements to use, then the seeds' own, then all others."""
    claimed = [point for seed in inputs["seeds"] for point in seed["knowledge_points"]]
    avoid = set(inputs["avoid"])
    wanted = [*inputs["use"], *(p for p in (*claimed, *sheet.statements) if p not in avoid)]
    return [sheet.statements[p] for p in dict.fromkeys(wanted) if p in sheet.statements]


def write(focus: Statement, sheet: Sheet, inputs: Inputs, *, number: int, key: int) -> Asked | None:
    """The `number`-th question that rests on a statement and passes the checks, or None."""
    linked = sheet.linked(focus)
    options = [*askable(focus), *(option for other in linked[:3] for option in askable(other))]
    for turn in range(number, number + TRIES if options else number):
        statement, instance = options[turn % len(options)]
        clues = clue_candidates(statement, instance, focus, sheet, inputs)
        asked = combine(statement, instance, clues, focus=focus, turn=turn // len(options), key=key)
        if asked and sound(asked):
            return asked
    return None


def clue_candidates(
    statement: Statement, instance: Instance, focus: Statement, sheet: Sheet, inputs: Inputs
) -> list[Statement]:
    """Statements that may help to ask and do not tell the answer, the most wanted first."""
    use, avoid = set(inputs["use"]), set(inputs["avoid"])

    def rank(other: Statement) -> tuple[bool, bool, bool]:
        return other is not focus, other.point in avoid, other.point not in use

    linked = [c for c in sheet.linked(statement) if instance.text not in c.sentence]
    return sorted(linked, key=rank)[:CANDIDATES]


def combine(
    statement: Statement,
    instance: Instance,
    clues: Sequence[Statement],
    *,
    focus: Statement,
    turn: int,
    key: int,
) -> Asked | None:
    """Ask with one of the possible sets of clues, in one of the possible wordings."""
    if focus is not statement and focus not in clues:
        return None
    sets = clue_sets(len(clues), focus is not statement, MOST_CLUES)
    if not sets:
        return None
    place = (turn * SPREAD + key) % len(sets)
    rounds = turn // len(sets) + place + key
    chosen = [clues[number] for number in sets[place]]
    wording = Wording(phrase=rounds, frame=rounds, clause=rounds // 3)
    while len(statement.sentence) + sum(len(c.gist) for c in chosen) > MOST_TOLD:
        if len(chosen) <= FEWEST_CLUES:
            return None
        chosen = chosen[:-1]
    return ask_instance(statement, instance, chosen, wording)


def draft_of(asked: Asked, sheet: Sheet) -> dict[str, Any]:
    """The draft in the form the schema asks for."""
    first = asked.statements[0]
    return {
        "question": asked.text,
        "answer": asked.answer,
        "topic_entities": topic_entities(asked.text, asked.answer, asked.statements),
        "knowledge_points": [each.point for each in asked.statements],
        "logic": logic(asked.statements, asked.answer),
        "distractors": sheet.rivals(first, asked.instance)[:MOST_DISTRACTORS],
        "evidence": [{"passage": sheet.passages[first.point], "quote": first.sentence}],
    }


def topic_entities(question: str, answer: str, statements: Sequence[Statement]) -> list[str]:
    """The title, if the question mentions it, and the names in the question."""
    title = statements[0].title if statements else ""
    known = [name for each in statements for name in each.entities if name in question]
    names = known or question_entities(question)
    topic = [title] if title and mentions(question, title) else []
    found = dict.fromkeys([*topic, *names])
    return [name for name in found if name != answer] or [title or question]


def logic(statements: Sequence[Statement], answer: str) -> str:
    """Clues that share a name with the one before follow it; all lead to the asked statement."""
    asked, *clues = statements
    chains: list[list[str]] = []
    last: set[str] = set()
    for clue in clues:
        if chains and not last.isdisjoint(clue.entities):
            chains[-1].append(clue.point)
        else:
            chains.append([clue.point])
        last = set(clue.entities)
    return steps(chains, asked.point, answer)


def extract_prose(question: str, answer: str, claimed: Sequence[str], sheet: Sheet) -> Any:
    """The statements a question rests on, the one with the answer first; None where none fits."""
    said = longer_words(f"{question} {answer}")
    share = {
        point: len(said & words) / len(words)
        for point in (claimed or sheet.statements)
        if (words := longer_words(point))
    }
    holding = [point for point in share if answer in point]
    if not holding:
        return None
    asked = max(holding, key=lambda point: share[point])
    used = [point for point in share if point != asked and share[point] >= USED]
    points = [asked, *used]
    if len(points) < FEWEST_POINTS and asked in sheet.statements:
        near = [each.point for each in sheet.linked(sheet.statements[asked])]
        points += [point for point in near if point not in points][: FEWEST_POINTS - len(points)]
    points = points[:MOST_POINTS]
    found = [sheet.statements[point] for point in points if point in sheet.statements]
    return {
        "topic_entities": topic_entities(question, answer, found),
        "knowledge_points": points,
        "logic": logic(found, answer)
        if len(found) == len(points)
        else steps([[point] for point in points[1:]], asked, answer),
    }


def extract_bare(question: str, answer: str) -> dict[str, Any]:
    """What a question holds where no passage is at hand: itself, answered."""
    point = f"The question “{question}” is answered by “{answer}”."
    return {
        "topic_entities": question_entities(question) or [answer],
        "knowledge_points": [point],
        "logic": steps([], point, answer),
    }
