"""A dataset measured: a space fitted on it, and where each of its rows lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from kdos.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.density import (
    PointDensities,
    Profile,
    Reference,
    Space,
    build_index,
    build_profile,
    fit_space,
    hash_rows,
    measure_density,
)
from kdos.embed import Embedder, LexicalEmbedder, load_embedder
from kdos.errors import UsageError
from kdos.select.dataset import Batch, Dataset, open_dataset
from kdos.targets import demand_file
from kdos.threads import fetch_ahead

REFERENCE_ROWS = 1 << 20
"""Rows that a space is fitted on at most; of a larger dataset, a random sample."""
FITTED_TEXTS = 100_000
"""Texts that the lexical embedder learns from at most."""
AT_ONCE = 1 << 19
"""Points that are measured at a time: enough to fill the cells they are joined in."""
READ_AHEAD = 8
"""Batches that are read while points are measured."""
NO_CELL = -1
"""The cell of a row that holds nothing to measure."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a dataset is measured. `dim` None takes vectors as they are; texts are reduced to 64."""

    embed: str = "lexical"
    dim: int | None = None
    normalize: bool = False
    n_cells: int | None = None
    k: int = 10
    random_seed: int = 0
    reference_rows: int = REFERENCE_ROWS


@dataclass(frozen=True)
class Survey:
    """A dataset, the space fitted on it and the embedder that made its vectors.

    `usable`, shape (n_rows,), says which rows hold anything. Of those, numbered from 0, `sample`
    holds the ones that the space was fitted on, `texts` what they say (empty for vectors) and
    `reference` how they were measured.
    """

    dataset: Dataset
    space: Space
    embedder: Embedder | None
    reference: Reference
    sample: Int64Array
    texts: Sequence[str]
    usable: BoolArray

    @property
    def rate(self) -> float:
        """The share of usable rows that the space was fitted on."""
        return len(self.sample) / int(self.usable.sum())

    def points(self, batch: Batch, wanted: BoolArray) -> Float32Array:
        """The wanted ones of a batch's usable rows as points of the space."""
        return self.space.project(vectors_of(batch, wanted, self.embedder))


@dataclass(frozen=True, slots=True)
class Placed:
    """Each row of a dataset: its cell (`NO_CELL` where it is unusable) and log density (nats).

    Both have shape (n_rows,); a density is NaN where there is none. `pool` counts each distinct
    point once, `levels` holds those points' log densities.
    """

    cells: Int32Array
    log_density: Float64Array
    novel: BoolArray
    pool: Profile
    levels: Float64Array


def vectors_of(batch: Batch, wanted: BoolArray, embedder: Embedder | None) -> Float32Array:
    """The vectors of the wanted ones of a batch's usable rows, embedded where they are texts."""
    if batch.vectors is not None:
        return batch.vectors[wanted]
    if embedder is None:
        raise UsageError("a dataset of vectors compares only with vectors. Got texts.")
    return embedder.embed(list(compress(batch.texts or (), wanted)))


def survey(dataset: Dataset, options: Options) -> Survey:
    """Fit a space on a dataset, in one pass; memory is bounded by the sample and one batch."""
    held = _Reservoir(options.reference_rows, options.random_seed)
    usable: list[BoolArray] = []
    for batch in fetch_ahead(dataset.batches()):
        held.add(batch)
        usable.append(batch.usable)
    if held.seen == 0:
        raise _empty(dataset)
    texts = held.texts()
    embedder = None if held.vectors() is not None else fitted_embedder(texts, options)
    vectors = held.vectors() if embedder is None else embedder.embed(texts)
    if vectors is None:
        raise UsageError(f"{dataset.path} must hold texts or vectors. Got neither.")
    is_text = embedder is not None
    space, reference = fit_space(
        vectors,
        embedder=embedder.name if embedder else "given",
        dim=(options.dim or 64) if is_text else options.dim,
        n_cells=options.n_cells,
        k=options.k,
        normalize=is_text or options.normalize,
        random_seed=options.random_seed,
    )
    flags = np.concatenate(usable)
    return Survey(dataset, space, embedder, reference, held.rows(), texts, flags)


def fitted_embedder(texts: Sequence[str], options: Options) -> Embedder:
    """The embedder that the options name, fitted where it must be."""
    ready = load_embedder(options.embed)
    if ready is not None:
        return ready
    step = -(-len(texts) // FITTED_TEXTS)
    return LexicalEmbedder.fit(texts[::step], random_seed=options.random_seed)


class _Reservoir:
    """A uniform sample of the usable rows seen: those with the smallest of keyed random numbers."""

    def __init__(self, most: int, random_seed: int) -> None:
        self._most = most
        self._rng = keyed_generator(random_seed, "select", "reservoir")
        self._priority = np.zeros(0)
        self._rows = np.zeros(0, np.int64)
        self._texts: list[str] = []
        self._parts: list[Float32Array] = []
        self.seen = 0

    def add(self, batch: Batch) -> None:
        count = int(batch.usable.sum())
        self._priority = np.append(self._priority, self._rng.random(count))
        self._rows = np.append(self._rows, np.arange(self.seen, self.seen + count))
        self._texts.extend(batch.texts or ())
        if batch.vectors is not None:
            self._parts.append(batch.vectors)
        self.seen += count
        if len(self._rows) > 1.25 * self._most:
            self._shrink()

    def _shrink(self) -> None:
        if len(self._rows) <= self._most:
            return
        kept = np.sort(np.argpartition(self._priority, self._most)[: self._most])
        self._priority, self._rows = self._priority[kept], self._rows[kept]
        self._texts = [self._texts[row] for row in kept.tolist()] if self._texts else []
        if self._parts:
            starts = np.cumsum([0, *map(len, self._parts)])
            bounds = np.searchsorted(kept, starts)
            self._parts = [
                part[kept[low:high] - start]
                for part, start, low, high in zip(
                    self._parts, starts, bounds, bounds[1:], strict=False
                )
            ]

    def rows(self) -> Int64Array:
        self._shrink()
        return self._rows

    def texts(self) -> list[str]:
        self._shrink()
        return self._texts

    def vectors(self) -> Float32Array | None:
        self._shrink()
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else None


def placed(found: Survey) -> Placed:
    """Where each row of the dataset lies; what the space was not fitted on is measured now."""
    at, reference = _Placing(found, found.usable), found.reference
    at.put(found.sample, reference.points, reference)
    wanted = np.ones(at.n, bool)
    wanted[found.sample] = False
    at.measure(found.dataset, wanted)
    return at.finish()


def demand_in_cells(target: str, found: Survey) -> Int64Array | None:
    """The questions of a ``demand:FILE`` target by cell, shape (n_cells,); None for others."""
    path = demand_file(target)
    return None if path is None else placed_in(open_dataset(path), found).pool.exposures


def placed_in(dataset: Dataset, found: Survey) -> Placed:
    """Where each row of another dataset lies in a survey's space, measured among its reference."""
    usable = [batch.usable for batch in dataset.batches()]
    if not any(part.any() for part in usable):
        raise _empty(dataset)
    at = _Placing(found, np.concatenate(usable))
    at.measure(dataset, np.ones(at.n, bool))
    return at.finish()


def _empty(dataset: Dataset) -> UsageError:
    return UsageError(f"{dataset.path} must hold at least one row to measure. Got none.")


class _Placing:
    """Measurements of `n` usable rows, put together part by part."""

    def __init__(self, found: Survey, usable: BoolArray) -> None:
        self.n = int(usable.sum())
        self._found = found
        self._usable = usable
        self._cells = np.empty(self.n, np.int32)
        self._log_density = np.empty(self.n)
        self._novel = np.empty(self.n, bool)
        self._hashes = np.empty(self.n, np.uint64)

    def put(
        self, rows: Int64Array, points: Float32Array, measured: PointDensities | Reference
    ) -> None:
        """What was measured for some rows among the survey's reference."""
        self._cells[rows] = measured.cells
        self._log_density[rows] = measured.log_density - math.log(self._found.rate)
        self._novel[rows] = measured.radius > self._found.space.novel_radius
        self._hashes[rows] = hash_rows(points)

    def measure(self, dataset: Dataset, wanted: BoolArray) -> None:
        """Measure the wanted ones of a dataset's usable rows, reading on meanwhile."""
        if not wanted.any():
            return
        found = self._found
        index = build_index(found.reference.distinct_points(), found.space.codebook)
        rows, seen = np.flatnonzero(wanted), 0
        held: list[Float32Array] = []
        for batch in fetch_ahead(dataset.batches(), READ_AHEAD):
            here = wanted[seen : seen + int(batch.usable.sum())]
            seen += len(here)
            if here.any():
                held.append(found.points(batch, here))
            if held and sum(map(len, held)) >= min(AT_ONCE, len(rows)):
                points, held = np.concatenate(held), []
                self.put(
                    rows[: len(points)], points, measure_density(points, found.space, among=index)
                )
                rows = rows[len(points) :]

    def finish(self) -> Placed:
        """Where the rows lie; of equal points only the first counts for the pool."""
        space, usable = self._found.space, self._usable
        _, first = np.unique(self._hashes, return_index=True)
        first.sort()
        levels = self._log_density[first]
        pool = build_profile(self._cells, space, log_density=self._log_density, distinct=first)
        cells = np.full(len(usable), NO_CELL, np.int32)
        log_density = np.full(len(usable), np.nan)
        novel = np.zeros(len(usable), bool)
        cells[usable], log_density[usable] = self._cells, self._log_density
        novel[usable] = self._novel
        return Placed(cells, log_density, novel, pool, levels)
