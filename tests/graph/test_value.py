import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.errors import UsageError
from kdos.graph import as_target, density_target, loss_target, popularity_target, spread_over_kps
from kdos.graph.value import StartSampler, largest_remainder, log_exposure_ratio, log_values, step_weights

SHARES = st.lists(st.floats(0.01, 5), min_size=1, max_size=8).map(as_target)


def test_beta_goes_from_coverage_to_popularity() -> None:
    popularity = [1, 4, 16]

    assert popularity_target(popularity, beta=0).tolist() == pytest.approx([1 / 3] * 3)
    assert popularity_target(popularity).tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert popularity_target(popularity, beta=1).tolist() == pytest.approx([1 / 21, 4 / 21, 16 / 21])


def test_a_target_over_cells_is_shared_by_their_kps() -> None:
    cells = np.array([0, 0, 2, 2, 2])

    assert spread_over_kps(cells, [1.0, 5.0, 6.0]).tolist() == [0.5, 0.5, 2, 2, 2]
    assert density_target(cells, [1, 5, 6]).tolist() == pytest.approx([1 / 14] * 2 + [4 / 14] * 3)


def test_a_loss_tilts_the_target() -> None:
    tilted = loss_target(as_target([1, 1]), [0.0, np.log(3)])

    assert tilted.tolist() == pytest.approx([0.25, 0.75])
    assert loss_target(as_target([1, 1]), [0.0, 2000.0]).tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [np.nan], [np.inf, 1], []])
def test_weights_that_make_no_target_are_refused(weights: list[float]) -> None:
    with pytest.raises(UsageError, match="finite"):
        as_target(weights)


@settings(deadline=None)
@given(SHARES, st.floats(0.1, 6), st.floats(1, 1000))
def test_value_falls_with_exposure_and_is_even_on_target(target: np.ndarray, alpha: float, visits: float) -> None:
    def value(seen: np.ndarray) -> np.ndarray:
        return log_values(log_exposure_ratio(seen, target, visits=visits), target, alpha=alpha)

    np.testing.assert_allclose(value(visits * target), 0, atol=1e-9)
    assert (value(visits * target + 1) < value(visits * target)).all()


@settings(deadline=None)
@given(SHARES, st.floats(100, 1e6))
def test_alpha_one_is_the_gradient_of_the_divergence(target: np.ndarray, visits: float) -> None:
    seen = visits * np.roll(target, 1) + 50
    value = log_values(log_exposure_ratio(seen, target, visits=visits), target, alpha=1)

    def divergence(counts: np.ndarray) -> float:
        held = (counts + 0.5) / (visits * target + 0.5)
        return -float(((visits * target + 0.5) * np.log(held)).sum())

    for k in range(len(target)):
        step = np.zeros(len(target))
        step[k] = 1e-3
        slope = (divergence(seen - step) - divergence(seen + step)) / 2e-3
        assert slope == pytest.approx(np.exp(value[k]), rel=1e-3)


def test_a_kp_without_a_target_has_no_value_and_one_far_ahead_is_not_gone_to() -> None:
    target = as_target([1, 1, 1, 0])
    ahead = log_exposure_ratio(np.array([0.0, 4, 40, 0]), target, visits=12)
    value = log_values(ahead, target, alpha=2)

    assert np.isfinite(value).tolist() == [True, True, True, False]
    assert (step_weights(value, ahead, most_ahead=3) > 0).tolist() == [True, True, False, False]
    assert step_weights(value, ahead, most_ahead=3).max() == 1


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 50), min_size=1, max_size=9).filter(any))
def test_whole_numbers_are_next_to_their_share(total: int, weights: list[int]) -> None:
    shares = np.array(weights, np.float64)
    found = largest_remainder(total, shares)

    assert found.sum() == total
    assert (np.abs(found - total * shares / shares.sum()) < 1).all()


def test_starts_are_as_near_to_what_lacks_as_whole_numbers_are() -> None:
    target = np.arange(1, 21) / 210
    deficit = np.where(np.arange(20) % 2, 30.0, -5.0)
    starts = StartSampler(target, 95).draw_starts(deficit, 95, np.random.default_rng(1))
    counts = np.bincount(starts, minlength=20)

    assert counts[::2].sum() <= 95 - np.floor(95 * target)[1::2].sum()
    assert (counts >= np.floor(95 * target)).all()


def test_a_debt_that_was_met_in_passing_forces_nothing() -> None:
    target = np.array([0.5, 0.5])
    start = StartSampler(target, 10)
    start.record_visits(np.array([5, 5]))
    starts = start.draw_starts(np.array([1.0, 0.0]), 10, np.random.default_rng(1))

    assert starts.tolist() == [0] * 10
