"""A target over cells as whole quotas of a budget, and how far a pool is from it."""

from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array, Int64Array
from kdos.errors import UsageError

LARGEST_EXPONENT = 700.0
"""The largest exponent (nats) that float64 can hold, with room to spare."""
FLOOR_FACTOR = 2.0
"""c of the noise floor c (K_eff - 1) / 2N: twice what chance alone leaves (our design)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Target against pool: how far apart the two distributions over cells are.

    `kl` (nats) is KL(pool || target), `tv` the total variation, a share in [0, 1]; `floor` (nats)
    is the KL that chance leaves in a sample of this size.
    """

    kl: float
    tv: float
    floor: float


def water_filled_quotas(
    log_q: Float64Array, budget: int, *, supply: Int64Array | None = None, floor: Int64Array | None = None
) -> Int64Array:
    """How many of `budget` each cell gets, shape (n_cells,), summing to `budget` exactly.

    ``m_c = min(supply_c, max(floor_c, scale * q_c))`` with the one scale that spends the budget: of
    all shares under these limits the nearest to q in KL divergence. Fractions go to the largest
    remainders, ties to the lowest cell. `log_q` (nats) is -inf where nothing is wanted; `supply` is
    the most that each cell can take and `floor` the least that it gets, shape (n_cells,).

    Raises:
        UsageError: Floors ask for more than the budget, or the supply holds less.
    """
    low, high = _quota_limits(log_q, budget, supply=supply, floor=floor)
    if low.sum() > budget or np.any(low > high):
        raise UsageError(f"floors must fit in the budget and the supply. Got {low.sum():.0f}.")
    if high.sum() < budget:
        raise UsageError(
            f"the budget must not exceed the {high.sum():.0f} rows that cells with a target hold. Got {budget}."
        )
    shares = _fractional_quotas(log_q, budget, low=low, high=high)
    return _round_to_budget(shares, budget, high=high)


def attainable_shares(log_q: Float64Array, budget: int, *, supply: Int64Array) -> Float64Array:
    """The shares of a budget that come nearest to q in KL divergence under the supply, shape (n_cells,).

    The quotas of `water_filled_quotas` before they are whole numbers, summing to 1; the supply must hold the budget.
    """
    low, high = _quota_limits(log_q, budget, supply=supply, floor=None)
    shares = _fractional_quotas(log_q, budget, low=low, high=high)
    return shares / shares.sum()


def _quota_limits(
    log_q: Float64Array, budget: int, *, supply: Int64Array | None, floor: Int64Array | None
) -> tuple[Float64Array, Float64Array]:
    """The least and the most that each cell may get; no more than the least where nothing is wanted."""
    low = np.zeros(len(log_q)) if floor is None else floor.astype(np.float64)
    high = np.full(len(log_q), float(budget)) if supply is None else supply.astype(np.float64)
    return low, np.where(np.isfinite(log_q), high, low)


def _fractional_quotas(log_q: Float64Array, budget: int, *, low: Float64Array, high: Float64Array) -> Float64Array:
    """min(high, max(low, scale * q)) for the scale at which it sums to the budget, by bisection."""

    def shares(log_scale: float) -> Float64Array:
        return np.clip(np.exp(np.minimum(log_scale + log_q, LARGEST_EXPONENT)), low, high)

    # The sum rises with the scale, so bisection on its logarithm finds the one that spends the
    # budget; it ends when no double lies between the bounds.
    finite = log_q[np.isfinite(log_q)]
    bottom, top = -LARGEST_EXPONENT - finite.max(), LARGEST_EXPONENT - finite.min()
    while (middle := (bottom + top) / 2) not in (bottom, top):
        bottom, top = (middle, top) if shares(middle).sum() < budget else (bottom, middle)
    return shares(top)


def _round_to_budget(shares: Float64Array, budget: int, *, high: Float64Array) -> Int64Array:
    """Whole numbers by the largest remainder, none above `high`."""
    # 1e-9: bisection may leave a share of 3 a little short, which must not cost a whole one.
    whole = np.floor(shares + 1e-9)
    remainder = np.where(whole < high, shares - whole, -np.inf)
    order = np.argsort(-remainder, kind="stable")
    missing = budget - int(whole.sum())
    whole[order[:missing]] += 1
    return whole.astype(np.int64)


def format_gap(distance: float) -> str:
    """A KL divergence (nats) or a total variation to four places: where it is 0, floats leave about 1e-17."""
    return f"{distance:z.4f}"


def measure_gap(counts: Int64Array, log_q: Float64Array) -> Gap:
    """The gap between what cells hold (`counts`, shape (n_cells,)) and the target log q.

    Cells with no target at all (log q = -inf: they were found to be unreachable) are left out of both distributions.
    """
    wanted = np.isfinite(log_q)
    total = int(counts[wanted].sum())
    if total == 0:
        return Gap(kl=float("inf"), tv=1.0, floor=float("inf"))
    share, log_wanted = counts[wanted] / total, log_q[wanted]
    held = share > 0
    kl = float(np.sum(share[held] * (np.log(share[held]) - log_wanted[held])))
    tv = float(0.5 * np.abs(share - np.exp(log_wanted)).sum())
    return Gap(kl=max(kl, 0.0), tv=tv, floor=noise_floor(log_q, total))


def noise_floor(log_q: Float64Array, total: int) -> float:
    """KL (nats) at which a pool of `total` points is as near to q as independent draws from q.

    A sample of N points from q has an expected KL of (K - 1) / 2N; K_eff = exp(entropy of q) counts
    the cells that matter.
    """
    held = np.isfinite(log_q)
    # Of K categories the likelihood-ratio statistic 2N KL has K - 1 degrees of freedom (Wilks);
    # cells with next to no target do not reach that, hence the effective number.
    effective_cells = float(np.exp(-np.sum(np.exp(log_q[held]) * log_q[held])))
    return FLOOR_FACTOR * (effective_cells - 1) / (2 * total)
