"""Which knowledge points say the same in other words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool import group_paraphrases
from kdos.pool.grouping import LEAST_COSINE, read_fact_words, states_same_fact

SAME = [
    ("Gustave Eiffel was born in Dijon.", "The birthplace of Gustave Eiffel is Dijon."),
    ("Eiffel founded the company Levallois.", "Levallois, a company, was founded by Eiffel."),
    ("Ali Smith wrote Hotel World.", "The author of Hotel World is Ali Smith."),
    ("The capital of Warren County is Belvidere.", "Warren County has Belvidere as its capital."),
    ("Andy Weir is the author of Artemis.", "The author of Artemis is Andy Weir."),
    ("The launch date of SpaceX CRS-3 is 2014.", "SpaceX CRS-3's launch date is 2014."),
    ("The headquarters of Orion (company) are in Bonn.", "Orion (company)'s headquarters are in Bonn."),
    ("Levallois was founded by Eiffel in 1866.", "In 1866 Eiffel founded Levallois."),
    ("Robert Poynings died in the city of St Albans.", "Robert Poynings died at St Albans."),
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
    ("The default of `x` is `1`.", "The default of `x` is `-1`."),
    ("`json.load` is a function of the module `json`.", "`json.loads` is a function of the module `json`."),
    (
        "The signature of `dataclasses.field` has 8 parameters.",
        "The signature of `dataclasses.Field` has 8 parameters.",
    ),
    ("The second parameter of `setacl` is `who`.", "The third parameter of `setacl` is `what`."),
    ("The first parameter of `os.umask` is `mask`.", "The parameter `mask` of `os.umask` is positional-only."),
    ("The record of os.execl is public.", "The record of os.execle is public."),
    ("Roger Williams founded Providence.", "Roger William founded Providence."),
    ("Olney is a place in Texas.", "Etna is a place in Texas."),
    ("Camdenton is the capital of Camden County.", "The capital of Camden County is Camden."),
    ("Milt Williams plays as point guard.", "Milt Williams plays as guard."),
    ("Ann Lee was born in Rome.", "Ann Lee is native to Rome."),
    ("Ann Lee is originally from Rome.", "Ann Lee passed away in Rome."),
    ("Appleby Station was named for Appleby.", "Appleby Station is owned by Appleby."),
    ("Brazil defeated France in 1998.", "Brazil was defeated by France in 1998."),
    ("Potential energy can change into kinetic energy.", "Kinetic energy can change into potential energy."),
    ("The bridge of Bonn is open.", "The bridge of Bonn is not open."),
    ("The bridge of Bonn is open.", "The bridge of Bonn isn't open."),
    ("Die Brücke in Bonn ist offen.", "Die Brücke in Bonn ist nicht offen."),
    ("K2 is the highest mountain of the range.", "K2 is the second highest mountain of the range."),
    ("He was buried in Bonn.", "She was buried in Bonn."),
    ("腹部色淡。", "腹部色淡黄。"),
    (
        "`save` is a method of the `Pool` class.",
        "`save` is a class method of `Pool`: it writes all that the pool holds.",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_fact_in_other_words(one, other):
    assert states_same_fact(
        read_fact_words(one), read_fact_words(other), cosine=LEAST_COSINE, least_cosine=LEAST_COSINE
    )
    assert states_same_fact(
        read_fact_words(other), read_fact_words(one), cosine=LEAST_COSINE, least_cosine=LEAST_COSINE
    )


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_facts_stay_two_however_close_their_vectors(one, other):
    assert not states_same_fact(read_fact_words(one), read_fact_words(other), cosine=1.0, least_cosine=LEAST_COSINE)
    assert not states_same_fact(read_fact_words(other), read_fact_words(one), cosine=1.0, least_cosine=LEAST_COSINE)


def test_what_one_says_more_counts_by_the_vectors() -> None:
    one, other = map(read_fact_words, ("Eiffel studied in Dijon.", "Eiffel studied in the city of Dijon."))
    assert not states_same_fact(one, other, cosine=0.84, least_cosine=0.85)
    assert states_same_fact(one, other, cosine=0.85, least_cosine=0.85)


def test_beyond_the_table_of_relations_the_same_words_are_asked_for() -> None:
    one, *others = map(
        read_fact_words, ("Eiffel adored Dijon.", "Dijon is adored by Eiffel.", "Eiffel was fond of Dijon.")
    )
    assert states_same_fact(one, others[0], cosine=0.5, least_cosine=0.85)
    assert not states_same_fact(one, others[1], cosine=1.0, least_cosine=0.85)


@given(st.text(max_size=60))
def test_any_text_is_read_and_states_what_it_states(text: str) -> None:
    words = read_fact_words(text)
    assert states_same_fact(words, words, cosine=1.0, least_cosine=LEAST_COSINE)


def test_a_group_is_what_is_close_to_its_first():
    texts = [text for pair in SAME for text in pair]
    grouping = group_paraphrases(texts, np.ones((len(texts), 1), np.float32))
    assert grouping.group.tolist() == [number for number in range(len(SAME)) for _ in range(2)]
    assert grouping.first.tolist() == list(range(0, len(texts), 2))
    assert grouping.size.tolist() == [2] * len(SAME)


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
        same = states_same_fact(read_fact_words(texts[row]), read_fact_words(texts[first]), cosine, LEAST_COSINE)
        assert first == row or same
