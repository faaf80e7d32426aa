"""How far a score can be trusted: bootstrap intervals, and a test between two models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float64Array

LEVEL = 0.95
RESAMPLES = 2000
FLIPS = 10_000
BLOCK_DRAWS = 1 << 22
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
    """The mean of `values`, shape (n,), with its percentile bootstrap interval."""
    if not len(values):
        return MeanInterval(float("nan"), float("nan"), float("nan"))
    means = np.concatenate(
        [
            values[rng.integers(0, len(values), (rows, len(values)))].mean(axis=1)
            for rows in _blocks(RESAMPLES, len(values))
        ]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return MeanInterval(float(values.mean()), float(low), float(high))


def compare_paired_scores(
    ours: Float64Array, theirs: Float64Array, rng: np.random.Generator
) -> PairedComparison:
    """Compare two models by their scores on the same questions, both of shape (n,)."""
    differences = ours - theirs
    observed = abs(differences.sum())
    moved = differences[differences != 0]
    extreme = sum(
        int((np.abs(rng.choice((-1.0, 1.0), (rows, len(moved))) @ moved) >= observed - 1e-9).sum())
        for rows in _blocks(FLIPS, max(len(moved), 1))
    )
    return PairedComparison(
        difference=bootstrap_mean(differences, rng),
        p_value=(extreme + 1) / (FLIPS + 1),
        questions=len(differences),
    )


def macro_mean(values: Float64Array, groups: Sequence[str]) -> float:
    """The mean over groups of each group's mean, so that every group counts the same."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    return float((np.bincount(group, values) / np.bincount(group)).mean())


def _blocks(rows: int, columns: int) -> list[int]:
    """`rows` in blocks of at most `BLOCK_DRAWS` draws."""
    size = max(1, BLOCK_DRAWS // columns)
    return [min(size, rows - start) for start in range(0, rows, size)]
