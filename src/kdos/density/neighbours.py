"""Nearest neighbours by matrix products, among the cells whose centroids a query is nearest to.

The cells next to a block, which is some cells side by side, are known beforehand; which of them to
look into, each query decides for itself, which finds as many true neighbours as several times as
many candidates do that are chosen for a cell as a whole (`docs/density.md`). Each cell is then
multiplied with all queries of the block that chose it. Candidates are selected in single precision,
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

PART = 256
"""Queries of one block that are looked after together."""
TILE = 1024
"""Candidates multiplied with them at a time, and held for each of them before the nearest are
taken."""
WORD = 8
"""Candidates that are passed over together where none is near enough."""
LANES_EACH = 4
"""Lanes for each of the nearest that are wanted, at least, where not all that is held is sorted."""
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


def as_lists(runs: Sequence[Whole]) -> Lists:
    """Several arrays of whole numbers as lists."""
    return Lists(np.cumsum([0, *map(len, runs)]), np.concatenate(runs))


def shelve(cells: npt.NDArray[np.integer], n_cells: int) -> Lists:
    """The rows in each cell, in order."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=n_cells))])
    return Lists(offsets, _in_order(np.asarray(cells, np.int64), offsets[:-1].copy()))


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
    blocks: Whole,
    near: Lists,
    cells: int,
    k: int,
    among_itself: bool = False,
    ranks: Sequence[int] | None = None,
) -> Found:
    """The k nearest points of `pool` to each query in the `cells` cells that it is nearest to.

    Block b is cells `blocks[b]` to `blocks[b + 1]`, and its queries choose among the cells that
    `near` lists for it, by the distance of their centroids; all of these are looked into where the
    chosen ones hold too few points. With `among_itself` the queries are the pool, on the same
    shelves, and none is its own neighbour. `ranks` of 1 to k says which of the k to keep, all
    unless given.
    """
    kept = np.arange(k) if ranks is None else np.array(ranks) - 1
    distances = np.full((len(queries), len(kept)), np.inf)
    rows = np.full((len(queries), len(kept)), -1, np.int64)
    block_shelves = Lists(query_shelves.offsets[blocks], query_shelves.items)
    parts, part_block = in_parts(block_shelves, PART)
    there = seen_from(pool, pool_shelves, centroids)

    def work(start: int, end: int) -> None:
        _search_parts(
            (start, end),
            (queries, parts.offsets, parts.items, part_block, blocks),
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
        blocks=np.array([0, 1]),
        near=one_shelf(1),
        cells=1,
        k=k,
        among_itself=among_itself,
        ranks=ranks,
    )


@njit(nogil=True, cache=True)
def _in_order(cells: Whole, places: Whole) -> Whole:
    items = np.empty(len(cells), np.int64)
    for row in range(len(cells)):
        items[places[cells[row]]] = row
        places[cells[row]] += 1
    return items


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
    query_side: tuple[Points, Whole, Whole, Whole, Whole],
    pool_side: tuple[Points, Whole, Whole],
    seen_side: tuple[Points, Points, Floats],
    near_side: tuple[Whole, Whole, Points],
    how: tuple[int, int, bool, Whole],
    distances: Floats,
    rows: Whole,
) -> None:
    queries, part_offsets, query_rows, part_block, blocks = query_side
    pool, pool_offsets, pool_rows = pool_side
    seen, half_square, reach = seen_side
    near_offsets, near, centroids = near_side
    k, cells, among_itself, ranks = how
    dim = pool.shape[1]
    most = 1
    for part in range(span[0], span[1]):
        block = part_block[part]
        most = max(most, near_offsets[block + 1] - near_offsets[block])
    asking_rows, centred = np.empty((PART, dim), np.float32), np.empty((PART, dim), np.float32)
    there, half_there = np.empty((most, dim), np.float32), np.empty(most, np.float32)
    apart = np.empty(PART * most, np.float32)
    chosen, n_chosen = np.empty((PART, most), np.int64), np.empty(PART, np.int64)
    asking, asking_offsets = np.empty(PART * most, np.int64), np.empty(most + 1, np.int64)
    best = np.empty((PART, k + SPARE), np.float32), np.empty((PART, k + SPARE), np.int64)
    farthest, half = np.empty(PART), np.empty(PART, np.float32)
    products, half_tile = np.empty(PART * TILE, np.float32), np.empty(TILE, np.float32)
    held, n_held = np.empty((PART, TILE), np.float32), np.zeros(PART, np.int64)
    places = np.empty((PART, TILE // WORD), np.int64)
    room = max(TILE, (most + WORD - 1) // WORD * WORD)
    lanes, flags = np.empty((2, room), np.float32), np.zeros(room, np.uint8)
    sorting = np.empty(k + SPARE), np.empty(k + SPARE, np.int64)
    for part in range(span[0], span[1]):
        block, first = int(part_block[part]), int(part_offsets[part])
        count = int(part_offsets[part + 1]) - first
        listed = near[near_offsets[block] : near_offsets[block + 1]]
        n_near, origin = len(listed), blocks[block]
        for i in range(count):
            row = query_rows[first + i]
            for axis in range(dim):
                asking_rows[i, axis] = queries[row, axis]
            centre(asking_rows, i, centroids, origin, centred, i)
        for j in range(n_near):
            half_there[j] = centre(centroids, listed[j], centroids, origin, there, j)
        nearness = apart[: count * n_near].reshape((count, n_near))
        np.dot(centred[:count], there[:n_near].T, nearness)
        for i in range(count):
            n_chosen[i] = _choose(
                nearness, i, half_there, listed, pool_offsets, cells, k + 1, lanes, flags, chosen
            )
        _turn(chosen, n_chosen, count, asking, asking_offsets, n_near)
        best[0][:count] = -np.inf
        farthest[:count] = 0
        for j in range(n_near):
            other = listed[j]
            begin, end = pool_offsets[other], pool_offsets[other + 1]
            first_asking = asking_offsets[j]
            n_asking = asking_offsets[j + 1] - first_asking
            if n_asking == 0 or begin == end:
                continue
            for at in range(n_asking):
                i = int(asking[first_asking + at])
                half[at] = centre(asking_rows, i, centroids, other, centred, at)
                farthest[i] = max(farthest[i], np.sqrt(2.0 * half[at]) + reach[other])
            for tile in range(begin, end, TILE):
                width = min(TILE, end - tile)
                found = products[: n_asking * width].reshape((n_asking, width))
                np.dot(centred[:n_asking], seen[tile : tile + width].T, found)
                for place in range(width):
                    half_tile[place] = half_square[tile + place]
                for at in range(n_asking):
                    i = int(asking[first_asking + at])
                    if n_held[i] + width > TILE:
                        own = first + i if among_itself else -1
                        _take(held, n_held, places, i, own, lanes, flags, best)
                    _hold(found, at, half[at], half_tile, tile, held, n_held, places, i)
        for i in range(count):
            own = first + i if among_itself else -1
            _take(held, n_held, places, i, own, lanes, flags, best)
            slack = 2 * (dim + 8) * UNIT * farthest[i] * farthest[i]
            query = query_rows[first + i]
            _write_ranks(
                asking_rows, i, pool, pool_rows, best, slack, ranks, sorting, query, distances, rows
            )


@njit(nogil=True, cache=True)
def _choose(
    nearness: Points,
    i: int,
    half_there: Points,
    listed: Whole,
    pool_offsets: Whole,
    cells: int,
    needed: int,
    lanes: Points,
    flags: Flags,
    chosen: Whole,
) -> int:
    """Write down the cells whose centroids are nearest to a query; all, where they hold too few."""
    n_near = len(listed)
    for j in range(n_near):
        nearness[i, j] -= half_there[j]
    least = _reached_by(nearness, i, n_near, cells, lanes)
    for j in range(n_near):
        flags[j] = nearness[i, j] >= least
    count = held = 0
    words = flags.view(np.uint64)
    for word in range((n_near + WORD - 1) // WORD):
        if words[word] == 0:
            continue
        for j in range(WORD * word, min(WORD * word + WORD, n_near)):
            if flags[j]:
                chosen[i, count] = j
                count += 1
                held += pool_offsets[listed[j] + 1] - pool_offsets[listed[j]]
    if held >= needed:
        return count
    for j in range(n_near):
        chosen[i, j] = j
    return n_near


@njit(nogil=True, cache=True)
def _turn(
    chosen: Whole, n_chosen: Whole, count: int, asking: Whole, offsets: Whole, n_near: int
) -> None:
    """From the cells that each query chose, the queries that ask each cell."""
    offsets[: n_near + 1] = 0
    for i in range(count):
        for at in range(n_chosen[i]):
            offsets[chosen[i, at]] += 1
    for j in range(n_near):
        offsets[j + 1] += offsets[j]
    for i in range(count - 1, -1, -1):
        for at in range(n_chosen[i]):
            j = chosen[i, at]
            offsets[j] -= 1
            asking[offsets[j]] = i


@njit(nogil=True, cache=True)
def _reached_by(values: Points, i: int, n: int, wanted: int, lanes: Points) -> np.float32:
    """A number that `wanted` of n values reach, and no more of them if they are all different.

    Minus infinity where there are not more of them in all.
    """
    if n <= wanted:
        return np.float32(-np.inf)
    width = _fold(values, i, n, wanted, lanes, 1)
    low = high = lanes[1, 0]
    for j in range(width):
        low, high = min(low, lanes[1, j]), max(high, lanes[1, j])
    if low == -np.inf:
        return low
    while True:
        middle = np.float32(0.5) * low + np.float32(0.5) * high
        if not low < middle < high:
            return low
        reaching = np.int32(0)
        for j in range(n):
            reaching = np.int32(reaching + np.int32(values[i, j] >= middle))
        if reaching >= wanted:
            low = middle
            if reaching == wanted:
                return low
        else:
            high = middle


@njit(nogil=True, cache=True)
def _fold(values: Points, i: int, n: int, least: int, lanes: Points, row: int) -> int:
    """Put n values into lanes, `least` or more, and keep the largest of each; gives how many."""
    if n // 2 < least:
        for j in range(n):
            lanes[row, j] = values[i, j]
        return n
    width = _halve(values, i, n, lanes, row)
    while width // 2 >= least:
        width = _halve(lanes, row, width, lanes, row)
    return width


@njit(nogil=True, cache=True)
def _halve(values: Points, i: int, n: int, lanes: Points, row: int) -> int:
    half = n // 2
    on = np.uint64(half)
    for j in range(half):
        value, other = values[i, j], values[i, on + np.uint64(j)]
        lanes[row, j] = value if value > other else other
    if n % 2:
        lanes[row, 0] = max(lanes[row, 0], values[i, n - 1])
    return half


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
def _hold(
    found: Points,
    at: int,
    half: np.float32,
    half_tile: Points,
    tile: int,
    held: Points,
    n_held: Whole,
    places: Whole,
    i: int,
) -> None:
    """Hold a tile of candidates for a query, filled up with places that are infinitely far.

    x.y - y.y/2: the larger, the nearer. Less `half`, x.x/2, it is minus half the squared distance,
    and candidates seen from different places compare. Unsigned places compile to vector
    instructions as signed ones would not.
    """
    width, start = found.shape[1], np.uint64(n_held[i])
    end = n_held[i] + (width + WORD - 1) // WORD * WORD
    for j in range(width):
        held[i, start + np.uint64(j)] = found[at, j] - half_tile[j] - half
    for j in range(n_held[i] + width, end):
        held[i, j] = -np.inf
    for word in range(n_held[i] // WORD, end // WORD):
        places[i, word] = tile - n_held[i]
    n_held[i] = end


@njit(nogil=True, cache=True)
def _take(
    held: Points,
    n_held: Whole,
    places: Whole,
    i: int,
    own: int,
    lanes: Points,
    flags: Flags,
    best: tuple[Points, Whole],
) -> None:
    """Take the nearest of what is held into the best, nearest first.

    While there are no best yet, what is held is put into lanes: as many as are wanted are no
    farther than the nearest of as many lanes.
    """
    nearness, chosen = best
    last, n = nearness.shape[1] - 1, n_held[i]
    n_held[i] = 0
    least = nearness[i, last]
    if least == -np.inf:
        wanted = last + 2
        width = _fold(held, i, n, LANES_EACH * wanted, lanes, 0)
        least = _reached_by(lanes, 0, width, wanted, lanes)
    for j in range(n):
        flags[j] = held[i, j] >= least
    words = flags.view(np.uint64)
    for word in range(n // WORD):
        if words[word] == 0:
            continue
        for j in range(WORD * word, WORD * word + WORD):
            if flags[j] == 0:
                continue
            value, at = held[i, j], places[i, word] + j
            if value <= nearness[i, last] or at == own:
                continue
            place = last
            while place > 0 and nearness[i, place - 1] < value:
                nearness[i, place] = nearness[i, place - 1]
                chosen[i, place] = chosen[i, place - 1]
                place -= 1
            nearness[i, place], chosen[i, place] = value, at


@njit(nogil=True, cache=True)
def _write_ranks(
    queries: Points,
    i: int,
    pool: Points,
    pool_rows: Whole,
    best: tuple[Points, Whole],
    slack: float,
    ranks: Whole,
    sorting: tuple[Floats, Whole],
    query: int,
    distances: Floats,
    rows: Whole,
) -> None:
    """Write the ranks that are kept: what is within `slack` of one is sorted in double precision,
    equals by row."""
    nearness, chosen = best
    near, near_rows = sorting
    held = 0
    while held < chosen.shape[1] and nearness[i, held] > -np.inf:
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
            row = int(pool_rows[chosen[i, at]])
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


@njit(nogil=True, cache=True, fastmath=True)
def square(left: Points, i: int, right: Points, j: int) -> float:
    """The squared distance of two points in double precision."""
    total = 0.0
    for axis in range(left.shape[1]):
        apart = np.float64(left[i, axis]) - np.float64(right[j, axis])
        total += apart * apart
    return total
