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
    with_one_answer,
    world_from_triples,
)

TRIPLES = [
    Triple("Rome", "river", "Tiber"),
    Triple("Rome", "country", "Italy"),
    Triple("Pisa", "country", "Italy"),
    Triple("Graz", "river", "Mur"),
]
MANY_ANSWERS = [Triple(f"city {n}", "number", str(n)) for n in range(300)]


def test_a_fact_in_words() -> None:
    assert fact_sentence(TRIPLES[0], 0) == "the river of Rome is Tiber"
    assert fact_sentence(TRIPLES[0], 3) == "as river, Rome has Tiber"


def test_texts_of_different_facts_differ_and_the_answer_stands_last() -> None:
    worlds = (
        world_from_triples(TRIPLES),
        world_from_triples(MANY_ANSWERS),
        world_from_triples(MANY_ANSWERS, names="words"),
        made_up_world(3, subjects=5000),
    )
    for world in worlds:
        texts, tokens = fact_tokens(world), world.answer_tokens
        assert texts.shape[1] == len(WORDINGS) * tokens
        for place in range(tokens):
            said = texts[:, place::tokens]
            assert (said[:, :, -1] == world.answers[world.value, place, None]).all()
            before = said[:, :, -1 - place : -1]
            assert (before == world.answers[world.value, None, :place]).all()
            assert len(np.unique(said[:, 0, :-1], axis=0)) == len(world.value)
        assert texts.min() >= 0
        assert texts.max() < world.vocabulary


def test_every_answer_has_tokens_of_its_own_however_many_there_are() -> None:
    world = world_from_triples([Triple(str(n), "is", str(n)) for n in range(5000)])
    assert world.answer_tokens == 3
    assert len(np.unique(world.answers, axis=0)) == world.values == 5000
    assert world.answers.max() < world.answer_vocabulary
    assert made_up_world(0).answer_tokens == 1


def test_names_in_words_share_pieces_with_their_kin() -> None:
    names = [f"parameter of json.loads number {n}" for n in range(40)] + [f"limit of os.walk {n}" for n in range(40)]
    world = world_from_triples([Triple(name, "default", "None") for name in names], names="words")
    shared = [len(set(world.subject[row].tolist()) & set(world.subject[0].tolist())) for row in (1, 70)]
    order = np.argsort(np.argsort(names))
    assert shared[0] != shared[1]
    assert len(np.unique(world.subject, axis=0)) == len(order)


def test_a_paraphrase_is_made_of_words_that_others_are_shown_in() -> None:
    texts, unseen = fact_tokens(made_up_world(0)), held_out_wordings(32_768)
    rows = np.arange(len(texts))
    shown = np.delete(texts.reshape(-1, texts.shape[2]), rows * len(WORDINGS) + unseen, axis=0)

    assert set(np.unique(texts[rows, unseen])) <= set(np.unique(shown))


def test_facts_with_several_answers_are_left_out() -> None:
    rivers = [*TRIPLES, Triple("Graz", "river", "Andritzbach")]
    assert with_one_answer(rivers) == TRIPLES[:3]
