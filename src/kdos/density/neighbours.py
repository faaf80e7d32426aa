"""Nearest neighbours by matrix products, among the cells whose centroids a query is nearest to.

The cells next to a query's own cell are known beforehand; which of them to look into, each query
decides for itself, which finds as many true neighbours as several times as many candidates do that
are chosen for the cell as a whole (`docs/density.md`). Candidates are selected in single precision,
seen from the centroid of their cell, and measured in double wherever single cannot tell who comes
first: a distance depends on its two points alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from kdos.threads import in_spans

Points = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]

PART = 128
"""Queries of one cell that are looked after together."""
TILE = 1024
"""Candidates multiplied with them at a time."""
SPARE = 2
"""Candidates chosen beyond k, so that single precision does not decide who is k-th."""
UNIT = 2.0**-24
"""The relative error of one operation in single precision."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of whole numbers: list i is `items[offsets[i]:offsets[i + 1]]`."""

    offsets: Whole
    items: Whole

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Whole:
        """The length of each list."""
        return np.diff(self.offsets)


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest of each query, nearest first; `distances` and `rows` shape (n, n_ranks).

    A query with too few candidates has infinity and -1 in the places that are left.
    """

    distances: Floats
    rows: Whole


def shelve(cells: npt.NDArray[np.integer], n_cells: int) -> Lists:
    """The rows in each cell, in order."""
    counts = np.bincount(cells, minlength=n_cells)
    return Lists(np.concatenate([[0], np.cumsum(counts)]), np.argsort(cells, kind="stable"))


def one_shelf(n: int) -> Lists:
    """All rows on one shelf."""
    return Lists(np.array([0, n]), np.arange(n))


def in_parts(shelves: Lists, most: int) -> tuple[Lists, Whole]:
    """Shelves cut into parts of at most `most` rows, and the shelf of each part."""
    counts = -(-shelves.sizes // most)
    shelf = np.repeat(np.arange(len(shelves)), counts)
    nth = np.arange(len(shelf)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.append(shelves.offsets[:-1][shelf] + nth * most, shelves.offsets[-1])
    return Lists(offsets, shelves.items), shelf


@dataclass(frozen=True, slots=True)
class Seen:
    """Points in the order of their cells, each as seen from its cell's centroid.

    `seen` shape (n, dim), `half_square` shape (n,) of half its square length, `reach` shape
    (n_cells,) the longest in each cell.
    """

    seen: Points
    half_square: Points
    reach: Floats


def seen_from(points: Points, shelves: Lists, centroids: Points) -> Seen:
    """Put points on their shelves."""
    seen, half_square = np.empty_like(points), np.empty(len(points), np.float32)
    reach = np.zeros(len(shelves))

    def work(start: int, end: int) -> None:
        _see(start, end, points, shelves.offsets, shelves.items, centroids, seen, half_square)

    in_spans(work, shelves.sizes + 1)
    held = shelves.sizes > 0
    most = np.maximum.reduceat(half_square, shelves.offsets[:-1][held])
    reach[held] = np.sqrt(2.0 * most)
    return Seen(seen, half_square, reach)


def nearest_among_cells(
    queries: Points,
    query_shelves: Lists,
    pool: Points,
    pool_shelves: Lists,
    *,
    centroids: Points,
    near: Lists,
    cells: int,
    k: int,
    among_itself: bool = False,
    ranks: Sequence[int] | None = None,
) -> Found:
    """The k nearest points of `pool` to each query in the `cells` cells that it is nearest to.

    Cells are chosen among those that `near` lists for the query's own cell, by the distance of
    their centroids; all of these are looked into where the chosen ones hold too few points. With
    `among_itself` the queries are the pool, and none is its own neighbour. `ranks` of 1 to k says
    which of the k to keep, all unless given.
    """
    kept = np.arange(k) if ranks is None else np.array(ranks) - 1
    distances = np.full((len(queries), len(kept)), np.inf)
    rows = np.full((len(queries), len(kept)), -1, np.int64)
    parts, part_cell = in_parts(query_shelves, PART)
    there = seen_from(pool, pool_shelves, centroids)

    def work(start: int, end: int) -> None:
        _search_parts(
            (start, end),
            (queries, parts.offsets, parts.items, part_cell),
            (pool, pool_shelves.offsets, pool_shelves.items),
            (there.seen, there.half_square, there.reach),
            (near.offsets, near.items, centroids),
            (k, cells, among_itself, kept),
            distances,
            rows,
        )

    in_spans(work, parts.sizes + 1)
    return Found(distances, rows)


def nearest_flat(
    queries: Points,
    pool: Points,
    *,
    k: int,
    among_itself: bool = False,
    ranks: Sequence[int] | None = None,
) -> Found:
    """The k nearest points of the whole pool to each query: exact."""
    return nearest_among_cells(
        queries,
        one_shelf(len(queries)),
        pool,
        one_shelf(len(pool)),
        centroids=pool.mean(0, dtype=np.float64, keepdims=True).astype(np.float32),
        near=one_shelf(1),
        cells=1,
        k=k,
        among_itself=among_itself,
        ranks=ranks,
    )


# The kernels index whole arrays instead of taking views of their rows: a view of an array that
# threads share counts references, and the threads would wait for each other at every count.


@njit(nogil=True, cache=True)
def _see(
    start: int,
    end: int,
    points: Points,
    offsets: Whole,
    items: Whole,
    centroids: Points,
    seen: Points,
    half_square: Points,
) -> None:
    for cell in range(start, end):
        for at in range(offsets[cell], offsets[cell + 1]):
            half_square[at] = centre(points, items[at], centroids, cell, seen, at)


@njit(nogil=True, cache=True)
def _search_parts(
    span: tuple[int, int],
    query_side: tuple[Points, Whole, Whole, Whole],
    pool_side: tuple[Points, Whole, Whole],
    seen_side: tuple[Points, Points, Floats],
    near_side: tuple[Whole, Whole, Points],
    how: tuple[int, int, bool, Whole],
    distances: Floats,
    rows: Whole,
) -> None:
    queries, part_offsets, query_rows, part_cell = query_side
    pool, pool_offsets, pool_rows = pool_side
    seen, half_square, reach = seen_side
    near_offsets, near, centroids = near_side
    k, cells, among_itself, ranks = how
    dim = pool.shape[1]
    most = 1
    for part in range(span[0], span[1]):
        cell = part_cell[part]
        most = max(most, near_offsets[cell + 1] - near_offsets[cell])
    centred, there = np.empty((PART, dim), np.float32), np.empty((most, dim), np.float32)
    half_there, apart = np.empty(most, np.float32), np.empty(PART * most, np.float32)
    looked_into = np.empty((most, PART), np.uint8)
    leading = np.empty(cells, np.float32), np.empty(cells, np.int64)
    best = np.empty((PART, k + SPARE), np.float32), np.empty((PART, k + SPARE), np.int64)
    farthest, asking, half = np.empty(PART), np.empty(PART, np.int64), np.empty(PART, np.float32)
    products, half_tile = np.empty(PART * TILE, np.float32), np.empty(TILE, np.float32)
    flags = np.zeros(TILE, np.uint8)
    sorting = np.empty(k + SPARE), np.empty(k + SPARE, np.int64)
    for part in range(span[0], span[1]):
        cell, first = int(part_cell[part]), int(part_offsets[part])
        count = int(part_offsets[part + 1]) - first
        listed = near[near_offsets[cell] : near_offsets[cell + 1]]
        n_near = len(listed)
        for i in range(count):
            centre(queries, query_rows[first + i], centroids, cell, centred, i)
        for j in range(n_near):
            half_there[j] = centre(centroids, listed[j], centroids, cell, there, j)
        nearness = apart[: count * n_near].reshape((count, n_near))
        np.dot(centred[:count], there[:n_near].T, nearness)
        looked_into[:n_near] = 0
        for i in range(count):
            _choose(nearness, i, half_there, listed, pool_offsets, k + 1, leading, looked_into)
        best[0][:count] = -np.inf
        best[1][:count] = -1
        farthest[:count] = 0
        for j in range(n_near):
            other = listed[j]
            begin, end = pool_offsets[other], pool_offsets[other + 1]
            n_asking = 0
            for i in range(count):
                if looked_into[j, i] and begin < end:
                    half[n_asking] = centre(
                        queries, query_rows[first + i], centroids, other, centred, n_asking
                    )
                    farthest[i] = max(farthest[i], np.sqrt(2.0 * half[n_asking]) + reach[other])
                    asking[n_asking] = i
                    n_asking += 1
            if n_asking == 0:
                continue
            for tile in range(begin, end, TILE):
                width = min(TILE, end - tile)
                found = products[: n_asking * width].reshape((n_asking, width))
                np.dot(centred[:n_asking], seen[tile : tile + width].T, found)
                for j in range(width):
                    half_tile[j] = half_square[tile + j]
                for at in range(n_asking):
                    i = asking[at]
                    own = int(query_rows[first + i]) if among_itself else -1
                    _keep(found, at, half[at], half_tile, pool_rows, tile, own, flags, best, i)
        for i in range(count):
            slack = 2 * (dim + 8) * UNIT * farthest[i] * farthest[i]
            query = query_rows[first + i]
            _write_ranks(queries, query, pool, best, i, slack, ranks, sorting, distances, rows)


@njit(nogil=True, cache=True)
def _choose(
    nearness: Points,
    i: int,
    half_there: Points,
    listed: Whole,
    pool_offsets: Whole,
    needed: int,
    leading: tuple[Points, Whole],
    looked_into: Flags,
) -> None:
    """Mark the cells whose centroids are nearest to a query; all, where they hold too few."""
    values, places = leading
    values[:] = -np.inf
    last = len(values) - 1
    for j in range(len(listed)):
        value = nearness[i, j] - half_there[j]
        if value <= values[last]:
            continue
        place = last
        while place > 0 and values[place - 1] < value:
            values[place], places[place] = values[place - 1], places[place - 1]
            place -= 1
        values[place], places[place] = value, j
    held = 0
    for place in range(min(len(values), len(listed))):
        j = places[place]
        looked_into[j, i] = 1
        held += pool_offsets[listed[j] + 1] - pool_offsets[listed[j]]
    if held < needed:
        for j in range(len(listed)):
            looked_into[j, i] = 1


@njit(nogil=True, cache=True, fastmath=True)
def centre(
    points: Points, row: int, origins: Points, origin: int, centred: Points, place: int
) -> np.float32:
    """Write a point as seen from an origin; gives half its square."""
    square = np.float32(0)
    for axis in range(points.shape[1]):
        value = points[row, axis] - origins[origin, axis]
        centred[place, axis] = value
        square += value * value
    return square * np.float32(0.5)


@njit(nogil=True, cache=True)
def _keep(
    found: Points,
    at: int,
    half: np.float32,
    half_tile: Points,
    rows: Whole,
    start: int,
    own: int,
    flags: Flags,
    best: tuple[Points, Whole],
    query: int,
) -> None:
    """Keep the nearest, nearest first; eight candidates are passed over when none is near enough.

    x.y - y.y/2: the larger, the nearer. Less `half`, x.x/2, it is minus half the squared distance,
    and candidates seen from different places compare. Candidate j is row `rows[start + j]`.
    """
    nearness, chosen = best
    last = nearness.shape[1] - 1
    least = nearness[query, last]
    width = found.shape[1]
    for j in range(width):
        value = found[at, j] - half_tile[j] - half
        found[at, j] = value
        flags[j] = value > least
    n_words = (width + 7) // 8
    flags[width : 8 * n_words] = 0
    words = flags.view(np.uint64)
    for word in range(n_words):
        if words[word] == 0:
            continue
        for j in range(8 * word, min(8 * word + 8, width)):
            value = found[at, j]
            if value <= least or rows[start + j] == own:
                continue
            place = last
            while place > 0 and nearness[query, place - 1] < value:
                nearness[query, place] = nearness[query, place - 1]
                chosen[query, place] = chosen[query, place - 1]
                place -= 1
            nearness[query, place], chosen[query, place] = value, rows[start + j]
            least = nearness[query, last]


@njit(nogil=True, cache=True)
def _write_ranks(
    queries: Points,
    query: int,
    pool: Points,
    best: tuple[Points, Whole],
    i: int,
    slack: float,
    ranks: Whole,
    sorting: tuple[Floats, Whole],
    distances: Floats,
    rows: Whole,
) -> None:
    """Write the ranks that are kept: what is within `slack` of one is sorted in double precision,
    equals by row."""
    nearness, chosen = best
    near, near_rows = sorting
    held = 0
    while held < chosen.shape[1] and chosen[i, held] >= 0:
        held += 1
    for kept in range(len(ranks)):
        rank = ranks[kept]
        if rank >= held:
            continue
        first, end = rank, rank + 1
        while first > 0 and nearness[i, first - 1] - nearness[i, rank] <= slack:
            first -= 1
        while end < held and nearness[i, rank] - nearness[i, end] <= slack:
            end += 1
        for at in range(first, end):
            row = chosen[i, at]
            distance = square(queries, query, pool, row)
            place = at - first
            while place > 0 and (
                distance < near[place - 1]
                or (distance == near[place - 1] and row < near_rows[place - 1])
            ):
                near[place], near_rows[place] = near[place - 1], near_rows[place - 1]
                place -= 1
            near[place], near_rows[place] = distance, row
        distances[query, kept] = np.sqrt(near[rank - first])
        rows[query, kept] = near_rows[rank - first]


@njit(nogil=True, cache=True, fastmath=True)
def square(left: Points, i: int, right: Points, j: int) -> float:
    """The squared distance of two points in double precision."""
    total = 0.0
    for axis in range(left.shape[1]):
        apart = np.float64(left[i, axis]) - np.float64(right[j, axis])
        total += apart * apart
    return total
