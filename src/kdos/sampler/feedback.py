"""The feedback of the loop: pool and target in; the deficit of every knowledge point, and what stays out.

The KDoS paper names a three-stage feedback without giving its steps; these are our design. The target says how many
exposures each part of the space deserves, and the deficit how many of them each knowledge point still wants.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int32Array, Int64Array
from kdos.pool import Pool, grown_rows
from kdos.sampler.links import SeedLinks
from kdos.targets import CellQuotas, Gap, PointQuotas, count_filled, measure_gap, plan_cell_quotas, spread_quotas

POINTS_PER_SAMPLE = 4.0
"""Knowledge points a sample holds, before the first was seen: the middle of 3 to 5."""
HEADROOM = 0.05
"""Room in the quotas beyond the wanted pool: the last drafts, of several knowledge points each,
find no place where every cell is full to the last one. It costs a KL of about 0.001."""
HEADROOM_OF_SHARES = 0.2
"""The same where disciplines have shares: the last samples of each have to find a place in its own cells."""
LEAST_WANTED = 0.5
"""Share of the knowledge points of a draft that must have a deficit."""
CHANCE = 0.5
"""Standard deviations of a random sample of the target that a cell may go beyond its quota at the end."""
MOST_SURPLUS = 1
"""Exposures beyond the wanted ones that count against a draft: the next repeat of a point that is held a hundred times
too often is as useless as the second, and must not outweigh three points that nobody holds."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is to hold: `samples` at most (None: as much as the source can give), as which exposures.

    `log_q` (nats), shape (n_cells,), is the target, `exposures` how often a knowledge point may usefully appear, and
    `chosen`, shape (n_points,), marks those that the run is about. `disciplines`, shape (n_disciplines,), are the
    shares of samples that disciplines are to have; None where any will do.
    """

    log_q: Float64Array
    exposures: int
    chosen: BoolArray
    samples: int | None = None
    disciplines: Float64Array | None = None


@dataclass(frozen=True, slots=True)
class Deficit:
    """What is still wanted of each knowledge point, with the gap and the quotas behind it.

    `cells` are the quotas of cells and `points` how these are spread over the source's knowledge points. Of shape
    (n_points,): `missing` is how often a point may still appear, `by_point` what is still wanted of it (a fraction
    where more points are missing than their cell has room for), `eligible` marks those that the run is about and that
    can be reached, and `unreachable` those asked for in vain. Of
    shape (n_cells,): `filled_cells` is what is held of each quota and `room` what is left of it; `held_cells` counts
    beyond the quota too, each point as often as it may usefully appear. `filled` exposures of
    the `order` are held; `unreachable_mass` is the share in [0, 1] of the whole order that was given up, and `supply`
    the exposures that the source could give without a cap.
    """

    gap: Gap
    cells: CellQuotas
    points: PointQuotas
    missing: Int64Array
    by_point: Float64Array
    filled_cells: Int64Array
    held_cells: Int64Array
    room: Int64Array
    eligible: BoolArray
    unreachable: BoolArray
    unreachable_mass: float
    supply: int

    @property
    def order(self) -> int:
        """Exposures wanted of what can be reached: the sum of all m_k."""
        return self.cells.order

    @property
    def filled(self) -> int:
        """Exposures of the order that the pool holds."""
        return int(self.filled_cells.sum())

    @property
    def reachable(self) -> bool:
        """Whether any knowledge point with a deficit can still be asked for."""
        return bool(self.by_point.any())


def measure_deficit(pool: Pool, order: Order, unreachable: BoolArray, links: SeedLinks) -> Deficit:
    """Compare the pool with what is wanted; what `unreachable` points would have had goes to the others.

    `unreachable`, shape (n_points,), are knowledge points that were asked for in vain.
    """
    cells, n_cells = links.cells, len(order.log_q)
    held = pool.exposures[: len(cells)]
    eligible = order.chosen & ~(unreachable & (held == 0))
    supply = np.bincount(cells[eligible], minlength=n_cells)
    quotas = _plan_quotas(pool, order, supply)
    points = spread_quotas(quotas.quotas, cells, held=held, keys=links.keys, eligible=eligible)
    filled = count_filled(held, points.most, cells, n_cells=n_cells)
    missing = np.maximum(points.most - held, 0)
    # More points may be open than their cell has room for: each then wants its share of the room, so that what is
    # wanted sums to the quota, and the first that come are taken.
    room = np.maximum(quotas.quotas - filled, 0)
    open_in_cell = np.bincount(cells, weights=missing, minlength=n_cells)
    share: Float64Array = np.divide(room, open_in_cell, out=np.zeros(n_cells), where=open_in_cell > 0)
    return Deficit(
        gap=measure_gap(pool.counts, quotas.log_q),
        cells=quotas,
        points=points,
        missing=missing,
        by_point=missing * np.minimum(share, 1.0)[cells],
        filled_cells=filled,
        held_cells=count_filled(held, np.where(order.chosen, order.exposures, 0), cells, n_cells=n_cells),
        room=room,
        eligible=eligible,
        unreachable=order.chosen & ~eligible,
        unreachable_mass=_unreachable_mass(pool, order, eligible, links),
        supply=int(eligible.sum()) * order.exposures,
    )


def _plan_quotas(pool: Pool, order: Order, supply: Int64Array) -> CellQuotas:
    """Quotas of all that the source can give, or of what the wanted samples will hold, and headroom."""
    size = int(supply.sum()) * order.exposures
    if order.samples is not None:
        missing = max(order.samples - pool.samples, 0)
        each = pool.knowledge_points / pool.samples if pool.samples else POINTS_PER_SAMPLE
        headroom = HEADROOM if order.disciplines is None else HEADROOM_OF_SHARES
        size = min(size, math.ceil((pool.knowledge_points + missing * each) * (1 + headroom)))
    return plan_cell_quotas(order.log_q, supply, exposures=order.exposures, order=size)


def _unreachable_mass(pool: Pool, order: Order, eligible: BoolArray, links: SeedLinks) -> float:
    """The share of the whole order that would have fallen to chosen points that are not eligible."""
    given_up = order.chosen & ~eligible
    if not given_up.any():
        return 0.0
    supply = np.bincount(links.cells[order.chosen], minlength=len(order.log_q))
    whole = _plan_quotas(pool, order, supply)
    each = whole.quotas / np.maximum(supply, 1)
    return float(each[links.cells[given_up]].sum() / max(whole.order, 1))


def exposures_each(pool: Pool, deficit: Deficit, *, prior: float = POINTS_PER_SAMPLE) -> float:
    """Exposures of the order that a sample fills, with one sample at the `prior` rate beside those held."""
    return (deficit.filled + prior) / (pool.samples + 1)


class RunningCounts:
    """What the pool holds while a part's drafts are decided one by one, so that a part does not overshoot itself.

    `exposures` and `answered` (samples that ask for a point) are of shape (n_points,), `filled` of shape (n_cells,).
    """

    def __init__(self, pool: Pool, deficit: Deficit, cells: Int32Array) -> None:
        self.exposures, self.answered = pool.exposures.copy(), pool.answered.copy()
        self.filled = deficit.held_cells.copy()
        self.most = deficit.points.most
        # In a full cell, one that the pool does not hold takes the place of one that is wanted no more.
        self._eligible = deficit.eligible
        self.cells = cells
        self.see_points(cells)

    def see_points(self, cells: Int32Array) -> None:
        """Know all points that have these cells: new ones have come behind the others."""
        needed, known = len(cells), len(self.most)
        self.cells = cells
        self.exposures, self.answered = grown_rows(self.exposures, needed), grown_rows(self.answered, needed)
        self.most, self._eligible = grown_rows(self.most, needed), grown_rows(self._eligible, needed)
        # A knowledge point that the source does not hold may join once.
        self.most[known:] = 1

    def would_fill(self, points: Sequence[int]) -> BoolArray:
        """Which of these points would take room in their cells: of the source, and missing or not held at all."""
        rows = list(points)
        return self._eligible[rows] & ((self.exposures[rows] < self.most[rows]) | (self.exposures[rows] == 0))

    def missing(self, point: int) -> bool:
        """Whether the pool holds a point less often than it may."""
        return bool(self.exposures[point] < self.most[point])

    def add_sample(self, points: Sequence[int], answering: int | None) -> None:
        """Count an accepted draft's knowledge points, and the one that its answer rests on."""
        for point in points:
            if self.would_fill([point]).all():
                self.filled[self.cells[point]] += 1
            self.exposures[point] += 1
        if answering is not None:
            self.answered[answering] += 1


def cell_limits(deficit: Deficit, slack: float) -> Float64Array:
    """Exposures that each cell may hold, shape (n_cells,): its quota and a slack, which falls as the pool fills.

    It falls from `slack`, a share, to what chance would do to a random sample of the target if that is less: to meet a
    quota of ten to the last exposure, one draft after another is refused. But for a slack of 0 it is never less than
    the points of a draft, which often lie in one cell: in a cell of three, none would find room.
    """
    quotas = deficit.cells.quotas
    falling = slack * max(0.0, 1 - deficit.filled / max(deficit.order, 1))
    chance = np.minimum(slack * quotas, CHANCE * np.sqrt(quotas))
    one_draft = POINTS_PER_SAMPLE if slack else 0.0
    limits: Float64Array = np.floor(quotas + np.maximum(np.maximum(falling * quotas, chance), one_draft))
    return limits


@dataclass(frozen=True, slots=True)
class AcceptDecision:
    """`gain` is the mean log deficit (nats) of the draft's knowledge points; `reason` is "" if it stays."""

    gain: float
    reason: str

    @property
    def accepted(self) -> bool:
        """Whether the draft stays."""
        return not self.reason


def decide_draft(
    points: Sequence[int],
    *,
    answering: int | None,
    offered: Sequence[int],
    counts: RunningCounts,
    limits: Float64Array,
    rule: str,
) -> AcceptDecision:
    """Whether a draft that holds `points` stays.

    `pace` (default): its gain, the mean over its points of log(m_k + 1/2) - log(min(n_k, m_k + 1) + 1/2), is above
    zero; at least half of the points have a deficit, or all that its pick could offer is there; no cell goes beyond
    its limit; and the point that the answer rests on (`answering`) was not asked for as often already as it may
    appear. `strict`: every point has a deficit. `all`: always.

    `offered` are the points that the pick asked to use, `counts` what the pool holds by now, `limits`, shape
    (n_cells,), what cells may hold (`cell_limits`). A point with no room left in its cell has no deficit.
    """
    rows = list(points)
    missing = np.array([counts.missing(point) for point in rows], bool)
    filling = counts.would_fill(rows)
    room = _find_room(rows, filling, counts, limits)
    held = counts.exposures[rows]
    # Where a point's cell is full, what the pool holds of it is all that is wanted of it.
    most = np.where(room, counts.most[rows], np.minimum(counts.most[rows], held))
    # A half on both sides keeps the logarithm finite for a point that nobody holds or wants.
    counted = np.minimum(held, most + MOST_SURPLUS)
    gain = float(np.mean(np.log(most + 0.5) - np.log(counted + 0.5))) if rows else 0.0
    if rule == "all":
        return AcceptDecision(gain, "")
    wanted = missing & room
    if answering is not None and counts.answered[answering] >= max(int(counts.most[answering]), 1):
        return AcceptDecision(gain, "asked_before")
    if np.any(filling & ~room):
        return AcceptDecision(gain, "crowded")
    enough = wanted.all() if rule == "strict" else wanted.mean() >= LEAST_WANTED
    # A pick that had little to offer is no fault of its draft.
    enough |= rule != "strict" and wanted.sum() >= max(_still_offered(offered, counts), 1)
    if gain <= 0 or not enough:
        return AcceptDecision(gain, "no_deficit")
    return AcceptDecision(gain, "")


def _find_room(points: Sequence[int], filling: BoolArray, counts: RunningCounts, limits: Float64Array) -> BoolArray:
    """Which of a draft's points have room in their cells; those of the draft itself count as they come."""
    cells = counts.cells[list(points)]
    # Two new points in one cell need room for two.
    before = np.array([np.count_nonzero((cells[:i] == cells[i]) & filling[:i]) for i in range(len(cells))], np.int64)
    return counts.filled[cells] + before + 1 <= limits[cells]


def _still_offered(offered: Sequence[int], counts: RunningCounts) -> int:
    """Of the points that a pick asked for, those that are still wanted."""
    return sum(counts.missing(point) for point in offered)
