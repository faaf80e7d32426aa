"""What the pool lacks: the one currency that steering, accepting and stopping spend."""

from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array, Int64Array

FLOOR_FACTOR = 2.0
"""c of the noise floor c (K_eff - 1) / 2N: twice what chance alone leaves (our design)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Target against pool.

    `deficit`, shape (n_cells,), is quota minus count and may be negative. `kl` (nats) is
    KL(pool || target), `tv` the total variation, a share in [0, 1]; `floor` (nats) is the KL that
    chance leaves in a sample of this size.
    """

    deficit: Int64Array
    kl: float
    tv: float
    floor: float


def measure_gap(counts: Int64Array, log_q: Float64Array, quota: Int64Array) -> Gap:
    """The gap between what cells hold (`counts`, shape (n_cells,)) and the target log q.

    Cells with no target at all (log q = -inf: they were found to be unreachable) are left out of
    both distributions.
    """
    wanted = np.isfinite(log_q)
    total = int(counts[wanted].sum())
    if total == 0:
        return Gap(quota - counts, kl=float("inf"), tv=1.0, floor=float("inf"))
    share, log_wanted = counts[wanted] / total, log_q[wanted]
    held = share > 0
    kl = float(np.sum(share[held] * (np.log(share[held]) - log_wanted[held])))
    tv = float(0.5 * np.abs(share - np.exp(log_wanted)).sum())
    return Gap(quota - counts, kl=max(kl, 0.0), tv=tv, floor=noise_floor(log_q, total))


def noise_floor(log_q: Float64Array, total: int) -> float:
    """KL (nats) at which a pool of `total` points is as near to q as independent draws from q.

    A sample of N points from q has an expected KL of (K - 1) / 2N; K_eff = exp(entropy of q) counts
    the cells that matter.
    """
    held = np.isfinite(log_q)
    effective_cells = float(np.exp(-np.sum(np.exp(log_q[held]) * log_q[held])))
    return FLOOR_FACTOR * (effective_cells - 1) / (2 * total)
