import math
from fractions import Fraction

import numpy as np
import pytest

from kdos.chance import keyed_generator
from kdos.scoring import bootstrap_mean, compare_paired_scores, macro_mean


def test_intervals_cover_the_mean_as_often_as_they_say():
    covered = 0
    for trial in range(200):
        values = (keyed_generator(trial, "draw").random(80) < 0.3).astype(float)
        found = bootstrap_mean(values, keyed_generator(trial, "interval"))
        assert found.low <= found.mean <= found.high
        covered += found.low <= 0.3 <= found.high
    assert 0.88 <= covered / 200 <= 1.0


def test_intervals_do_not_depend_on_how_draws_are_blocked(monkeypatch):
    values = keyed_generator(0, "values").random(50)
    whole = bootstrap_mean(values, keyed_generator(1, "interval"))
    monkeypatch.setattr("kdos.scoring.intervals.BATCH_DRAWS", 120)
    assert bootstrap_mean(values, keyed_generator(1, "interval")) == whole


def test_nothing_has_no_mean():
    assert math.isnan(bootstrap_mean(np.zeros(0), keyed_generator(0)).mean)


def exact_p(plus, minus):
    """McNemar's exact two-sided test, which sign flips of 0/1 scores come down to."""
    total, far = plus + minus, abs(plus - minus)
    ways = sum(math.comb(total, k) for k in range(total + 1) if abs(2 * k - total) >= far)
    return float(Fraction(ways, 2**total))


@pytest.mark.parametrize(("plus", "minus"), [(9, 2), (5, 5), (30, 12), (1, 0)])
def test_the_paired_test_is_mcnemar_s_on_right_and_wrong(plus, minus):
    ours = np.array([1.0] * plus + [0.0] * minus + [1.0] * 40)
    theirs = np.array([0.0] * plus + [1.0] * minus + [1.0] * 40)
    found = compare_paired_scores(ours, theirs, keyed_generator(3, "test"))
    assert found.p_value == pytest.approx(exact_p(plus, minus), abs=0.015)
    assert found.difference.mean == pytest.approx((plus - minus) / len(ours))
    assert found.questions == len(ours)


def test_equal_models_do_not_differ():
    values = keyed_generator(0, "values").random(30)
    found = compare_paired_scores(values, values, keyed_generator(1, "test"))
    assert (found.difference.mean, found.p_value) == (0.0, 1.0)


def test_a_macro_mean_weighs_groups_alike():
    assert macro_mean(np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"]) == 0.5
