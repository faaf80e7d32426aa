import numpy as np
import pytest

from kdos.scoring import compare_pools, holm_levels

N_FACTS = 300


def draw_pools(rng: np.random.Generator, hardness: np.ndarray, *, mean: float, pools: int = 4) -> np.ndarray:
    """What models of some pools know: facts differ in hardness, pools by their own luck."""
    luck = rng.normal(0, 0.04, (pools, 1))
    return (rng.random((pools, N_FACTS)) < np.clip(mean + luck + hardness, 0, 1)).astype(float)


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says() -> None:
    inside = []
    for draw in range(150):
        rng = np.random.default_rng(draw)
        hardness = rng.normal(0, 0.2, N_FACTS)
        found = compare_pools(draw_pools(rng, hardness, mean=0.6), draw_pools(rng, hardness, mean=0.5), rng)
        low, high = found.interval_at(0.95)
        inside.append(low <= 0.1 <= high)
        assert found.freedom == 6
    assert 0.9 <= np.mean(inside) <= 0.995


def test_pools_that_differ_widely_are_not_told_apart_by_many_facts() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (np.repeat(rng.random((2, 1)), 5000, axis=1) for _ in range(2))
    assert compare_pools(ours, theirs, rng).p_value > 0.05
    alike = compare_pools(np.ones((4, 100)), np.zeros((4, 100)), rng)
    assert alike.difference == 1
    assert alike.p_value < 1e-6


def test_the_mean_of_one_side_stands_against_nothing() -> None:
    rng = np.random.default_rng(1)
    found = compare_pools(draw_pools(rng, np.zeros(N_FACTS), mean=0.7), None, rng)
    low, high = found.interval_at(0.95)
    assert low < 0.7 < high
    assert found.freedom == 3


def test_holms_correction_steps_down() -> None:
    adjusted, levels = holm_levels([0.01, 0.04, 0.03])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06])
    assert levels == pytest.approx([1 - 0.05 / 3, 0.95, 1 - 0.05 / 2])
    assert holm_levels([]) == ([], [])
