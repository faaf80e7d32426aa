"""Every free check, by a draft that breaks that one rule and no other."""

from dataclasses import replace

import pytest

from kdos.checks import REASONS, DraftInContext, KnownQuestions, answer_aliases, check_drafts, locate_answer_evidence
from kdos.checks.draft_checks import MIN_SHAPED_SAMPLES, check_logic_shape, statements_contradict
from kdos.logic import ShapeCounts, parse, shape_of_logic
from kdos.logic.mermaid import MAX_CHARACTERS
from kdos.pool import Draft, Evidence, Passage, Seed

PASSAGE = Passage(
    id="eiffel#0",
    document="eiffel",
    title="Eiffel Tower",
    domain="",
    lang="en",
    start=100,
    end=280,
    text="The Eiffel Tower was built by Gustave Eiffel, who was born in Dijon. "
    "The Eiffel Tower stands in Paris, and it opened in 1889 to 1,953,122 visitors.",
)
PASSAGES = {PASSAGE.id: PASSAGE}
POINTS = (
    "The Eiffel Tower was built by Gustave Eiffel.",
    "Gustave Eiffel was born in Dijon.",
    "The Eiffel Tower stands in Paris.",
)
LOGIC = """flowchart TD
    Q["Which city?"] --> K0["The Eiffel Tower was built by Gustave Eiffel."]
    Q --> K1["Gustave Eiffel was born in Dijon."]
    K0 --> K2["The Eiffel Tower stands in Paris."]
    K1 --> K2
    K2 --> A["Paris"]"""
SOUND = Draft(
    id="g/0",
    question="In which city stands the tower whose builder was born in Dijon?",
    answer="Paris",
    topic_entities=("Eiffel Tower",),
    knowledge_points=POINTS,
    logic=LOGIC,
    distractors=("Lyon",),
    evidence=(Evidence(PASSAGE.id, "The Eiffel Tower stands in Paris"),),
)
SEED = Seed(
    "s0", "Where does the tower by Gustave Eiffel stand?", ("Paris", "City of Light"), PASSAGE.id, "eiffel", ""
)


def verdict(draft, *, known=None, benchmarks=None, lang="en"):
    context = DraftInContext(draft, answer_aliases(draft.answer, [SEED]), PASSAGES, [SEED], lang)
    known = known or KnownQuestions()
    (refusal,) = check_drafts([context], known=known, benchmarks=benchmarks)
    return refusal.reason if refusal else None


def test_a_sound_draft_passes():
    assert verdict(SOUND) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"knowledge_points": POINTS[:2]}, "knowledge_points_number"),
        ({"knowledge_points": POINTS * 2}, "knowledge_points_number"),
        ({"knowledge_points": (*POINTS, "The Eiffel Tower stands in PARIS")}, "knowledge_points_repeated"),
        ({"knowledge_points": (*POINTS, "Gustave Eiffel was not born in Dijon.")}, "knowledge_points_contradict"),
        ({"question": "Which city has the tower by Eiffel? A) Paris B) Lyon"}, "multiple_choice"),
        ({"question": "Which of the following has Eiffel built?"}, "multiple_choice"),
        ({"question": "Why is courage important in leadership?"}, "abstract_question"),
        ({"knowledge_points": (*POINTS[:2], "A tall tower is a kind of building.")}, "abstract_knowledge_point"),
        ({"answer": "Dijon"}, "answer_directly_in_question"),
        (
            {"question": "Which capital, the City of Light, has the tower by Gustave Eiffel?"},
            "answer_directly_in_question",
        ),
        (
            {"question": "How many came when the tower by Eiffel drew 1953122 visitors?", "answer": "1,953,122"},
            "answer_directly_in_question",
        ),
        ({"logic": "graph TD\nA -->"}, "logic_unreadable"),
        ({"logic": LOGIC.replace("was born in Dijon", "…")}, "knowledge_point_not_in_logic"),
        ({"logic": LOGIC + "\nA --> Q"}, "logic_circular"),
        ({"logic": LOGIC + '\nX["else"] --> Y["where"]'}, "logic_not_connected"),
        ({"logic": LOGIC + '\nQ --> Y["another end"]'}, "logic_many_ends"),
        ({"logic": LOGIC.replace('A["Paris"]', 'A["Lyon"]')}, "logic_end_not_answer"),
        ({"evidence": ()}, "no_evidence"),
        ({"evidence": (Evidence(PASSAGE.id, "It stands in Paris"),)}, "evidence_not_in_passage"),
        ({"evidence": (Evidence("other", "It stands in Paris"),)}, "evidence_not_in_passage"),
        ({"evidence": (Evidence(PASSAGE.id, "who was born in Dijon"),)}, "answer_not_in_evidence"),
        ({"question": "Where stands the tower by Gustave Eiffel?"}, "copied_question"),
        ({"question": "Dijon?"}, "question_length"),
        ({"question": "Which city in " + "Burgundy " * 80 + "?"}, "question_length"),
        ({"answer": " "}, "answer_length"),
        ({"knowledge_points": (*POINTS[:2], "Paris.")}, "knowledge_point_length"),
        ({"answer": "B) Paris"}, "multiple_choice"),
        ({"logic": LOGIC + "\n%%" + "…" * MAX_CHARACTERS}, "logic_too_long"),
        ({"question": "Dans quelle ville est la tour dont le bâtisseur est né à Dijon?"}, "wrong_language"),
        ({"question": "在第戎出生的建造者所建的塔在哪座城市？"}, "wrong_language"),
    ],
)
def test_a_draft_that_breaks_one_rule_is_refused_for_it(change, reason):
    assert verdict(replace(SOUND, **change)) == reason
    assert reason in REASONS


def test_a_question_of_the_pool_or_a_benchmark_is_refused():
    known = KnownQuestions()
    known.add_question("In what city stands the tower whose builder was born at Dijon?", ["Paris"])
    assert verdict(SOUND, known=known) == "near_duplicate"
    assert verdict(SOUND, benchmarks=known) == "contaminated"


def test_the_answer_has_a_place_in_the_document():
    place = locate_answer_evidence(SOUND.evidence, SOUND.answer, PASSAGES)
    assert place is not None
    start = place.start - PASSAGE.start
    assert PASSAGE.text[start : place.end - PASSAGE.start] == "Paris"


@pytest.mark.parametrize(
    ("one", "other", "against"),
    [
        ("Marie Curie was born in 1867.", "Marie Curie was born in 1869.", True),
        ("The default of `x` is not 1.", "The default of `x` is 1.", True),
        ("法国的首都是巴黎。", "法国的首都不是巴黎。", True),
        ("Brazil won the World Cup in 1994.", "Brazil won the World Cup in 2002.", False),
        ("Version 3.1 was released in 2009.", "Version 3.2 was released in 2009.", False),
        ("The parameter `i4` has the default `0`.", "The parameter `i6` has the default `0`.", False),
        ("Marie Curie was born in 1867.", "Pierre Curie was born in 1859.", False),
        ("The tower opened in 1889.", "The tower stands in Paris.", False),
    ],
)
def test_only_plain_contradictions_count(one, other, against):
    assert statements_contradict(one, other) is against
    assert statements_contradict(other, one) is against


def test_a_shape_is_refused_only_past_its_share_and_only_in_a_pool_of_some_size():
    own, other = shape_of_logic(parse(LOGIC)).name, shape_of_logic(parse("graph TD\nA --> B")).name
    shapes = ShapeCounts()
    shapes.add_shapes([own] * (MIN_SHAPED_SAMPLES - 1))
    assert check_logic_shape(own, shapes, most=0.5) is None
    shapes.add_shapes([other])
    assert check_logic_shape(own, shapes, most=0.5).reason == "same_shape_again"
    assert check_logic_shape(own, shapes, most=1.0) is None
    assert check_logic_shape(other, shapes, most=0.5) is None
