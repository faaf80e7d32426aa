"""How hard a question is: what has to be joined before the answer is reached, and what the question names already."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.logic import LEVELS, Edge, Kind, Logic, Node, measure_difficulty, parse

STONE = "The Rosetta Stone was read by Champollion."
SHOWN = "The British Museum shows the Rosetta Stone."
OPENED = "The British Museum opened in 1759."
BORN = "A town named Figeac was the birthplace of Champollion."
CHAIN = (
    f'flowchart TD\n a["{BORN}"] --> b["{STONE}"]\n b --> c["{SHOWN}"]\n c --> d["{OPENED}"]\n d --> ANSWER["1759"]'
)


def level(question, *points, logic=CHAIN, answering=OPENED, topics=()):
    diagram = parse(logic)
    assert isinstance(diagram, Logic)
    place = points.index(answering) if answering in points else None
    found = measure_difficulty(
        diagram, knowledge_points=points, question=question, answering=place, topic_entities=topics
    )
    return LEVELS[found.level]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did the British Museum open, which shows the Rosetta Stone?", "D1"),
        ("When did the museum open that shows the Rosetta Stone, read by Champollion?", "D2"),
        ("When did the museum open that shows the stele which Champollion of Figeac read?", "D4"),
        ("When did the museum open that shows the stele read by the man from Figeac?", "D5"),
    ],
)
def test_what_the_question_names_need_not_be_found(question, expected):
    assert level(question, BORN, STONE, SHOWN, OPENED) == expected


def test_a_far_end_that_names_what_the_answer_is_about_is_no_harder_than_a_step():
    points = (
        "Harvard lies in Cambridge.",
        "Kirkland House is part of Harvard.",
        "In 1914, Harvard opened Kirkland House.",
    )
    logic = f'flowchart TD\n a["{points[0]}"] --> b["{points[1]}"]\n b --> c["{points[2]}"]\n c --> A["1914"]'
    assert level("When did it open?", *points, logic=logic, answering=points[2]) == "D3"


def test_conditions_beside_the_answering_point_are_no_steps():
    logic = f'graph TD\n a["{STONE}"] --> A["1759"]\n b["{SHOWN}"] --> A\n c["{OPENED}"] --> A'
    assert level("When?", STONE, SHOWN, OPENED, logic=logic) == "D1"


def test_a_name_between_two_points_counts_as_the_diagram_has_it():
    logic = f'flowchart TD\n a["{SHOWN}"] --> n["the British Museum"] --> c["{OPENED}"] --> A["1759"]'
    points = (SHOWN, OPENED)
    assert level("When did the museum with the Rosetta Stone open?", *points, logic=logic) == "D2"
    assert level("When did the British Museum open, which has a stone?", *points, logic=logic) == "D1"


def test_a_hierarchy_is_read_towards_its_answer():
    logic = f'mindmap\n  root["{SHOWN}"]\n    b["{OPENED}"]\n      c["1759"]'
    assert level("When did the museum with the stone of Rosetta open?", SHOWN, OPENED, logic=logic) == "D2"


def test_without_a_point_that_the_answer_rests_on_one_step_is_all_there_is():
    assert level("When?", BORN, STONE, SHOWN, answering="") == "D1"


def test_chinese_has_levels_too():
    points = ("商博良解读了罗塞塔石碑。", "大英博物馆收藏了罗塞塔石碑。", "大英博物馆于1759年开放。")
    logic = f'flowchart TD\n a["{points[0]}"] --> b["{points[1]}"] --> c["{points[2]}"] --> A["1759年"]'
    given_names = {"logic": logic, "answering": points[2], "topics": ("大英博物馆", "罗塞塔石碑", "商博良")}
    assert level("大英博物馆哪一年开放？", *points, **given_names) == "D1"
    assert level("收藏罗塞塔石碑的博物馆哪一年开放？", *points, **given_names) == "D2"
    assert level("收藏商博良解读的文物的机构哪一年开放？", *points, **given_names) == "D4"


POINTS = [f"Name{i} met Name{i + 1} in Town{i}." for i in range(10)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans()), max_size=60),
    st.sampled_from(list(Kind)),
    st.integers(0, 9),
)
def test_any_diagram_has_a_level_in_bounded_work(edges, kind, answering):
    nodes = tuple(Node(f"n{i}", label) for i, label in enumerate([*POINTS, "a name", "end"]))
    logic = Logic(kind, nodes, tuple(Edge(f"n{a}", f"n{b}", "", ways) for a, b, ways in edges if a != b))
    found = measure_difficulty(logic, knowledge_points=POINTS, question="Who?", answering=answering)
    assert 0 <= found.level < len(LEVELS)
    assert 1 <= found.steps <= 8
