"""Shapes: what two questions' logic has in common once the names are gone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.logic import ShapeCounts, parse, shape_of_logic
from kdos.logic.diagram import shape_overlap

CHAIN = "flowchart TD\nA --> B --> C --> D"
JOIN = "flowchart TD\nQ --> A & B --> C"
RING = "graph TD\nA --> B --> C --> A"
TREE = "mindmap\n  root\n    a\n    b"
EDGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9)


def drawn(edges, *, name="n"):
    return shape_of_logic(parse("graph TD\n" + "\n".join(f"{name}{a} --> {name}{b}" for a, b in edges)))


@pytest.mark.parametrize("text", [CHAIN, JOIN, RING, TREE])
def test_the_same_logic_about_something_else_overlaps_fully(text):
    other = text.replace("A", "Paris").replace("B", "Lyon").replace("root", "Rome")
    assert shape_overlap(shape_of_logic(parse(text)), shape_of_logic(parse(other))) == 1.0
    assert shape_of_logic(parse(text)).name == shape_of_logic(parse(other)).name


def test_different_logic_overlaps_in_part_and_by_degree():
    chain, join, ring = (shape_of_logic(parse(text)) for text in (CHAIN, JOIN, RING))
    longer = shape_of_logic(parse(CHAIN + " --> E"))
    assert len({chain.name, join.name, ring.name, longer.name}) == 4
    assert 0 < shape_overlap(chain, ring) < shape_overlap(chain, longer) < 1
    assert shape_overlap(chain, join) < shape_overlap(chain, longer)


def test_direction_is_part_of_the_shape():
    one, other = parse("graph TD\nA --> B\nA --> C"), parse("graph TD\nB --> A\nC --> A")
    assert shape_of_logic(one).name != shape_of_logic(other).name


@given(EDGES, EDGES)
def test_overlap_is_a_symmetric_share(one, other):
    here, there = drawn(one), drawn(other)
    assert shape_overlap(here, there) == shape_overlap(there, here)
    assert 0 <= shape_overlap(here, there) <= 1
    assert (shape_overlap(here, there) == 1) == (here == there)


@given(EDGES, st.permutations(range(6)), st.randoms(use_true_random=False))
def test_renaming_and_reordering_leave_the_shape(edges, names, random):
    renamed = [(names[a], names[b]) for a, b in edges]
    random.shuffle(renamed)
    assert drawn(renamed, name="m") == drawn(edges)


def test_counts_say_how_alike_a_pool_is():
    counts = ShapeCounts()
    assert counts.share_of_shape(shape_of_logic(parse(CHAIN)).name) == counts.effective_number() == 0
    counts.add_shapes(shape_of_logic(parse(text)).name for text in (CHAIN, CHAIN, CHAIN, JOIN))
    assert counts.share_of_shape(shape_of_logic(parse(CHAIN)).name) == 0.75
    assert counts.share_of_shape(shape_of_logic(parse(RING)).name) == 0
    assert math.isclose(counts.effective_number(), math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))))
