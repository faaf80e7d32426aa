"""Which rows to keep: quotas by exact water-filling, and a keyed draw inside every cell."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.density import Space
from kdos.targets import measure_gap, read_target, water_filled_quotas


@dataclass(frozen=True)
class Candidates:
    """Rows that may be chosen: `rows` their numbers, `cells` where they lie, shape (n,) each.

    `weights`, shape (n,), make a row likelier to be drawn than another of its cell; None for equal
    chances. `counts`, shape (n_cells,), is the pool that targets are relative to. Ask again for
    another target or budget: nothing is measured anew.
    """

    space: Space
    rows: Int64Array
    cells: Int32Array
    counts: Int64Array
    weights: Float64Array | None = None
    random_seed: int = 0

    def choose(
        self, budget: int, target: str, *, demand: Int64Array | None = None, cap: int | None = None
    ) -> "Selection":
        """Choose `budget` rows whose cells are distributed as the target says, as near as can be.

        `target` is a name that `kdos.targets.read_target` knows, `demand` questions by cell, shape
        (n_cells,), for ``demand:<file>``; `cap` is the most rows that one cell may give.
        """
        log_q = read_target(
            target, log_volumes=self.space.log_volumes, counts=self.counts, budget=budget, demand=demand
        )
        supply = np.bincount(self.cells, minlength=self.space.n_cells)
        supply = supply if cap is None else np.minimum(supply, cap)
        quota = water_filled_quotas(log_q, budget, supply=supply)
        chosen = draw_rows(self.cells, quota, weights=self.weights, random_seed=self.random_seed)
        counts = np.bincount(self.cells[chosen], minlength=self.space.n_cells)
        gap, least = measure_gap(counts, log_q), measure_gap(quota, log_q)
        return Selection(
            rows=self.rows[chosen],
            cells=self.cells[chosen],
            log_q=log_q,
            quota=quota,
            supply=supply,
            kl=gap.kl,
            tv=gap.tv,
            kl_optimum=least.kl,
            candidates=self,
        )


@dataclass(frozen=True)
class Selection:
    """Rows that were chosen, ascending, and why: target, quota and supply of every cell.

    `log_q` (nats), `quota` and `supply` have shape (n_cells,). `kl` (nats) and `tv` (a share)
    measure the chosen rows against the target; `kl_optimum` is the least that any choice of this
    size could reach under the supply. Call `candidates.choose` again for another target.
    """

    rows: Int64Array
    cells: Int32Array
    log_q: Float64Array
    quota: Int64Array
    supply: Int64Array
    kl: float
    tv: float
    kl_optimum: float
    candidates: Candidates


def draw_rows(
    cells: Int32Array, quota: Int64Array, *, weights: Float64Array | None = None, random_seed: int = 0
) -> Int64Array:
    """Places of `quota[c]` rows of each cell c, ascending, drawn without replacement.

    With weights, one after the other in proportion to them (Efraimidis and Spirakis 2006).
    """
    rng = keyed_generator(random_seed, "select", "draw")
    held = np.bincount(cells, minlength=len(quota))
    first = np.cumsum(held) - held
    if weights is None:
        order = _order_by_cell(cells, len(quota))
        _shuffle_fronts(order, first, held, quota, rng.random(int(quota.sum())))
    else:
        with np.errstate(divide="ignore"):
            drawn = np.argsort(-(np.log(weights) + rng.gumbel(size=len(cells))), kind="stable")
        order = drawn[_order_by_cell(cells[drawn], len(quota))]
    fronts = np.repeat(first - (np.cumsum(quota) - quota), quota) + np.arange(quota.sum())
    return np.sort(order[fronts])


def _order_by_cell(cells: Int32Array, n_cells: int) -> Int64Array:
    """Places sorted by cell, else in order; short integers sort by radix."""
    kind = np.uint16 if n_cells <= np.iinfo(np.uint16).max else np.int32
    return np.argsort(cells.astype(kind), kind="stable")


@njit(nogil=True, cache=True)
def _shuffle_fronts(
    order: Int64Array, first: Int64Array, held: Int64Array, quota: Int64Array, uniform: Float64Array
) -> None:
    """Fisher and Yates inside each cell, only as far as rows are drawn from it."""
    used = 0
    for cell in range(len(quota)):
        for place in range(quota[cell]):
            here = first[cell] + place
            other = here + int(uniform[used] * (held[cell] - place))
            order[here], order[other] = order[other], order[here]
            used += 1
