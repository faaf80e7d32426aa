"""Which knowledge points say the same: in the same words, and in other words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool.grouping import group_texts
from kdos.pool.wording import fact_key, normalise_text

SAME = [
    ("The Eiffel Tower stands in Paris.", "the eiffel tower stands in  PARIS"),
    ("The Massey Ferguson 35 has a 3-cylinder engine.", "The Massey Ferguson 35 has a 3 cylinder engine"),
    ("It drew 1,953,122 visitors.", "It drew 1953122 visitors."),
    ("The “Iron Lady” stands in Paris", 'The "Iron Lady" stands in Paris.'),
    ("Ｅｉｆｆｅｌ built it.", "Eiffel built it."),
    ("巴黎是法国的首都。", "巴黎是法国的首都"),
    ("The default of `x` is -1.", "the default of 'x' is -1"),
]
OTHER = [
    ("The default of `x` is -1.", "The default of `x` is 1."),
    ("The function is operator.__add__.", "The function is operator.add."),
    ("It is written in C++.", "It is written in C#."),
    ("It is written in C++.", "It is written in C."),
    ("The mode is `r`.", "The mode is `R`."),
    ("The default is ().", "The default is []."),
    ("The default is '+'.", "The default is '-'."),
    ("The module is os.path.", "The module is ospath."),
    ("The value is 3.14.", "The value is 314."),
    ("Marie Curie was born in 1867.", "Marie Curie was born in 1876."),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_case_spacing_width_and_punctuation_do_not_part_facts(one, other):
    assert fact_key(one) == fact_key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_signs_identifiers_and_values_do(one, other):
    assert fact_key(one) != fact_key(other)


def test_groups_are_numbered_by_their_first_row():
    grouping = group_texts(["A tower.", "a river", "a TOWER", "A river.", "a hill"])
    assert grouping.group.tolist() == [0, 1, 0, 1, 2]
    assert grouping.first.tolist() == [0, 1, 4]
    assert grouping.size.tolist() == [2, 2, 1]


def test_no_texts_make_no_groups():
    assert group_texts([]).size.tolist() == []


@given(st.text(max_size=80))
def test_keys_are_stable(text):
    """What is normal stays normal; equal keys are equal once normalised, too."""
    assert normalise_text(normalise_text(text)) == normalise_text(text)
    assert fact_key(text) == fact_key(f"  {text} ")


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_the_quick_way_gives_what_the_careful_way_gives(text):
    """A letter beyond ASCII forces the careful way of both functions."""
    assert normalise_text(text + " é") == f"{normalise_text(text)} é".strip()
    assert fact_key(f"é {text}") == f"é {fact_key(text)}".strip()
