"""Nearest neighbours by matrix products, among the cells whose centroids a query is nearest to.

The cells next to a block, which is some cells side by side, are known beforehand; which of them to
look into, each query decides for itself, which finds as many true neighbours as several times as
many candidates do that are chosen for a cell as a whole (`docs/density.md`). Each cell is then
multiplied with all queries of the block that chose it, and what is near enough sorted in among
their best at once. Candidates are selected in single precision, seen from the centroid of their
cell, and measured in double wherever single cannot tell who comes first: a distance depends on its
two points alone.
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
Short = npt.NDArray[np.int32]
Flags = npt.NDArray[np.uint8]

PART = 1024
"""Queries of one block that are looked after together, at most."""
ROOM = 2**20
"""Queries times the cells that they choose among, at most."""
TILE = 256
"""Points of one cell that are multiplied with them at a time, at most."""
WORD = 8
"""Candidates that are passed over together where none is near enough."""
GATHER = np.uint64(0x0102040810204080)
"""Times eight bytes that are 0 or 1, this has them side by side, as bits, in its highest byte."""
FIRST = np.array([0, *((bits & -bits).bit_length() - 1 for bits in range(1, 256))], np.uint64)
"""The place of the lowest bit of a byte."""
SPARE = 2
"""Candidates chosen beyond k, so that single precision does not decide who is k-th."""
UNIT = 2.0**-24
"""The relative error of one operation in single precision."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of whole numbers: list i is `items[offsets[i]:offsets[i + 1]]`."""

    offsets: Whole
    items: Short

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
    rows: Short


def as_lists(runs: Sequence[Short]) -> Lists:
    """Several arrays of whole numbers as lists."""
    return Lists(np.cumsum([0, *map(len, runs)]), np.concatenate(runs))


def shelve(cells: npt.NDArray[np.integer], n_cells: int) -> Lists:
    """The rows in each cell, in order."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=n_cells))])
    return Lists(offsets, _in_order(cells, offsets[:-1].copy()))


def one_shelf(n: int) -> Lists:
    """All rows on one shelf."""
    return Lists(np.array([0, n]), np.arange(n, dtype=np.int32))


def one_each(n: int) -> Lists:
    """Every row on a shelf of its own."""
    return Lists(np.arange(n + 1), np.arange(n, dtype=np.int32))


def in_parts(shelves: Lists, most: int | Whole) -> tuple[Lists, Whole]:
    """Shelves cut into parts of at most `most` rows, and the shelf of each part."""
    most = np.broadcast_to(most, len(shelves))
    counts = -(-shelves.sizes // most)
    shelf = np.repeat(np.arange(len(shelves)), counts)
    nth = np.arange(len(shelf)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.append(shelves.offsets[:-1][shelf] + nth * most[shelf], shelves.offsets[-1])
    return Lists(offsets, shelves.items), shelf


@dataclass(frozen=True, slots=True)
class Seen:
    """Points in the order of their cells, each as seen from its cell's centroid.

    `seen`, flat, holds tiles of up to `TILE` points of one cell: that of the w points from the t-th
    on lies from t * (dim + 1) on with shape (dim + 1, w), which is the way round in which small
    products of matrices are fast: the coordinates, and minus half of the square. `reach` shape
    (n_cells,): half of the largest square in each cell.
    """

    seen: Points
    reach: Points


def seen_from(points: Points, shelves: Lists, centroids: Points) -> Seen:
    """Put points on their shelves."""
    n, dim = points.shape
    seen, reach = np.empty(n * (dim + 1), np.float32), np.zeros(len(shelves), np.float32)

    def work(start: int, end: int) -> None:
        _see(start, end, points, shelves.offsets, shelves.items, centroids, seen, reach)

    in_spans(work, shelves.sizes + 1)
    return Seen(seen, reach)


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
    rows = np.full((len(queries), len(kept)), -1, np.int32)
    block_shelves = Lists(query_shelves.offsets[blocks], query_shelves.items)
    parts, part_block = in_parts(block_shelves, np.clip(ROOM // near.sizes, 1, PART))
    there = seen_from(pool, pool_shelves, centroids)

    def work(start: int, end: int) -> None:
        _search_parts(
            (start, end),
            (queries, parts.offsets, parts.items, part_block, blocks),
            (pool, pool_shelves.offsets, pool_shelves.items),
            (there.seen, there.reach),
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
def _in_order(cells: npt.NDArray[np.integer], places: Whole) -> Short:
    items = np.empty(len(cells), np.int32)
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
    items: Short,
    centroids: Points,
    seen: Points,
    reach: Points,
) -> None:
    dim = points.shape[1]
    rows = np.empty((TILE, dim), np.float32)
    for cell in range(start, end):
        for tile in range(offsets[cell], offsets[cell + 1], TILE):
            width = min(TILE, offsets[cell + 1] - tile)
            place = np.uint64(tile * (dim + 1))
            below = place + np.uint64(dim * width)
            for at in range(width):
                half = centre(points, items[tile + at], centroids, cell, rows, at)
                seen[below + np.uint64(at)] = -half
                reach[cell] = max(reach[cell], half)
            for axis in range(dim):
                for at in range(width):
                    seen[place + np.uint64(at)] = rows[at, axis]
                place += np.uint64(width)


@njit(nogil=True, cache=True)
def _search_parts(
    span: tuple[int, int],
    query_side: tuple[Points, Whole, Short, Whole, Whole],
    pool_side: tuple[Points, Whole, Short],
    seen_side: tuple[Points, Points],
    near_side: tuple[Whole, Short, Points],
    how: tuple[int, int, bool, Whole],
    distances: Floats,
    rows: Short,
) -> None:
    queries, part_offsets, query_rows, part_block, blocks = query_side
    pool, pool_offsets, pool_rows = pool_side
    seen, reach = seen_side
    near_offsets, near, centroids = near_side
    k, cells, among_itself, ranks = how
    dim, wanted = pool.shape[1], k + SPARE
    most = pairs = 1
    for part in range(span[0], span[1]):
        n_near = near_offsets[part_block[part] + 1] - near_offsets[part_block[part]]
        most = max(most, n_near)
        pairs = max(pairs, n_near * (part_offsets[part + 1] - part_offsets[part]))
    asking_rows, centred = np.empty((PART, dim), np.float32), np.empty((PART, dim), np.float32)
    asked = np.ones((PART, dim + 1), np.float32)
    products = np.empty(max(PART * TILE, pairs), np.float32)
    there, half_there = np.empty((most, dim), np.float32), np.empty(most, np.float32)
    chosen, n_chosen = np.empty(pairs, np.int32), np.empty(PART, np.int64)
    asking, asking_offsets = np.empty(pairs, np.int32), np.empty(most + 1, np.int64)
    best = np.empty(PART * wanted, np.float32), np.empty(PART * wanted, np.int64)
    half, farthest = np.empty(PART, np.float32), np.empty(PART, np.float32)
    flags = np.zeros(max(TILE, (most + WORD - 1) // WORD * WORD), np.uint8)
    sorting = np.empty(wanted), np.empty(wanted, np.int64)
    for part in range(span[0], span[1]):
        block, first = int(part_block[part]), int(part_offsets[part])
        count = int(part_offsets[part + 1]) - first
        listed = near[near_offsets[block] : near_offsets[block + 1]]
        n_near, origin = len(listed), int(blocks[block])
        for i in range(count):
            row = query_rows[first + i]
            for axis in range(dim):
                asking_rows[i, axis] = queries[row, axis]
            centre(asking_rows, i, centroids, origin, centred, i)
        for j in range(n_near):
            half_there[j] = centre(centroids, listed[j], centroids, origin, there, j)
        nearness = products[: count * n_near].reshape((count, n_near))
        np.dot(centred[:count], there[:n_near].T, nearness)
        for i in range(count):
            n_chosen[i] = _choose(
                nearness, i, half_there, listed, pool_offsets, cells, k + 1, flags, chosen
            )
        _turn(chosen, n_chosen, count, asking, asking_offsets, n_near)
        best[0][: count * wanted] = -np.inf
        farthest[:count] = 0
        own_cells = np.searchsorted(listed, origin)  # first, since most of the nearest are there
        for step in range(n_near):
            j = (own_cells + step) % n_near
            other = listed[j]
            begin, end = pool_offsets[other], pool_offsets[other + 1]
            those = asking[asking_offsets[j] : asking_offsets[j + 1]]
            n_those = len(those)
            if n_those == 0 or begin == end:
                continue
            for at in range(n_those):
                i = those[at]
                half[at] = centre(asking_rows, i, centroids, other, asked, at)
                farthest[i] = max(farthest[i], half[at] + reach[other])
            for tile in range(begin, end, TILE):
                width = min(TILE, end - tile)
                there_seen = seen[tile * (dim + 1) : (tile + width) * (dim + 1)]
                found = products[: n_those * width].reshape((n_those, width))
                np.dot(asked[:n_those], there_seen.reshape((dim + 1, width)), found)
                own = first - tile if among_itself else -PART
                _sift(found, tile, own, those, half, flags, best, wanted)
        for i in range(count):
            slack = 8 * (dim + 10) * UNIT * farthest[i]  # (a + b)^2 <= 4 (a^2 / 2 + b^2 / 2)
            query = query_rows[first + i]
            _write_ranks(
                asking_rows, i, pool, pool_rows, best, slack, ranks, sorting, query, distances, rows
            )


@njit(nogil=True, cache=True)
def _choose(
    nearness: Points,
    i: int,
    half_there: Points,
    listed: Short,
    pool_offsets: Whole,
    cells: int,
    needed: int,
    flags: Flags,
    chosen: Short,
) -> int:
    """Write down the cells whose centroids are nearest to a query; all, where they hold too few."""
    n_near, first = len(listed), i * len(listed)
    for j in range(n_near):
        nearness[i, j] -= half_there[j]
    least = _reached_by(nearness, i, cells, cells)
    for j in range(n_near):
        flags[j] = nearness[i, j] >= least
    count = held = 0
    words = flags.view(np.uint64)
    for word in range(_filled_up(flags, n_near)):
        bits = _bits(words[word])
        while bits:
            j = WORD * word + np.int64(FIRST[bits])
            bits &= bits - np.uint64(1)
            chosen[first + count] = j
            count += 1
            held += pool_offsets[listed[j] + 1] - pool_offsets[listed[j]]
    if held >= needed:
        return count
    for j in range(n_near):
        chosen[first + j] = j
    return n_near


@njit(nogil=True, cache=True)
def _turn(
    chosen: Short, n_chosen: Whole, count: int, asking: Short, offsets: Whole, n_near: int
) -> None:
    """From the cells that each query chose, the queries that ask each cell."""
    offsets[: n_near + 1] = 0
    for i in range(count):
        for at in range(n_chosen[i]):
            offsets[chosen[i * n_near + at]] += 1
    for j in range(n_near):
        offsets[j + 1] += offsets[j]
    for i in range(count - 1, -1, -1):
        for at in range(n_chosen[i]):
            j = chosen[i * n_near + at]
            offsets[j] -= 1
            asking[offsets[j]] = i


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _reached_by(values: Points, i: int, wanted: int, most: int) -> np.float32:
    """A number that `wanted` to `most` of row i reach; more where too many are the same.

    Minus infinity where the row is no longer than `wanted`.
    """
    n = values.shape[1]
    if n <= wanted:
        return np.float32(-np.inf)
    low = high = values[i, 0]
    for j in range(n):
        value = values[i, j]
        low = value if value < low else low
        high = value if value > high else high
    while True:
        middle = np.float32(0.5) * low + np.float32(0.5) * high
        if not low < middle < high:
            return low
        reaching = np.int32(0)
        for j in range(n):
            reaching = np.int32(reaching + np.int32(values[i, j] >= middle))
        if reaching >= wanted:
            low = middle
            if reaching <= most:
                return low
        else:
            high = middle


@njit(nogil=True, cache=True)
def _sift(
    found: Points,
    tile: int,
    own: int,
    those: Short,
    half: Points,
    flags: Flags,
    best: tuple[Points, Whole],
    wanted: int,
) -> None:
    """Put the candidates of a tile among the best, nearest first, of the queries that ask for it.

    `found`, less `half`, is minus half the squared distance: the larger, the nearer. `own` is where
    in the tile query 0 is itself. Unsigned places save a look at their sign.
    """
    nearness, chosen = best
    width, one = found.shape[1], np.uint64(1)
    n_words, words = _filled_up(flags, width), flags.view(np.uint64)
    for at in range(len(those)):
        first = np.uint64(those[at]) * np.uint64(wanted)
        last = first + np.uint64(wanted - 1)
        least = nearness[last] + half[at]
        if least == -np.inf:
            least = _reached_by(found, at, wanted + 1, wanted + wanted // 2)
        for j in range(width):
            flags[j] = found[at, j] >= least
        if 0 <= own + those[at] < width:
            flags[own + those[at]] = 0
        for word in range(n_words):
            if words[word] == 0:
                continue
            bits = _bits(words[word])
            while bits:
                j = np.uint64(WORD * word) + FIRST[bits]
                bits &= bits - one
                value, place = found[at, j] - half[at], last
                if value <= nearness[last]:
                    continue
                while place > first and nearness[place - one] < value:
                    nearness[place], chosen[place] = nearness[place - one], chosen[place - one]
                    place -= one
                nearness[place], chosen[place] = value, tile + np.int64(j)


@njit(nogil=True, cache=True)
def _filled_up(flags: Flags, n: int) -> int:
    """Clear what follows n flags in the last of their words; gives how many words there are."""
    n_words = (n + WORD - 1) // WORD
    for j in range(n, n_words * WORD):
        flags[j] = 0
    return n_words


@njit(nogil=True, cache=True)
def _bits(word: np.uint64) -> np.uint64:
    """The eight flags of a word as bits, the first one lowest."""
    return (word * GATHER) >> np.uint64(56)


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
def _write_ranks(
    queries: Points,
    i: int,
    pool: Points,
    pool_rows: Short,
    best: tuple[Points, Whole],
    slack: float,
    ranks: Whole,
    sorting: tuple[Floats, Whole],
    query: int,
    distances: Floats,
    rows: Short,
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


@njit(nogil=True, cache=True, fastmath=True)
def square(left: Points, i: int, right: Points, j: int) -> float:
    """The squared distance of two points in double precision."""
    total = 0.0
    for axis in range(left.shape[1]):
        apart = np.float64(left[i, axis]) - np.float64(right[j, axis])
        total += apart * apart
    return total
