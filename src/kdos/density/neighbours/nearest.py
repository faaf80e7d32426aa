"""The one nearest of a few candidates, as of centroids: one matrix product and two passes over it.

The first pass has the best score of a row, the second looks at what comes within rounding error of
it, nearly always one candidate, and measures in double precision if there are several.
"""

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array, UInt8Array
from kdos.density.neighbours.tiles import (
    FEW_ROWS,
    UNIT_ROUNDOFF,
    CsrLists,
    all_in_one_group,
    centre_rows,
    multiply_rows,
    split_groups,
    squared_distance,
)
from kdos.density.neighbours.top_k import FLAGS_PER_WORD
from kdos.threads import run_in_spans

# Queries of one group for which its candidates are gathered once.
GATHERED_QUERIES = 2048
# Queries multiplied with all candidates of their group at a time.
MULTIPLIED_QUERIES = 256
# Running maxima kept side by side, which compile to vector instructions as one would not: the
# nearest centroid is found in half the time. Candidates come in multiples of so many.
LANES = 16
# Half the square of what only fills up a row of candidates: it is never the nearest.
PADDING_HALF_SQUARE = np.float32(1e38)


def nearest_in_groups(
    queries: Float32Array,
    query_groups: CsrLists,
    pool: Float32Array,
    pool_groups: CsrLists,
    *,
    near_groups: CsrLists,
    origins: Float32Array,
) -> Int32Array:
    """The row of the pool's point that is nearest to each query, the lower of equals, shape (n,).

    `query_groups` and `pool_groups` list rows; `near_groups` lists, for each group of queries, the groups of the pool
    to look at; where these are empty a query has -1. `origins`, shape (n_query_groups, dim), is a place in the midst
    of each group of queries. Exact: whatever single precision cannot tell from the nearest is measured in double.
    """
    rows = np.full(len(queries), -1, np.int32)
    n_before = np.concatenate([[0], np.cumsum(pool_groups.sizes[near_groups.items])])
    parts, part_group = split_groups(query_groups, GATHERED_QUERIES)
    n_candidates = np.diff(n_before[near_groups.offsets])[part_group]

    def work(start: int, end: int) -> None:
        _search_parts(
            (start, end, int(n_candidates[start:end].max())),
            (queries, parts.offsets, parts.items, part_group),
            (pool, pool_groups.offsets, pool_groups.items),
            (near_groups.offsets, near_groups.items),
            origins,
            rows,
        )

    run_in_spans(work, parts.sizes * (n_candidates + 1))
    return rows


def nearest_of_all(queries: Float32Array, pool: Float32Array) -> Int32Array:
    """The row of the whole pool's point that is nearest to each query, shape (n,)."""
    return nearest_in_groups(
        queries,
        all_in_one_group(len(queries)),
        pool,
        all_in_one_group(len(pool)),
        near_groups=all_in_one_group(1),
        origins=pool.mean(0, dtype=np.float64, keepdims=True).astype(np.float32),
    )


@njit(nogil=True, cache=True)
def _search_parts(
    span: tuple[int, int, int],
    query_side: tuple[Float32Array, Int64Array, Int32Array, Int64Array],
    pool_side: tuple[Float32Array, Int64Array, Int32Array],
    near_side: tuple[Int64Array, Int32Array],
    origins: Float32Array,
    rows: Int32Array,
) -> None:
    first_part, end_part, most = span
    queries, part_offsets, query_rows, part_group = query_side
    pool, pool_offsets, pool_rows = pool_side
    near_offsets, near = near_side
    dim, n = pool.shape[1], MULTIPLIED_QUERIES
    room = (most + LANES - 1) // LANES * LANES
    candidates, candidate_rows = np.zeros((room, dim), np.float32), np.zeros(room, np.int64)
    half_squares, flags = np.empty(room, np.float32), np.empty(room, np.uint8)
    centred, half = np.empty((n, dim), np.float32), np.empty(n, np.float32)
    slack, scratch = np.empty(n, np.float32), np.empty(FEW_ROWS * (dim + room), np.float32)
    products, lanes = np.empty(n * room, np.float32), np.empty(room, np.float32)
    for part in range(first_part, end_part):
        # Gather the points of the near groups, seen from the origin, and fill the last lane up.
        group = part_group[part]
        filled, longest = 0, np.float32(0)
        for item in range(near_offsets[group], near_offsets[group + 1]):
            start, end = int(pool_offsets[near[item]]), int(pool_offsets[near[item] + 1])
            centre_rows(
                pool, pool_rows, start, end - start, origins, group, candidates, half_squares,
                filled,
            )  # fmt: skip
            for at in range(start, end):
                longest = max(longest, half_squares[filled])
                candidate_rows[filled] = pool_rows[at]
                filled += 1
        if filled == 0:
            continue
        width = (filled + LANES - 1) // LANES * LANES
        half_squares[filled:width] = PADDING_HALF_SQUARE
        radius = np.sqrt(2.0 * longest)
        for start in range(part_offsets[part], part_offsets[part + 1], MULTIPLIED_QUERIES):
            n = min(MULTIPLIED_QUERIES, part_offsets[part + 1] - start)
            centre_rows(queries, query_rows, start, n, origins, group, centred, half, 0)
            for i in range(n):  # twice what a score may be off by: of the best and of another
                farthest = np.sqrt(2.0 * half[i]) + radius
                slack[i] = 2 * (dim + 8) * UNIT_ROUNDOFF * radius * farthest
            scores = products[: n * width].reshape((n, width))
            multiply_rows(centred[:n], candidates[:width], scores, scratch)
            for i in range(n):
                row = query_rows[start + i]
                least = _score_candidates(scores, i, half_squares, lanes) - slack[i]
                rows[row] = _nearest_above_threshold(least, scores, i, flags, candidate_rows, queries, row, pool)


@njit(nogil=True, cache=True, fastmath=True)
def _score_candidates(scores: Float32Array, i: int, half_squares: Float32Array, lanes: Float32Array) -> np.float32:
    """Take the half squares off a row of products; gives the largest score that is left.

    x·y - |y|²/2: the larger, the nearer. One pass for each of `LANES` stretches of the row.
    """
    width = scores.shape[1] // LANES
    for j in range(width):
        value = scores[i, j] - half_squares[j]
        scores[i, j] = value
        lanes[j] = value
    for lane in range(1, LANES):
        start = np.uint64(lane * width)
        for j in range(width):
            place = start + np.uint64(j)
            value = scores[i, place] - half_squares[place]
            scores[i, place] = value
            lanes[j] = value if value > lanes[j] else lanes[j]
    top = lanes[0]
    for j in range(width):
        if lanes[j] > top:
            top = lanes[j]
    return top


@njit(nogil=True, cache=True)
def _nearest_above_threshold(
    least: np.float32,
    scores: Float32Array,
    i: int,
    flags: UInt8Array,
    candidate_rows: Int64Array,
    queries: Float32Array,
    query: int,
    pool: Float32Array,
) -> int:
    """The row of the nearest candidate whose score reaches `least`; a word of flags at a time."""
    width = scores.shape[1]
    for j in range(width):
        flags[j] = scores[i, j] >= least
    words = flags.view(np.uint64)
    nearest_row, nearest_square, n_seen = -1, np.inf, 0
    for word in range(width // FLAGS_PER_WORD):
        if words[word] == 0:
            continue
        for j in range(FLAGS_PER_WORD * word, FLAGS_PER_WORD * word + FLAGS_PER_WORD):
            if flags[j] == 0:
                continue
            row = candidate_rows[j]
            if n_seen == 1:  # only now is the first one's distance needed
                nearest_square = squared_distance(queries, query, pool, nearest_row)
            n_seen += 1
            if n_seen == 1:
                nearest_row = row
                continue
            apart = squared_distance(queries, query, pool, row)
            if apart < nearest_square or (apart == nearest_square and row < nearest_row):
                nearest_row, nearest_square = row, apart
    return nearest_row
