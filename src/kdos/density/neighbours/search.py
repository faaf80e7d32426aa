"""The k nearest neighbours of queries among the points of near cells: matrix products and a merge.

Which cells to look into, each query decides for itself. That finds 97 to 99 of 100 true neighbours
among 1,024 candidates in 8 dimensions, where cells chosen for all points of a cell together find 83
to 88 (54 under heavy tails, where a query's own choice has 84 to 89).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from kdos.density.neighbours.tiles import (
    FEW_ROWS,
    TILE_POINTS,
    UNIT_ROUNDOFF,
    CsrLists,
    Tiles,
    all_in_one_group,
    batch_parts,
    build_tiles,
    centre_rows,
    multiply_rows,
    split_groups,
    squared_distance,
)
from kdos.density.neighbours.top_k import FLAGS_PER_WORD, choose_cells, merge_into_top_k
from kdos.threads import run_in_spans

# Queries of one block that ask each cell together, at most. With 256, and tiles the other way
# round, the join took 23.0 and 25.9 s of processor time where it took 12.2 and 12.4 (10^6 × 64).
QUERIES_PER_PART = 1024
# Queries of a part times the cells they choose among, at most: 4 MB of products.
MAX_PAIRS = 2**20
# Where the pool has more than `POOL_PER_QUERY` points for each query, a cell is asked by few of one block, and to
# fetch it from memory (16 KB) takes longer than to multiply it. Parts of several blocks are then looked after
# together, about 2^17 queries times the cells that each looks into. With 64,000 queries in 10^6 points that took the
# input's memory 1.4 times over and saved no time, so these count as many.
POOL_PER_QUERY = 32
SEARCHES_PER_BATCH = 2**17
# Candidates kept beyond k, so that single precision does not decide who is k-th.
EXTRA_CANDIDATES = 2


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest of each query, nearest first; `distances` and `rows` shape (n, n_ranks).

    A query with too few candidates has infinity and -1 in the places that are left.
    """

    distances: Float64Array
    rows: Int32Array


def search_cells(
    queries: Float32Array,
    query_cells: CsrLists,
    pool: Float32Array,
    tiles: Tiles,
    *,
    centroids: Float32Array,
    blocks: Int64Array,
    near_cells: CsrLists,
    cells_per_query: int,
    k: int,
    exclude_self: bool = False,
    ranks: Sequence[int] | None = None,
) -> Neighbours:
    """The k nearest points to each query among those of the `cells_per_query` cells nearest to it.

    Queries have shape (n, dim), the pool (n_pool, dim), centroids (n_cells, dim). `query_cells`
    lists the queries in each cell, `tiles` lays the pool out by cell. Block b is cells `blocks[b]`
    to `blocks[b + 1]`; `near_cells` lists those that its queries choose among, all of which are
    looked into where the chosen ones hold no more than k points. With `exclude_self` the queries
    are the pool, and none is its own neighbour. `ranks` are those of 1 to k to give, or all.
    """
    kept = np.arange(k) if ranks is None else np.array(ranks) - 1
    distances = np.full((len(queries), len(kept)), np.inf)
    rows = np.full((len(queries), len(kept)), -1, np.int32)
    by_block = CsrLists(query_cells.offsets[blocks], query_cells.items)
    most = np.clip(MAX_PAIRS // near_cells.sizes, 1, QUERIES_PER_PART)
    parts, part_block = split_groups(by_block, most)
    per_batch = QUERIES_PER_PART
    if POOL_PER_QUERY * len(queries) < len(pool):
        per_batch = max(per_batch, SEARCHES_PER_BATCH // cells_per_query)
    batches = batch_parts(parts.sizes, per_batch)

    def work(start: int, end: int) -> None:
        _search_batches(
            (start, end),
            (queries, batches, parts.offsets, parts.items, part_block, blocks),
            (pool, tiles.offsets, tiles.rows, tiles.coordinates, tiles.max_half_square),
            (near_cells.offsets, near_cells.items, centroids),
            (k, cells_per_query, exclude_self, kept),
            distances,
            rows,
        )

    run_in_spans(work, np.diff(parts.offsets[batches]) + 1)
    return Neighbours(distances, rows)


def search_all_points(
    queries: Float32Array,
    pool: Float32Array,
    *,
    k: int,
    exclude_self: bool = False,
    ranks: Sequence[int] | None = None,
) -> Neighbours:
    """The k nearest points of the whole pool to each query: exact."""
    middle = pool.mean(0, dtype=np.float64, keepdims=True).astype(np.float32)
    return search_cells(
        queries,
        all_in_one_group(len(queries)),
        pool,
        build_tiles(pool, all_in_one_group(len(pool)), middle),
        centroids=middle,
        blocks=np.array([0, 1]),
        near_cells=all_in_one_group(1),
        cells_per_query=1,
        k=k,
        exclude_self=exclude_self,
        ranks=ranks,
    )


@njit(nogil=True, cache=True)
def _search_batches(
    span: tuple[int, int],
    query_side: tuple[Float32Array, Int64Array, Int64Array, Int32Array, Int64Array, Int64Array],
    pool_side: tuple[Float32Array, Int64Array, Int32Array, Float32Array, Float32Array],
    near_side: tuple[Int64Array, Int32Array, Float32Array],
    how: tuple[int, int, bool, Int64Array],
    distances: Float64Array,
    rows: Int32Array,
) -> None:
    """Search for the batches `span[0]` to `span[1]`; tuples are arguments that belong together."""
    queries, batches, part_offsets, query_rows, part_block, blocks = query_side
    pool, tile_offsets, pool_rows, coordinates, max_half_square = pool_side
    near_offsets, near, centroids = near_side
    k, cells_per_query, exclude_self, ranks = how
    dim, n_best, n_cells = pool.shape[1], k + EXTRA_CANDIDATES, len(centroids)
    # All memory of the span is taken here: in the loops it would cost more than the work.
    most, pairs, largest = _largest_sizes(span, batches, part_offsets, part_block, near_offsets)
    batch_queries = np.empty((largest, dim), np.float32)
    choosing = (
        np.empty((min(largest, QUERIES_PER_PART), dim), np.float32),
        np.empty((most, dim), np.float32),
        np.empty(most, np.float32),
        np.empty(FEW_ROWS * (dim + most), np.float32),
    )
    with_ones = np.ones((largest, dim + 1), np.float32)  # the ones meet the tiles' last row
    products = np.empty(max(largest * TILE_POINTS, QUERIES_PER_PART * most), np.float32)
    chosen, chosen_offsets = np.empty(pairs, np.int32), np.zeros(largest + 1, np.int64)
    asking, asking_offsets = np.empty(pairs, np.int32), np.empty(n_cells + 1, np.int64)
    best = np.empty(largest * n_best, np.float32), np.empty(largest * n_best, np.int64)
    half, farthest = np.empty(largest, np.float32), np.empty(largest, np.float32)
    whole_words = (most + FLAGS_PER_WORD - 1) // FLAGS_PER_WORD * FLAGS_PER_WORD
    flags = np.zeros(max(TILE_POINTS, whole_words), np.uint8)
    sorting = np.empty(n_best), np.empty(n_best, np.int64)
    cell_guess, point_guess = np.ones(2, np.float32), np.ones(2, np.float32)
    # A product of dim + 1 terms is off by at most about dim roundings of the largest terms, and
    # these are bounded by half squares: (a + b)^2 <= 4 (a^2 / 2 + b^2 / 2).
    error = 8 * (dim + 10) * UNIT_ROUNDOFF
    for batch in range(span[0], span[1]):
        # 1. Each query chooses its cells, part by part: a part's queries share a list of cells.
        first, count = int(part_offsets[batches[batch]]), 0
        for part in range(batches[batch], batches[batch + 1]):
            block, n_part = int(part_block[part]), int(part_offsets[part + 1] - part_offsets[part])
            for i in range(n_part):
                row = query_rows[first + count + i]
                for axis in range(dim):
                    batch_queries[count + i, axis] = queries[row, axis]
            listed = near[near_offsets[block] : near_offsets[block + 1]]
            origin = int(blocks[block])
            scores = products[: n_part * len(listed)].reshape((n_part, len(listed)))
            _score_cells(
                queries, query_rows, first + count, n_part, listed, centroids, origin, half,
                choosing, scores,
            )  # fmt: skip
            for i in range(n_part):
                chosen_offsets[count + i + 1] = choose_cells(
                    scores, i, choosing[2], listed, tile_offsets, cells_per_query, k + 1,
                    cell_guess, flags, chosen, chosen_offsets[count + i],
                )  # fmt: skip
            count += n_part
        # 2. Each cell is multiplied with all queries that chose it, the batch's own cells first:
        # most of the nearest are there, and later ones are then passed over at the first look.
        _invert_choices(chosen, chosen_offsets, count, asking, asking_offsets)
        best[0][: count * n_best] = -np.inf
        farthest[:count] = 0
        first_cell = int(blocks[part_block[batches[batch]]])
        for step in range(n_cells):
            cell = (first_cell + step) % n_cells
            those = asking[asking_offsets[cell] : asking_offsets[cell + 1]]
            n_asking = len(those)
            if n_asking == 0:
                continue
            centre_rows(batch_queries, those, 0, n_asking, centroids, cell, with_ones, half, 0)
            for at in range(n_asking):
                farthest[those[at]] = max(farthest[those[at]], half[at] + max_half_square[cell])
            for tile in range(tile_offsets[cell], tile_offsets[cell + 1], TILE_POINTS):
                width = min(TILE_POINTS, tile_offsets[cell + 1] - tile)
                flat = coordinates[tile * (dim + 1) : (tile + width) * (dim + 1)]
                found = products[: n_asking * width].reshape((n_asking, width))
                np.dot(with_ones[:n_asking], flat.reshape((dim + 1, width)), found)
                own_place = first - int(tile) if exclude_self else -int(largest)
                merge_into_top_k(found, width, tile, own_place, those, half, point_guess, flags, best, n_best)
        # 3. What rounding cannot tell from a wanted rank is measured in double precision.
        for i in range(count):
            _write_exact_ranks(
                batch_queries, i, pool, pool_rows, best, error * farthest[i], ranks, sorting,
                query_rows[first + i], distances, rows,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def _largest_sizes(
    span: tuple[int, int],
    batches: Int64Array,
    part_offsets: Int64Array,
    part_block: Int64Array,
    near_offsets: Int64Array,
) -> tuple[int, int, int]:
    """The most cells a part chooses among; the most pairs of a query and such a cell, and the most
    queries, of a batch."""
    most = pairs = largest = 1
    for batch in range(span[0], span[1]):
        n_pairs = 0
        for part in range(batches[batch], batches[batch + 1]):
            n_near = int(near_offsets[part_block[part] + 1] - near_offsets[part_block[part]])
            most = max(most, n_near)
            n_pairs += n_near * int(part_offsets[part + 1] - part_offsets[part])
        pairs = max(pairs, n_pairs)
        largest = max(largest, int(part_offsets[batches[batch + 1]] - part_offsets[batches[batch]]))
    return most, pairs, largest


@njit(nogil=True, cache=True)
def _score_cells(
    queries: Float32Array,
    query_rows: Int32Array,
    first: int,
    count: int,
    listed: Int32Array,
    centroids: Float32Array,
    origin: int,
    half: Float32Array,
    workspace: tuple[Float32Array, Float32Array, Float32Array, Float32Array],
    scores: Float32Array,
) -> None:
    """The products of a part's queries with the centroids they choose among, both less the centroid
    `origin` of their own block; `workspace[2]` has half the squares of the centroids then."""
    centred, centred_cells, half_squares, scratch = workspace
    n_listed = len(listed)
    centre_rows(queries, query_rows, first, count, centroids, origin, centred, half, 0)
    centre_rows(centroids, listed, 0, n_listed, centroids, origin, centred_cells, half_squares, 0)
    multiply_rows(centred[:count], centred_cells[:n_listed], scores, scratch)


@njit(nogil=True, cache=True)
def _invert_choices(
    chosen: Int32Array, chosen_offsets: Int64Array, count: int, asking: Int32Array, offsets: Int64Array
) -> None:
    """From the cells that each query chose, the queries that ask each cell: a counting sort."""
    offsets[:] = 0
    for at in range(chosen_offsets[count]):
        offsets[chosen[at]] += 1
    for cell in range(1, len(offsets)):
        offsets[cell] += offsets[cell - 1]
    for i in range(count - 1, -1, -1):
        for at in range(chosen_offsets[i], chosen_offsets[i + 1]):
            offsets[chosen[at]] -= 1
            asking[offsets[chosen[at]]] = i


@njit(nogil=True, cache=True)
def _write_exact_ranks(
    queries: Float32Array,
    i: int,
    pool: Float32Array,
    pool_rows: Int32Array,
    best: tuple[Float32Array, Int64Array],
    slack: float,
    ranks: Int64Array,
    sorting: tuple[Float64Array, Int64Array],
    query: int,
    distances: Float64Array,
    rows: Int32Array,
) -> None:
    """Write the wanted ranks: candidates whose half squares are within `slack` of one are sorted by
    their distance in double precision, equals by row."""
    near, near_rows = sorting
    nearness = best[0][i * len(near) : (i + 1) * len(near)]
    places = best[1][i * len(near) : (i + 1) * len(near)]
    n_found = 0
    while n_found < len(near) and nearness[n_found] > -np.inf:
        n_found += 1
    for column in range(len(ranks)):
        rank = ranks[column]
        if rank >= n_found:
            continue
        first, end = rank, rank + 1
        while first > 0 and nearness[first - 1] - nearness[rank] <= slack:
            first -= 1
        while end < n_found and nearness[rank] - nearness[end] <= slack:
            end += 1
        for at in range(first, end):  # insertion sort
            row = int(pool_rows[places[at]])
            distance = squared_distance(queries, i, pool, row)
            place = at - first
            while place > 0 and (
                distance < near[place - 1] or (distance == near[place - 1] and row < near_rows[place - 1])
            ):
                near[place], near_rows[place] = near[place - 1], near_rows[place - 1]
                place -= 1
            near[place], near_rows[place] = distance, row
        distances[query, column] = np.sqrt(near[rank - first])
        rows[query, column] = near_rows[rank - first]
