"""The deficit of every knowledge point, and which drafts stay."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool import Pool
from kdos.sampler import Order, RunningCounts, cell_limits, decide_draft, link_seeds, measure_deficit

N_POINTS, N_CELLS = 12, 3
CELLS = (np.arange(N_POINTS) % N_CELLS).astype(np.int32)
EACH = [np.array([k]) for k in range(N_POINTS)]
LINKS = link_seeds(
    EACH,
    cells=CELLS,
    keys=np.arange(N_POINTS, dtype=np.uint64),
    documents=np.zeros(N_POINTS, np.int32),
    passages=np.arange(N_POINTS, dtype=np.int32),
)
NOTHING = np.zeros(N_POINTS, bool)
exposures = st.lists(st.integers(0, 3), min_size=N_POINTS, max_size=N_POINTS).map(np.array)


def order(*, times=1, samples=None, q=(1 / 3, 1 / 3, 1 / 3), chosen=None):
    everything = np.ones(N_POINTS, bool)
    return Order(np.log(np.array(q)), times, everything if chosen is None else chosen, samples)


def pool(held, *, samples=4, answered=None):
    held = np.array(held)
    counts = np.bincount(CELLS, weights=held, minlength=N_CELLS).astype(np.int64)
    return Pool(samples, counts, held, np.zeros(N_POINTS, np.int64) if answered is None else np.array(answered))


@given(exposures, st.integers(1, 3), st.one_of(st.none(), st.integers(1, 9)))
def test_what_is_wanted_of_points_sums_to_the_room_of_their_cells(held, times, samples):
    found = measure_deficit(pool(held), order(times=times, samples=samples), NOTHING, LINKS)
    assert np.bincount(CELLS, weights=found.by_point) == pytest.approx(np.maximum(found.room, 0))
    assert (found.by_point[held >= found.points.most] == 0).all()
    assert found.points.wanted.sum() == found.order <= times * N_POINTS
    assert found.filled == np.minimum(held, found.points.wanted).sum()
    assert found.reachable == (found.filled < found.order)


@given(exposures, st.sets(st.integers(0, N_POINTS - 1), max_size=N_POINTS))
def test_points_given_up_want_nothing_and_leave_their_share_to_the_others(held, given_up):
    unreachable = np.isin(np.arange(N_POINTS), list(given_up))
    found = measure_deficit(pool(held), order(), unreachable, LINKS)
    lost = unreachable & (held == 0)
    assert (found.unreachable == lost).all()
    assert found.unreachable_mass == pytest.approx(lost.mean())
    assert found.order == N_POINTS - lost.sum()
    assert not found.by_point[lost].any()


def test_points_that_were_not_chosen_are_not_wanted():
    chosen = np.arange(N_POINTS) < 6
    found = measure_deficit(pool([0] * N_POINTS), order(chosen=chosen), NOTHING, LINKS)
    assert (found.points.wanted == chosen).all()
    assert found.unreachable_mass == 0


def decide(points, held, *, rule="pace", times=1, samples=None, slack=0.2, answering=None, offered=None, **changes):
    now = pool(held, **changes)
    found = measure_deficit(now, order(times=times, samples=samples), NOTHING, LINKS)
    counts = RunningCounts(now, found, CELLS)
    return decide_draft(
        points,
        answering=answering,
        offered=range(N_POINTS) if offered is None else offered,
        counts=counts,
        limits=cell_limits(found, slack),
        rule=rule,
    )


points = st.lists(st.integers(0, N_POINTS - 1), min_size=3, max_size=5, unique=True)


@given(points, exposures)
def test_strict_keeps_what_has_a_deficit_throughout(rows, held):
    assert decide(rows, held, rule="strict").accepted == bool((held[rows] == 0).all())


@given(points, exposures)
def test_pace_keeps_what_gains_and_at_least_half_of_which_is_wanted(rows, held):
    found = decide(rows, held)
    assert found.gain == pytest.approx(np.mean(math.log(1.5) - np.log(np.minimum(held[rows], 2) + 0.5)))
    wanted, offered = np.sum(held[rows] == 0), np.sum(held == 0)
    assert found.accepted == (found.gain > 0 and wanted >= min(len(rows) / 2, offered))
    assert decide(rows, held, rule="all").accepted


def test_a_pick_that_has_one_point_to_offer_gives_a_draft_that_stays():
    held = [1] * N_POINTS
    held[4] = 0
    assert decide([4, 5, 6], held, offered=[4, 5, 6]).accepted
    assert decide([7, 5, 6], held, offered=[7, 5, 6]).reason == "no_deficit"


def test_a_point_held_a_hundred_times_does_not_outweigh_three_that_nobody_holds():
    held = [0] * N_POINTS
    held[3] = 100
    assert decide([0, 1, 2, 3], held).accepted
    assert decide([0, 1, 2, 3], held).gain == pytest.approx((3 * math.log(3) + math.log(1.5 / 2.5)) / 4)


def test_an_answer_is_asked_for_as_often_as_its_point_may_appear():
    held, answered = [0] * N_POINTS, [0] * N_POINTS
    held[0] = answered[0] = 1
    again = {"held": held, "answered": answered, "answering": 0}
    assert decide([0, 1, 2, 3], **again).reason == "asked_before"
    assert decide([0, 1, 2, 3], **again, times=2).accepted
    assert decide([0, 1, 2, 3], held, answering=0).accepted, "until now it was a clue alone"


def test_a_cell_takes_no_more_than_its_quota_and_the_slack():
    # Three samples hold four exposures of each cell's room of four, with headroom of one in twenty.
    held = [1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0]
    full = decide([6, 9, 10], held, samples=1, slack=0.0)
    assert full.reason == "crowded"


def test_a_cell_may_go_beyond_its_quota_by_a_draft_or_what_chance_would_do_and_no_further():
    quotas = np.array([4, 100, 10_000])
    for filled, slack, limits in [
        (0, 0.2, [8, 120, 12_000]),
        (10_104, 0.2, [8, 105, 10_050]),
        (10_104, 0.01, [8, 104, 10_050]),
        (10_104, 0.0, quotas),
    ]:
        found = SimpleNamespace(cells=SimpleNamespace(quotas=quotas), filled=filled, order=10_104)
        assert (cell_limits(found, slack) == limits).all()


def test_a_point_that_the_source_does_not_hold_may_join_once_while_its_cell_has_room():
    now = pool([0] * N_POINTS)
    found = measure_deficit(now, order(), NOTHING, LINKS)
    cells = np.append(CELLS, np.int32(0))
    given = {"answering": None, "offered": [], "limits": found.cells.quotas, "rule": "strict"}
    counts = RunningCounts(now, found, cells)
    assert decide_draft([0, 1, N_POINTS], counts=counts, **given).accepted
    counts.add_sample([0, 1, N_POINTS], None)
    assert decide_draft([3, 4, N_POINTS], counts=counts, **given).reason == "no_deficit"
    assert counts.filled.tolist() == [1, 1, 0], "it takes no room from what the source holds"


def test_counts_grow_with_what_is_accepted():
    now = pool([0] * N_POINTS)
    found = measure_deficit(now, order(), NOTHING, LINKS)
    counts = RunningCounts(now, found, CELLS)
    counts.add_sample([0, 3, 4], 3)
    counts.add_sample([0, 5], None)
    assert counts.filled.tolist() == [2, 1, 1]
    assert counts.exposures[[0, 3, 4, 5]].tolist() == [2, 1, 1, 1]
    assert counts.answered.tolist() == [int(k == 3) for k in range(N_POINTS)]
    assert now.exposures.sum() == 0, "the pool itself is as it was"
