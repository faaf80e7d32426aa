"""Whether a space groups what texts say or how they say it."""

import numpy as np
import pytest

from kdos.density import SpaceHealth, fit_space, measure_health
from kdos.density.health import HEALTH_TEXTS, _information

TEMPLATES = ("{} was born in {}.", "The home of {} is {}.", "{} came from the town of {}.", "Where {} lives is {}.")


def random_texts(n, rng):
    """Texts on four templates, and the template of each."""
    template = rng.integers(len(TEMPLATES), size=n)
    return [TEMPLATES[t].format(f"Ann{i} Smith{i}", f"Town{i}") for i, t in enumerate(template)], template


def measured(texts, vectors, **options):
    space, _ = fit_space(np.asarray(vectors, np.float32), embedder="test", dim=None, n_cells=8, normalize=False)
    return measure_health(texts, space.project(vectors), space, **options)


def test_a_space_of_templates_is_told_from_one_without() -> None:
    rng = np.random.default_rng(0)
    texts, template = random_texts(600, rng)
    noise = rng.standard_normal((600, 4)).astype(np.float32)
    by_template = noise + 20 * np.eye(4, dtype=np.float32)[template]
    grouped, mixed = measured(texts, by_template), measured(texts, noise)
    assert grouped.groups_wordings
    assert grouped.template_neighbours == 1
    assert grouped.template_information > 0.9
    assert "groups wordings, not knowledge: 100% of a text's nearest neighbours" in grouped.sentence
    assert not mixed.groups_wordings
    assert mixed.template_neighbours == pytest.approx(mixed.template_neighbours_by_chance, abs=0.03)
    assert mixed.template_information == pytest.approx(mixed.template_information_by_chance, abs=0.02)
    assert mixed.sentence.startswith("this space groups knowledge rather than wordings")


def test_chance_alone_is_given_beside_the_information() -> None:
    rng = np.random.default_rng(1)
    texts, _ = random_texts(60, rng)
    found = measured(texts, rng.standard_normal((60, 3)))
    # Eight cells of some seven texts each tell a tenth of any labelling in four.
    assert found.template_information_by_chance > 0.1
    assert not found.groups_wordings


def test_a_wording_beside_its_own_fact_speaks_for_a_space_and_one_elsewhere_against_it() -> None:
    rng = np.random.default_rng(2)
    texts = [f"Ann{i} Smith was born in Town{i}." for i in range(50)] + [
        f"Town{i} saw Ann{i} first." for i in range(50)
    ]
    facts = np.tile(np.arange(50), 2)
    place = rng.standard_normal((50, 5)) * 10
    together = measured(texts, np.concatenate([place, place + 0.01]), facts=facts)
    apart = measured(texts, np.concatenate([place, place[::-1] + 0.01]), facts=facts)
    assert together.own_fact_nearest == 1
    assert not together.groups_wordings
    assert apart.own_fact_nearest == 0
    assert apart.groups_wordings
    assert measured(texts, np.concatenate([place, place + 0.01]), facts=np.arange(100)).own_fact_nearest is None


def test_texts_without_a_common_template_tell_nothing() -> None:
    rng = np.random.default_rng(3)
    texts = ["".join(rng.choice(list("abcdefghij "), 30)) for _ in range(40)]
    found = measured(texts, rng.standard_normal((40, 3)))
    assert found.template_neighbours is None
    assert found.sentence == (
        "this space was not seen to group wordings: only 0% of the texts share a template with several others"
    )
    all_alike = [f"Ann{i} was born." for i in range(40)]
    assert measured(all_alike, rng.standard_normal((40, 3))).template_information is None


def test_few_texts_have_fewer_neighbours() -> None:
    vectors = np.random.default_rng(4).standard_normal((20, 3))
    space, _ = fit_space(vectors.astype(np.float32), embedder="test", dim=None, k=2, n_cells=2)
    points = space.project(vectors)
    assert measure_health(["a", "b", "c"], points[:3], space).texts == 3
    assert measure_health(["one", "one"], points[:2], space) is None
    assert measure_health([], points[:0], space, facts=np.zeros(0, np.int64)) is None


def test_many_texts_are_sampled_with_whole_facts() -> None:
    rng = np.random.default_rng(5)
    n = 3 * HEALTH_TEXTS
    texts, _ = random_texts(n, rng)
    vectors = rng.standard_normal((n, 3))
    facts = np.arange(n)
    facts[:200] //= 2
    found = measured(texts, vectors, facts=facts)
    assert found.texts == HEALTH_TEXTS
    assert found.own_fact_nearest is not None
    assert found == measured(texts, vectors, facts=facts)
    assert found != measured(texts, vectors, facts=facts, random_seed=1)


def test_information_is_that_of_the_joint_table() -> None:
    rng = np.random.default_rng(6)
    one, other = rng.integers(4, size=500), rng.integers(3, size=500)
    table = np.histogram2d(one, other, bins=(np.arange(5), np.arange(4)))[0] / 500
    expected = (table * np.log(table / (table.sum(1, keepdims=True) * table.sum(0)))).sum()
    assert _information(one, other) == pytest.approx(expected)
    assert _information(one, one) == pytest.approx(np.log(4), abs=0.01)


def test_json_holds_every_figure_and_the_sentence() -> None:
    found = SpaceHealth(10, 0.0).as_json()
    assert found["groups_wordings"] is False
    assert {"texts", "templated", "template_information", "template_neighbours", "own_fact_nearest"} < found.keys()
    assert "only 0%" in found["sentence"]
