"""Which knowledge points say the same in other words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool import group_paraphrases
from kdos.pool.grouping import COSINE_ONE_SAYS_MORE, COSINE_UNKNOWN_RELATION, read_fact_words, states_same_fact

SAME = [
    ("Gustave Eiffel was born in Dijon.", "The birthplace of Gustave Eiffel is Dijon."),
    ("Eiffel founded the company Levallois.", "Levallois, a company, was founded by Eiffel."),
    ("Ali Smith wrote Hotel World.", "The author of Hotel World is Ali Smith."),
    ("The capital of Warren County is Belvidere.", "Warren County has Belvidere as its capital."),
    ("Andy Weir is the author of Artemis.", "The author of Artemis is Andy Weir."),
]
OTHER = [
    ("Gustave Eiffel was born in Dijon.", "Gustave Eiffel died in Dijon."),
    ("Gustave Eiffel was born in Dijon.", "Gustave Eiffel was born in Paris."),
    ("Marie Curie was born in 1867.", "Marie Curie was born in 1869."),
    ("In 1998 Brazil beat France.", "In 1998 France beat Brazil."),
    ("James is a child of Mary Stuart.", "Mary Stuart is a child of James."),
    ("By trade, Isaac Rapp is an architect.", "The occupation of Isaac Rapp is solicitor."),
    ("Northern Bank was founded in Belfast.", "Northern Bank has its headquarters in Belfast."),
    ("The Bathers was painted by Cezanne.", "The Bathers was sold by Cezanne."),
    ("The default of `x` is `1`.", "The default of `x` is `2`."),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_fact_in_other_words(one, other):
    assert states_same_fact(read_fact_words(one), read_fact_words(other), cosine=COSINE_ONE_SAYS_MORE)
    assert states_same_fact(read_fact_words(other), read_fact_words(one), cosine=COSINE_ONE_SAYS_MORE)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_facts_stay_two_however_close_their_vectors(one, other):
    assert not states_same_fact(read_fact_words(one), read_fact_words(other), cosine=0.925)
    assert not states_same_fact(read_fact_words(other), read_fact_words(one), cosine=0.925)


def test_beyond_the_table_of_relations_only_very_close_vectors_count():
    pair = "Eiffel adored Dijon.", "Eiffel was fond of Dijon."
    one, other = map(read_fact_words, pair)
    assert not states_same_fact(one, other, cosine=COSINE_UNKNOWN_RELATION - 0.01)
    assert states_same_fact(one, other, cosine=COSINE_UNKNOWN_RELATION)


def test_a_group_is_what_is_close_to_its_first():
    texts = [text for pair in SAME for text in pair]
    grouping = group_paraphrases(texts, np.ones((len(texts), 1), np.float32))
    assert grouping.group.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert grouping.first.tolist() == [0, 2, 4, 6, 8]
    assert grouping.size.tolist() == [2] * 5


def test_no_texts_make_no_groups():
    assert group_paraphrases([], np.zeros((0, 3), np.float32)).size.tolist() == []


@given(st.lists(st.sampled_from([*SAME, *OTHER]).flatmap(st.sampled_from), max_size=12), st.integers(0))
def test_every_row_has_a_group_whose_first_row_says_the_same(texts, seed):
    vectors = np.random.default_rng(seed).normal(size=(len(texts), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    grouping = group_paraphrases(texts, vectors)
    assert grouping.size.sum() == len(texts)
    for row, group in enumerate(grouping.group):
        first = grouping.first[group]
        cosine = float(vectors[row] @ vectors[first])
        same = states_same_fact(read_fact_words(texts[row]), read_fact_words(texts[first]), cosine)
        assert first == row or same
