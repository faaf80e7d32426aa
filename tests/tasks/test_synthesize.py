"""Asking for drafts, and asking once more for one that was refused."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool import ErrorClass, Extraction, Passage, Refusal, Seed
from kdos.tasks import Group, Reply, ask_drafts, ask_redraft, match_use_group, read_drafts, retry_group

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
    request = ask_redraft(GROUP, draft, refusal, **BOOKS)
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
    assert request.inputs["use"] == [list(points) for points in use]
    claims = [["Something else."], *map(list, order.sample(use, len(use)))]
    items = [ITEM | {"knowledge_points": [case(point) for point in points]} for points in claims]
    for draft, points in zip(read_drafts(reply(request, *items), group), claims, strict=True):
        shared = [len(set(points) & set(wanted)) for wanted in use]
        place = match_use_group(draft, group)
        assert place == (shared.index(max(shared)) if shared else 0)
        assert retry_group(group, draft).use == use[place : place + 1]
        assert retry_group(group, draft).drafts == 1
