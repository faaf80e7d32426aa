"""Drafts of the rules engine rest on the knowledge points they were to use, and every clue identifies something."""

import random
import re
from collections import defaultdict
from functools import cache

import pytest

from kdos.checks.answers import find_leaked_answer
from kdos.logic import Fault, Logic, find_faults, parse
from kdos.pool import Draft, Extraction, Passage, Refusal, Seed
from kdos.rules import RulesEngine
from kdos.rules.passage_index import Fact, FactIndex, index_facts, read_fact
from kdos.seed.passages import cut_passages
from kdos.seed.pydocs import read_library_documents
from kdos.tasks import Group, ask_drafts, ask_extraction, read_drafts, read_extraction

ENGINE = RulesEngine()
SEED = Seed("s", "Who built it?", ("Eiffel",), "p#0", "p", "towers")
DUMPS = (
    "The signature of `json.dumps` has 11 parameters.",
    "The first parameter of `json.dumps` is `obj`.",
    "The parameter `skipkeys` of `json.dumps` has the default value `False`.",
    "The parameter `indent` of `json.dumps` has the default value `None`.",
)


def passage(text: str, title: str = "json") -> Passage:
    return Passage("p#0", "p", title, "", "en", 0, len(text), text)


def drafts_on(*use: tuple[str, ...], sources: list[Passage], variant: int = 0) -> list[Draft]:
    group = Group("g", (SEED,), use, (), len(use), variant)
    request = ask_drafts(group, extractions={"s": Extraction((), (), "")}, passages=sources)
    found = read_drafts(next(ENGINE.complete([request])), group)
    assert not isinstance(found, Refusal), found
    return found


def points_read(draft: Draft, sources: list[Passage]) -> set[str]:
    request = ask_extraction(
        "x", question=draft.question, answer=draft.answer, passages=sources, claimed=draft.knowledge_points
    )
    found = read_extraction(next(ENGINE.complete([request])))
    assert not isinstance(found, Refusal), found
    return set(found.knowledge_points)


@cache
def library() -> dict[str, list[Passage]]:
    found = defaultdict[str, list[Passage]](list)
    for document in read_library_documents():
        found[document.id] += cut_passages(document)
    return found


def linked_groups(count: int, *, near: bool) -> list[tuple[tuple[str, ...], list[Passage]]]:
    """Facts of three passages of a document: one and those linked most closely with it, or any."""
    rng = random.Random(20261130)
    found: list[tuple[tuple[str, ...], list[Passage]]] = []
    while len(found) < count:
        passages = rng.choice(list(library().values()))
        place = rng.randrange(len(passages))
        sources = passages[max(place - 1, 0) : place + 2]
        index = index_facts([{"id": p.id, "title": p.title, "text": p.text} for p in sources])
        if len(index.items) >= 8:
            found.append((facts_linked(index, rng, near=near), sources))
    return found


def facts_linked(index: FactIndex, rng: random.Random, *, near: bool) -> tuple[str, ...]:
    first = rng.choice(list(index.items.values()))
    linked = [(far if near else 0, rng.random(), fact.point) for far, fact in index.linked_facts(first)]
    return (first.point, *[point for *_, point in sorted(linked)[:3]])


def fact_of(point: str) -> Fact:
    fact = read_fact(point)
    assert fact is not None
    return fact


def identified_things(draft: Draft) -> dict[str, str]:
    """What the logic says that each knowledge point leads to."""
    logic = parse(draft.logic)
    assert isinstance(logic, Logic) and not isinstance(logic, Fault)
    labels = {node.id: node.label for node in logic.nodes}
    return {labels[edge.source]: labels[edge.target] for edge in logic.edges}


@pytest.mark.parametrize(("near", "least"), [(True, 0.97), (False, 0.93)])
def test_a_draft_rests_on_its_own_list(near: bool, least: float) -> None:
    """What a fresh reading finds in the question is what it was to use, whatever links the facts of a module."""
    shares: list[float] = []
    firsts = 0
    for use, sources in linked_groups(200, near=near):
        for draft in drafts_on(use, sources=sources):
            read = points_read(draft, sources)
            assert read == set(draft.knowledge_points)
            assert 3 <= len(read) <= 5
            shares.append(len(read & set(use)) / len(read | set(use)))
            firsts += draft.knowledge_points[0] == use[0]
    assert len(shares) >= 190
    assert sum(shares) / len(shares) >= least
    assert firsts >= 0.6 * len(shares), "the first point is the one to ask, where it can be asked beside the others"


def test_every_clue_identifies_something_in_the_question() -> None:
    """A clue is about the topic, a part of it, or what it stands in; other parts of that stand for its name."""
    hidden = 0
    for use, sources in linked_groups(200, near=False):
        for draft in drafts_on(use, sources=sources):
            asked, *clues = map(fact_of, draft.knowledge_points)
            things = identified_things(draft)
            for clue in clues:
                thing = re.sub(r"^the (?:class|module) |`", "", things[clue.point]).removesuffix(".")
                home = f"{thing}."
                if things[clue.point] == asked.point:  # the topic is what is asked for
                    thing, home = asked.topic, f"{asked.topic}."
                assert clue.topic == thing or clue.topic.startswith(home) or thing in clue.content, draft
                assert asked.topic == thing or asked.topic.startswith(home), draft
                if clue.topic != thing and not clue.topic.startswith(f"{asked.topic}.") and thing not in clue.content:
                    hidden += 1
                    # The class shlex.shlex is called by the name of its module.
                    named = re.search(rf"`{re.escape(thing)}[.`]", draft.question)
                    assert not named or any(fact.topic.startswith(f"{thing}.{thing}") for fact in (asked, *clues))
            assert not re.match("(?:Given|Knowing|Provided|Considering) that", draft.question)
    assert hidden > 100


def test_another_variant_asks_for_another_of_the_points_before_the_same_in_other_words() -> None:
    source = passage("\n".join(DUMPS))
    drafts = [drafts_on(DUMPS, sources=[source], variant=variant)[0] for variant in range(10)]
    assert all(set(draft.knowledge_points) == set(DUMPS) for draft in drafts)
    # The first parameter is asked for by its name and by its place.
    asked = [(draft.knowledge_points[0], draft.answer) for draft in drafts]
    assert [point for point, _ in asked[:5]] == [*DUMPS, DUMPS[1]]
    assert len(set(asked[:5])) == 5
    assert asked[5:] == asked[:5]
    assert len({draft.question for draft in drafts}) == 10


def test_equal_lists_of_one_call_are_asked_about_one_after_the_other() -> None:
    drafts = drafts_on(DUMPS, DUMPS[::-1], DUMPS, sources=[passage("\n".join(DUMPS))])
    assert [draft.knowledge_points[0] for draft in drafts] == [DUMPS[0], DUMPS[3], DUMPS[1]]


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace was born in London. The capital of France is Paris. Ulysses was written by James Joyce.",
        "The parameter `skipkeys` of `json.dumps` has the default value `False`.\n"
        "The second parameter of `json.load` is `cls`.",
        "The signature of `abs` has 1 parameter.\nThe first parameter of `all` is `iterable`.\n"
        "The first parameter of `len` is `obj`.",
    ],
    ids=["people and places", "one sibling", "names without a module"],
)
def test_what_identifies_nothing_is_left_out_and_no_draft_written_where_too_little_is_left(text: str) -> None:
    source = passage(text, title="builtins" if "`abs`" in text else "json")
    points = tuple(index_facts([{"id": "p", "title": source.title, "text": text}]).items)
    assert len(points) >= 2
    assert [drafts_on(points, sources=[source], variant=variant) for variant in range(6)] == [[]] * 6


def test_a_clue_to_the_place_of_a_parameter_leads_to_what_is_asked_and_the_others_to_the_topic() -> None:
    point = "The parameter `obj` of `json.dumps` is keyword-only."
    points = (point, *DUMPS[:2])
    drafts = [drafts_on(points, sources=[passage("\n".join(points))], variant=v) for v in range(0, 40, 4)]
    by_place = [draft for (draft,) in drafts if draft.knowledge_points[0] == point and "`obj`" not in draft.question]
    assert by_place
    for draft in by_place:
        things = identified_things(draft)
        assert things[DUMPS[1]] == point
        assert things[DUMPS[0]] == "json.dumps"


@pytest.mark.parametrize("value", [r"'\n'", r"b'\x0b\\'", "'\"<&#x'"])
def test_an_answer_of_signs_is_the_end_of_its_logic(value: str) -> None:
    points = (f"The parameter `indent` of `json.dumps` has the default value `{value}`.", *DUMPS[:2])
    (draft,) = drafts_on(points, sources=[passage("\n".join(points))])
    assert draft.answer == value
    logic = parse(draft.logic)
    assert isinstance(logic, Logic)
    assert find_faults(logic, knowledge_points=draft.knowledge_points, answer=value) == []


def test_a_number_is_not_given_away_by_one_that_means_the_same() -> None:
    points = (
        "The parameter `interval` of `json.dumps` has the default value `1.0`.",
        "The signature of `json.dumps` has 1 required parameter.",
        *DUMPS[:2],
    )
    for variant in range(0, 24, 4):
        (draft,) = drafts_on(points, sources=[passage("\n".join(points))], variant=variant)
        assert not find_leaked_answer(draft.question, [draft.answer]), draft.question
