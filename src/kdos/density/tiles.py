"""Points in the order of their cells, laid out so that matrix products with them are fast."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array
from kdos.density.lists import Lists
from kdos.threads import in_spans

TILE = 256
"""Points of one cell that are multiplied with queries at a time, at most."""
FEW = 32
"""Rows that are few for a product of matrices."""
UNIT = 2.0**-24
"""The relative error of one operation in single precision."""
SPARE_PLACES = 4
"""Free places of a cell that has room for more, besides an eighth of those that are taken."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Points in the order of their cells, each as seen from its cell's centroid.

    Cell c has the places `begins[c]` to `limits[c]`, taken up to `ends[c]`; `rows` says by which
    points. `seen`, flat, holds tiles of up to `TILE` places of one cell: that of the w places from
    the t-th on lies from t * (dim + 1) on with shape (dim + 1, w), which is the way round in which
    small products of matrices are fast: the coordinates, and minus half of the square. `reach`
    shape (n_cells,): half of the largest square in each cell.
    """

    begins: Int64Array
    ends: Int64Array
    limits: Int64Array
    rows: Int32Array
    seen: Float32Array
    reach: Float32Array

    @property
    def sizes(self) -> Int64Array:
        """How many points each cell holds."""
        return self.ends - self.begins


def laid_out(points: Float32Array, shelves: Lists, centroids: Float32Array) -> Tiles:
    """Points on the shelves of their cells, with no room for more."""
    begins, ends = shelves.offsets[:-1], shelves.offsets[1:]
    seen = np.empty(len(shelves.items) * (points.shape[1] + 1), np.float32)
    tiles = Tiles(begins, ends, ends, shelves.items, seen, np.zeros(len(shelves), np.float32))
    _fill(tiles, begins, points, centroids)
    return tiles


def room_for(sizes: Int64Array, dim: int) -> Tiles:
    """Empty tiles for cells of these sizes and an eighth more, and places for some to move to."""
    limits = np.cumsum(_roomy(sizes))
    n_places = int(_roomy(limits[-1]))
    begins = np.concatenate([[0], limits[:-1]])
    return Tiles(
        begins,
        begins,
        limits,
        rows=np.empty(n_places, np.int32),
        seen=np.empty(n_places * (dim + 1), np.float32),
        reach=np.zeros(len(sizes), np.float32),
    )


def with_more(
    tiles: Tiles, points: Float32Array, shelves: Lists, centroids: Float32Array
) -> Tiles | None:
    """The tiles with more points, whose rows are on shelves; None where they have no room for them.

    A cell that is full moves behind all others. The tiles given stay as they are: only places that
    are not taken in them are written to.
    """
    added, held = shelves.sizes, tiles.sizes
    begins, limits = tiles.begins.copy(), tiles.limits.copy()
    full = np.flatnonzero(tiles.ends + added > limits)
    behind = limits.max() + np.cumsum(_roomy(held[full] + added[full]))
    if len(full) and behind[-1] > len(tiles.rows):
        return None
    begins[full] = np.concatenate([[limits.max()], behind[:-1]])[: len(full)]
    limits[full] = behind
    ends = begins + held + added
    tiles.rows[places(begins[full], held[full])] = tiles.rows[
        places(tiles.begins[full], held[full])
    ]
    tiles.rows[places(begins + held, added)] = shelves.items
    more = Tiles(begins, ends, limits, tiles.rows, tiles.seen, tiles.reach.copy())
    first = begins + held
    first[full] = begins[full]
    _fill(more, first, points, centroids)
    return more


def places(begins: Int64Array, counts: Int64Array) -> Int64Array:
    """So many places from each of these on, one after another."""
    offsets = np.cumsum(counts)
    total = int(offsets[-1]) if len(offsets) else 0
    return np.arange(total) + np.repeat(begins - offsets + counts, counts)


def _roomy(sizes: Int64Array) -> Int64Array:
    return sizes + sizes // 8 + SPARE_PLACES


def _fill(tiles: Tiles, first: Int64Array, points: Float32Array, centroids: Float32Array) -> None:
    """Write what is seen of each cell's points from its place `first` on."""

    def work(start: int, end: int) -> None:
        _see(
            (start, end),
            points,
            (first, tiles.begins, tiles.ends, tiles.limits),
            tiles.rows,
            centroids,
            tiles.seen,
            tiles.reach,
        )

    in_spans(work, tiles.ends - first + 1)


# The kernels index whole arrays instead of taking views of their rows: a view of an array that
# threads share counts references, and the threads would wait for each other at every count.


@njit(nogil=True, cache=True)
def _see(
    span: tuple[int, int],
    points: Float32Array,
    bounds: tuple[Int64Array, Int64Array, Int64Array, Int64Array],
    rows: Int32Array,
    centroids: Float32Array,
    seen: Float32Array,
    reach: Float32Array,
) -> None:
    dim = points.shape[1]
    firsts, begins, ends, limits = bounds
    here, half = np.empty((TILE, dim), np.float32), np.empty(TILE, np.float32)
    for cell in range(span[0], span[1]):
        first, end = firsts[cell], ends[cell]
        for tile in range(begins[cell], limits[cell], TILE):
            width = min(TILE, limits[cell] - tile)
            low, high = max(first - tile, 0), min(end - tile, width)
            if low >= high:
                continue
            place = np.uint64(tile * (dim + 1))
            below = place + np.uint64(dim * width)
            centre(points, rows, tile + low, high - low, centroids, cell, here, half, low)
            for at in range(low, high):
                seen[below + np.uint64(at)] = -half[at]
                reach[cell] = max(reach[cell], half[at])
            for axis in range(dim):
                for at in range(low, high):
                    seen[place + np.uint64(at)] = here[at, axis]
                place += np.uint64(width)


@njit(nogil=True, cache=True, fastmath=True)
def centre(
    points: Float32Array,
    rows: Int32Array,
    first: int,
    count: int,
    origins: Float32Array,
    origin: int,
    centred: Float32Array,
    half: Float32Array,
    place: int,
) -> None:
    """Write points, and half their squares, as seen from an origin, from `place` on.

    They are `count` rows from the `first` on. A call for each would take as long again; unsigned
    places save a look at their sign.
    """
    origin_row = np.uint64(origin)
    for at in range(count):
        row, to, total = np.uint64(rows[first + at]), np.uint64(place + at), np.float32(0)
        for axis in range(np.uint64(points.shape[1])):
            value = points[row, axis] - origins[origin_row, axis]
            centred[to, axis] = value
            total += value * value
        half[to] = total * np.float32(0.5)


@njit(nogil=True, cache=True)
def multiply(
    left: Float32Array, right: Float32Array, products: Float32Array, turned: Float32Array
) -> None:
    """The products of all rows of `left` with all rows of `right`, shape (n_left, n_right).

    A product with few columns takes half as long as one with few rows. `turned` has room for
    `FEW` times the dimension and the rows of `right`.
    """
    n, dim = left.shape
    if n > FEW:
        np.dot(left, right.T, products)
        return
    few = turned[: dim * n].reshape((dim, n))
    for i in range(n):
        for axis in range(dim):
            few[axis, i] = left[i, axis]
    found = turned[dim * n : (dim + len(right)) * n].reshape((len(right), n))
    np.dot(right, few, found)
    for i in range(n):
        for j in range(len(right)):
            products[i, j] = found[j, i]


@njit(nogil=True, cache=True, fastmath=True)
def square(left: Float32Array, i: int, right: Float32Array, j: int) -> float:
    """The squared distance of two points in double precision."""
    total = 0.0
    for axis in range(left.shape[1]):
        apart = np.float64(left[i, axis]) - np.float64(right[j, axis])
        total += apart * apart
    return total
