"""Control of a dataset's disciplines and difficulty: quotas, weights of samples, mixes of requests.

LinkSyn's abstract promises flexible control of both; how is not public, and all of this is our
design. Levels of difficulty run from 0, the easiest, to n_levels - 1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from kdos.arrays import Float64Array, IntegerArray
from kdos.errors import UsageError
from kdos.graph.incidence import Incidence
from kdos.graph.value import as_target

# The most a raked sample may weigh, in mean weights, so that no single one carries a cell.
WEIGHT_CAP = 10.0
# Turns of raking at most, and the change of weights at which it ends. On cells that are all filled
# it takes a handful of turns; where a cell is empty it may not settle at all.
MAX_SWEEPS = 1000
WEIGHT_TOLERANCE = 1e-12
# Drafts' worth of faith that a level comes out as asked, before it was ever tried.
PRIOR_DRAFTS = 2.0
# Weight of the condition that requests are shares of 1, beside the errors it is traded against.
SUM_WEIGHT = 1e3


def discipline_memberships(graph: Incidence, disciplines: IntegerArray, *, n_disciplines: int) -> Float64Array:
    """How far each KP belongs to each discipline, shape (n_kps, n_disciplines), rows of sum 1.

    It is the share of the KP's samples in that discipline; `disciplines` has shape (n_samples,). A
    KP without a sample belongs to all alike.
    """
    kps = np.repeat(np.arange(graph.n_kps), graph.popularity)
    place = kps * n_disciplines + disciplines[graph.kp_samples]
    held = np.bincount(place, minlength=graph.n_kps * n_disciplines)
    counts = held.reshape(graph.n_kps, n_disciplines) + (graph.popularity == 0)[:, None]
    return counts / counts.sum(axis=1, keepdims=True)


def quota_target(target: Float64Array, membership: Float64Array, quotas: npt.ArrayLike) -> Float64Array:
    """The target, shape (n_kps,), in which each discipline has its quota, >= 0, (n_disciplines,).

    mu(k) = sum over d of quota_d * a_dk * target_k / Z_d, a the membership, shape (n_kps,
    n_disciplines): within a discipline, KPs keep their proportions.

    Raises:
        UsageError: A discipline that holds no target has a quota.
    """
    wanted = as_target(quotas)
    held = target @ membership
    if np.any((held == 0) & (wanted > 0)):
        empty = np.flatnonzero((held == 0) & (wanted > 0)).tolist()
        raise UsageError(
            f"a discipline with a quota must hold knowledge points. Disciplines {empty} hold none. Give them no quota."
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
    `error` says how nearly. `disciplines` and `levels` are those of each sample, shape
    (n_samples,); the wanted shares have shapes (n_disciplines,) and (n_levels,).
    """
    # All samples of one cell (discipline, level) get one weight, so the fitting is of a table of
    # n_disciplines by n_levels, whatever the number of samples.
    rows, columns = as_target(discipline_shares), as_target(level_shares)
    cells = disciplines * len(columns) + levels
    counts = np.bincount(cells, minlength=len(rows) * len(columns))
    held = counts.reshape(len(rows), len(columns)) / len(disciplines)
    weight = _fit_weights(held, rows, columns, cap)
    weights = weight.ravel()[cells]
    effective = float(weights.sum() ** 2 / (len(weights) * (weights**2).sum()))
    share = weight * held
    error = max(abs(share.sum(axis=1) - rows).max(), abs(share.sum(axis=0) - columns).max())
    return Raking(weights, float(error), effective)


def rake_table(table: Float64Array, *, rows: npt.ArrayLike, columns: npt.ArrayLike) -> Float64Array:
    """The table of shares nearest to `table`, shape (n_rows, n_columns), >= 0, whose margins are in these proportions.

    Iterative proportional fitting; it sums to 1. Where cells of 0 leave no such table, the margins are met as nearly
    as they allow.
    """
    table = as_target(table.ravel()).reshape(table.shape)
    return table * _fit_weights(table, as_target(rows), as_target(columns), cap=np.inf)


def _fit_weights(held: Float64Array, rows: Float64Array, columns: Float64Array, cap: float) -> Float64Array:
    """What each cell of a table is multiplied with so that its margins are these, with a mean of 1."""
    weight = np.ones_like(held)
    for _ in range(MAX_SWEEPS):
        before = weight
        weight = weight * _margin_factors(rows, (weight * held).sum(axis=1))[:, None]
        weight = weight * _margin_factors(columns, (weight * held).sum(axis=0))
        weight = _cap_weights(weight, held, cap)
        if np.abs(weight - before).max() < WEIGHT_TOLERANCE:
            break
    return weight / (weight * held).sum()


def _cap_weights(weight: Float64Array, held: Float64Array, cap: float) -> Float64Array:
    # Weights cut at cap * mean lower the mean, so the cut is made again until the mean stays.
    mean, before = (weight * held).sum(), np.inf
    while before - mean > WEIGHT_TOLERANCE:
        before, mean = mean, (np.minimum(weight, cap * mean) * held).sum()
    return np.minimum(weight, cap * mean)


def _margin_factors(wanted: Float64Array, got: Float64Array) -> Float64Array:
    return np.divide(wanted, got, out=np.zeros_like(wanted), where=got > 0)


def realised_matrix(counts: IntegerArray) -> Float64Array:
    """How what was asked for came out, shape (n_levels, n_levels), rows of sum 1.

    Row r, column l: the share of drafts asked at level r that were found to be of level l, of which there are
    `counts`, of the same shape. Before any came, each level is taken to come as it is asked for.
    """
    expected = counts + PRIOR_DRAFTS * np.eye(len(counts))
    return expected / expected.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class DifficultyMix:
    """What to ask for: `requests` are shares by level, `expected` what should come of them.

    `tv` is the total variation between `expected` and the target: above 0 where no mix reaches it.
    """

    requests: Float64Array
    expected: Float64Array
    tv: float


def request_mix(matrix: Float64Array, target: npt.ArrayLike) -> DifficultyMix:
    """The shares r >= 0 of requests for which matrixᵀ r is nearest to the target, least squares.

    Synthesised questions come out easier than what was asked for, so the level that was realised
    is measured (see `realised_matrix`), and the mix of requests is made from it. `target` are the
    wanted shares of levels, shape (n_levels,).
    """
    wanted = as_target(target)
    system = np.vstack([matrix.T, np.full(len(wanted), SUM_WEIGHT)])
    requests = as_target(nnls(system, np.append(wanted, SUM_WEIGHT))[0])
    expected = requests @ matrix
    return DifficultyMix(requests, expected, tv=float(0.5 * np.abs(expected - wanted).sum()))
