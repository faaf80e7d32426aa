"""The feedback of the loop: pool and target in; the deficit, the next round's size, what stays out.

The KDoS paper names a three-stage feedback without giving its steps; these are our design.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.pool import Pool
from kdos.sampler.steer import MOST_POINTS_USED, CellYields, SeedLinks
from kdos.targets import Gap, measure_gap, water_filled_quotas

POINTS_PER_SAMPLE = 4.0
"""Knowledge points a sample holds, before the first was seen: the middle of 3 to 5."""
HEADROOM = 0.05
"""Room in the quotas beyond the wanted pool: the last drafts, of several knowledge points each,
find no place where every cell is full to the last one. It costs a KL of about 0.001."""
SAMPLES_PER_DRAFT = 0.8
"""The share of drafts taken to be accepted, before any was."""
FEWEST_ROUNDS = 16
"""Rounds that a run takes at least, so that feedback has rounds to work in."""
OFF_TARGET_PER_DRAFT = 1.0
"""Knowledge points of a draft that are taken to miss the cells asked for, before any was read."""
RESERVE_MULTIPLES = (3.0, 2.0, 1.0)
"""Room that is left in a cell, in times what is expected to drift there; the first of these for
which a round finds enough to ask for elsewhere."""
FEWEST_PICKS = 16
"""Picks below which a round is not worth its three waits for the model."""
SHARE_IN_FLIGHT = 0.5
"""Share of the picks still needed that a round may ask for."""


@dataclass(frozen=True, slots=True)
class Deficit:
    """What is still wanted of each cell, with the gap and the quotas behind it.

    `quotas`, shape (n_cells,), are what each cell may hold and `by_cell` is quota minus count,
    negative where a cell holds too much. `unreachable` marks cells given up and `unreachable_mass`,
    a share in [0, 1], is the target's mass in them.
    """

    gap: Gap
    quotas: Int64Array
    by_cell: Int64Array
    unreachable: BoolArray
    unreachable_mass: float

    @property
    def reachable(self) -> bool:
        """Whether any cell with a deficit can still be filled."""
        return not bool(self.unreachable[self.by_cell > 0].all())


def measure_deficit(pool: Pool, log_q: Float64Array, unreachable: BoolArray, *, wanted: int) -> Deficit:
    """Compare the pool with the target; cells that were given up lose their target to the rest.

    `log_q` (nats) and `unreachable` are of shape (n_cells,); the pool is to reach `wanted` samples.
    """
    budget = _quota_budget(pool, wanted=wanted)
    quotas = water_filled_quotas(log_q, budget)
    mass = float(np.exp(log_q[unreachable]).sum())
    if unreachable.all():
        gap = measure_gap(pool.counts, log_q)
        return Deficit(gap, quotas, quotas - pool.counts, unreachable, 1.0)
    reachable_log_q = np.where(unreachable, -np.inf, log_q - math.log1p(-mass))
    # What unreachable cells hold already is spent: the others share what is left of the budget.
    rest = max(budget - int(pool.counts[unreachable].sum()), 0)
    reachable_quotas = water_filled_quotas(reachable_log_q, rest)
    return Deficit(
        gap=measure_gap(pool.counts, reachable_log_q),
        quotas=np.where(unreachable, quotas, reachable_quotas),
        by_cell=reachable_quotas - pool.counts,
        unreachable=unreachable,
        unreachable_mass=mass,
    )


def _quota_budget(pool: Pool, *, wanted: int) -> int:
    """Knowledge points that quotas are for: what the wanted samples will hold, and headroom."""
    missing = max(wanted - pool.samples, 0)
    each = pool.knowledge_points / pool.samples if pool.samples else POINTS_PER_SAMPLE
    return math.ceil((pool.knowledge_points + missing * each) * (1 + HEADROOM))


def expected_off_target(
    yields: CellYields, links: SeedLinks, *, samples: int, wanted: int, drafts: int
) -> Float64Array:
    """What will come unasked into each cell until the pool has its size, shape (n_cells,).

    Steering leaves room for it: a cell that drafts drift to fills by itself, and what drifts into a
    full one is lost, with all that the draft holds beside it.
    """
    hits = yields.off_target
    n_cells, total = len(hits), float(hits.sum())
    asked = int(yields.tries.sum()) * drafts
    # Three estimates, each with a prior that a few rounds outweigh: drafts still to come at the
    # rate of acceptance so far, hits off target in each, and where these fall. Drafts are taken to
    # drift as accepted ones did, and to what is popular in the corpus while little was seen.
    to_come = max(wanted - samples, 0) * (asked + FEWEST_PICKS) / (samples + FEWEST_PICKS)
    each = (total + OFF_TARGET_PER_DRAFT * FEWEST_PICKS) / (samples + FEWEST_PICKS)
    popular = np.bincount(links.cells, minlength=n_cells) / len(links.cells)
    share = (hits + n_cells * popular) / (total + n_cells)
    return share * each * to_come


def reserve_for_drift(deficit: Int64Array, expected: Float64Array, *, picks: int, drafts: int) -> Float64Array:
    """How much of each cell's deficit is left to drift for now, shape (n_cells,).

    A place that drift may fill is asked for last, for a draft that drifts into a full cell is lost:
    so more is left free than is expected to come, as long as enough else is wanted. Against no
    reserve, three times what is expected saves 17 % of the calls (docs/loop.md). `deficit` and
    `expected`, what will come unasked, are of shape (n_cells,).
    """
    places = picks * drafts * MOST_POINTS_USED
    for multiple in RESERVE_MULTIPLES:
        if np.maximum(deficit - multiple * expected, 0).sum() >= places:
            return multiple * expected
    return np.zeros(len(expected))


def round_size(*, samples: int, asked: int, wanted: int, drafts: int, most: int | None) -> int:
    """Picks for the next round: few at first and at last, so that rounds learn from each other.

    What is in flight together cannot know what came beside it. Early rounds do not know yet what drafts are like, so
    none asks for more than all before it; nothing comes after the last ones to mend what they overshoot, so none asks
    for more than a share of what still seems to be needed. So far `asked` picks brought `samples`. By default a round
    has at most as many picks as leave `FEWEST_ROUNDS` rounds.
    """
    # Samples a pick brings, with one round's worth of picks at the expected rate as a prior.
    prior = wanted / FEWEST_ROUNDS / (SAMPLES_PER_DRAFT * drafts)
    each = (samples + prior * SAMPLES_PER_DRAFT * drafts) / (asked + prior)
    needed = (wanted - samples) / max(each, 0.01)
    most_picks = most or max(FEWEST_PICKS, wanted / FEWEST_ROUNDS / drafts * 2)
    return math.ceil(min(most_picks, max(FEWEST_PICKS, min(asked, SHARE_IN_FLIGHT * needed))))


@dataclass(frozen=True, slots=True)
class AcceptDecision:
    """`deficit` is the mean log deficit (nats) of the draft's cells; `reason` is "" if it stays."""

    deficit: float
    reason: str

    @property
    def accepted(self) -> bool:
        """Whether the draft stays."""
        return not self.reason


def decide_draft(
    cells: Sequence[int], *, counts: Int64Array, quotas: Int64Array, rule: str, slack: float
) -> AcceptDecision:
    """Whether a draft whose knowledge points lie in `cells` stays.

    `pace` (default): the mean over its cells of log(m + 1/2) - log(n + 1/2) is above zero, and no
    cell goes beyond (1 + slack) * m. `mean`: the first of these alone, so that a draft that fills
    empty cells may overfill others. `strict`: every cell is under its quota. `all`: always.

    `cells` has one for each knowledge point, so a cell may stand twice. `counts` n are what cells
    hold and `quotas` m what they may hold, shape (n_cells,); `slack` is a share.
    """
    n, m = counts[list(cells)], quotas[list(cells)]
    # A half on both sides keeps the logarithm finite for an empty cell and for a quota of zero.
    deficit = float(np.mean(np.log(m + 0.5) - np.log(n + 0.5)))
    if rule == "all":
        return AcceptDecision(deficit, "")
    limit = np.floor((1 + slack) * m) if rule == "pace" else m
    # The draft's own points count as they come: two of them in one cell need room for two.
    added = np.array([list(cells[: i + 1]).count(cell) for i, cell in enumerate(cells)])
    if rule != "mean" and np.any(n + added > limit):
        return AcceptDecision(deficit, "crowded")
    if rule != "strict" and deficit <= 0:
        return AcceptDecision(deficit, "no_deficit")
    return AcceptDecision(deficit, "")
