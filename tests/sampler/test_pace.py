"""How many picks a run still needs, has in flight and decides in one part."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.sampler import FinishedPart, Pace, PointYields, picks_needed, plan_pace


def needed(samples, *, filled=0, order=10_000, most=None, history=()):
    pool, deficit = SimpleNamespace(samples=samples), SimpleNamespace(filled=filled, order=order)
    return picks_needed(pool, deficit, most=most, drafts=2, history=history)


def plan(*, window=1024, decided=0, unasked=0, most=4000, n_points=10_000):
    """The pace after `decided` picks that brought two samples each, and `unasked` points beside those asked for."""
    held = decided * (8 + unasked)
    pool = SimpleNamespace(samples=2 * decided, knowledge_points=held)
    deficit = SimpleNamespace(filled=held, order=10**6, eligible=np.ones(n_points, bool))
    yields = PointYields(*np.full((3, 1), 8 * decided), picks=decided)
    history = [FinishedPart(decided, 0, 2 * decided)] if decided else []
    return plan_pace(pool, deficit, yields, window=window, most=most, drafts=2, history=history)


def test_what_is_needed_follows_the_cap_or_the_content():
    assert needed(0, most=160) == pytest.approx(100)
    assert needed(0, order=640) == pytest.approx(100), "four exposures a sample"
    assert needed(0, order=640, most=8) == pytest.approx(5)
    assert needed(8, order=640, filled=640) == 0


def test_what_is_needed_follows_what_the_last_picks_brought_and_where_that_leads():
    fast = [FinishedPart(100 * n, 600 * (n - 1), 150 * n) for n in range(1, 9)]
    assert needed(1200, filled=4800, most=1360, history=fast) == pytest.approx(107, abs=1), "1.5 each"
    slow = [*fast, FinishedPart(1000, 4800, 1300), FinishedPart(1200, 5200, 1340)]
    assert needed(1340, filled=5360, most=1360, history=slow) > 20 / (40 / 200), "0.5 each, then 0.2, then less"
    assert needed(1340, filled=5360, most=1360, history=slow) < 3 * 20 / (40 / 200)
    assert needed(0, most=100, history=[FinishedPart(500, 0, 0)]) > 1000, "none came"


def test_parts_begin_small_and_end_small():
    assert plan().size == 8
    assert plan(decided=600, most=6000).size > 100
    assert plan(decided=3000, most=6004).size == 8


def test_what_comes_unasked_bounds_what_is_in_flight():
    assert plan(decided=400, unasked=0.1, most=1400).most == 1024 / 2 < plan(decided=400, unasked=0.1).most
    assert plan(decided=400, unasked=1).most == pytest.approx(250, rel=0.05), "a fortieth of 10,000"
    assert plan(decided=400, unasked=1, n_points=40_000).most > 800
    assert plan(decided=400, unasked=8).most == 1024 / 8, "servers would wait for nothing else"


@given(st.floats(0, 1e6), st.integers(0, 1000), st.floats(1, 1024), st.floats(0, 64))
def test_no_more_is_in_flight_than_needed_and_to_spare_and_never_nothing(still, decided, most, spare):
    room = Pace(still, size=16, most=most, spare=spare).room(decided)
    assert 1 <= room <= most + 1
    assert room <= max(1, still - decided + spare + 1)


def test_few_are_in_flight_to_spare_in_a_small_run_and_no_more_than_servers_take_in_a_large_one():
    assert plan(most=20).spare < 1
    assert plan(decided=400, most=1600).spare == pytest.approx(0.04 * 800, rel=0.02)
    assert plan(decided=4000, most=80_000).spare == 1024 / 16


def test_a_short_pick_waits_for_those_in_flight():
    pace = Pace(640.0, size=16, most=1024, spare=0)
    assert pace.may_start(False, in_flight=1000, decided=0)
    assert not pace.may_start(True, in_flight=40, decided=0)
    assert pace.may_start(True, in_flight=39, decided=0)
    assert pace.may_start(True, in_flight=3, decided=640)
