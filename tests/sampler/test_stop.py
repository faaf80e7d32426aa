import pytest

from kdos.sampler import FinishedRound, stop_reason
from kdos.targets import Gap


def gap(kl, *, tv=0.5, floor=0.01):
    return Gap(kl=kl, tv=tv, floor=floor)


def reason(kl, *, samples=100, history=(), tv=0.5, reachable=True):
    return stop_reason(gap(kl, tv=tv), samples=samples, wanted=100, history=history, reachable=reachable)


def test_a_full_pool_stops_at_the_noise_floor_or_says_that_it_missed():
    assert reason(0.01) == "noise_floor"
    assert reason(0.011, tv=0.02) == "total_variation"
    assert reason(0.011, tv=0.021) == "budget"


def test_a_pool_that_is_not_full_goes_on_however_near_it_is():
    assert reason(0.0, samples=99) is None


@pytest.mark.parametrize(
    ("samples", "kl", "tv", "expected"),
    [
        (99, 0.01, 0.5, "noise_floor"),
        (99, 0.02, 0.02, "total_variation"),
        (99, 0.02, 0.5, "no_gain"),
        (98, 0.01, 0.5, "no_gain"),
    ],
)
def test_a_pool_a_sample_short_that_stands_still_at_the_target_is_there(samples, kl, tv, expected):
    past = [FinishedRound(10 * i, samples, kl) for i in range(6)]
    assert reason(kl, samples=samples, tv=tv, history=past) == expected
    assert reason(kl, samples=samples, tv=tv, history=past[:5]) is None


def test_nothing_left_to_reach_stops():
    assert reason(1.0, samples=50, reachable=False) == "unreachable"


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([(10, 1.0)] * 5, None),
        ([(10, 1.0)] * 6, "no_gain"),
        ([(10, 1.0)] * 5 + [(10, 0.98)], None),
        ([(10, 1.0)] * 5 + [(11, 1.0)], None),
        ([(10, 9.0)] + [(10, 1.0)] * 6, "no_gain"),
    ],
)
def test_five_rounds_without_gain_stop(history, expected):
    past = [FinishedRound(10 * i, *each) for i, each in enumerate(history)]
    assert reason(1.0, samples=history[-1][0], history=past) == expected


def test_small_rounds_are_given_more_of_them():
    past = [FinishedRound(i, 50, 1.0) for i in range(10)]
    assert reason(1.0, samples=50, history=past[:5]) is None
    assert reason(1.0, samples=50, history=past) == "no_gain"
    tiny = [FinishedRound(i // 2, 50, 1.0) for i in range(10)]
    assert reason(1.0, samples=50, history=tiny) is None
