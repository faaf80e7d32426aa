"""How far a score can be trusted: bootstrap intervals, and a test between two models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array

LEVEL = 0.95
RESAMPLES, FLIPS = 2000, 10_000
"""Draws of the interval, and of the test: its least p-value is 1/(FLIPS + 1)."""
BATCH_DRAWS = 1 << 22
"""Draws that are held at a time: 32 MB of indices."""


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
    """The mean of `values`, shape (n,), with its percentile bootstrap interval (SciPy's).

    NaN of no value; of one value the interval is the value.
    """
    from scipy.stats import bootstrap  # slow: twice what the rest of `kdos.scoring` takes to load

    mean = float(values.mean()) if len(values) else float("nan")
    if len(values) < 2:
        return MeanInterval(mean, mean, mean)
    low, high = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        batch=max(1, BATCH_DRAWS // len(values)),
        rng=rng,
    ).confidence_interval
    return MeanInterval(mean, float(low), float(high))


def compare_paired_scores(ours: Float64Array, theirs: Float64Array, rng: np.random.Generator) -> PairedComparison:
    """Compare two models by their scores on the same questions, both of shape (n,)."""
    differences = ours - theirs
    p_value = _sign_flip_p_value(differences[differences != 0], rng)
    return PairedComparison(bootstrap_mean(differences, rng), p_value, len(differences))


def _sign_flip_p_value(differences: Float64Array, rng: np.random.Generator) -> float:
    """The share of sign flips whose absolute sum is no smaller than the one observed."""
    from scipy.stats import monte_carlo_test  # slow: see `bootstrap_mean`

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


def macro_mean(values: Float64Array, groups: Sequence[str]) -> float:
    """The mean over groups of each group's mean, so that every group counts the same."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    return float((np.bincount(group, values) / np.bincount(group)).mean())
