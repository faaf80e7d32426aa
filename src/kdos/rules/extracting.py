"""What a question about facts holds: question, answer and passages in, an extraction out."""

from collections.abc import Iterable, Sequence
from typing import Any

from kdos.rules.facts import Fact, read_fact, words
from kdos.rules.questions import Question
from kdos.rules.shelf import Distance, Shelf
from kdos.rules.synthesizing import entities, logic

FEWEST_POINTS, MOST_POINTS = 3, 5


def extract_facts(question: str, answer: str, claimed: Sequence[str], shelf: Shelf) -> Any:
    """The facts the question rests on, the one with the answer first."""
    said = words(question)
    known = [fact for point in claimed if (fact := read_fact(point)) is not None]
    used = [fact for fact in known if is_used(fact, said, answer, known)]
    if not used:
        used = [fact for fact in shelf.facts.values() if is_used(fact, said, answer, ())]
    asked = answering(used, answer)
    if asked is None:
        return None
    points = dict.fromkeys([asked, *used])
    if len(points) < FEWEST_POINTS:
        near = [f for far, f in shelf.linked(asked) if far <= Distance.SIBLINGS and f not in points]
        points |= dict.fromkeys(near[: FEWEST_POINTS - len(points)])
    found = Question(question, answer, tuple(points)[:MOST_POINTS])
    return {
        "topic_entities": entities(found),
        "knowledge_points": [fact.sentence for fact in found.facts],
        "logic": logic(found),
    }


def is_used(fact: Fact, said: str, answer: str, known: Iterable[Fact]) -> bool:
    """Does the question say what the fact says? One part may stand in another fact."""
    missing = [part for part in fact.content if part != answer and words(part) not in said]
    if len(missing) <= 1:
        return not missing or any(missing[0] in o.content for o in known if o is not fact)
    return False


def answering(facts: Sequence[Fact], answer: str) -> Fact | None:
    """The fact that gives the answer."""
    return next((fact for fact in facts if answer in fact.content), None)
