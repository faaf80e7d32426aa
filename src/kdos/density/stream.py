"""Batches of rows in; each row's cell and density out, in memory for a sample and one batch.

A space is fitted on a uniform sample of the rows, and the others are measured among that sample.
Copies are found by 64 bits of hash for each row, which are looked at once, at the end: looking
them up batch by batch took 142 of 346 s for 10^7 rows, all at once 3.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

import numpy as np

from kdos.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.density.cells import Profile, build_profile
from kdos.density.estimator import PointDensities, build_index, hash_rows, measure_density
from kdos.density.fit import Reference
from kdos.density.picture import Plane
from kdos.density.space import Space
from kdos.errors import UsageError
from kdos.threads import fetch_ahead

POINTS_AT_ONCE = 1 << 19
"""Points that are measured at a time: enough to fill the cells they are joined in."""
READ_AHEAD = 8
"""Batches that are read while points are measured."""
NO_CELL = -1
"""The cell of a row that holds nothing to measure."""
RESERVOIR_SLACK = 1.25
"""How far the sample may outgrow its size before it is cut back."""
EmbedTexts = Callable[[Sequence[str]], Float32Array]
"""Texts to vectors, shape (n_texts, n_features)."""


class RowBatch(Protocol):
    """Some rows in a stretch, whose usable ones are given as texts or as vectors."""

    @property
    def usable(self) -> BoolArray:
        """Which rows hold anything, shape (n_rows,)."""
        ...

    @property
    def texts(self) -> Sequence[str] | None:
        """What the usable rows say; None for vectors."""
        ...

    @property
    def vectors(self) -> Float32Array | None:
        """Of the usable rows, shape (n_usable, n_features); None for texts."""
        ...


@dataclass(frozen=True)
class RowSample:
    """A uniform sample of a dataset's usable rows.

    `usable` has shape (n_rows,). Of the usable rows, numbered from 0, `rows` are the sampled ones,
    ascending; `texts` is what they say (empty for vectors), `vectors` theirs (None for texts).
    """

    usable: BoolArray
    rows: Int64Array
    texts: Sequence[str]
    vectors: Float32Array | None


@dataclass(frozen=True)
class SampledSpace:
    """A space fitted on a sample of rows: `reference` is the sample measured in it.

    `embed` is what made the vectors of texts; None where vectors were given.
    """

    space: Space
    reference: Reference
    sample: RowSample
    embed: EmbedTexts | None

    @property
    def rate(self) -> float:
        """The share of usable rows that the space was fitted on."""
        return len(self.sample.rows) / int(self.sample.usable.sum())

    def project_batch(self, batch: RowBatch, wanted: BoolArray) -> Float32Array:
        """The wanted ones of a batch's usable rows as points of the space."""
        if batch.vectors is not None:
            return self.space.project(batch.vectors[wanted])
        if self.embed is None:
            raise UsageError("a dataset of vectors compares only with vectors. Got texts.")
        return self.space.project(self.embed(list(compress(batch.texts or (), wanted))))

    def project_rows(self, batch: RowBatch, first: int, plane: Plane) -> Float64Array:
        """A batch's usable rows, the first of them number `first` of all, in a plane, shape (n_usable, 2).

        Rows of the sample are taken from it; the others are embedded once more.
        """
        n_usable = int(batch.usable.sum())
        start, end = np.searchsorted(self.sample.rows, [first, first + n_usable])
        others = np.ones(n_usable, bool)
        others[self.sample.rows[start:end] - first] = False
        flat = np.empty((n_usable, 2))
        flat[~others] = plane.project(self.reference.points[start:end])
        if others.any():
            flat[others] = plane.project(self.project_batch(batch, others))
        return flat


@dataclass(frozen=True, slots=True)
class RowDensities:
    """Each row of a dataset: its cell (`NO_CELL` where it is unusable) and log density (nats).

    These and `novel` have shape (n_rows,); a density is NaN where there is none. `profile` counts
    each distinct point once, `distinct_log_density` holds those points' log densities.
    """

    cells: Int32Array
    log_density: Float64Array
    novel: BoolArray
    profile: Profile
    distinct_log_density: Float64Array


def sample_rows(batches: Iterator[RowBatch], *, most: int, random_seed: int) -> RowSample:
    """A uniform sample of at most `most` of the usable rows, in one pass."""
    reservoir, usable = _Reservoir(most, random_seed), [np.zeros(0, bool)]
    for batch in fetch_ahead(batches):
        reservoir.add_batch(batch)
        usable.append(batch.usable)
    return reservoir.finish(np.concatenate(usable))


def measure_sampled_dataset(fitted: SampledSpace, batches: Iterator[RowBatch]) -> RowDensities:
    """Each row of the dataset that was sampled; those of the sample are not measured again."""
    measured = _RowMeasurements(fitted, fitted.sample.usable)
    measured.record(fitted.sample.rows, fitted.reference.points, fitted.reference)
    wanted = np.ones(measured.n, bool)
    wanted[fitted.sample.rows] = False
    measured.measure_batches(batches, wanted)
    return measured.finish()


def measure_other_dataset(fitted: SampledSpace, batches: Iterator[RowBatch], usable: BoolArray) -> RowDensities:
    """Each row of another dataset, measured among the sample; `usable` has shape (n_rows,)."""
    measured = _RowMeasurements(fitted, usable)
    measured.measure_batches(batches, np.ones(measured.n, bool))
    return measured.finish()


class _Reservoir:
    """A uniform sample of the usable rows seen: those with the smallest of keyed random numbers."""

    def __init__(self, most: int, random_seed: int) -> None:
        self._most = most
        self._rng = keyed_generator(random_seed, "select", "reservoir")
        self._priority = np.zeros(0)
        self._rows = np.zeros(0, np.int64)
        self._texts: list[str] = []
        self._vectors: list[Float32Array] = []
        self._n_seen = 0

    def add_batch(self, batch: RowBatch) -> None:
        count = int(batch.usable.sum())
        self._priority = np.append(self._priority, self._rng.random(count))
        self._rows = np.append(self._rows, np.arange(self._n_seen, self._n_seen + count))
        self._texts.extend(batch.texts or ())
        if batch.vectors is not None:
            self._vectors.append(batch.vectors)
        self._n_seen += count
        if len(self._rows) > RESERVOIR_SLACK * self._most:
            self._shrink()

    def _shrink(self) -> None:
        if len(self._rows) <= self._most:
            return
        kept = np.sort(np.argpartition(self._priority, self._most)[: self._most])
        self._priority, self._rows = self._priority[kept], self._rows[kept]
        self._texts = [self._texts[row] for row in kept.tolist()] if self._texts else []
        # Part by part, since one copy of them all would double the memory.
        starts = np.cumsum([0, *map(len, self._vectors)])
        chosen = np.split(kept, np.searchsorted(kept, starts[1:-1]))
        parts = zip(self._vectors, chosen, starts, strict=False)
        self._vectors = [part[rows - start] for part, rows, start in parts]

    def finish(self, usable: BoolArray) -> RowSample:
        self._shrink()
        vectors = np.concatenate(self._vectors) if self._vectors else None
        self._vectors = []
        return RowSample(usable, self._rows, self._texts, vectors)


class _RowMeasurements:
    """What was measured of `n` usable rows, put together part by part."""

    def __init__(self, fitted: SampledSpace, usable: BoolArray) -> None:
        self.n = int(usable.sum())
        self._fitted = fitted
        self._usable = usable
        self._cells = np.empty(self.n, np.int32)
        self._log_density = np.empty(self.n)
        self._novel = np.empty(self.n, bool)
        self._hashes = np.empty(self.n, np.uint64)

    def record(self, rows: Int64Array, points: Float32Array, measured: PointDensities | Reference) -> None:
        self._cells[rows] = measured.cells
        # Among a sample at rate f a point is f times as dense as among all.
        self._log_density[rows] = measured.log_density - math.log(self._fitted.rate)
        self._novel[rows] = measured.radius > self._fitted.space.novel_radius
        self._hashes[rows] = hash_rows(points)

    def measure_batches(self, batches: Iterator[RowBatch], wanted: BoolArray) -> None:
        """Measure the wanted ones of the usable rows, reading on meanwhile."""
        if not wanted.any():
            return
        fitted = self._fitted
        # Laid out once: for each of eighteen batches anew it took 8 s of 346.
        index = build_index(fitted.reference.distinct_points(), fitted.space.codebook)
        rows, n_seen = np.flatnonzero(wanted), 0
        held: list[Float32Array] = []
        for batch in fetch_ahead(batches, READ_AHEAD):
            here = wanted[n_seen : n_seen + int(batch.usable.sum())]
            n_seen += len(here)
            if here.any():
                held.append(fitted.project_batch(batch, here))
            if held and sum(map(len, held)) >= min(POINTS_AT_ONCE, len(rows)):
                points, held = np.concatenate(held), []
                found = measure_density(points, fitted.space, among=index)
                self.record(rows[: len(points)], points, found)
                rows = rows[len(points) :]

    def finish(self) -> RowDensities:
        """Where the rows lie; of equal points only the first counts for the profile."""
        usable = self._usable
        _, first = np.unique(self._hashes, return_index=True)
        first.sort()
        cells = np.full(len(usable), NO_CELL, np.int32)
        log_density, novel = np.full(len(usable), np.nan), np.zeros(len(usable), bool)
        cells[usable], log_density[usable] = self._cells, self._log_density
        novel[usable] = self._novel
        space = self._fitted.space
        profile = build_profile(self._cells, space, log_density=self._log_density, distinct=first)
        return RowDensities(cells, log_density, novel, profile, self._log_density[first])
