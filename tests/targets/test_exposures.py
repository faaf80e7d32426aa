"""Wanted exposures: the order is met, spread evenly, within what the source holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.targets import choose_facts, count_filled, plan_cell_quotas, spread_quotas


@st.composite
def sources(draw):
    """The target over a few cells, each knowledge point's cell and key, and what the pool holds of each."""
    n_cells, n_points = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    weights = np.array(draw(st.lists(st.floats(0.01, 9), min_size=n_cells, max_size=n_cells)))
    cells = np.array(draw(st.lists(st.integers(0, n_cells - 1), min_size=n_points, max_size=n_points)), np.int32)
    held = np.array(draw(st.lists(st.integers(0, 4), min_size=n_points, max_size=n_points)))
    keys = np.array(draw(st.permutations(range(n_points))), np.uint64)
    return np.log(weights / weights.sum()), cells, keys, held


def plan(log_q, cells, *, exposures, order):
    supply = np.bincount(cells, minlength=len(log_q))
    return plan_cell_quotas(log_q, supply, exposures=exposures, order=order)


@given(sources(), st.integers(1, 3), st.integers(0, 150))
def test_the_wanted_exposures_are_the_order_spread_evenly_within_the_supply(source, exposures, order):
    log_q, cells, keys, held = source
    found = plan(log_q, cells, exposures=exposures, order=order)
    everything = np.ones(len(cells), bool)
    points = spread_quotas(found.quotas, cells, held=held, keys=keys, eligible=everything)
    wanted = points.wanted
    assert wanted.sum() == found.order == min(order, exposures * len(cells))
    assert wanted.max(initial=0) <= exposures
    assert (wanted <= points.most).all()
    assert points.most.max(initial=0) <= exposures
    for cell in range(len(log_q)):
        own = wanted[cells == cell]
        assert own.sum() == found.quotas[cell]
        assert np.ptp(own) <= 1 if len(own) else found.quotas[cell] == 0


@given(sources(), st.integers(1, 60))
def test_what_is_held_is_wanted_before_what_is_not(source, order):
    log_q, cells, keys, held = source
    quotas = plan(log_q, cells, exposures=1, order=order).quotas
    everything = np.ones(len(cells), bool)
    found = spread_quotas(quotas, cells, held=held, keys=keys, eligible=everything)
    filled = count_filled(held, found.most, cells, n_cells=len(log_q))
    assert (filled <= quotas).all()
    assert np.minimum(held, found.wanted).sum() == filled.sum()


@given(sources(), st.integers(1, 60), st.randoms(use_true_random=False))
def test_the_order_of_the_points_changes_nothing(source, order, random):
    log_q, cells, keys, held = source
    shuffled = list(range(len(cells)))
    random.shuffle(shuffled)
    quotas = plan(log_q, cells, exposures=1, order=order).quotas
    everything = np.ones(len(cells), bool)
    wanted = spread_quotas(quotas, cells, held=held, keys=keys, eligible=everything).wanted
    again = spread_quotas(
        quotas, cells[shuffled], held=held[shuffled], keys=keys[shuffled], eligible=everything
    ).wanted
    assert (wanted[shuffled] == again).all()


@given(sources(), st.integers(1, 3), st.integers(1, 100))
def test_one_more_point_takes_no_more_than_its_share(source, exposures, order):
    log_q, cells, keys, _ = source
    before = plan(log_q, cells, exposures=exposures, order=order)
    more = np.append(cells, cells[:1])
    after = plan(log_q, more, exposures=exposures, order=order)
    nothing = np.zeros(len(more), np.int64)
    wanted = spread_quotas(
        after.quotas, more, held=nothing, keys=np.append(keys, np.uint64(99)), eligible=np.ones(len(more), bool)
    ).wanted
    first = spread_quotas(
        before.quotas, cells, held=nothing[:-1], keys=keys, eligible=np.ones(len(cells), bool)
    ).wanted
    # Its cell may want more now, and another cell gives up what had flowed there for want of supply.
    lost = np.maximum(first - wanted[:-1], 0)
    assert lost.max() <= 1 or exposures > 1
    assert lost.sum() <= max(int(wanted[-1]), 1) + len(log_q)


def test_what_a_cell_cannot_hold_flows_to_the_others_and_is_said():
    log_q = np.log(np.array([0.9, 0.05, 0.05]))
    found = plan_cell_quotas(log_q, np.array([10, 40, 40]), exposures=1, order=50)
    assert found.quotas.tolist() == [10, 20, 20]
    assert np.exp(found.log_q) == pytest.approx([0.2, 0.4, 0.4])
    assert found.displaced == pytest.approx(0.7)
    assert plan_cell_quotas(log_q, np.array([10, 40, 40]), exposures=5, order=50).quotas.tolist() == [45, 3, 2]


def test_an_order_beyond_the_supply_is_the_supply():
    found = plan_cell_quotas(np.log(np.array([0.5, 0.5])), np.array([3, 1]), exposures=2, order=1000)
    assert found.quotas.tolist() == [6, 2]


def test_where_nothing_can_be_had_nothing_is_wanted():
    assert plan_cell_quotas(np.log(np.array([0.5, 0.5])), np.array([0, 0]), exposures=2, order=9).order == 0


def test_facts_are_chosen_as_the_target_wants_cells_whatever_their_order():
    cells = np.repeat(np.arange(3, dtype=np.int32), [100, 100, 4])
    keys = np.arange(204, dtype=np.uint64)
    chosen = choose_facts(np.log(np.array([0.6, 0.3, 0.1])), cells, facts=60, keys=keys)
    assert np.bincount(cells[chosen]).tolist() == [37, 19, 4]
    assert choose_facts(np.zeros(3), cells, facts=500, keys=keys).all()
