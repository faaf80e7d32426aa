"""How many picks a run still needs, has in flight and decides in one part (our design)."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kdos.pool import Pool
from kdos.sampler.feedback import POINTS_PER_SAMPLE, Deficit

SAMPLES_PER_DRAFT = 0.8
"""The share of drafts taken to be accepted, before any was."""
FEWEST_PARTS = 16
"""Parts that a run takes at least: with each, what is wanted is planned anew."""
FEWEST_PICKS = 16
"""Picks of a part at least: a part is planned, written and shown."""
RECENT_PICKS, RECENT_SHARE = 64, 0.2
"""Picks, and their share of all, by which the next ones are judged: the fuller the pool, the less a pick brings."""
SHARE_IN_FLIGHT = 0.5
"""Share of the picks still needed that may be in flight: the others know what came of these."""
LEAST_WINDOW = 0.5
"""Share of the window that stays in flight as long as so many picks are needed: with fewer, servers would wait."""
SHORT_SHARE, FEWEST_SHORT = 1 / 16, 4
"""Share of the picks still needed, and their number, below which what is in flight does not put off a short pick."""


class FinishedPart(NamedTuple):
    """The loop after a part: picks decided and samples held by then, exposures of the order filled before it."""

    picks: int
    filled_before: int
    samples: int


def picks_needed(
    pool: Pool, deficit: Deficit, *, most: int | None, drafts: int, history: Sequence[FinishedPart]
) -> float:
    """Picks that still seem to be needed: until `most` samples are held or the order is filled, at the recent rate.

    `drafts` are asked for in one pick; `history` is the loop after each part so far, oldest first.
    """
    asked = history[-1].picks if history else 0
    begun = _begin_of_recent(history, asked)
    # A part's worth of picks at the expected rate counts as seen.
    expected = FEWEST_PICKS * SAMPLES_PER_DRAFT * drafts
    picks = asked - begun.picks + FEWEST_PICKS
    samples_each = (pool.samples - begun.samples + expected) / picks
    filled_each = (max(deficit.filled - begun.filled_before, 0) + expected * POINTS_PER_SAMPLE) / picks
    by_content = (deficit.order - deficit.filled) / filled_each
    return by_content if most is None else min(by_content, max(most - pool.samples, 0) / samples_each)


def _begin_of_recent(history: Sequence[FinishedPart], asked: int) -> FinishedPart:
    """The loop before the recent picks; `filled_before` is then what was filled before the first of them."""
    recent = max(RECENT_PICKS, RECENT_SHARE * asked)
    starts = [FinishedPart(0, 0, 0)]
    starts += [FinishedPart(past.picks, later.filled_before, past.samples) for past, later in pairwise(history)]
    return max(start for start in starts if start.picks <= max(asked - recent, 0))


def part_size(*, asked: int, still: float) -> int:
    """Picks of the next part, of which `asked` were decided before it and `still` seem to be needed.

    Few at first, when nothing is known yet of what drafts are like, and few at last.
    """
    most = (asked + still) / FEWEST_PARTS
    return math.ceil(max(FEWEST_PICKS, min(asked, SHARE_IN_FLIGHT * still, most)))


def window_size(window: int, *, still: float) -> int:
    """Picks that may be in flight of `window`, where `still` more seem to be needed: never more than these.

    A pick that is chosen does not know what those in flight will bring; so at most a share of what is needed is, and
    at the end as few as servers can do with.
    """
    still = max(still, 1.0)
    return math.ceil(min(window, still, max(SHARE_IN_FLIGHT * still, LEAST_WINDOW * window)))


def may_start(pick_is_short: bool, *, in_flight: int, still: float) -> bool:
    """Whether a pick is not better put off until some of those in flight are decided; `still` seem to be needed."""
    return not pick_is_short or in_flight < max(FEWEST_SHORT, SHORT_SHARE * still)
