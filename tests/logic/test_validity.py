"""Does a diagram tell how the knowledge points lead to the answer?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.logic import find_faults, parse
from kdos.logic.validity import adjacent_nodes, final_parts

POINTS = ["The Eiffel Tower stands in Paris.", "The Eiffel Tower opened in 1889.", "Paris is old."]
SOUND = """flowchart TD
    K1["The Eiffel Tower stands in Paris."] --> K2["The Eiffel Tower opened in 1889."]
    K2 --> K3["Paris is old."] --> A["Answer: 1889"]"""


def found(text, points=tuple(POINTS), answer="1889"):
    return [fault.reason for fault in find_faults(parse(text), knowledge_points=points, answer=answer)]


def test_a_sound_diagram_has_no_faults():
    assert found(SOUND) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('A["Answer: 1889"]', 'A["Answer"]'), ["logic_end_not_answer"]),
        (('1889"]', '1889"]\n    X --> Y'), ["logic_not_connected", "logic_many_ends"]),
        (("Paris is old", "Paris is new"), ["knowledge_point_not_in_logic"]),
        (("opened in 1889", "opened in 1890"), ["knowledge_point_not_in_logic"]),
    ],
)
def test_each_fault_is_named(change, expected):
    assert found(SOUND.replace(*change)) == expected


def test_a_flowchart_must_not_run_in_a_circle_but_a_graph_may():
    circle = SOUND + "\n    K3 --> K1"
    assert found(circle) == ["logic_circular"]
    assert found(circle.replace("flowchart", "graph")) == []


def test_more_than_one_end_is_a_fault():
    assert found(SOUND + '\n    K1 --> B["elsewhere"]') == ["logic_many_ends"]


def test_in_a_graph_of_mutual_relations_the_last_part_holds_the_answer():
    mutual = SOUND.replace("flowchart", "graph") + "\n    A --- K3"
    assert found(mutual) == []
    assert found(mutual + "\n    K1 --- A") == []


def test_a_mindmap_holds_the_answer_anywhere():
    tree = """mindmap
  root((Eiffel Tower, 1889))
    The Eiffel Tower stands in Paris.
      Paris is old.
    The Eiffel Tower opened in 1889."""
    assert found(tree) == []
    assert found(tree, answer="1890") == ["logic_end_not_answer"]


def test_a_relation_between_entities_names_a_knowledge_point():
    graph = """graph LR
    T["Eiffel Tower"] -->|stands in| P["Paris"]
    T -->|opened in| Y["1889"]
    P -->|is an old city| Y"""
    points = ["The Eiffel Tower stands in Paris.", "The Eiffel Tower opened in 1889."]
    assert found(graph, points) == []
    assert found(graph.replace("1889", "1890"), points, "1890") == ["knowledge_point_not_in_logic"]


def test_one_place_names_one_knowledge_point():
    crowded = f'flowchart TD\n    K["{" ".join(POINTS)}"] --> A["1889"]'
    assert found(crowded) == ["knowledge_point_not_in_logic"] * 2


def test_an_answer_of_signs_is_looked_for_as_written():
    text = SOUND.replace("Answer: 1889", "-")
    assert found(text, answer="-") == []
    assert found(text, answer="+") == ["logic_end_not_answer"]


EDGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(EDGES)
def test_final_parts_are_those_nothing_leaves(edges):
    """Against the slow and obvious: the classes of mutual reach that lead nowhere else."""
    logic = parse("graph TD\n" + "\n".join(f"n{a} --> n{b}" for a, b in edges))
    names = [node.id for node in logic.nodes]
    step = {name: {e.target for e in logic.edges if e.source == name} for name in names}
    reach = {name: {name} for name in names}
    for _ in names:
        reach = {n: r | {x for m in r for x in step[m]} for n, r in reach.items()}
    slow = {frozenset(r) for n, r in reach.items() if all(n in reach[other] for other in r)}
    parts = final_parts(names, adjacent_nodes(logic.edges, both=False))
    assert {frozenset(part) for part in parts} == slow
    assert len(parts) == len(slow)
