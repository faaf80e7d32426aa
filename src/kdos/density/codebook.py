"""The codebook: k-means in two levels, whose centroids cut the space into cells."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array
from kdos.density.neighbours.csr import Lists, as_lists, in_parts, one_each, one_shelf, shelve
from kdos.density.neighbours.nearest import nearest, nearest_of_all
from kdos.density.neighbours.search import nearest_among_cells, nearest_flat
from kdos.density.neighbours.tiles import laid_out
from kdos.threads import run_in_spans

FLAT_CELLS = 1024
"""Up to so many cells the codebook has one group and the nearest centroid is exact."""
GROUPS = 16
"""Groups that the nearest cells of a cell are looked for in."""
NEAR_CELLS = 48
"""Cells next to each cell of a block that are looked at for the nearest centroid."""
ITERATIONS = 5
"""Lloyd's iterations."""
SAMPLE_PER_CELL = 16, 32
SAMPLE = 2**18
"""Training points: 32 for each cell, but where these would be more than SAMPLE, down to 16."""
BLOCK = 16
"""Cells of one block at most."""
NEAR_PER_PROBE = 6
"""Cells next to each cell of a block that its points choose from, for each that they look into."""


@dataclass(frozen=True)
class Codebook:
    """Centroids, shape (n_cells, dim), in groups: group g is `centroids[groups[g]:groups[g + 1]]`.

    Training numbers cells, and groups, so that those with numbers close by are close by; each
    group's cells, in runs of up to `BLOCK`, make blocks, whose points are looked after together.

    The cell of a point is that of the nearest centroid among the cells of a block and the
    `NEAR_CELLS` next to each of them: the block of the nearest centroid in the nearest group. Ties
    go to the lower cell. Where there is one group, it is simply the nearest centroid.
    """

    centroids: Float32Array
    groups: Int64Array

    def __len__(self) -> int:
        return len(self.centroids)

    @cached_property
    def _centres(self) -> Float32Array:
        sums = np.add.reduceat(self.centroids.astype(np.float64), self.groups[:-1])
        return (sums / np.diff(self.groups)[:, None]).astype(np.float32)

    def coarse(self) -> tuple["Codebook", Int32Array]:
        """The groups as a codebook of their own, and the group of each cell, shape (n_cells,)."""
        n_groups = len(self.groups) - 1
        group_of = np.repeat(np.arange(n_groups, dtype=np.int32), np.diff(self.groups))
        return Codebook(self._centres, np.array([0, n_groups])), group_of

    @property
    def _shelves(self) -> Lists:
        return Lists(self.groups, np.arange(len(self), dtype=np.int32))

    def nearest(self, points: Float32Array) -> Int32Array:
        """The cell of each point, shape (n,)."""
        if len(self.groups) == 2:
            return nearest_of_all(points, self.centroids)
        n_groups = len(self.groups) - 1
        in_group = nearest(
            points,
            shelve(nearest_of_all(points, self._centres), n_groups),
            self.centroids,
            self._shelves,
            near=one_each(n_groups),
            origins=self._centres,
        )
        n_blocks = len(self.blocks) - 1
        block_of = np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(self.blocks))
        return nearest(
            points,
            shelve(block_of[in_group], n_blocks),
            self.centroids,
            self.near(min(NEAR_CELLS, len(self) - 1)),
            near=one_each(n_blocks),
            origins=self.centroids[self.blocks[:-1]],
        )

    @cached_property
    def blocks(self) -> Int64Array:
        """Block b is cells `blocks[b]` to `blocks[b + 1]`."""
        return in_parts(self._shelves, BLOCK)[0].offsets

    def near(self, probes: int) -> Lists:
        """For each block its cells and each one's `probes` nearest cells, in order."""
        if probes not in self._near:
            each = self._with_near(probes)
            bounds = each.offsets[self.blocks]
            runs = [np.unique(each.items[start:end]) for start, end in pairwise(bounds)]
            self._near[probes] = as_lists(runs)
        return self._near[probes]

    @cached_property
    def _near(self) -> dict[int, Lists]:
        return {}

    def _with_near(self, probes: int) -> Lists:
        """Each cell followed by its `probes` nearest, looked for in the groups next to its own."""
        if len(self.groups) == 2 or not probes:
            return with_itself(self.centroids, probes)
        groups, _ = self.coarse()
        near = groups.near(min(NEAR_PER_PROBE * GROUPS, len(groups) - 1))
        found = nearest_among_cells(
            self.centroids,
            self._shelves,
            self.centroids,
            laid_out(self.centroids, self._shelves, groups.centroids),
            centroids=groups.centroids,
            blocks=groups.blocks,
            near=far_enough(near, groups, self._shelves.sizes, self._shelves.sizes, probes + 1),
            cells=GROUPS,
            k=probes,
            among_itself=True,
        )
        return followed_by(found.rows)


def with_itself(points: Float32Array, probes: int) -> Lists:
    """Each row followed by the rows of its `probes` nearest points."""
    if not probes:
        return one_each(len(points))
    return followed_by(nearest_flat(points, points, k=probes, among_itself=True).rows)


def followed_by(table: Int32Array) -> Lists:
    """Each row's number followed by what the table, shape (n, n_near), has in that row."""
    items = np.concatenate([np.arange(len(table))[:, None], table], 1, dtype=np.int32)
    return Lists(np.arange(len(items) + 1) * items.shape[1], items.reshape(-1))


def far_enough(
    near: Lists, codebook: Codebook, asking: Int64Array, held: Int64Array, needed: int
) -> Lists:
    """The lists of near cells, longer where a block that asks would find too few points.

    `asking` and `held` are how many queries and points there are in each cell.
    """
    starts = codebook.blocks[:-1]
    doubtful = (np.add.reduceat(held, starts) < needed) & (np.add.reduceat(asking, starts) > 0)
    short = [
        block
        for block in np.flatnonzero(doubtful)
        if held[near.items[near.offsets[block] : near.offsets[block + 1]]].sum() < needed
    ]
    if not short:
        return near
    lists: list[Int32Array] = np.split(near.items, near.offsets[1:-1])
    for block in short:
        middle = codebook.centroids[codebook.blocks[block] : codebook.blocks[block + 1]].mean(0)
        apart = np.square(codebook.centroids - middle, dtype=np.float64).sum(1)
        order = np.argsort(apart, kind="stable").astype(np.int32)
        enough = np.searchsorted(np.cumsum(held[order]), needed) + 1
        lists[block] = np.union1d(lists[block], order[:enough])
    return as_lists(lists)


def side_by_side(points: Float32Array) -> Int64Array:
    """The rows of points so that rows close by in this order are close by, shape (n,).

    Halved between two points that are far apart, and each half again.
    """
    order = np.arange(len(points))
    halves = [(0, len(points))]
    while halves:
        start, end = halves.pop()
        if end - start <= BLOCK:
            continue
        rows = order[start:end]
        away = points[rows].astype(np.float64)
        away -= away[np.square(away - away.mean(0)).sum(1).argmax()]
        across = away[np.square(away).sum(1).argmax()]
        order[start:end] = rows[np.argsort((away * across).sum(1), kind="stable")]
        middle = (start + end) // 2
        halves += [(start, middle), (middle, end)]
    return order


def train_codebook(
    points: Float32Array, n_cells: int, *, rng: np.random.Generator, normalize: bool
) -> Codebook:
    """A codebook of `n_cells` cells for distinct points, by k-means on a sample of them.

    Past `FLAT_CELLS` cells the points are first cut into about sqrt(n_cells) groups, and each group
    gets cells in proportion to its points.
    """
    least, most = SAMPLE_PER_CELL
    sample = _sample(points, min(most * n_cells, max(SAMPLE, least * n_cells)), rng)
    if n_cells <= FLAT_CELLS:
        start = _sample(sample, n_cells, rng)
        shelves = one_shelf(len(sample)), one_shelf(n_cells)
        centroids = lloyd(sample, shelves[0], start, shelves[1], normalize=normalize)
        return Codebook(centroids[side_by_side(centroids)], np.array([0, n_cells]))
    n_groups = round(n_cells**0.5)
    training = _sample(sample, most * n_groups, rng)
    start = _sample(training, n_groups, rng)
    shelves = one_shelf(len(training)), one_shelf(n_groups)
    centres = lloyd(training, shelves[0], start, shelves[1], normalize=normalize)
    centres = centres[side_by_side(centres)]
    members = shelve(nearest_of_all(sample, centres), n_groups)
    sample, members = (
        sample[members.items],
        Lists(members.offsets, np.arange(len(sample), dtype=np.int32)),
    )
    sizes = shares(members.sizes, n_cells)
    groups = np.concatenate([[0], np.cumsum(sizes)])
    first = [
        start + np.sort(rng.choice(held, size, replace=False))
        for start, held, size in zip(members.offsets, members.sizes, sizes, strict=False)
    ]
    within = Lists(groups, np.arange(n_cells, dtype=np.int32))
    centroids = lloyd(sample, members, sample[np.concatenate(first)], within, normalize=normalize)
    order = [start + side_by_side(centroids[start:end]) for start, end in pairwise(groups)]
    return Codebook(centroids[np.concatenate(order)], np.unique(groups))


def without_empty_cells(codebook: Codebook, cells: Int32Array) -> tuple[Codebook, Int32Array]:
    """The codebook without the cells that none of `cells` names, and `cells` numbered anew."""
    held = np.bincount(cells, minlength=len(codebook)) > 0
    if held.all():
        return codebook, cells
    renumbered = np.cumsum(held) - 1
    groups = np.concatenate([[0], np.cumsum(held)])[codebook.groups]
    smaller = Codebook(codebook.centroids[held], np.unique(groups))
    return smaller, renumbered[cells].astype(np.int32)


def shares(held: Int64Array, wanted: int) -> Int64Array:
    """`wanted` shared out: one to each group that holds anything, the rest in proportion.

    No group gets more than it holds; fractions go to the largest remainders.
    """
    spare = np.maximum(held - 1, 0)
    rest = wanted - np.count_nonzero(held)
    exact = spare * (rest / max(int(spare.sum()), 1))
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: rest - int(whole.sum())]] += 1
    return whole + (held > 0)


def lloyd(
    points: Float32Array, members: Lists, centroids: Float32Array, within: Lists, *, normalize: bool
) -> Float32Array:
    """Lloyd's algorithm in every group at once: `members` lists its points, `within` its centroids.

    A centroid that loses all its points stays where it is.
    """
    own = one_each(len(members))
    for _ in range(ITERATIONS):
        origins = _middles(centroids, within)
        found = nearest(points, members, centroids, within, near=own, origins=origins)
        centroids = cell_means(points, shelve(found, len(centroids)), centroids)
        if normalize:
            centroids = unit_rows(centroids)
    return centroids


def _middles(centroids: Float32Array, within: Lists) -> Float32Array:
    """The mean centroid of each group; of an empty group, zero."""
    middles = np.zeros((len(within), centroids.shape[1]), np.float32)
    held = within.sizes > 0
    sums = np.add.reduceat(centroids.astype(np.float64), within.offsets[:-1][held])
    middles[held] = sums / within.sizes[held, None]
    return middles


def cell_means(points: Float32Array, shelves: Lists, before: Float32Array) -> Float32Array:
    """The mean of the points on each shelf, shape (n_shelves, dim); `before` where it is empty."""
    means = before.copy()

    def work(start: int, end: int) -> None:
        _mean_shelves(start, end, points, shelves.offsets, shelves.items, means)

    run_in_spans(work, shelves.sizes + 1)
    return means


@njit(nogil=True, cache=True)
def _mean_shelves(
    start: int,
    end: int,
    points: Float32Array,
    offsets: Int64Array,
    rows: Int32Array,
    means: Float32Array,
) -> None:
    total = np.empty(points.shape[1], np.float64)
    for shelf in range(start, end):
        count = offsets[shelf + 1] - offsets[shelf]
        if count:
            total[:] = 0
            for at in range(offsets[shelf], offsets[shelf + 1]):
                for axis in range(points.shape[1]):
                    total[axis] += points[rows[at], axis]
            for axis in range(points.shape[1]):
                means[shelf, axis] = total[axis] / count


def unit_rows(rows: Float32Array) -> Float32Array:
    """The rows at unit length; a row of zeros stays as it is."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)


def _sample(points: Float32Array, most: int, rng: np.random.Generator) -> Float32Array:
    """At most so many of the points, in their order."""
    if len(points) <= most:
        return points
    return points[np.sort(rng.choice(len(points), most, replace=False))]
