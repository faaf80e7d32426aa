"""Difficulty as it comes out: what to ask for, so that the wanted mix is what results.

Levels run from 0, the easiest, to n_levels - 1. Synthesised questions come out easier than what was
asked for ("difficulty degradation", BoostQA); so the level that was realised is measured, and the
mix of requests is made from it (our design).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from kdos.arrays import Float64Array, Int64Array, IntegerArray
from kdos.graph.value import as_target

PRIOR_DRAFTS = 2.0
"""Drafts' worth of faith that a level comes out as asked, before it was ever tried."""

SUM_WEIGHT = 1e3
"""Weight of the condition that requests are shares of 1, beside the errors it is traded against."""


def realised_matrix(
    requested: IntegerArray, realised: IntegerArray, *, n_levels: int
) -> Float64Array:
    """How what was asked for came out, shape (n_levels, n_levels), rows of sum 1.

    Row r, column l: the share of drafts asked at level r that were found to be of level l.
    `requested` and `realised` have shape (n_drafts,).
    """
    pairs = np.bincount(requested * n_levels + realised, minlength=n_levels**2)
    counts = pairs.reshape(n_levels, n_levels) + PRIOR_DRAFTS * np.eye(n_levels)
    return counts / counts.sum(axis=1, keepdims=True)


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

    Args:
        matrix: Requested to realised, shape (n_levels, n_levels).
        target: The wanted shares of levels, shape (n_levels,).
    """
    wanted = as_target(target)
    system = np.vstack([matrix.T, np.full(len(wanted), SUM_WEIGHT)])
    requests = as_target(nnls(system, np.append(wanted, SUM_WEIGHT))[0])
    expected = requests @ matrix
    return DifficultyMix(requests, expected, tv=float(0.5 * np.abs(expected - wanted).sum()))


def one_level_up(
    disciplines: IntegerArray, levels: IntegerArray, missing: Int64Array
) -> Int64Array:
    """The rows of drafts to write again one level up, in order: high-difficulty enhancement.

    For each discipline and level that is short, the first drafts of that discipline one level
    below, as many as that level can spare.

    Args:
        disciplines: Of each draft, shape (n_drafts,).
        levels: Realised by each draft, shape (n_drafts,).
        missing: Wanted minus held, negative where there are too many, shape
            (n_disciplines, n_levels).
    """
    chosen: list[Int64Array] = []
    for discipline, row in enumerate(missing):
        for level in range(1, len(row)):
            spare = min(max(int(row[level]), 0), max(-int(row[level - 1]), 0))
            below = (disciplines == discipline) & (levels == level - 1)
            chosen.append(np.flatnonzero(below)[:spare])
    return np.sort(np.concatenate([*chosen, np.zeros(0, np.int64)]))
