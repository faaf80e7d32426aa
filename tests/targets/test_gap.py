import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdos.errors import UsageError
from kdos.targets import measure_gap, water_filled_quotas

CELLS = 9
weight = st.just(0.0) | st.floats(1e-9, 1)
weights = arrays(np.float64, CELLS, elements=weight).filter(lambda w: w.sum() > 0.1)
supplies = arrays(np.int64, CELLS, elements=st.integers(0, 200))


def log(q):
    with np.errstate(divide="ignore"):
        return np.log(q / q.sum())


@given(weights, st.integers(0, 5000))
def test_without_caps_a_quota_is_the_share_rounded(q, budget):
    quota = water_filled_quotas(log(q), budget)
    assert quota.sum() == budget
    assert np.abs(quota - budget * q / q.sum()).max() < 1 + 1e-6


@st.composite
def markets(draw):
    """A target, a supply and a budget that the cells with a target can meet."""
    q = draw(weights)
    supply = draw(supplies)
    return q, supply, draw(st.integers(0, int(supply[q > 0].sum())))


@given(markets())
def test_caps_hold_and_the_budget_is_spent(market):
    q, supply, budget = market
    quota = water_filled_quotas(log(q), budget, supply=supply)
    assert quota.sum() == budget
    assert (quota <= supply).all()
    assert (quota >= 0).all()


@given(markets())
def test_no_single_move_brings_the_quota_nearer_in_kl(market):
    q, supply, budget = market
    quota = water_filled_quotas(log(q), budget, supply=supply)

    def kl(counts):
        held = counts > 0
        share = counts[held] / max(budget, 1)
        return (share * (np.log(share) - log(q)[held])).sum()

    for giver in np.flatnonzero(quota):
        for taker in np.flatnonzero((quota < supply) & (q > 0)):
            if giver != taker:
                moved = quota.copy()
                moved[giver] -= 1
                moved[taker] += 1
                assert kl(quota) <= kl(moved) + 1 / budget


@given(weights, st.integers(30, 500))
def test_floors_hold(q, budget):
    floor = np.full(CELLS, 2)
    quota = water_filled_quotas(log(q), budget, floor=floor)
    assert quota.sum() == budget
    assert (quota >= floor).all()


def test_more_than_there_is_names_both_numbers():
    with pytest.raises(UsageError, match=r"the 5 rows .* Got 6"):
        water_filled_quotas(log(np.ones(2)), 6, supply=np.array([2, 3]))


def test_gap_of_a_pool_on_target_is_nothing():
    q = np.array([0.5, 0.25, 0.25])
    gap = measure_gap(np.array([200, 100, 100]), np.log(q))
    assert gap.kl == pytest.approx(0, abs=1e-12)
    assert gap.tv == pytest.approx(0)
    assert gap.floor == pytest.approx((np.exp(1.5 * np.log(2)) - 1) / 400)


def test_a_gap_by_hand():
    gap = measure_gap(np.array([3, 1]), np.log([0.5, 0.5]))
    assert gap.kl == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert gap.tv == pytest.approx(0.25)


def test_independent_draws_lie_at_half_the_noise_floor():
    rng = np.random.default_rng(5)
    q = rng.dirichlet(np.full(200, 3.0))
    ratios = []
    for _ in range(40):
        gap = measure_gap(rng.multinomial(20_000, q), np.log(q))
        ratios.append(gap.kl / gap.floor)
    assert np.mean(ratios) == pytest.approx(0.5, abs=0.1)


def test_cells_without_a_target_are_left_out():
    with np.errstate(divide="ignore"):
        log_q = np.log([0.5, 0.5, 0.0])
    gap = measure_gap(np.array([10, 10, 5]), log_q)
    assert gap.kl == pytest.approx(0)
    assert gap.tv == pytest.approx(0)
