import numpy as np
import pytest

pytest.importorskip("torch")

from kdos.train.facts import (
    WORDINGS,
    Triple,
    fact_sentence,
    fact_tokens,
    held_out_wordings,
    made_up_world,
    with_common_values,
    world_from_triples,
)

TRIPLES = [
    Triple("Rome", "river", "Tiber"),
    Triple("Rome", "country", "Italy"),
    Triple("Pisa", "country", "Italy"),
    Triple("Graz", "river", "Mur"),
]


def test_a_fact_in_words() -> None:
    assert fact_sentence(TRIPLES[0], 0) == "the river of Rome is Tiber"
    assert fact_sentence(TRIPLES[0], 3) == "as river, Rome has Tiber"


def test_texts_of_different_facts_differ_and_the_value_stands_last() -> None:
    for world in (world_from_triples(TRIPLES), made_up_world(3, subjects=5000)):
        texts = fact_tokens(world)
        assert texts.shape[1] == len(WORDINGS)
        assert (texts[:, :, -1] == world.value[:, None]).all()
        assert len(np.unique(texts[:, 0, :-1], axis=0)) == len(world.value)
        assert texts.min() >= 0
        assert texts.max() < world.vocabulary


def test_a_paraphrase_is_made_of_words_that_others_are_shown_in() -> None:
    texts, unseen = fact_tokens(made_up_world(0)), held_out_wordings(32_768)
    rows = np.arange(len(texts))
    shown = np.delete(texts.reshape(-1, texts.shape[2]), rows * len(WORDINGS) + unseen, axis=0)

    assert set(np.unique(texts[rows, unseen])) <= set(np.unique(shown))


def test_only_facts_with_common_values_stay() -> None:
    assert with_common_values(TRIPLES, 2) == TRIPLES[1:]
