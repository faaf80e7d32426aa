"""How many picks a run still needs, has in flight and decides in one part."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.sampler import FinishedPart, may_start, part_size, picks_needed, window_size


def needed(samples, *, filled=0, order=10_000, most=None, history=()):
    pool, deficit = SimpleNamespace(samples=samples), SimpleNamespace(filled=filled, order=order)
    return picks_needed(pool, deficit, most=most, drafts=2, history=history)


def test_what_is_needed_follows_the_cap_or_the_content():
    assert needed(0, most=160) == pytest.approx(100)
    assert needed(0, order=640) == pytest.approx(100), "four exposures a sample"
    assert needed(0, order=640, most=8) == pytest.approx(5)
    assert needed(8, order=640, filled=640) == 0


def test_what_is_needed_follows_what_the_last_picks_brought():
    fast = [FinishedPart(100 * n, 600 * (n - 1), 150 * n) for n in range(1, 9)]
    slow = [*fast, FinishedPart(900, 4800, 1250), FinishedPart(1100, 5000, 1260)]
    assert needed(1200, filled=4800, most=1360, history=fast) == pytest.approx(106, abs=2)
    assert needed(1260, filled=5040, most=1360, history=slow) > 300, "not the mean of all picks"
    assert needed(0, most=100, history=[FinishedPart(500, 0, 0)]) > 1000, "none came"


def test_parts_begin_small_and_end_small():
    assert part_size(asked=0, still=3000) == 16
    assert part_size(asked=600, still=2400) > 100
    assert part_size(asked=3000, still=6) == 16


@given(st.integers(1, 1024), st.floats(0, 1e6))
def test_no_more_is_in_flight_than_needed_and_never_nothing(window, still):
    size = window_size(window, still=still)
    assert 1 <= size <= window
    assert size <= max(1, still + 1)
    assert size >= min(window / 2, still) or still < 1


def test_a_short_pick_waits_for_those_in_flight():
    assert may_start(False, in_flight=1000, still=10)
    assert not may_start(True, in_flight=40, still=640)
    assert may_start(True, in_flight=39, still=640)
    assert may_start(True, in_flight=3, still=0)
