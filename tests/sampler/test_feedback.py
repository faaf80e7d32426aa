"""What a round asks for, given the deficit and what comes unasked, and which drafts stay."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.sampler import decide_draft, reserve_for_drift

CELLS = 6
numbers = st.lists(st.integers(0, 50), min_size=CELLS, max_size=CELLS).map(np.array)
drafts = st.lists(st.integers(0, CELLS - 1), min_size=3, max_size=5)


def test_a_cell_that_drift_fills_is_asked_for_last():
    deficit, expected = np.array([40, 40, 40]), np.array([0.0, 10.0, 20.0])

    def asked(picks, deficit=deficit):
        reserved = reserve_for_drift(deficit, expected, picks=picks, drafts=1)
        return np.maximum(deficit - reserved, 0).tolist()

    assert asked(10) == [40, 10, 0]
    assert asked(11) == [40, 20, 0]
    assert asked(17) == [40, 30, 20]
    assert asked(19) == [40, 40, 40]
    assert asked(1, deficit=np.array([0, 10, 20])) == [0, 10, 20]


@given(drafts, numbers, numbers)
def test_strict_never_leaves_a_cell_beyond_its_quota(cells, counts, quotas):
    decision = decide_draft(cells, counts=counts, quotas=quotas, rule="strict", slack=0.2)
    after = counts + np.bincount(cells, minlength=CELLS)
    assert decision.accepted == bool((after[cells] <= quotas[cells]).all())


@given(drafts, numbers, numbers, st.floats(0, 0.5))
def test_pace_keeps_within_the_slack_and_only_what_helps(cells, counts, quotas, slack):
    decision = decide_draft(cells, counts=counts, quotas=quotas, rule="pace", slack=slack)
    mean = np.mean([math.log(quotas[c] + 0.5) - math.log(counts[c] + 0.5) for c in cells])
    assert decision.deficit == pytest.approx(mean)
    if decision.accepted:
        after = counts + np.bincount(cells, minlength=CELLS)
        assert (after[cells] <= (1 + slack) * quotas[cells] + 1e-9).all()
        assert decision.deficit > 0


@given(drafts, numbers, numbers)
def test_what_strict_keeps_with_room_pace_keeps_too(cells, counts, quotas):
    strict = decide_draft(cells, counts=counts, quotas=quotas, rule="strict", slack=0)
    pace = decide_draft(cells, counts=counts, quotas=quotas, rule="pace", slack=0.2)
    assert pace.accepted or not strict.accepted


def test_reasons():
    counts, quotas = np.array([5, 0]), np.array([5, 9])
    full = decide_draft([0, 1, 1], counts=counts, quotas=quotas, rule="pace", slack=0.0)
    assert full.reason == "crowded"
    ahead = decide_draft([0, 0, 0], counts=counts, quotas=np.array([5, 9]) * 0 + 5, rule="pace", slack=1)
    assert ahead.reason == "no_deficit"
    assert decide_draft([0, 0], counts=counts, quotas=quotas, rule="all", slack=0).accepted


def test_mean_lets_a_cell_overflow_where_the_draft_helps_on_average():
    counts, quotas = np.array([10, 0]), np.array([10, 40])
    assert not decide_draft([0, 1], counts=counts, quotas=quotas, rule="pace", slack=0.0).accepted
    assert decide_draft([0, 1], counts=counts, quotas=quotas, rule="mean", slack=0.0).accepted
    assert not decide_draft([0, 0], counts=counts, quotas=quotas, rule="mean", slack=0.0).accepted
