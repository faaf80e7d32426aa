"""The target of a walk over KPs, and the values and starts that bring the walk to it.

LinkSyn's abstract has a knowledge value function that balances KP coverage and popularity; its formula is not public,
and this one is our design. Popularity, coverage, density and a model's loss all enter the target, so that whatever
they are, the end of a walk is known: exposures in proportion to it.
"""

import numpy as np
import numpy.typing as npt

from kdos.arrays import Float64Array, Int32Array, Int64Array, IntegerArray
from kdos.errors import UsageError

# The exponent of popularity: 1 keeps it, 0 covers all KPs alike (our design).
DEFAULT_BETA = 0.5
# Added to exposures and to their target, so that a KP that was never seen has a finite value.
PSEUDO_EXPOSURES = 0.5
# The start weight, as a share of its target, of a KP that lacks nothing: only where none lacks any.
SATISFIED_WEIGHT = 1e-9


def popularity_target(popularity: npt.ArrayLike, *, beta: float = DEFAULT_BETA) -> Float64Array:
    """The target share of each KP, in proportion to popularity^beta, shape (n_kps,)."""
    return as_target(np.asarray(popularity, np.float64) ** beta)


def density_target(cells: IntegerArray, wanted: npt.ArrayLike) -> Float64Array:
    """The target share of each KP where a target over cells is given, shape (n_kps,).

    `cells`, shape (n_kps,), is the cell of each KP; `wanted`, shape (n_cells,), what each cell is to have (quotas,
    deficits or shares), spread evenly over its KPs. What cells without a KP are to have goes to the others.
    """
    return as_target(spread_over_kps(cells, wanted))


def loss_target(target: Float64Array, loss: npt.ArrayLike, *, strength: float = 1.0) -> Float64Array:
    """The target tilted towards what a model does not know, shape (n_kps,).

    Each share is multiplied by exp(strength * loss), `loss` in nats, shape (n_kps,).
    """
    nats = strength * np.asarray(loss, np.float64)
    return as_target(target * np.exp(nats - nats.max(initial=-np.inf)))


def as_target(weights: npt.ArrayLike) -> Float64Array:
    """Shares that sum to 1, in proportion to `weights`, shape (n_kps,)."""
    shares = np.asarray(weights, np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise UsageError(
            "target weights must be finite and >= 0, with at least one above 0. "
            f"Got {shares.min(initial=0.0):g} to {shares.max(initial=0.0):g} "
            f"for {len(shares)} KPs."
        )
    return shares / shares.sum()


def spread_over_kps(cells: IntegerArray, amounts: npt.ArrayLike) -> Float64Array:
    """What each cell has, shared evenly among its KPs, shape (n_kps,)."""
    amounts = np.asarray(amounts, np.float64)
    members = np.bincount(cells, minlength=len(amounts))
    return (amounts / np.maximum(members, 1))[cells]


def log_exposure_ratio(exposures: Float64Array, target: Float64Array, *, visits: float) -> Float64Array:
    """How far each KP is ahead of its target, log(x_k / mu_k) in nats, shape (n_kps,).

    x are exposures and mu is the target spread over `visits`: those made and those under way. A
    half is added to either side, so that chance counts for little while counts are small.
    """
    return np.log((exposures + PSEUDO_EXPOSURES) / (visits * target + PSEUDO_EXPOSURES))


def log_values(ahead: Float64Array, target: Float64Array, *, alpha: float) -> Float64Array:
    """The value of each KP in nats, log V(k) = -alpha * log(x_k / mu_k), shape (n_kps,).

    It is the repellence function of the self-repellent random walk (Doshi, Hu and Eun, 2023), and
    for alpha = 1 the gradient of -KL(mu || x). A KP without a target has no value at all, -inf.
    """
    return np.where(target > 0, -alpha * ahead, -np.inf)


def step_weights(log_value: Float64Array, ahead: Float64Array, *, most_ahead: float) -> Float64Array:
    """What each KP weighs as the next step, in proportion to V, the highest 1, shape (n_kps,).

    One that is more than `most_ahead` times ahead of its target weighs nothing.
    """
    weights = np.exp(log_value - log_value.max())
    return np.where(ahead > np.log(most_ahead), 0.0, weights)


class StartSampler:
    """Draws starts batch by batch, and keeps back those that quotas still need.

    A start is drawn in proportion to the square of what its KP lacks: more than in proportion, for the walk that
    follows goes back to what is popular.

    Each KP is owed ``floor(count * target_k)`` visits and each stratum its share of the starts. A visit in passing
    settles a debt as well, and a start is forced only when the starts left to a stratum are as many as its KPs are
    owed. So the quotas hold on any graph, and cost nothing where the walk meets them by itself.
    """

    def __init__(self, target: Float64Array, count: int, *, strata: IntegerArray | None = None) -> None:
        self._target = target
        self._strata = np.zeros(len(target), np.int64) if strata is None else strata
        self._order = np.argsort(self._strata, kind="stable")
        self._edges = np.concatenate([[0], np.cumsum(np.bincount(self._strata))])
        self._owed = np.floor(count * target).astype(np.int64)
        share = np.bincount(self._strata, weights=target).astype(np.float64)
        self._left = largest_remainder(count, share, least=self._owed_by_stratum())

    def draw_starts(self, deficit: Float64Array, size: int, rng: np.random.Generator) -> Int32Array:
        """`size` starts in random order, shape (size,); no more than are left.

        `deficit`, shape (n_kps,), is what each KP still wants of its target; nothing at or below 0.
        """
        # Of each stratum's starts in this batch, so many must go to KPs that are owed a visit that
        # the later starts could not make good: turns - (left - owed).
        turns = largest_remainder(size, self._left.astype(np.float64))
        forced = np.maximum(turns - (self._left - self._owed_by_stratum()), 0)
        self._left -= turns
        weights = np.maximum(deficit, 0.0) ** 2 + SATISFIED_WEIGHT * self._target
        free = _systematic_sample(weights[self._order], self._edges, turns - forced, rng)
        due = _first_owed(self._owed[self._order], self._edges, forced)
        return rng.permutation(self._order[np.concatenate([free, due])]).astype(np.int32)

    def record_visits(self, visits: Int64Array) -> None:
        """Count visits, shape (n_kps,), against what is owed."""
        self._owed = np.maximum(self._owed - visits, 0)

    def _owed_by_stratum(self) -> Int64Array:
        return np.bincount(self._strata, weights=self._owed).astype(np.int64)


def largest_remainder(total: int, shares: Float64Array, *, least: Int64Array | None = None) -> Int64Array:
    """Whole numbers that sum to `total`, in proportion to `shares`, none below `least`.

    The method of largest remainders (Hamilton): rounded down, and one more where the rounding
    took most. `shares` and `least` have the shape of the result.
    """
    exact = total * shares / shares.sum()
    whole = np.maximum(np.floor(exact).astype(np.int64), 0 if least is None else least)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def _systematic_sample(
    weights: Float64Array, edges: Int64Array, sizes: Int64Array, rng: np.random.Generator
) -> Int64Array:
    """Places drawn in proportion to weights, `sizes[i]` from row i of `edges`."""
    # Systematic sampling: `sizes[i]` equal steps along the running sum of row i, with one random offset, so that each
    # place is drawn its expected number of times to within one. The weights of a row are scaled to sum to 1, so that
    # all rows lie on one running sum and one search finds the places of all. Trap: the last step may be rounded up to
    # the row's end, which belongs to the next row.
    total = np.add.reduceat(np.append(weights, 0.0), edges[:-1])
    rising = np.cumsum(weights / np.repeat(np.where(total > 0, total, 1.0), np.diff(edges)))
    ends = np.concatenate([[0.0], rising])[edges]
    row = np.repeat(np.arange(len(sizes)), sizes)
    step = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    points = ends[row] + (step + rng.random()) / sizes[row] * (ends[row + 1] - ends[row])
    points = np.minimum(points, np.nextafter(ends[row + 1], 0.0))
    return np.searchsorted(rising, points, side="right")


def _first_owed(owed: Int64Array, edges: Int64Array, sizes: Int64Array) -> Int64Array:
    """Places that are owed a visit, each as often as it is owed: the first `sizes[i]` of row i."""
    if not sizes.any():
        return np.zeros(0, np.int64)
    due = np.repeat(np.arange(len(owed)), owed)
    begin = np.concatenate([[0], np.cumsum(owed)])[edges[:-1]]
    row = np.repeat(np.arange(len(sizes)), sizes)
    step = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return due[begin[row] + step]
