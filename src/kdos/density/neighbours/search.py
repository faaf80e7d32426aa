"""Nearest neighbours by matrix products, among the cells whose centroids a query is nearest to.

The cells next to a block, which is some cells side by side, are known beforehand; which of them to
look into, each query decides for itself, which finds as many true neighbours as several times as
many candidates do that are chosen for a cell as a whole (`docs/density.md`). Each cell is then
multiplied with all queries that chose it, and what is near enough sorted in among their best at
once. Candidates are selected in single precision, seen from the centroid of their cell, and
measured in double wherever single cannot tell who comes first: a distance depends on its two points
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from kdos.density.neighbours.csr import Lists, in_parts, one_shelf, together
from kdos.density.neighbours.tiles import FEW, TILE, UNIT, Tiles, centre, laid_out, multiply, square
from kdos.density.neighbours.top_k import WORD, choose, sift
from kdos.threads import run_in_spans

PART = 1024
"""Queries of one block that are looked after together, at most."""
ROOM = 2**20
"""Queries times the cells that they choose among, at most."""
LOOKS = 2**17
"""Queries times the cells that they look into, about, that are looked after together where queries
are few beside the pool: to fetch a cell from memory takes longer than to multiply it with those of
a single block."""
SPARE = 2
"""Candidates chosen beyond k, so that single precision does not decide who is k-th."""


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest of each query, nearest first; `distances` and `rows` shape (n, n_ranks).

    A query with too few candidates has infinity and -1 in the places that are left.
    """

    distances: Float64Array
    rows: Int32Array


def nearest_among_cells(
    queries: Float32Array,
    query_shelves: Lists,
    pool: Float32Array,
    tiles: Tiles,
    *,
    centroids: Float32Array,
    blocks: Int64Array,
    near: Lists,
    cells: int,
    k: int,
    among_itself: bool = False,
    ranks: Sequence[int] | None = None,
) -> Found:
    """The k nearest points of a pool laid out in tiles to each query, in its `cells` nearest cells.

    Block b is cells `blocks[b]` to `blocks[b + 1]`, and its queries choose among the cells that
    `near` lists for it, by the distance of their centroids; all of these are looked into where the
    chosen ones hold too few points. With `among_itself` the queries are the pool, on the same
    shelves, and none is its own neighbour. `ranks` of 1 to k says which of the k to keep, all
    unless given.
    """
    kept = np.arange(k) if ranks is None else np.array(ranks) - 1
    distances = np.full((len(queries), len(kept)), np.inf)
    rows = np.full((len(queries), len(kept)), -1, np.int32)
    block_shelves = Lists(query_shelves.offsets[blocks], query_shelves.items)
    parts, part_block = in_parts(block_shelves, np.clip(ROOM // near.sizes, 1, PART))
    few = 32 * len(queries) < len(pool)
    batches = together(parts.sizes, max(PART, LOOKS // cells) if few else PART)

    def work(start: int, end: int) -> None:
        _search_batches(
            (start, end),
            (queries, batches, parts.offsets, parts.items, part_block, blocks),
            (pool, tiles.offsets, tiles.rows, tiles.seen, tiles.reach),
            (near.offsets, near.items, centroids),
            (k, cells, among_itself, kept),
            distances,
            rows,
        )

    run_in_spans(work, np.diff(parts.offsets[batches]) + 1)
    return Found(distances, rows)


def nearest_flat(
    queries: Float32Array,
    pool: Float32Array,
    *,
    k: int,
    among_itself: bool = False,
    ranks: Sequence[int] | None = None,
) -> Found:
    """The k nearest points of the whole pool to each query: exact."""
    middle = pool.mean(0, dtype=np.float64, keepdims=True).astype(np.float32)
    return nearest_among_cells(
        queries,
        one_shelf(len(queries)),
        pool,
        laid_out(pool, one_shelf(len(pool)), middle),
        centroids=middle,
        blocks=np.array([0, 1]),
        near=one_shelf(1),
        cells=1,
        k=k,
        among_itself=among_itself,
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
    queries, batches, part_offsets, query_rows, part_block, blocks = query_side
    pool, offsets, pool_rows, seen, reach = pool_side
    near_offsets, near, centroids = near_side
    k, cells, among_itself, ranks = how
    dim, wanted, n_cells = pool.shape[1], k + SPARE, len(centroids)
    most = pairs = together = 1
    for batch in range(span[0], span[1]):
        held = 0
        for part in range(batches[batch], batches[batch + 1]):
            n_near = near_offsets[part_block[part] + 1] - near_offsets[part_block[part]]
            most = max(most, n_near)
            held += n_near * (part_offsets[part + 1] - part_offsets[part])
        pairs = max(pairs, held)
        n_together = part_offsets[batches[batch + 1]] - part_offsets[batches[batch]]
        together = max(together, n_together)
    asking_rows = np.empty((together, dim), np.float32)
    centred = np.empty((min(together, PART), dim), np.float32)
    asked = np.ones((together, dim + 1), np.float32)
    products = np.empty(max(together * TILE, PART * most), np.float32)
    there, half_there = np.empty((most, dim), np.float32), np.empty(most, np.float32)
    chosen, chosen_offsets = np.empty(pairs, np.int32), np.zeros(together + 1, np.int64)
    asking, asking_offsets = np.empty(pairs, np.int32), np.empty(n_cells + 1, np.int64)
    best = np.empty(together * wanted, np.float32), np.empty(together * wanted, np.int64)
    half, farthest = np.empty(together, np.float32), np.empty(together, np.float32)
    flags = np.zeros(max(TILE, (most + WORD - 1) // WORD * WORD), np.uint8)
    sorting = np.empty(wanted), np.empty(wanted, np.int64)
    guesses, turned = np.ones((2, 2), np.float32), np.empty(FEW * (dim + most), np.float32)
    error = 8 * (dim + 10) * UNIT  # of half squares: (a + b)^2 <= 4 (a^2 / 2 + b^2 / 2)
    for batch in range(span[0], span[1]):
        first, count = int(part_offsets[batches[batch]]), 0
        for part in range(batches[batch], batches[batch + 1]):
            block, n_part = int(part_block[part]), int(part_offsets[part + 1] - part_offsets[part])
            listed = near[near_offsets[block] : near_offsets[block + 1]]
            n_near, origin = len(listed), int(blocks[block])
            for i in range(n_part):
                row = query_rows[first + count + i]
                for axis in range(dim):
                    asking_rows[count + i, axis] = queries[row, axis]
            centre(queries, query_rows, first + count, n_part, centroids, origin, centred, half, 0)
            centre(
                centroids,
                near,
                near_offsets[block],
                n_near,
                centroids,
                origin,
                there,
                half_there,
                0,
            )
            nearness = products[: n_part * n_near].reshape((n_part, n_near))
            multiply(centred[:n_part], there[:n_near], nearness, turned)
            for i in range(n_part):
                chosen_offsets[count + i + 1] = choose(
                    nearness, i, half_there, listed, offsets, cells, k + 1, guesses[0],
                    flags, chosen, chosen_offsets[count + i],
                )  # fmt: skip
            count += n_part
        _turn(chosen, chosen_offsets, count, asking, asking_offsets)
        best[0][: count * wanted] = -np.inf
        farthest[:count] = 0
        own_cells = int(blocks[part_block[batches[batch]]])  # first: most of the nearest are there
        for step in range(n_cells):
            other = (own_cells + step) % n_cells
            those = asking[asking_offsets[other] : asking_offsets[other + 1]]
            n_those = len(those)
            if n_those == 0:
                continue
            centre(asking_rows, those, 0, n_those, centroids, other, asked, half, 0)
            for at in range(n_those):
                farthest[those[at]] = max(farthest[those[at]], half[at] + reach[other])
            for tile in range(offsets[other], offsets[other + 1], TILE):
                width = min(TILE, offsets[other + 1] - tile)
                there_seen = seen[tile * (dim + 1) : (tile + width) * (dim + 1)]
                found = products[: n_those * width].reshape((n_those, width))
                np.dot(asked[:n_those], there_seen.reshape((dim + 1, width)), found)
                own = first - int(tile) if among_itself else -int(together)
                sift(found, width, tile, own, those, half, guesses[1], flags, best, wanted)
        for i in range(count):
            slack = error * farthest[i]
            query = query_rows[first + i]
            _write_ranks(
                asking_rows, i, pool, pool_rows, best, slack, ranks, sorting, query, distances, rows
            )


@njit(nogil=True, cache=True)
def _turn(
    chosen: Int32Array,
    chosen_offsets: Int64Array,
    count: int,
    asking: Int32Array,
    offsets: Int64Array,
) -> None:
    """From the cells that each query chose, the queries that ask each cell."""
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
def _write_ranks(
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
    """Write the ranks that are kept: what is within `slack` of one is sorted in double precision,
    equals by row."""
    near, near_rows = sorting
    nearness = best[0][i * len(near) : (i + 1) * len(near)]
    chosen = best[1][i * len(near) : (i + 1) * len(near)]
    held = 0
    while held < len(near) and nearness[held] > -np.inf:
        held += 1
    for kept in range(len(ranks)):
        rank = ranks[kept]
        if rank >= held:
            continue
        first, end = rank, rank + 1
        while first > 0 and nearness[first - 1] - nearness[rank] <= slack:
            first -= 1
        while end < held and nearness[rank] - nearness[end] <= slack:
            end += 1
        for at in range(first, end):
            row = int(pool_rows[chosen[at]])
            distance = square(queries, i, pool, row)
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
