"""Reviews: several drafts in one request; each read by itself, whatever the reply makes of the others."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.checks import check_logic, combine_judgements
from kdos.logic import Kind, parse
from kdos.pool import Draft, ErrorClass, Passage, Refusal
from kdos.tasks import CHECKS, CRITERIA, QUOTED_CRITERIA, Reply, Review, ask_review, read_review

TEXT = "The stone was found at Rashid in 1799. It has been in the British Museum since 1802."
PASSAGES = [Passage("p", "d", "Stone", "", "en", 0, len(TEXT), TEXT)]
POINTS = ("The stone was found at Rashid in 1799.", "The stone has been in the British Museum since 1802.")
LOGIC = f'flowchart TD\n    a["{POINTS[0]}"] --> b["{POINTS[1]}"]\n    b --> c["British Museum"]'


def draft(name="g/0", points=POINTS, logic=LOGIC):
    return Draft(name, "Which museum has the stone of Rashid?", "British Museum", ("Stone",), points, logic, (), ())


DRAFTS = [draft("g/0"), draft("g/1")]


def part(name: str | None = "d1", **change):
    value = dict.fromkeys(CHECKS, False)
    quoted = {"ok": True, "quote": "found at Rashid in 1799"}
    value |= {criterion: quoted if criterion in QUOTED_CRITERIA else True for criterion in CRITERIA}
    value |= {"topic_entities": ["Stone"], "knowledge_points": ["KP1", "KP2"]}
    value |= {"logic": "flowchart TD\n    KP1 --> KP2\n    KP2 --> ANSWER"}
    return ({} if name is None else {"draft": name}) | value | change


def review(*parts, drafts=None, text=None):
    drafts = DRAFTS if drafts is None else drafts
    request = ask_review(drafts, passages=PASSAGES, name="g")
    return read_review(Reply(request, text=text or orjson.dumps({"reviews": parts}).decode()), drafts)


def one(**change):
    (found,) = review(part(**change), drafts=DRAFTS[:1])
    return found


def test_drafts_share_the_passages_and_their_points_go_by_names():
    request = ask_review(DRAFTS, passages=PASSAGES, name="r1/g")
    assert request.id == "review/r1/g"
    assert [shown["draft"] for shown in request.inputs["drafts"]] == ["d1", "d2"]
    shown = request.inputs["drafts"][0]
    assert request.inputs["knowledge_points"] == {"KP1": POINTS[0], "KP2": POINTS[1]}
    assert shown["knowledge_points"] == ["KP1", "KP2"]
    assert shown["logic"] == "flowchart TD\nKP1 --> KP2\nKP2 --> ANSWER"
    assert request.messages[1]["content"].count(POINTS[0]) == 2  # in the passage, and once by its name
    # What the drafts share comes first, so that two requests about the same passages begin alike.
    assert list(request.inputs) == ["passages", "knowledge_points", "drafts"]


def test_names_are_read_as_the_texts_that_they_stand_for():
    first, second = review(part("d1"), part("d2", knowledge_points=["KP2"]))
    assert first.extraction.knowledge_points == POINTS
    assert second.extraction.knowledge_points == POINTS[1:]
    logic = parse(first.extraction.logic)
    assert [node.label for node in logic.nodes] == [*POINTS, "British Museum"]
    assert check_logic(draft(logic=first.extraction.logic), logic) is None
    assert combine_judgements([first.judgement], passages=PASSAGES).refusal is None


def test_a_reply_in_full_is_read_as_it_is():
    found = one(knowledge_points=[POINTS[1], "A third."], logic=LOGIC)
    assert found.extraction.knowledge_points == (POINTS[1], "A third.")
    assert found.extraction.logic == LOGIC


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (" `KP2` ", POINTS[1]),
        (f"KP2: {POINTS[1]}", POINTS[1]),
        ("KP3. The museum is in London.", "The museum is in London."),
        ("KP2 is the name of a rocket.", "KP2 is the name of a rocket."),
        ("ANSWER", "ANSWER"),
    ],
)
def test_a_point_may_be_written_with_its_name(written, read):
    assert one(knowledge_points=[written]).extraction.knowledge_points == (read,)


@pytest.mark.parametrize(
    "logic",
    [
        "```mermaid\ngraph LR\n KP1 & KP2 --> A[ANSWER]\n```",
        'graph TD\n x["KP1"] --> y["KP2"]\n y --> z["British Museum"]',
        'flowchart TD\n KP1["KP1"] -->|"then"| KP2\n KP2 ==> ANSWER',
        "mindmap\n  ANSWER\n    KP1\n    id2[KP2]",
    ],
)
def test_any_diagram_may_use_names(logic):
    found = one(logic=logic).extraction
    assert {node.label for node in parse(found.logic).nodes} == {*POINTS, "British Museum"}
    assert parse(found.logic).kind is parse(logic).kind


def test_a_diagram_that_cannot_be_read_stays_for_the_checks():
    found = one(logic="KP1, then KP2").extraction
    assert found.logic == "KP1, then KP2"
    assert check_logic(draft(), parse(found.logic)).reason == "logic_unreadable"


def test_quotes_are_read_where_none_was_asked_for_and_missed_where_one_was():
    found = one(entailed={"ok": False, "quote": ""}, supported=True).judgement
    assert not found.passed["entailed"]
    assert found.quotes["supported"] == ""
    assert combine_judgements([found], passages=PASSAGES).refusal.reason == "unproven_supported"


@pytest.mark.parametrize("name", [*CHECKS, *CRITERIA])
def test_each_check_and_criterion_is_read(name):
    wrong = True if name in CHECKS else {"ok": False, "quote": ""} if name in QUOTED_CRITERIA else False
    judgement = one(**{name: wrong}).judgement
    assert [key for key, passed in judgement.passed.items() if not passed] == [name]


BAD_PARTS = {
    "left out": [],
    "no object": ["d2"],
    "a check left out": [{key: value for key, value in part("d2").items() if key != "ambiguous"}],
    "a check that is no flag": [part("d2", ambiguous="no")],
    "a criterion that is neither": [part("d2", supported="yes")],
    "a quote that is none": [part("d2", supported={"ok": True, "quote": None})],
    "no logic": [part("d2", logic="")],
    "points that are no texts": [part("d2", knowledge_points=[1])],
    "a point that is empty": [part("d2", knowledge_points=[""])],
    "a name that nothing has": [part("d2", knowledge_points=["KP9"])],
    "a name in the logic that nothing has": [part("d2", logic="graph TD\n KP1 --> KP9")],
    "another draft": [part("d3")],
    "counted from nought": [part("0")],
    "two that differ": [part("d2"), part("d2", ambiguous=True)],
    "no name": [part(None)],
}


@pytest.mark.parametrize("bad", BAD_PARTS.values(), ids=BAD_PARTS)
def test_a_bad_part_is_a_refusal_and_spoils_no_other(bad):
    good, refused = review(part("d1"), *bad)
    assert isinstance(good, Review)
    assert (refused.reason, refused.error_class) == ("unreadable", ErrorClass.FORMAT_MISMATCH)
    assert refused.detail


def test_a_missing_value_spoils_its_own_part_alone():
    whole, broken = (orjson.dumps(part(name)).decode() for name in ("d1", "d2"))
    broken = broken.replace('"ambiguous":false', '"ambiguous":')
    good, refused = review(text=f'{{"reviews": [{whole}, {broken}]}}')
    assert isinstance(good, Review)
    assert "ambiguous must be of type boolean, not missing" in refused.detail


def test_parts_without_names_stand_in_order_where_none_is_left_out():
    first, second = review(part(None, ambiguous=True), part(None))
    assert (first.judgement.passed["ambiguous"], second.judgement.passed["ambiguous"]) == (False, True)
    assert all(isinstance(each, Refusal) for each in review(part(None)))


def test_order_repetition_and_unknown_parts_do_not_matter():
    first, second = review(part("D2 "), {"note": "none"}, part("d1", ambiguous=True), part("d1", ambiguous=True))
    assert (first.judgement.passed["ambiguous"], second.judgement.passed["ambiguous"]) == (False, True)


@pytest.mark.parametrize("text", ["Sorry.", "[]", '{"reviews": {}}', '{"review": []}', '{"reviews": "'])
def test_a_reply_without_a_list_refuses_every_draft(text):
    assert [found.reason for found in review(text=text)] == ["unreadable"] * 2


def test_no_reply_refuses_every_draft():
    request = ask_review(DRAFTS, passages=PASSAGES, name="g")
    assert [found.reason for found in read_review(Reply(request, error="gone"), DRAFTS)] == ["no_reply"] * 2


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["d1", "d2", "KP1", "KP7", "ANSWER", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["draft", "logic", *CHECKS, *CRITERIA]), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.lists(ANYTHING, max_size=4), st.dictionaries(st.sampled_from(list(part())), ANYTHING, max_size=3))
def test_whatever_comes_each_draft_has_one_outcome(parts, change):
    found = review(*parts, part("d1", **change))
    assert len(found) == 2
    assert all(isinstance(each, Review | Refusal) for each in found)


def test_long_replies_are_read():
    many = [part("d1", quote=number) for number in range(5_000)]
    long_logic = "graph TD\n" + "KP1 --> KP2\n" * 20_000
    refused, also = review(*many, part("d2", logic=long_logic, knowledge_points=["KP1" * 100_000]))
    assert "several" in refused.detail
    assert also.extraction.logic == long_logic


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["KP1", "KP2", "ANSWER", "x", *POINTS]), min_size=1, max_size=6))
def test_a_shown_logic_reads_back_as_the_drafts_own(labels):
    nodes = "\n".join(f'    n{number}["{label}"]' for number, label in enumerate(labels))
    edges = "\n".join(f"    n{number} --> n{number + 1}" for number in range(len(labels) - 1))
    own = f"graph TD\n{nodes}\n{edges}"
    inputs = ask_review([draft(logic=own)], passages=PASSAGES, name="g").inputs
    (found,) = review(part("d1", logic=inputs["drafts"][0]["logic"]), drafts=[draft(logic=own)])
    texts = inputs["knowledge_points"] | {"ANSWER": "British Museum"}
    read = parse(found.extraction.logic)
    assert [node.label for node in read.nodes] == [texts.get(label, label) for label in labels]
    assert len(read.edges) == len(labels) - 1
    assert read.kind is Kind.GRAPH
