"""The pool: how much of each cell and of each knowledge point the accepted samples hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdos.arrays import Int32Array, Int64Array


@dataclass(frozen=True, slots=True)
class Pool:
    """`samples` held; exposures by cell, `counts` shape (n_cells,), and by knowledge point.

    `exposures` has shape (n_points,) and grows as new knowledge points appear in samples.
    """

    samples: int
    counts: Int64Array
    exposures: Int64Array

    @classmethod
    def empty(cls, *, n_cells: int, n_points: int) -> "Pool":
        """A pool that holds nothing yet."""
        return cls(0, np.zeros(n_cells, np.int64), np.zeros(n_points, np.int64))

    @property
    def knowledge_points(self) -> int:
        """Occurrences of knowledge points in all samples."""
        return int(self.counts.sum())

    def extend(self, samples: Sequence[Sequence[int]], cells: Int32Array) -> "Pool":
        """The pool with more samples, each given by its knowledge points' rows in `cells`."""
        points = np.array([point for sample in samples for point in sample], np.int64)
        return replace(
            self,
            samples=self.samples + len(samples),
            counts=self.counts + np.bincount(cells[points], minlength=len(self.counts)),
            exposures=_padded(self.exposures, len(cells))
            + np.bincount(points, minlength=len(cells)),
        )


def _padded(counts: Int64Array, length: int) -> Int64Array:
    return np.concatenate([counts, np.zeros(length - len(counts), np.int64)])
