"""When to stop, and for which reason (our design)."""

from collections.abc import Sequence

from kdos.sampler.feedback import Deficit
from kdos.sampler.pace import FinishedPart

ENOUGH_FILLED = 0.98
"""The share of the order at which it counts as covered: the last few exposures cost as much as all before."""
LEAST_GAIN = 0.02
"""What the last picks must fill of the order, as a share of what the first ones filled."""
WINDOW = 0.1
"""Of all picks so far, how many are the first and how many the last ones that `LEAST_GAIN` compares."""
FEWEST_PICKS_COMPARED = 64
"""Picks in such a window at least: a few say nothing."""


def stop_reason(
    deficit: Deficit, *, samples: int, most: int | None, history: Sequence[FinishedPart] = ()
) -> str | None:
    """Why the loop ends now, or None if it goes on.

    `covered`: 98 % of the order that can be reached is filled and the pool is as near to the target as independent
    draws from it would be, or nothing that can be reached is missing. `budget`: the pool has `most` samples.
    `unreachable`: what is missing was asked for in vain. `no_gain`: the last picks filled less than 2 % of what the
    first ones did. `history` is the loop after each part so far, oldest first.
    """
    enough = deficit.filled >= ENOUGH_FILLED * deficit.order
    if enough and samples and (deficit.gap.kl <= deficit.gap.floor or not deficit.reachable):
        return "covered" if deficit.unreachable_mass <= 1 - ENOUGH_FILLED or deficit.reachable else "unreachable"
    if most is not None and samples >= most:
        return "budget"
    if not deficit.reachable:
        return "unreachable"
    return "no_gain" if _has_stalled(history, deficit.filled) else None


def _has_stalled(history: Sequence[FinishedPart], filled: int) -> bool:
    """Whether the last picks filled next to nothing, measured by what the first ones filled."""
    # Parts as points of a curve of exposures filled over picks, the first at no picks at all.
    picks = [0, *(past.picks for past in history)]
    curve = [*(past.filled_before for past in history), filled]
    window = max(WINDOW * picks[-1], FEWEST_PICKS_COMPARED)
    if picks[-1] < 2 * window:
        return False
    first = next(i for i, n in enumerate(picks) if n >= window)
    last = max(i for i, n in enumerate(picks) if picks[-1] - n >= window)
    first_rate = (curve[first] - curve[0]) / picks[first]
    last_rate = (curve[-1] - curve[last]) / (picks[-1] - picks[last])
    # Equal too: where nothing was ever filled, nothing will be.
    return last_rate <= LEAST_GAIN * first_rate
