"""How far a score can be trusted: bootstrap intervals, and a test between two models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array

LEVEL = 0.95
RESAMPLES, FLIPS = 2000, 10_000
"""Draws of the interval, and of the test: its least p-value is 1/(FLIPS + 1)."""
BATCH_DRAWS = 1 << 22
"""Draws that are held at a time: 32 MB of counts."""


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean with the bounds between which it lies with probability `LEVEL`."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The mean difference between two models on the same questions, and how likely by chance.

    `p_value` is that of the two-sided paired sign-flip test.
    """

    difference: MeanInterval
    p_value: float
    questions: int


def bootstrap_mean(values: Float64Array, rng: np.random.Generator) -> MeanInterval:
    """The mean of `values`, shape (n,), with its percentile bootstrap interval (Efron, 1979).

    NaN of no value; of one value the interval is the value.
    """
    mean = float(values.mean()) if len(values) else float("nan")
    if len(values) < 2:
        return MeanInterval(mean, mean, mean)
    # A resample is how often each different value is drawn: scores have few, so this takes a hundredth of the draws.
    different, counts = np.unique(values, return_counts=True)
    at_once = max(1, BATCH_DRAWS // len(different))
    sizes = [min(at_once, RESAMPLES - start) for start in range(0, RESAMPLES, at_once)]
    shares = counts / len(values)
    sums = [(rng.multinomial(len(values), shares, size) * different).sum(axis=1) for size in sizes]
    means = np.concatenate(sums) / len(values)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return MeanInterval(mean, float(low), float(high))


def compare_paired_scores(ours: Float64Array, theirs: Float64Array, rng: np.random.Generator) -> PairedComparison:
    """Compare two models by their scores on the same questions, both of shape (n,)."""
    differences = ours - theirs
    p_value = _sign_flip_p_value(differences[differences != 0], rng)
    return PairedComparison(bootstrap_mean(differences, rng), p_value, len(differences))


def _sign_flip_p_value(differences: Float64Array, rng: np.random.Generator) -> float:
    """The share of sign flips whose absolute sum is no smaller than the one observed."""
    from scipy.stats import monte_carlo_test  # slow: twice what the rest of `kdos.scoring` takes to load

    if not len(differences):
        return 1.0

    # `permutation_test` with one sample flips signs too, but took 9.6 s for 15,000 differences
    # where this takes 2.3, and it refuses a single one.
    def flip_signs(size: tuple[int, int]) -> Float64Array:
        return rng.choice((-1.0, 1.0), size) * differences

    def absolute_sum(values: Float64Array, axis: int) -> Float64Array:
        return np.abs(values.sum(axis=axis))

    found = monte_carlo_test(
        differences,
        flip_signs,
        absolute_sum,
        vectorized=True,
        n_resamples=FLIPS,
        batch=max(1, BATCH_DRAWS // len(differences)),
        alternative="greater",  # of the absolute sum: two-sided in the difference
    )
    return float(found.pvalue)


@dataclass(frozen=True, slots=True)
class PoolComparison:
    """The difference of two means over pools and items, its standard error, and how likely by chance.

    `freedom` are the degrees of freedom of Student's t behind `p_value` (two-sided) and `interval_at`.
    """

    difference: float
    error: float
    freedom: int

    @property
    def p_value(self) -> float:
        """How likely a difference so large is where there is none."""
        from scipy.stats import t as student  # slow: see `bootstrap_mean`

        return float(2 * student.sf(abs(self.difference) / max(self.error, 1e-12), self.freedom))

    def interval_at(self, level: float) -> tuple[float, float]:
        """The bounds between which the difference lies with probability `level`."""
        from scipy.stats import t as student  # slow: see `bootstrap_mean`

        reach = float(student.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.difference - reach, self.difference + reach


def compare_pools(ours: Float64Array, theirs: Float64Array | None, rng: np.random.Generator) -> PoolComparison:
    """Compare pools by what was scored with each, shapes (n_pools, n_items) of the same items.

    The pool is the unit, and the items are a sample too: a hierarchical bootstrap draws pools with replacement, then
    items, the same for both sides. With `theirs` None it is the mean of `ours` against 0. Both sides need two pools.
    """
    sides = [ours] if theirs is None else [ours, theirs]
    items = ours.shape[1]
    drawn = rng.multinomial(items, np.full(items, 1 / items), RESAMPLES).T / items
    draws = [_draw_pool_means(side, drawn, rng) for side in sides]
    means = [float(side.mean()) for side in sides]
    error = float(np.std(draws[0] if theirs is None else draws[0] - draws[1]))
    return PoolComparison(means[0] - sum(means[1:]), error, freedom=sum(len(side) - 1 for side in sides))


def _draw_pool_means(values: Float64Array, drawn: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Means of pools and items drawn again, shape (n_draws,); `drawn` are the items' weights, (n_items, n_draws)."""
    by_pool = values @ drawn
    mean = by_pool.mean(axis=0)
    # The spread of n pools drawn with replacement is that of variance (n - 1)/n: too little where there are few.
    spread = (by_pool - mean) * np.sqrt(len(values) / (len(values) - 1))
    chosen = rng.integers(0, len(values), by_pool.shape)
    return mean + np.take_along_axis(spread, chosen, axis=0).mean(axis=0)


def holm_levels(p_values: Sequence[float], *, level: float = LEVEL) -> tuple[list[float], list[float]]:
    """Holm's (1979) adjusted p-values of a family of tests, and the level of each one's interval.

    A test is told from chance at 1 - `level` where its adjusted p-value is below that.
    """
    count = len(p_values)
    adjusted, levels, highest = [1.0] * count, [level] * count, 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        adjusted[place] = highest
        levels[place] = 1 - (1 - level) / (count - rank)
    return adjusted, levels


def macro_mean(values: Float64Array, groups: Sequence[str]) -> float:
    """The mean over groups of each group's mean, so that every group counts the same."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    return float((np.bincount(group, values) / np.bincount(group)).mean())
