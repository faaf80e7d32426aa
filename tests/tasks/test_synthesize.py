"""Asking for drafts, and asking once more for one that was refused."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.logic import parse
from kdos.pool import ErrorClass, Extraction, Passage, Refusal, Seed
from kdos.tasks import Group, Reply, ask_drafts, ask_redraft, match_use_group, read_drafts, retry_group
from kdos.tasks.synthesize import given_names

SEED = Seed("s", "Who built it?", ("Eiffel",), "p", "d", "towers")
GROUP = Group("r1/g", (SEED,), (), (), drafts=2)
BOOKS = {
    "extractions": {"s": Extraction((), ("Eiffel built it.",), "")},
    "passages": [Passage("p", "d", "T", "", "en", 0, 4, "Text")],
}
ITEM = {
    "question": "Which tower?",
    "answer": "Eiffel Tower",
    "topic_entities": ["Paris"],
    "knowledge_points": ["A.", "B.", "C."],
    "logic": "graph TD",
    "distractors": [],
    "evidence": [{"passage": "p", "quote": "Text"}],
}


def reply(request, *items):
    return Reply(request, text=orjson.dumps({"drafts": items}).decode())


def test_drafts_are_numbered_within_their_group():
    request = ask_drafts(GROUP, **BOOKS)
    drafts = read_drafts(reply(request, ITEM, ITEM), GROUP)
    assert [draft.id for draft in drafts] == ["r1/g/0", "r1/g/1"]


def test_a_failed_or_unreadable_reply_is_a_refusal():
    request = ask_drafts(GROUP, **BOOKS)
    assert read_drafts(Reply(request, error="timeout"), GROUP).reason == "no_reply"
    assert read_drafts(Reply(request, text="Sorry."), GROUP).reason == "unreadable"


def test_a_refused_draft_is_asked_for_once_more_with_the_reason():
    (draft,) = read_drafts(reply(ask_drafts(GROUP, **BOOKS), ITEM), GROUP)
    refusal = Refusal("logic_circular", ErrorClass.KNOWLEDGE_LOGIC, "'A' leads back to itself")
    request = ask_redraft(retry_group(GROUP, draft), draft, refusal, **BOOKS)
    failed = request.inputs["failed"]
    assert (failed["reason"], failed["detail"]) == ("logic_circular", "'A' leads back to itself")
    assert failed["draft"]["question"] == "Which tower?"
    assert failed["draft"]["evidence"] == ({"passage": "p", "quote": "Text"},)
    assert request.inputs["drafts"] == 1
    assert request.id == "synthesize/r1/g/0/again"
    assert request.key != ask_drafts(GROUP, **BOOKS).key
    (mended,) = read_drafts(reply(request, ITEM), retry_group(GROUP, draft))
    assert mended.id == "r1/g/0/again/0"


def test_another_variant_or_difficulty_is_another_request():
    keys = {
        ask_drafts(Group("g", (SEED,), (), (), drafts=1, variant=v, difficulty=d), **BOOKS).key
        for v in (0, 1)
        for d in ("", "D5")
    }
    assert len(keys) == 4


GIVEN = ("Eiffel built it.", "It was opened in 1889.", "It stands in Paris.")
NAMED = Group("g", (SEED,), (GIVEN[1:],), (), drafts=1)


def read_named(**change):
    request = ask_drafts(NAMED, **BOOKS)
    assert given_names(request.inputs).texts == dict(zip(("KP1", "KP2", "KP3"), GIVEN, strict=True))
    assert request.inputs["knowledge_points"] == {"KP2": GIVEN[1], "KP3": GIVEN[2]}  # the first is the seed's
    return read_drafts(reply(request, ITEM | change), NAMED)


def test_a_draft_may_name_what_it_was_given():
    logic = 'flowchart TD\nKP1 --> KP2\nx["A new one."] --> KP2\nKP2 --> ANSWER'
    (draft,) = read_named(knowledge_points=["KP1", "KP2: It was opened in 1889.", "A new one."], logic=logic)
    assert draft.knowledge_points == (*GIVEN[:2], "A new one.")
    assert {node.label for node in parse(draft.logic).nodes} == {*GIVEN[:2], "A new one.", "Eiffel Tower"}


def test_a_draft_in_full_is_read_as_it_is():
    logic = f'graph TD\n a["{GIVEN[0]}"] --> b["Eiffel Tower"]'
    (draft,) = read_named(knowledge_points=list(GIVEN), logic=logic)
    assert (draft.knowledge_points, draft.logic) == (GIVEN, logic)


@pytest.mark.parametrize("change", [{"knowledge_points": ["KP4"]}, {"logic": "graph TD\nKP1 --> KP0\nKP0 --> ANSWER"}])
def test_a_name_that_was_not_given_is_unreadable(change):
    refusal = read_named(**change)
    assert refusal.reason == "unreadable"
    assert "no knowledge point has the name KP" in refusal.detail


def test_a_refused_draft_is_shown_by_names_too():
    (draft,) = read_named(knowledge_points=["KP2", "KP3", "KP1"], logic="graph TD\nKP2 --> KP3\nKP3 --> ANSWER")
    request = ask_redraft(NAMED, draft, Refusal("ambiguous", ErrorClass.QUESTION), **BOOKS)
    shown = request.inputs["failed"]["draft"]
    assert shown["knowledge_points"] == ["KP2", "KP3", "KP1"]
    assert shown["logic"] == "graph TD\nKP2 --> KP3\nKP3 --> ANSWER"
    # As long as nothing else differs the second request begins as the first one does.
    first = ask_drafts(NAMED, **BOOKS)
    assert list(request.inputs)[: len(first.inputs)] == list(first.inputs)


def test_a_point_is_written_out_once_and_none_that_is_only_to_be_avoided():
    other = replace(SEED, id="t", question="When?")
    extractions = {"s": Extraction((), GIVEN[:2], ""), "t": Extraction((), GIVEN[1:], "")}
    avoid = (*(f"Crowded in {year}." for year in range(1900, 1930)), GIVEN[2])
    group = Group("g", (SEED, other), (GIVEN[:2],), avoid, drafts=1)
    inputs = ask_drafts(group, extractions=extractions, passages=BOOKS["passages"]).inputs
    assert [list(seed["knowledge_points"]) for seed in inputs["seeds"]] == [["KP1", "KP2"], ["KP3"]]
    assert inputs["knowledge_points"] == {}
    assert inputs["avoid"] == ["KP3"]


@given(
    lists=st.lists(
        st.lists(st.sampled_from(["Ada", "Bob", "Cy", "Dot", "Eve", "Flo"]), min_size=1, unique=True), max_size=4
    ),
    order=st.randoms(use_true_random=False),
    case=st.sampled_from([str, str.lower]),
)
def test_a_draft_belongs_to_the_list_it_shares_most_with_whatever_the_order(lists, order, case):
    """Drafts come back in any order, and some not at all; a second try is asked for that list alone."""
    use = tuple(tuple(f"{name} came in 1911." for name in points) for points in lists)
    group = Group("g", (SEED,), use, (), drafts=max(len(use), 1))
    request = ask_drafts(group, **BOOKS)
    named = given_names(request.inputs).texts
    assert [tuple(named[name] for name in names) for names in request.inputs["use"]] == list(use)
    claims = [["Something else."], *map(list, order.sample(use, len(use)))]
    items = [ITEM | {"knowledge_points": [case(point) for point in points]} for points in claims]
    for draft, points in zip(read_drafts(reply(request, *items), group), claims, strict=True):
        shared = [len(set(points) & set(wanted)) for wanted in use]
        place = match_use_group(draft, group)
        assert place == (shared.index(max(shared)) if shared else 0)
        assert retry_group(group, draft).use == use[place : place + 1]
        assert retry_group(group, draft).drafts == 1
