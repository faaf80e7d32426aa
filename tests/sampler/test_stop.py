"""Why the loop ends."""

import numpy as np
import pytest

from kdos.sampler import Deficit, FinishedPart, stop_reason
from kdos.targets import CellQuotas, Gap, PointQuotas


def deficit(filled, *, order=1000, kl=0.0, unreachable_mass=0.0, reachable=True):
    left = np.array([float(order - filled)]) if reachable else np.zeros(1)
    nothing = np.zeros(1, np.int64)
    points = PointQuotas(nothing, nothing)
    return Deficit(
        gap=Gap(kl=kl, tv=0.1, floor=0.01),
        cells=CellQuotas(np.array([order]), np.zeros(1), 0.0),
        points=points,
        missing=nothing,
        by_point=left,
        filled_cells=np.array([filled]),
        held_cells=np.array([filled]),
        room=np.array([order - filled]),
        eligible=np.ones(1, bool),
        unreachable=np.zeros(1, bool),
        unreachable_mass=unreachable_mass,
        supply=order,
    )


def reason(filled, *, samples=250, most=None, history=(), **changes):
    return stop_reason(deficit(filled, **changes), samples=samples, most=most, history=history)


def test_it_ends_when_what_can_be_reached_is_covered():
    assert reason(979) is None
    assert reason(980) == "covered"
    assert reason(980, kl=0.011) is None, "not as near to the target as chance would be"
    assert reason(1000, kl=0.011, reachable=False) == "covered"


def test_the_cap_ends_it_whatever_is_missing():
    assert reason(500, most=251) is None
    assert reason(500, most=250) == "budget"
    assert reason(990, most=250) == "covered"


def test_nothing_left_to_reach_ends_it():
    assert reason(500, reachable=False, unreachable_mass=0.5) == "unreachable"
    assert reason(1000, reachable=False, unreachable_mass=0.3, kl=0.5) == "unreachable"
    assert reason(0, order=0, samples=0, reachable=False) == "unreachable"


def curve(*filled, step=64):
    """The loop after rounds of `step` picks, with what was filled before each."""
    return [FinishedPart(step * number, before, 0) for number, before in enumerate(filled, start=1)]


@pytest.mark.parametrize(
    ("history", "now", "expected"),
    [
        (curve(0, 200, 400), 402, "no_gain"),
        (curve(0, 200, 400), 410, None),
        (curve(0, 200), 200, "no_gain"),
        (curve(0), 0, None),
        (curve(0, 0), 0, "no_gain"),
        (curve(0, 100, 200, 300, 300, step=16), 300, None),
    ],
)
def test_it_ends_when_the_last_picks_bring_next_to_nothing(history, now, expected):
    assert reason(now, history=history) == expected
