"""How often each knowledge point is wanted: cell quotas under the supply, spread over the points (our design).

A cell of s_c knowledge points can take E * s_c exposures, E being how often one may usefully appear. The order is
water-filled over the cells under that limit, and each cell's quota m_c is spread over its points as evenly as whole
numbers allow, so m_k is floor(m_c / s_c) or one more, and the sum of all m_k is the order.
"""

from dataclasses import dataclass

import numpy as np

from kdos.arrays import AnyArray, BoolArray, Float64Array, Int32Array, Int64Array, UInt64Array
from kdos.targets.gap import attainable_shares, water_filled_quotas


@dataclass(frozen=True, slots=True)
class CellQuotas:
    """`quotas`, shape (n_cells,), sum to the order; `log_q` (nats) are the shares that the supply allows.

    `displaced` is the share in [0, 1] of the target that its cells cannot hold and that flowed to others.
    """

    quotas: Int64Array
    log_q: Float64Array
    displaced: float

    @property
    def order(self) -> int:
        """Exposures wanted in all."""
        return int(self.quotas.sum())


def plan_cell_quotas(log_q: Float64Array, supply: Int64Array, *, exposures: int, order: int) -> CellQuotas:
    """The quotas of an order under the supply, in exposures.

    `log_q` is the target (nats) and `supply` the knowledge points that each cell holds, shape (n_cells,); a
    knowledge point may appear `exposures` times. An order beyond what cells with a target can take is cut to it.
    """
    most = np.where(np.isfinite(log_q), supply * exposures, 0)
    order = min(order, int(most.sum()))
    if order == 0:
        return CellQuotas(np.zeros(len(log_q), np.int64), log_q, 0.0)
    quotas = water_filled_quotas(log_q, order, supply=most)
    shares = attainable_shares(log_q, order, supply=most)
    with np.errstate(divide="ignore"):
        attainable: Float64Array = np.log(shares)
    displaced = float(0.5 * np.abs(shares - np.exp(log_q)).sum())
    return CellQuotas(quotas, attainable, displaced)


@dataclass(frozen=True, slots=True)
class PointQuotas:
    """How often each knowledge point is `wanted` (m_k) and how often it may appear at `most`, shape (n_points,).

    Where a quota does not come out even, which points get one more is open until they are met: then `most` is one
    above `wanted` for those that might.
    """

    wanted: Int64Array
    most: Int64Array


def spread_quotas(
    quotas: Int64Array, cells: Int32Array, *, held: Int64Array, keys: UInt64Array, eligible: BoolArray
) -> PointQuotas:
    """The quotas of cells, shape (n_cells,), spread over their eligible knowledge points.

    All m_k sum to the quotas of cells with eligible points. Points that the pool holds already are among those that
    get one more: what is there need not be made elsewhere. Ties go to the lowest of `keys`, which depend on texts
    alone, so that the order of a file changes nothing. `cells`, `held` (exposures), `keys` and `eligible` are of
    shape (n_points,).
    """
    supply = np.bincount(cells[eligible], minlength=len(quotas))
    least, extra = np.divmod(quotas, np.maximum(supply, 1))
    rows = np.flatnonzero(eligible)
    # Rank inside each cell: sort by cell first, then by whether more than the least is held, then by key.
    above = held[rows] > least[cells[rows]]
    ordered = rows[np.lexsort((keys[rows], ~above, cells[rows]))]
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(supply) - supply, supply)
    wanted = np.zeros(len(cells), np.int64)
    wanted[ordered] = least[cells[ordered]] + (rank < extra[cells[ordered]])
    still_open = extra > np.bincount(cells[rows][above], minlength=len(quotas))
    most = np.where(eligible, np.maximum(wanted, least[cells] + still_open[cells]), 0)
    return PointQuotas(wanted, most)


def choose_facts(log_q: Float64Array, cells: Int32Array, *, facts: int, keys: UInt64Array) -> BoolArray:
    """Which `facts` knowledge points a run is about, shape (n_points,): as the target wants cells, even inside them.

    All of them where there are no more than that.
    """
    if facts >= len(cells):
        return np.ones(len(cells), bool)
    supply = np.bincount(cells, minlength=len(log_q))
    quotas = plan_cell_quotas(log_q, supply, exposures=1, order=facts).quotas
    nothing, everything = np.zeros(len(cells), np.int64), np.ones(len(cells), bool)
    return spread_quotas(quotas, cells, held=nothing, keys=keys, eligible=everything).wanted > 0


def count_filled(exposures: AnyArray, most: Int64Array, cells: Int32Array, *, n_cells: int) -> Int64Array:
    """Exposures that count towards each cell's quota, shape (n_cells,): of a point, no more than it may have."""
    counted = np.minimum(exposures, most)
    return np.bincount(cells, weights=counted, minlength=n_cells).astype(np.int64)
