"""When to stop, and for which reason (our design)."""

from collections.abc import Sequence
from typing import NamedTuple

from kdos.targets import Gap

ENOUGH_TV = 0.02
"""A total variation to the target at which nobody could tell the two apart in use."""
PATIENCE = 5
"""Rounds without any gain after which going on is not worth the money."""
LEAST_PICKS = 0.05
"""Picks that these rounds must have asked for at least, as a share of the wanted pool: rounds may
be as small as one pick."""
LEAST_GAIN = 0.01
"""The share of the KL that these rounds must take off, or of the pool that they must add."""


class FinishedRound(NamedTuple):
    """The loop after a round: picks asked for and samples held by then, KL (nats) before it."""

    picks: int
    samples: int
    kl: float


def stop_reason(
    gap: Gap, *, samples: int, wanted: int, history: Sequence[FinishedRound], reachable: bool = True
) -> str | None:
    """Why the loop ends now, or None if it goes on.

    `noise_floor`: the pool is as near to the target as independent draws from it would be.
    `total_variation`: it is within 0.02 of it. Both are asked once the pool has its wanted size;
    a full pool that meets neither ends with `budget`. `unreachable`: no cell with a deficit
    can be filled. `no_gain`: in five rounds, or as many more as ask for 5 % of the wanted pool,
    neither the gap nor the pool moved by 1 %. A pool that wants less than that to its size cannot
    grow by it any more: if it is at the target it has stopped there, not for want of gain.

    `history` is the loop after each round so far, oldest first; `reachable` says whether any cell
    with a deficit can still be filled.
    """
    if samples >= wanted:
        return _target_met_reason(gap) or "budget"
    if not reachable:
        return "unreachable"
    if not _has_stalled(history, LEAST_PICKS * wanted):
        return None
    # Within 1 % of its size the pool cannot grow by 1 %: having come to rest at the target is then no want of gain.
    nearly_full = samples >= wanted * (1 - LEAST_GAIN)
    return (nearly_full and _target_met_reason(gap)) or "no_gain"


def _target_met_reason(gap: Gap) -> str | None:
    """The reason that says that the target is met, or None if it is not."""
    if gap.kl <= gap.floor:
        return "noise_floor"
    return "total_variation" if gap.tv <= ENOUGH_TV else None


def _has_stalled(history: Sequence[FinishedRound], least_picks: float) -> bool:
    """Whether neither gap nor pool moved over the last rounds.

    "The last rounds" reach back `PATIENCE` of them, or farther until they have asked for
    `least_picks`: a round may be one pick, and five such without gain say nothing.
    """
    if len(history) <= PATIENCE:
        return False
    now = history[-1]
    before = next((p for p in history[-PATIENCE - 1 :: -1] if now.picks - p.picks >= least_picks), now)
    grew = now.samples > before.samples * (1 + LEAST_GAIN)
    return before is not now and not grew and not now.kl < before.kl * (1 - LEAST_GAIN)
