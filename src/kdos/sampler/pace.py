"""How many picks a run still needs, has in flight and decides in one part (our design)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from kdos.pool import Pool
from kdos.sampler.feedback import POINTS_PER_SAMPLE, Deficit
from kdos.sampler.steer import PointYields

SAMPLES_PER_DRAFT = 0.8
"""The share of drafts taken to be accepted, before any was."""
PRIOR_PICKS = 4
"""Picks that count as seen, at the expected rates, before any was."""
FEWEST_PARTS = 16
"""Parts that a run takes at least: with each, what is wanted is planned anew."""
FEWEST_PICKS = 8
"""Picks of a part at least: a part is planned, written and shown."""
RECENT_PICKS, RECENT_SHARE = 64, 0.2
"""Picks, and their share of all, by which the next ones are judged: the fuller the pool, the less a pick brings."""
LEAST_TREND = 0.25
"""Share of what the recent picks brought that the next ones are taken to bring at least."""
SHARE_IN_FLIGHT = 0.5
"""Share of the picks still needed that may be in flight: the others know what came of these."""
LEAST_WINDOW = 0.5
"""Share of the window that stays in flight as long as so many picks are needed: with fewer, servers would wait."""
UNASKED_SHARE, LEAST_UNSEEN_WINDOW = 0.025, 1 / 8
"""Share of the source's points that picks in flight may bring unasked, and share of the window that they may be
whatever they bring."""
UNASKED_EXPECTED = 0.5
"""Points of the source that a draft is taken to hold beside those that it is asked for, before any was seen."""
SPARE_SHARE, MOST_SPARE_WINDOW = 0.04, 1 / 16
"""Picks in flight beyond those needed, as a share of all of the run and, at most, of the window: the last that are
needed come late or bring less, and servers would wait for them."""
SHORT_SHARE, FEWEST_SHORT = 1 / 16, 4
"""Share of the picks still needed, and their number, below which what is in flight does not put off a short pick."""


class FinishedPart(NamedTuple):
    """The loop after a part: picks decided and samples held by then, exposures of the order filled before it."""

    picks: int
    filled_before: int
    samples: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a part goes: of `still` picks that seem to be needed as it begins, `size` make the part.

    No more than `most` are in flight, nor more than `spare` beyond those that are needed.
    """

    still: float
    size: int
    most: float
    spare: float

    def room(self, decided: int) -> int:
        """Picks that may be in flight once `decided` of the part are decided: never none."""
        return max(1, math.ceil(min(self.most, self.still - decided + self.spare)))

    def may_start(self, pick_is_short: bool, *, in_flight: int, decided: int) -> bool:
        """Whether a pick is not better put off until some of those in flight are decided."""
        least = max(FEWEST_SHORT, SHORT_SHARE * (self.still - decided), self.spare)
        return not pick_is_short or in_flight < least


def plan_pace(
    pool: Pool,
    deficit: Deficit,
    yields: PointYields,
    *,
    window: int,
    most: int | None,
    drafts: int,
    history: Sequence[FinishedPart],
) -> Pace:
    """The pace of the next part of a run that may have `window` picks in flight; see `picks_needed`."""
    still = picks_needed(pool, deficit, most=most, drafts=drafts, history=history)
    in_flight = max(SHARE_IN_FLIGHT * still, LEAST_WINDOW * window)
    # What those in flight will hold beside what they were asked for is unknown to those that are chosen meanwhile: the
    # more there is, the more often a point is asked for in vain that another brings.
    expected = PRIOR_PICKS * UNASKED_EXPECTED * drafts
    unasked = (pool.knowledge_points - int(yields.gained.sum()) + expected) / (yields.picks + PRIOR_PICKS)
    unseen = UNASKED_SHARE * int(deficit.eligible.sum()) / unasked
    return Pace(
        still=still,
        size=_part_size(asked=yields.picks, still=still),
        most=min(window, in_flight, max(unseen, LEAST_UNSEEN_WINDOW * window)),
        spare=min(SPARE_SHARE * (yields.picks + still), MOST_SPARE_WINDOW * window),
    )


def picks_needed(
    pool: Pool, deficit: Deficit, *, most: int | None, drafts: int, history: Sequence[FinishedPart]
) -> float:
    """Picks that still seem to be needed: until `most` samples are held or the order is filled.

    `drafts` are asked for in one pick; `history` is the loop after each part so far, oldest first. The next picks are
    taken to bring less than the recent ones as these brought less than those before them.
    """
    asked = history[-1].picks if history else 0
    starts = [FinishedPart(0, 0, 0)]
    starts += [FinishedPart(past.picks, later.filled_before, past.samples) for past, later in pairwise(history)]
    recent = max(RECENT_PICKS, RECENT_SHARE * asked)
    begun, before = (_last_before(starts, asked - ago) for ago in (recent, 2 * recent))
    now = FinishedPart(asked, deficit.filled, pool.samples)
    samples = drafts * SAMPLES_PER_DRAFT
    samples_each = _expect_rate([one.samples for one in (before, begun, now)], (before, begun, now), prior=samples)
    filled = [one.filled_before for one in (before, begun, now)]
    filled_each = _expect_rate(filled, (before, begun, now), prior=samples * POINTS_PER_SAMPLE)
    by_content = (deficit.order - deficit.filled) / filled_each
    return by_content if most is None else min(by_content, max(most - pool.samples, 0) / samples_each)


def expect_samples(pool: Pool, yields: PointYields, pace: Pace, *, drafts: int) -> float:
    """Samples that the pool will hold at its end, if the picks that are still needed bring as many as those so far."""
    each = (pool.samples + PRIOR_PICKS * drafts * SAMPLES_PER_DRAFT) / (yields.picks + PRIOR_PICKS)
    return pool.samples + pace.still * each


def _last_before(starts: Sequence[FinishedPart], picks: float) -> FinishedPart:
    """The loop as the last part began before which so many picks were decided at most."""
    return max(start for start in starts if start.picks <= max(picks, 0))


def _expect_rate(held: Sequence[int], at: Sequence[FinishedPart], *, prior: float) -> float:
    """What a pick will bring, by what was held before the earlier picks, before the recent ones, and now."""
    earlier, recent = (
        (max(after - since, 0) + PRIOR_PICKS * prior) / (end.picks - begin.picks + PRIOR_PICKS)
        for (since, after), (begin, end) in zip(pairwise(held), pairwise(at), strict=True)
    )
    return recent * min(1.0, max(LEAST_TREND, recent / earlier))


def _part_size(*, asked: int, still: float) -> int:
    """Picks of the next part, of which `asked` were decided before it and `still` seem to be needed.

    Few at first, when nothing is known yet of what drafts are like, and few at last.
    """
    most = (asked + still) / FEWEST_PARTS
    return math.ceil(max(FEWEST_PICKS, min(asked, SHARE_IN_FLIGHT * still, most)))
