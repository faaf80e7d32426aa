"""Nearest neighbours by blocked matrix products: shelves of rows joined with shelves of rows.

One compiled join serves the k-NN density, the nearest centroid of a point and the nearest cells of
a cell. It selects candidates in single precision around the shelf's own origin and measures the
chosen ones in double precision, so that a distance depends on its two points alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from kdos.threads import in_spans

Points = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]

TILE = 1024
"""Candidates gathered at a time: 64 dimensions of them fill a quarter of a megabyte of cache."""
QUERIES = 128
"""Queries multiplied with a tile at a time."""
SPARE = 2
"""Candidates chosen beyond k, so that single precision does not decide who is k-th."""


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
    """The nearest of each query, nearest first; `distances` and `rows` shape (n, k or 1).

    A query with fewer than k candidates has infinity and -1 in the places that are left.
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


def in_blocks(n: int, *, block: int = 512) -> Lists:
    """All rows, in shelves of equal size."""
    return Lists(np.append(np.arange(0, n, block), n), np.arange(n))


def join(
    queries: Points,
    query_shelves: Lists,
    pool: Points,
    pool_shelves: Lists,
    *,
    near: Lists,
    origins: Points,
    k: int,
    among_itself: bool = False,
    last_only: bool = False,
) -> Found:
    """The k nearest points of `pool` to each query, looked for on the shelves that are near.

    `near` lists, for each query shelf, the pool shelves to look at; `origins`, shape
    (n_query_shelves, dim), is a place in the midst of each query shelf. With `among_itself` the
    queries are the pool, and none is its own neighbour. With `last_only` just the k-th is kept.
    """
    kept = 1 if last_only else k
    distances = np.full((len(queries), kept), np.inf)
    rows = np.full((len(queries), kept), -1, np.int64)
    looked_at = np.concatenate([[0], np.cumsum(pool_shelves.sizes[near.items])])
    cost = query_shelves.sizes * np.diff(looked_at[near.offsets]) + query_shelves.sizes

    def work(start: int, end: int) -> None:
        _join_shelves(
            (start, end),
            (queries, query_shelves.offsets, query_shelves.items),
            (pool, pool_shelves.offsets, pool_shelves.items),
            (near.offsets, near.items),
            origins,
            (k, among_itself),
            distances,
            rows,
        )

    in_spans(work, cost)
    return Found(distances, rows)


def nearest_flat(
    queries: Points, pool: Points, *, k: int, among_itself: bool = False, last_only: bool = False
) -> Found:
    """The k nearest points of the whole pool to each query: exact."""
    shelves = in_blocks(len(queries))
    origin = pool.mean(0, dtype=np.float64).astype(np.float32)
    return join(
        queries,
        shelves,
        pool,
        one_shelf(len(pool)),
        near=Lists(np.arange(len(shelves) + 1), np.zeros(len(shelves), np.int64)),
        origins=np.tile(origin, (len(shelves), 1)),
        k=k,
        among_itself=among_itself,
        last_only=last_only,
    )


# The kernels index whole arrays instead of taking views of their rows: a view of an array that
# threads share counts references, and the threads would wait for each other at every count.


@njit(nogil=True, cache=True)
def _join_shelves(
    span: tuple[int, int],
    query_side: tuple[Points, Whole, Whole],
    pool_side: tuple[Points, Whole, Whole],
    near_side: tuple[Whole, Whole],
    origins: Points,
    how: tuple[int, bool],
    distances: Floats,
    rows: Whole,
) -> None:
    queries, query_offsets, query_rows = query_side
    pool, pool_offsets, pool_rows = pool_side
    near_offsets, near = near_side
    k, among_itself = how
    most = 1
    for shelf in range(span[0], span[1]):
        most = max(most, query_offsets[shelf + 1] - query_offsets[shelf])
    centred = np.empty((most, pool.shape[1]), np.float32)
    best = np.empty((most, k + SPARE), np.float32), np.empty((most, k + SPARE), np.int64)
    tile = np.zeros((TILE, pool.shape[1]), np.float32)
    half_square = np.empty(TILE, np.float32)
    tile_rows = np.empty(TILE, np.int64)
    products, flags = np.empty(QUERIES * TILE, np.float32), np.empty(TILE, np.uint8)
    sorting = np.empty(k + 1), np.empty(k + 1, np.int64)
    for shelf in range(span[0], span[1]):
        start, count = query_offsets[shelf], query_offsets[shelf + 1] - query_offsets[shelf]
        if count == 0:
            continue
        for i in range(count):
            _centre(queries, int(query_rows[start + i]), origins, shelf, centred, i)
        best[0][:count] = -np.inf
        best[1][:count] = -1
        barred = query_rows[start : start + count] if among_itself else query_rows[:0]
        filled = 0
        for at_item in range(near_offsets[shelf], near_offsets[shelf + 1]):
            item = near[at_item]
            for at in range(pool_offsets[item], pool_offsets[item + 1]):
                row = pool_rows[at]
                half_square[filled] = _centre(pool, row, origins, shelf, tile, filled)
                tile_rows[filled] = row
                filled += 1
                if filled == TILE:
                    _scan(
                        centred[:count], barred, tile, half_square, tile_rows, products, flags, best
                    )
                    filled = 0
        if filled:
            whole = (filled + 7) // 8 * 8
            half_square[filled:whole] = np.inf
            _scan(
                centred[:count], barred, tile[:whole], half_square, tile_rows, products, flags, best
            )
        for i in range(count):
            query = int(query_rows[start + i])
            _measure(queries, query, pool, best[1], i, sorting, distances, rows)


@njit(nogil=True, cache=True, fastmath=True)
def _centre(
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
def _scan(
    centred: Points,
    barred: Whole,
    tile: Points,
    half_square: Points,
    tile_rows: Whole,
    products: Points,
    flags: Flags,
    best: tuple[Points, Whole],
) -> None:
    """Look through one tile for all queries. Nearness is x.y - y.y/2: the larger, the nearer."""
    width = len(tile)
    for start in range(0, len(centred), QUERIES):
        part = centred[start : start + QUERIES]
        found = products[: len(part) * width].reshape((len(part), width))
        np.dot(part, tile.T, found)
        for i in range(len(part)):
            own = barred[start + i] if len(barred) else -1
            _keep(found, i, half_square, tile_rows, own, flags[:width], best, start + i)


@njit(nogil=True, cache=True)
def _keep(
    found: Points,
    i: int,
    half_square: Points,
    tile_rows: Whole,
    own: int,
    flags: Flags,
    best: tuple[Points, Whole],
    query: int,
) -> None:
    """Keep the nearest; eight candidates at a time are passed over when none beats the last."""
    nearness, chosen = best
    last = _least(nearness, query)
    least = nearness[query, last]
    for j in range(len(flags)):
        value = found[i, j] - half_square[j]
        found[i, j] = value
        flags[j] = value > least
    words = flags.view(np.uint64)
    for word in range(len(words)):
        if words[word] == 0:
            continue
        for j in range(8 * word, 8 * word + 8):
            if found[i, j] > least and tile_rows[j] != own:
                nearness[query, last] = found[i, j]
                chosen[query, last] = tile_rows[j]
                last = _least(nearness, query)
                least = nearness[query, last]


@njit(nogil=True, cache=True)
def _least(nearness: Points, query: int) -> int:
    """Where the smallest of a query's values is."""
    last = 0
    least = nearness[query, 0]
    for place in range(1, nearness.shape[1]):
        if nearness[query, place] < least:
            last, least = place, nearness[query, place]
    return last


@njit(nogil=True, cache=True)
def _measure(
    queries: Points,
    query: int,
    pool: Points,
    chosen: Whole,
    i: int,
    sorting: tuple[Floats, Whole],
    distances: Floats,
    rows: Whole,
) -> None:
    """Sort the chosen by their distance in double precision, then by row; write the last ones."""
    near, near_rows = sorting
    k = len(near) - 1
    near[:] = np.inf
    near_rows[:] = -1
    for at in range(chosen.shape[1]):
        row = chosen[i, at]
        if row < 0:
            continue
        distance = np.sqrt(_square(queries, query, pool, row))
        place = k
        while place > 0 and (
            distance < near[place - 1]
            or (distance == near[place - 1] and row < near_rows[place - 1])
        ):
            near[place], near_rows[place] = near[place - 1], near_rows[place - 1]
            place -= 1
        near[place], near_rows[place] = distance, row
    kept = distances.shape[1]
    for place in range(kept):
        distances[query, place] = near[k - kept + place]
        rows[query, place] = near_rows[k - kept + place]


@njit(nogil=True, cache=True, fastmath=True)
def _square(left: Points, i: int, right: Points, j: int) -> float:
    total = 0.0
    for axis in range(left.shape[1]):
        apart = np.float64(left[i, axis]) - np.float64(right[j, axis])
        total += apart * apart
    return total
