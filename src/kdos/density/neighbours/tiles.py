"""Points in the order of their cells, laid out so that matrix products with them are fast."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array
from kdos.density.neighbours.csr import Lists
from kdos.threads import run_in_spans

TILE = 256
"""Points of one cell that are multiplied with queries at a time, at most."""
FEW = 32
"""Rows that are few for a product of matrices."""
UNIT = 2.0**-24
"""The relative error of one operation in single precision."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Points in the order of their cells, each as seen from its cell's centroid.

    Cell c has the places `offsets[c]` to `offsets[c + 1]`; `rows` says by which points. `seen`,
    flat, holds tiles of up to `TILE` places of one cell: that of the w places from the t-th on lies
    from t * (dim + 1) on with shape (dim + 1, w), which is the way round in which small products of
    matrices are fast: the coordinates, and minus half of the square. `reach` shape (n_cells,): half
    of the largest square in each cell.
    """

    offsets: Int64Array
    rows: Int32Array
    seen: Float32Array
    reach: Float32Array

    @property
    def sizes(self) -> Int64Array:
        """How many points each cell holds."""
        return np.diff(self.offsets)


def laid_out(points: Float32Array, shelves: Lists, centroids: Float32Array) -> Tiles:
    """Points on the shelves of their cells as tiles."""
    seen = np.empty(len(shelves.items) * (points.shape[1] + 1), np.float32)
    tiles = Tiles(shelves.offsets, shelves.items, seen, np.zeros(len(shelves), np.float32))

    def work(start: int, end: int) -> None:
        _see((start, end), points, tiles.offsets, tiles.rows, centroids, tiles.seen, tiles.reach)

    run_in_spans(work, tiles.sizes + 1)
    return tiles


# The kernels index whole arrays instead of taking views of their rows: a view of an array that
# threads share counts references, and the threads would wait for each other at every count.


@njit(nogil=True, cache=True)
def _see(
    span: tuple[int, int],
    points: Float32Array,
    offsets: Int64Array,
    rows: Int32Array,
    centroids: Float32Array,
    seen: Float32Array,
    reach: Float32Array,
) -> None:
    dim = points.shape[1]
    here, half = np.empty((TILE, dim), np.float32), np.empty(TILE, np.float32)
    for cell in range(span[0], span[1]):
        for tile in range(offsets[cell], offsets[cell + 1], TILE):
            width = min(TILE, offsets[cell + 1] - tile)
            place = np.uint64(tile * (dim + 1))
            below = place + np.uint64(dim * width)
            centre(points, rows, tile, width, centroids, cell, here, half, 0)
            for at in range(width):
                seen[below + np.uint64(at)] = -half[at]
                reach[cell] = max(reach[cell], half[at])
            for axis in range(dim):
                for at in range(width):
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
