"""How much of each discipline: inside the target, by exact starts, or by weights of samples."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdos.arrays import Float64Array, IntegerArray
from kdos.errors import UsageError
from kdos.graph.incidence import Incidence
from kdos.graph.value import as_target

WEIGHT_CAP = 10.0
"""The most a raked sample may weigh, in mean weights, so that no single one carries a cell."""

MAX_SWEEPS = 1000
"""Turns of raking at most; on cells that are all filled it takes a handful."""

WEIGHT_TOLERANCE = 1e-12
"""The change of weights at which raking ends."""


def discipline_memberships(
    graph: Incidence, disciplines: IntegerArray, *, n_disciplines: int
) -> Float64Array:
    """How far each KP belongs to each discipline, shape (n_kps, n_disciplines), rows of sum 1.

    It is the share of the KP's samples in that discipline; `disciplines` has shape (n_samples,). A
    KP without a sample belongs to all alike.
    """
    kps = np.repeat(np.arange(graph.n_kps), graph.popularity)
    place = kps * n_disciplines + disciplines[graph.kp_samples]
    held = np.bincount(place, minlength=graph.n_kps * n_disciplines)
    counts = held.reshape(graph.n_kps, n_disciplines) + (graph.popularity == 0)[:, None]
    return counts / counts.sum(axis=1, keepdims=True)


def quota_target(
    target: Float64Array, membership: Float64Array, quotas: npt.ArrayLike
) -> Float64Array:
    """The target in which each discipline has its quota, shape (n_kps,).

    mu(k) = sum over d of quota_d * a_dk * target_k / Z_d: within a discipline, KPs keep their
    proportions. A discipline that holds no target cannot have a quota.

    Args:
        target: Shares, shape (n_kps,).
        membership: a, shape (n_kps, n_disciplines).
        quotas: What each discipline is to have, shape (n_disciplines,), >= 0.
    """
    wanted = as_target(quotas)
    held = target @ membership
    if np.any((held == 0) & (wanted > 0)):
        empty = np.flatnonzero((held == 0) & (wanted > 0)).tolist()
        raise UsageError(
            f"a discipline with a quota must hold knowledge points. Disciplines {empty} hold none. "
            "Give them no quota."
        )
    return target * (membership @ (wanted / np.where(held > 0, held, 1.0)))


@dataclass(frozen=True, slots=True)
class Raking:
    """Weights that give samples the wanted shares of disciplines and of levels at once.

    `weights`, shape (n_samples,), have mean 1. `error` is the largest difference of a share from
    the wanted one, and `effective` the share of samples that the weights are worth (Kish).
    """

    weights: Float64Array
    error: float
    effective: float


def rake_samples(
    disciplines: IntegerArray,
    levels: IntegerArray,
    *,
    discipline_shares: npt.ArrayLike,
    level_shares: npt.ArrayLike,
    cap: float = WEIGHT_CAP,
) -> Raking:
    """Weigh samples by iterative proportional fitting, no weight above `cap` times the mean.

    Where the cap binds or a wanted cell is empty the shares are met as nearly as that allows:
    `error` says how nearly.

    Args:
        disciplines: Of each sample, shape (n_samples,).
        levels: Of each sample, shape (n_samples,).
        discipline_shares: Wanted, shape (n_disciplines,).
        level_shares: Wanted, shape (n_levels,).
        cap: The most a sample may weigh, in mean weights.
    """
    rows, columns = as_target(discipline_shares), as_target(level_shares)
    cells = disciplines * len(columns) + levels
    counts = np.bincount(cells, minlength=len(rows) * len(columns))
    held = counts.reshape(len(rows), len(columns)) / len(disciplines)
    weight = np.ones_like(held)
    for _ in range(MAX_SWEEPS):
        before, weight = weight, _cap_weights(_fit_margins(weight, held, rows, columns), held, cap)
        if np.abs(weight - before).max() < WEIGHT_TOLERANCE:
            break
    weight /= (weight * held).sum()
    weights = weight.ravel()[cells]
    effective = float(weights.sum() ** 2 / (len(weights) * (weights**2).sum()))
    return Raking(weights, _largest_margin_error(weight * held, rows, columns), effective)


def _fit_margins(
    weight: Float64Array, held: Float64Array, rows: Float64Array, columns: Float64Array
) -> Float64Array:
    """One turn of fitting: rows, then columns."""
    weight = weight * _margin_factors(rows, (weight * held).sum(axis=1))[:, None]
    return weight * _margin_factors(columns, (weight * held).sum(axis=0))


def _cap_weights(weight: Float64Array, held: Float64Array, cap: float) -> Float64Array:
    """The weights cut down to `cap` times the mean that they then have."""
    mean, before = (weight * held).sum(), np.inf
    while before - mean > WEIGHT_TOLERANCE:
        before, mean = mean, (np.minimum(weight, cap * mean) * held).sum()
    return np.minimum(weight, cap * mean)


def _margin_factors(wanted: Float64Array, got: Float64Array) -> Float64Array:
    return np.divide(wanted, got, out=np.zeros_like(wanted), where=got > 0)


def _largest_margin_error(share: Float64Array, rows: Float64Array, columns: Float64Array) -> float:
    off_rows = np.abs(share.sum(axis=1) - rows).max()
    off_columns = np.abs(share.sum(axis=0) - columns).max()
    return float(max(off_rows, off_columns))
