import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.graph.starts import StartSampler, largest_remainder


@settings(deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 50), min_size=1, max_size=9).filter(any))
def test_whole_numbers_are_next_to_their_share(total: int, weights: list[int]) -> None:
    shares = np.array(weights, np.float64)
    found = largest_remainder(total, shares)

    assert found.sum() == total
    assert (np.abs(found - total * shares / shares.sum()) < 1).all()


def test_starts_are_as_near_to_what_lacks_as_whole_numbers_are() -> None:
    target = np.arange(1, 21) / 210
    lack = np.where(np.arange(20) % 2, 30.0, -5.0)
    starts = StartSampler(target, 95).draw_starts(lack, 95, np.random.default_rng(1))
    counts = np.bincount(starts, minlength=20)

    assert counts[::2].sum() <= 95 - np.floor(95 * target)[1::2].sum()
    assert (counts >= np.floor(95 * target)).all()


def test_a_debt_that_was_met_in_passing_forces_nothing() -> None:
    target = np.array([0.5, 0.5])
    start = StartSampler(target, 10)
    start.record_visits(np.array([5, 5]))
    starts = start.draw_starts(np.array([1.0, 0.0]), 10, np.random.default_rng(1))

    assert starts.tolist() == [0] * 10
