"""The nearest of a few candidates, as of centroids: one matrix product and two passes over it."""

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array, UInt8Array
from kdos.density.neighbours.csr import Lists, in_parts, one_shelf
from kdos.density.neighbours.tiles import FEW, UNIT, centre, multiply, square
from kdos.density.neighbours.top_k import WORD
from kdos.threads import run_in_spans

PART = 2048
"""Queries of one shelf for which its candidates are gathered once."""
QUERIES = 256
"""Queries multiplied with all candidates of their shelf at a time."""
LANES = 16
"""Candidates come in multiples of so many, filled up with places that are barred."""
BARRED = np.float32(1e38)
"""What a place that only fills up a row is taken to be away."""


def nearest(
    queries: Float32Array,
    query_shelves: Lists,
    pool: Float32Array,
    pool_shelves: Lists,
    *,
    near: Lists,
    origins: Float32Array,
) -> Int32Array:
    """The row of the pool's point that is nearest to each query, the lower of equals, shape (n,).

    `near` lists, for each query shelf, the pool shelves to look at, -1 where these are empty;
    `origins`, shape (n_query_shelves, dim), is a place in the midst of each query shelf. Exact:
    whatever single precision cannot tell from the nearest is measured in double.
    """
    rows = np.full(len(queries), -1, np.int32)
    looked_at = np.concatenate([[0], np.cumsum(pool_shelves.sizes[near.items])])
    parts, part_shelf = in_parts(query_shelves, PART)
    candidates = np.diff(looked_at[near.offsets])[part_shelf]

    def work(start: int, end: int) -> None:
        _nearest_on_shelves(
            (start, end, int(candidates[start:end].max())),
            (queries, parts.offsets, parts.items, part_shelf),
            (pool, pool_shelves.offsets, pool_shelves.items),
            (near.offsets, near.items),
            origins,
            rows,
        )

    run_in_spans(work, parts.sizes * (candidates + 1))
    return rows


def nearest_of_all(queries: Float32Array, pool: Float32Array) -> Int32Array:
    """The row of the whole pool's point that is nearest to each query, shape (n,)."""
    return nearest(
        queries,
        one_shelf(len(queries)),
        pool,
        one_shelf(len(pool)),
        near=one_shelf(1),
        origins=pool.mean(0, dtype=np.float64, keepdims=True).astype(np.float32),
    )


@njit(nogil=True, cache=True)
def _nearest_on_shelves(
    span: tuple[int, int, int],
    query_side: tuple[Float32Array, Int64Array, Int32Array, Int64Array],
    pool_side: tuple[Float32Array, Int64Array, Int32Array],
    near_side: tuple[Int64Array, Int32Array],
    origins: Float32Array,
    rows: Int32Array,
) -> None:
    first, end, most = span
    queries, part_offsets, query_rows, part_shelf = query_side
    pool, pool_offsets, pool_rows = pool_side
    near_offsets, near = near_side
    dim = pool.shape[1]
    places = (most + LANES - 1) // LANES * LANES
    held, held_rows = np.zeros((places, dim), np.float32), np.zeros(places, np.int64)
    half_square, flags = np.empty(places, np.float32), np.empty(places, np.uint8)
    centred, half = np.empty((QUERIES, dim), np.float32), np.empty(QUERIES, np.float32)
    slack, turned = np.empty(QUERIES, np.float32), np.empty(FEW * (dim + places), np.float32)
    products, lanes = np.empty(QUERIES * places, np.float32), np.empty(places, np.float32)
    for part in range(first, end):
        shelf = part_shelf[part]
        filled, longest = 0, np.float32(0)
        for at_item in range(near_offsets[shelf], near_offsets[shelf + 1]):
            item = near[at_item]
            start, end = int(pool_offsets[item]), int(pool_offsets[item + 1])
            centre(pool, pool_rows, start, end - start, origins, shelf, held, half_square, filled)
            for at in range(start, end):
                longest = max(longest, half_square[filled])
                held_rows[filled] = pool_rows[at]
                filled += 1
        if filled == 0:
            continue
        whole = (filled + LANES - 1) // LANES * LANES
        half_square[filled:whole] = BARRED
        reach = np.sqrt(2.0 * longest)
        for start in range(part_offsets[part], part_offsets[part + 1], QUERIES):
            n = min(QUERIES, part_offsets[part + 1] - start)
            centre(queries, query_rows, start, n, origins, shelf, centred, half, 0)
            for i in range(n):
                slack[i] = 2 * (dim + 8) * UNIT * reach * (np.sqrt(2.0 * half[i]) + reach)
            found = products[: n * whole].reshape((n, whole))
            multiply(centred[:n], held[:whole], found, turned)
            for i in range(n):
                row = query_rows[start + i]
                least = _greatest(found, i, half_square, lanes) - slack[i]
                rows[row] = _nearest_above(least, found, i, flags, held_rows, queries, row, pool)


@njit(nogil=True, cache=True, fastmath=True)
def _greatest(
    found: Float32Array, i: int, half_square: Float32Array, lanes: Float32Array
) -> np.float32:
    """Take the half squares off a row of products; gives the largest that is left.

    x.y - y.y/2: the larger, the nearer. In `LANES` lanes, which compile to vector instructions as
    one running maximum would not.
    """
    width = found.shape[1] // LANES
    for j in range(width):
        value = found[i, j] - half_square[j]
        found[i, j] = value
        lanes[j] = value
    for lane in range(1, LANES):
        start = np.uint64(lane * width)
        for j in range(width):
            place = start + np.uint64(j)
            value = found[i, place] - half_square[place]
            found[i, place] = value
            lanes[j] = value if value > lanes[j] else lanes[j]
    top = lanes[0]
    for j in range(width):
        if lanes[j] > top:
            top = lanes[j]
    return top


@njit(nogil=True, cache=True)
def _nearest_above(
    least: np.float32,
    found: Float32Array,
    i: int,
    flags: UInt8Array,
    held_rows: Int64Array,
    queries: Float32Array,
    query: int,
    pool: Float32Array,
) -> int:
    """The nearest of the candidates that reach `least`; eight are passed over at a time."""
    width = found.shape[1]
    for j in range(width):
        flags[j] = found[i, j] >= least
    words = flags.view(np.uint64)
    nearest_row, nearest_square, seen = -1, np.inf, 0
    for word in range(width // WORD):
        if words[word] == 0:
            continue
        for j in range(WORD * word, WORD * word + WORD):
            if flags[j] == 0:
                continue
            row = held_rows[j]
            if seen == 1:
                nearest_square = square(queries, query, pool, nearest_row)
            seen += 1
            if seen == 1:
                nearest_row = row
                continue
            apart = square(queries, query, pool, row)
            if apart < nearest_square or (apart == nearest_square and row < nearest_row):
                nearest_row, nearest_square = row, apart
    return nearest_row
