"""The codebook: k-means in two levels, whose centroids cut the space into cells."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array
from kdos.density.neighbours.nearest import nearest_in_groups, nearest_of_all
from kdos.density.neighbours.search import search_all_points, search_cells
from kdos.density.neighbours.tiles import (
    CsrLists,
    all_in_one_group,
    build_tiles,
    concatenate_lists,
    group_rows_by_cell,
    one_group_each,
    split_groups,
)
from kdos.threads import run_in_spans

# Up to so many cells the codebook has one group and the nearest centroid is exact.
MAX_FLAT_CELLS = 1024
# Groups that the nearest cells of a cell are looked for in: 99.98 of 100 are found, in 0.7 s where
# all pairs took 1.5 (10^6 points). Among nine groups too much was lost: border 0.007, not 0.0000.
PROBED_GROUPS = 16
# Cells next to each cell of a block that are looked at for the nearest centroid. 190 to 300 are looked at so, and 125
# groups, in place of 1,125; it is the nearest of all for 95.7 and 96.7 of 100 points (topics, mixture).
NEAR_CELLS = 48
# Training points: 32 for each cell, but where these would be more than 2^18, down to 16. For 10^6
# points 16 and five rounds take 1.9 s where 32 and six took 4.8, for 2 % more inertia and no worse
# a join; for 10^5 points inertia was 6 % more, which the saving is not worth.
LLOYD_ITERATIONS = 5
SAMPLE_PER_CELL = 16, 32
FULL_SAMPLE_POINTS = 2**18
# The cells of a block, at most, and the cells next to each of them that its points choose from, for
# each cell that they look into. Longer lists find more and take longer to score. 10^6 points in a
# mixture of 4K components, time beside that of 16 and 6, Spearman with the truth (exact: 0.94538):
#
#     cells of a block   near cells per probe   candidates   time   Spearman
#     16                 6                      1,536        1      0.94435
#     4                  13                     1,536        1.27   0.94493
#     8                  10                     2,048        1.37   0.94498
#     2                  16                     2,048        1.45   0.94486
#     16                 13                     2,048        1.48   0.94516
CELLS_PER_BLOCK = 16
NEAR_PER_PROBE = 6


@dataclass(frozen=True)
class Codebook:
    """Centroids, shape (n_cells, dim), in groups: group g is `centroids[groups[g]:groups[g + 1]]`.

    Training numbers cells, and groups, so that those with numbers close by are close by; each group's cells, in runs
    of up to `CELLS_PER_BLOCK`, make blocks, whose points are searched for together, among one list of near cells.

    The cell of a point is that of the nearest centroid among the cells of a block and the
    `NEAR_CELLS` next to each of them: the block of the nearest centroid in the nearest group. Ties
    go to the lower cell. Where there is one group, it is simply the nearest centroid.
    """

    centroids: Float32Array
    groups: Int64Array

    def __len__(self) -> int:
        return len(self.centroids)

    @cached_property
    def _group_centroids(self) -> Float32Array:
        sums = np.add.reduceat(self.centroids.astype(np.float64), self.groups[:-1])
        return (sums / np.diff(self.groups)[:, None]).astype(np.float32)

    def group_codebook(self) -> tuple["Codebook", Int32Array]:
        """The groups as a codebook of their own, and the group of each cell, shape (n_cells,)."""
        n_groups = len(self.groups) - 1
        group_of = np.repeat(np.arange(n_groups, dtype=np.int32), np.diff(self.groups))
        return Codebook(self._group_centroids, np.array([0, n_groups])), group_of

    @property
    def _cells_by_group(self) -> CsrLists:
        return CsrLists(self.groups, np.arange(len(self), dtype=np.int32))

    def assign_cells(self, points: Float32Array) -> Int32Array:
        """The cell of each point, shape (n,)."""
        if len(self.groups) == 2:
            return nearest_of_all(points, self.centroids)
        # The nearest group, the nearest centroid in it, and then whatever is near that one's block:
        # a point near the border of its group finds its cell on the other side.
        n_groups = len(self.groups) - 1
        in_group = nearest_in_groups(
            points,
            group_rows_by_cell(nearest_of_all(points, self._group_centroids), n_groups),
            self.centroids,
            self._cells_by_group,
            near_groups=one_group_each(n_groups),
            origins=self._group_centroids,
        )
        n_blocks = len(self.blocks) - 1
        block_of = np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(self.blocks))
        return nearest_in_groups(
            points,
            group_rows_by_cell(block_of[in_group], n_blocks),
            self.centroids,
            self.near_cells(min(NEAR_CELLS, len(self) - 1)),
            near_groups=one_group_each(n_blocks),
            origins=self.centroids[self.blocks[:-1]],
        )

    @cached_property
    def blocks(self) -> Int64Array:
        """Block b is cells `blocks[b]` to `blocks[b + 1]`."""
        return split_groups(self._cells_by_group, CELLS_PER_BLOCK)[0].offsets

    def near_cells(self, probes: int) -> CsrLists:
        """For each block its cells and each one's `probes` nearest cells, in order."""
        if probes not in self._near_cells_cache:
            each = self._cells_with_nearest(probes)
            bounds = each.offsets[self.blocks]
            runs = [np.unique(each.items[start:end]) for start, end in pairwise(bounds)]
            self._near_cells_cache[probes] = concatenate_lists(runs)
        return self._near_cells_cache[probes]

    @cached_property
    def _near_cells_cache(self) -> dict[int, CsrLists]:
        return {}

    def _cells_with_nearest(self, probes: int) -> CsrLists:
        """Each cell followed by its `probes` nearest, looked for in the groups next to its own."""
        if len(self.groups) == 2 or not probes:
            return self_and_nearest(self.centroids, probes)
        # The centroids are searched as any points are, with the groups as their cells.
        cells, sizes = self._cells_by_group, self._cells_by_group.sizes
        groups, _ = self.group_codebook()
        near = groups.near_cells(min(NEAR_PER_PROBE * PROBED_GROUPS, len(groups) - 1))
        found = search_cells(
            self.centroids,
            cells,
            self.centroids,
            build_tiles(self.centroids, cells, groups.centroids),
            centroids=groups.centroids,
            blocks=groups.blocks,
            near_cells=extend_short_lists(near, groups, sizes, sizes, probes + 1),
            cells_per_query=PROBED_GROUPS,
            k=probes,
            exclude_self=True,
        )
        return _prepend_own_row(found.rows)


def self_and_nearest(points: Float32Array, probes: int) -> CsrLists:
    """Each row followed by the rows of its `probes` nearest points."""
    if not probes:
        return one_group_each(len(points))
    return _prepend_own_row(search_all_points(points, points, k=probes, exclude_self=True).rows)


def _prepend_own_row(table: Int32Array) -> CsrLists:
    """Each row's number followed by what the table, shape (n, n_near), has in that row."""
    items = np.concatenate([np.arange(len(table))[:, None], table], 1, dtype=np.int32)
    return CsrLists(np.arange(len(items) + 1) * items.shape[1], items.reshape(-1))


def extend_short_lists(
    near_cells: CsrLists, codebook: Codebook, query_counts: Int64Array, cell_sizes: Int64Array, needed: int
) -> CsrLists:
    """The lists of near cells, longer where a block with queries would find fewer than `needed`
    points; `query_counts` and `cell_sizes`, shape (n_cells,), count queries and points by cell."""
    # Nearly every block holds enough by itself; only the others' lists are looked at.
    starts = codebook.blocks[:-1]
    doubtful = (np.add.reduceat(cell_sizes, starts) < needed) & (np.add.reduceat(query_counts, starts) > 0)
    if not doubtful.any():
        return near_cells
    lists: list[Int32Array] = np.split(near_cells.items, near_cells.offsets[1:-1])
    short = [row for row in np.flatnonzero(doubtful) if cell_sizes[lists[row]].sum() < needed]
    for block in short:
        middle = codebook.centroids[codebook.blocks[block] : codebook.blocks[block + 1]].mean(0)
        apart = np.square(codebook.centroids - middle, dtype=np.float64).sum(1)
        order = np.argsort(apart, kind="stable").astype(np.int32)
        enough = np.searchsorted(np.cumsum(cell_sizes[order]), needed) + 1
        lists[block] = np.union1d(lists[block], order[:enough])
    return concatenate_lists(lists)


def order_by_proximity(points: Float32Array) -> Int64Array:
    """The rows of points so that points close by in this order are close by, shape (n,)."""
    # Split at the median along the line between two far points, and each half again.
    order = np.arange(len(points))
    halves = [(0, len(points))]
    while halves:
        start, end = halves.pop()
        if end - start <= CELLS_PER_BLOCK:
            continue
        rows = order[start:end]
        away = points[rows].astype(np.float64)
        away -= away[np.square(away - away.mean(0)).sum(1).argmax()]
        across = away[np.square(away).sum(1).argmax()]
        order[start:end] = rows[np.argsort((away * across).sum(1), kind="stable")]
        middle = (start + end) // 2
        halves += [(start, middle), (middle, end)]
    return order


def train_codebook(points: Float32Array, n_cells: int, *, rng: np.random.Generator, normalize: bool) -> Codebook:
    """A codebook of `n_cells` cells for distinct points, by k-means on a sample of them.

    Past `MAX_FLAT_CELLS` cells the points are first cut into about sqrt(n_cells) groups, and each
    group gets cells in proportion to its points.
    """
    least, most = SAMPLE_PER_CELL
    sample = _sample_points(points, min(most * n_cells, max(FULL_SAMPLE_POINTS, least * n_cells)), rng)
    if n_cells <= MAX_FLAT_CELLS:
        centroids = _train_in_one_group(sample, n_cells, rng, normalize)
        return Codebook(centroids, np.array([0, n_cells]))
    n_groups = round(n_cells**0.5)
    training = _sample_points(sample, most * n_groups, rng)
    centres = _train_in_one_group(training, n_groups, rng, normalize)
    members = group_rows_by_cell(nearest_of_all(sample, centres), n_groups)
    # In the order of their groups the rounds take 2.5 s where they took 3.0 (10^6 points).
    sample = sample[members.items]
    members = CsrLists(members.offsets, np.arange(len(sample), dtype=np.int32))
    sizes = _allocate_cells(members.sizes, n_cells)
    groups = np.concatenate([[0], np.cumsum(sizes)])
    first = [
        start + np.sort(rng.choice(held, size, replace=False))
        for start, held, size in zip(members.offsets, members.sizes, sizes, strict=False)
    ]
    within = CsrLists(groups, np.arange(n_cells, dtype=np.int32))
    centroids = _run_lloyd(sample, members, sample[np.concatenate(first)], within, normalize)
    order = [start + order_by_proximity(centroids[start:end]) for start, end in pairwise(groups)]
    return Codebook(centroids[np.concatenate(order)], np.unique(groups))


def _train_in_one_group(points: Float32Array, n_cells: int, rng: np.random.Generator, normalize: bool) -> Float32Array:
    start = _sample_points(points, n_cells, rng)
    members, within = all_in_one_group(len(points)), all_in_one_group(n_cells)
    centroids = _run_lloyd(points, members, start, within, normalize)
    return centroids[order_by_proximity(centroids)]


def drop_empty_cells(codebook: Codebook, cells: Int32Array) -> tuple[Codebook, Int32Array]:
    """The codebook without the cells that none of `cells` names, and `cells` numbered anew."""
    held = np.bincount(cells, minlength=len(codebook)) > 0
    if held.all():
        return codebook, cells
    renumbered = np.cumsum(held) - 1
    groups = np.concatenate([[0], np.cumsum(held)])[codebook.groups]
    smaller = Codebook(codebook.centroids[held], np.unique(groups))
    return smaller, renumbered[cells].astype(np.int32)


def _allocate_cells(held: Int64Array, wanted: int) -> Int64Array:
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


def _run_lloyd(
    points: Float32Array, members: CsrLists, centroids: Float32Array, within: CsrLists, normalize: bool
) -> Float32Array:
    """Lloyd's algorithm in every group at once: `members` lists its points, `within` its centroids.

    A centroid that loses all its points stays where it is.
    """
    own = one_group_each(len(members))
    for _ in range(LLOYD_ITERATIONS):
        origins = _mean_centroids(centroids, within)
        found = nearest_in_groups(points, members, centroids, within, near_groups=own, origins=origins)
        centroids = _mean_points(points, group_rows_by_cell(found, len(centroids)), centroids)
        if normalize:
            centroids = scale_to_unit_length(centroids)
    return centroids


def _mean_centroids(centroids: Float32Array, within: CsrLists) -> Float32Array:
    """Shape (n_groups, dim); zero for an empty group."""
    middles = np.zeros((len(within), centroids.shape[1]), np.float32)
    held = within.sizes > 0
    sums = np.add.reduceat(centroids.astype(np.float64), within.offsets[:-1][held])
    middles[held] = sums / within.sizes[held, None]
    return middles


def _mean_points(points: Float32Array, groups: CsrLists, before: Float32Array) -> Float32Array:
    """The mean of each group's points, shape (n_groups, dim); `before` where it is empty."""
    means = before.copy()

    def work(start: int, end: int) -> None:
        _average_groups(start, end, points, groups.offsets, groups.items, means)

    run_in_spans(work, groups.sizes + 1)
    return means


@njit(nogil=True, cache=True)
def _average_groups(
    start: int, end: int, points: Float32Array, offsets: Int64Array, rows: Int32Array, means: Float32Array
) -> None:
    total = np.empty(points.shape[1], np.float64)
    for group in range(start, end):
        count = offsets[group + 1] - offsets[group]
        if count:
            total[:] = 0
            for at in range(offsets[group], offsets[group + 1]):
                for axis in range(points.shape[1]):
                    total[axis] += points[rows[at], axis]
            for axis in range(points.shape[1]):
                means[group, axis] = total[axis] / count


def scale_to_unit_length(rows: Float32Array) -> Float32Array:
    """The rows at unit length; a row of zeros stays as it is."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)


def _sample_points(points: Float32Array, most: int, rng: np.random.Generator) -> Float32Array:
    if len(points) <= most:
        return points
    return points[np.sort(rng.choice(len(points), most, replace=False))]
