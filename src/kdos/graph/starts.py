"""Where paths start: where most is lacking, with quotas and shares that hold exactly."""

import numpy as np

from kdos.arrays import Float64Array, Int32Array, Int64Array, IntegerArray

# The start weight, as a share of its target, of a KP that lacks nothing: only where none lacks any.
SATISFIED_WEIGHT = 1e-9


class StartSampler:
    """Draws starts batch by batch, and keeps back those that quotas still need.

    A start is drawn in proportion to the square of what its KP lacks: more than in proportion, for
    the walk that follows goes back to what is popular.

    Each KP is owed ``floor(count * target_k)`` visits and each stratum its share of the starts. A
    visit in passing settles a debt as well, and a start is forced only when the starts left to a
    stratum are as many as its KPs are owed. So the quotas hold on any graph, and cost nothing where
    the walk meets them by itself.
    """

    def __init__(
        self, target: Float64Array, count: int, *, strata: IntegerArray | None = None
    ) -> None:
        self._target = target
        self._strata = np.zeros(len(target), np.int64) if strata is None else strata
        self._order = np.argsort(self._strata, kind="stable")
        self._edges = np.concatenate([[0], np.cumsum(np.bincount(self._strata))])
        self._owed = np.floor(count * target).astype(np.int64)
        share = np.bincount(self._strata, weights=target).astype(np.float64)
        self._left = largest_remainder(count, share, least=self._owed_by_stratum())

    def draw_starts(self, lack: Float64Array, size: int, rng: np.random.Generator) -> Int32Array:
        """`size` starts in random order, shape (size,).

        Args:
            lack: What each KP lacks of its target, shape (n_kps,); nothing at or below 0.
            size: Starts wanted, no more than are left.
            rng: Chance.
        """
        # Of each stratum's starts in this batch, so many must go to KPs that are owed a visit that
        # the later starts could not make good: turns - (left - owed).
        turns = largest_remainder(size, self._left.astype(np.float64))
        forced = np.maximum(turns - (self._left - self._owed_by_stratum()), 0)
        self._left -= turns
        weights = np.maximum(lack, 0.0) ** 2 + SATISFIED_WEIGHT * self._target
        free = _systematic_sample(weights[self._order], self._edges, turns - forced, rng)
        due = _first_owed(self._owed[self._order], self._edges, forced)
        return rng.permutation(self._order[np.concatenate([free, due])]).astype(np.int32)

    def record_visits(self, visits: Int64Array) -> None:
        """Count visits, shape (n_kps,), against what is owed."""
        self._owed = np.maximum(self._owed - visits, 0)

    def _owed_by_stratum(self) -> Int64Array:
        return np.bincount(self._strata, weights=self._owed).astype(np.int64)


class FixedStarts:
    """Starts that somebody else has chosen, in their order."""

    def __init__(self, starts: Int32Array) -> None:
        self._starts = starts
        self._done = 0

    def draw_starts(self, _lack: Float64Array, size: int, _rng: np.random.Generator) -> Int32Array:
        """The next `size` of them, shape (size,)."""
        self._done += size
        return self._starts[self._done - size : self._done]

    def record_visits(self, _visits: Int64Array) -> None:
        """Nothing is owed."""


def largest_remainder(
    total: int, shares: Float64Array, *, least: Int64Array | None = None
) -> Int64Array:
    """Whole numbers that sum to `total`, in proportion to `shares`, none below `least`.

    The method of largest remainders (Hamilton): rounded down, and one more where the rounding
    took most. `shares` and `least` have the shape of the result.
    """
    exact = total * shares / shares.sum()
    whole = np.floor(exact).astype(np.int64)
    whole = whole if least is None else np.maximum(whole, least)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def _systematic_sample(
    weights: Float64Array, edges: Int64Array, sizes: Int64Array, rng: np.random.Generator
) -> Int64Array:
    """Places drawn in proportion to weights, `sizes[i]` from row i of `edges`."""
    # Systematic sampling: `sizes[i]` equal steps along the running sum of row i, with one random
    # offset, so that each place is drawn its expected number of times to within one. The weights
    # of a row are scaled to sum to 1, so that all rows lie on one running sum and one search finds
    # the places of all. Trap: the last step may be rounded up to the row's end, which belongs to
    # the next row.
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
