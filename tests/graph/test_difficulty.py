import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.graph import one_level_up, realised_matrix, request_mix

WANTED = np.array([0.1, 0.2, 0.3, 0.25, 0.15])


def too_easy(requested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A drafter whose questions come out one level too easy 40 % of the time."""
    return np.maximum(requested - (rng.random(len(requested)) < 0.4), 0)


def test_the_realised_mix_comes_to_the_target() -> None:
    rng = np.random.default_rng(1)
    asked = rng.integers(0, 5, 1000)
    matrix = realised_matrix(asked, too_easy(asked, rng), n_levels=5)
    mix = request_mix(matrix, WANTED)
    came = too_easy(rng.choice(5, 20_000, p=mix.requests), rng)
    realised = np.bincount(came, minlength=5) / 20_000
    naive = np.bincount(too_easy(rng.choice(5, 20_000, p=WANTED), rng), minlength=5) / 20_000

    assert 0.5 * np.abs(realised - WANTED).sum() <= 0.03
    assert 0.5 * np.abs(naive - WANTED).sum() > 0.05
    assert mix.tv < 0.01


def test_a_mix_that_cannot_be_reached_says_so() -> None:
    never_hard = np.array([[1.0, 0], [1, 0]])
    mix = request_mix(never_hard, [0.5, 0.5])

    assert mix.tv == pytest.approx(0.5)
    assert mix.expected.tolist() == pytest.approx([1, 0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_rows_of_the_matrix_are_shares(pairs: list[tuple[int, int]]) -> None:
    asked, came = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    matrix = realised_matrix(asked, came, n_levels=4)

    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert (np.diag(matrix) > 0).all()
    np.testing.assert_allclose(realised_matrix(asked[:0], came[:0], n_levels=4), np.eye(4))


def test_what_is_spare_goes_one_level_up_in_its_own_discipline() -> None:
    disciplines = np.array([0, 0, 0, 1, 0, 1])
    levels = np.array([0, 0, 1, 0, 0, 0])
    missing = np.array([[-2, 5, 1], [3, 2, 0]])

    assert one_level_up(disciplines, levels, missing).tolist() == [0, 1]
    assert one_level_up(disciplines, levels, np.zeros((2, 3), int)).tolist() == []
