"""Rows by cell: lists (compressed sparse rows), and tiles that matrix products are fast with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Float32Array, Int32Array, Int64Array, IntegerArray
from kdos.threads import run_in_spans

# Points of one cell in a tile, at most. 64 points by 20 to 32 queries of 64 numbers multiply at 15
# to 22 billion operations a second where a point's numbers are contiguous, at 46 to 53 where a
# coordinate's are; at 256 by 256 both do at 87 (OpenBLAS, one core).
TILE_POINTS = 256
# Up to so many rows on the left, a product is taken the other way round: ten rows by 579 take 28 µs in place of 58.
FEW_ROWS = 32
# The relative error of one operation in single precision.
UNIT_ROUNDOFF = 2.0**-24


@dataclass(frozen=True, slots=True)
class CsrLists:
    """Lists of whole numbers: list i is `items[offsets[i]:offsets[i + 1]]`."""

    offsets: Int64Array
    items: Int32Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Int64Array:
        """The length of each list, shape (n_lists,)."""
        return np.diff(self.offsets)


def concatenate_lists(lists: Sequence[Int32Array]) -> CsrLists:
    """Several arrays of whole numbers as lists."""
    return CsrLists(np.cumsum([0, *map(len, lists)]), np.concatenate(lists))


def group_rows_by_cell(cells: IntegerArray, n_cells: int) -> CsrLists:
    """The rows in each cell, in order: a counting sort of `cells`, shape (n_rows,)."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=n_cells))])
    return CsrLists(offsets, _sort_rows_by_cell(cells, offsets[:-1].copy()))


def all_in_one_group(n: int) -> CsrLists:
    """One list of all rows."""
    return CsrLists(np.array([0, n]), np.arange(n, dtype=np.int32))


def one_group_each(n: int) -> CsrLists:
    """A list for every row, which holds it alone."""
    return CsrLists(np.arange(n + 1), np.arange(n, dtype=np.int32))


def split_groups(groups: CsrLists, most: int | Int64Array) -> tuple[CsrLists, Int64Array]:
    """Lists cut into parts of at most `most` items, and the list that each part is from."""
    most = np.broadcast_to(most, len(groups))
    counts = -(-groups.sizes // most)
    group = np.repeat(np.arange(len(groups)), counts)
    nth = np.arange(len(group)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.append(groups.offsets[:-1][group] + nth * most[group], groups.offsets[-1])
    return CsrLists(offsets, groups.items), group


def batch_parts(sizes: Int64Array, most: int) -> Int64Array:
    """Batches of neighbouring parts, about as few as can be of at most `most` rows, and as equal as
    whole parts allow: batch b is parts `bounds[b]` to `bounds[b + 1]`."""
    ends = np.cumsum(sizes)
    n_rows = int(ends[-1]) if len(ends) else 0
    n_batches = max(-(-n_rows // most), 1)
    # Ends that would be equal, moved to the next end of a part.
    wanted = n_rows * np.arange(1, n_batches) // n_batches
    return np.unique([0, *np.searchsorted(ends, wanted), len(sizes)])


@dataclass(frozen=True, slots=True)
class Tiles:
    """Points in the order of their cells, each minus its cell's centroid.

    Cell c has the places `offsets[c]` to `offsets[c + 1]`, `rows` has the point of each place, and
    `max_half_square`, shape (n_cells,), half of the largest squared distance to the centroid.

    `coordinates` is flat: the tile of the w places from the t-th on begins at t * (dim + 1) and is
    a matrix of shape (dim + 1, w). Its columns are the points, and its last row is -|y|²/2: times a
    query and a one, that is x·y - |y|²/2, which orders points as their distance from x does.
    """

    offsets: Int64Array
    rows: Int32Array
    coordinates: Float32Array
    max_half_square: Float32Array


def build_tiles(points: Float32Array, cells: CsrLists, centroids: Float32Array) -> Tiles:
    """The tiles of points, shape (n, dim), whose rows `cells` lists for each cell."""
    coordinates = np.empty(len(cells.items) * (points.shape[1] + 1), np.float32)
    max_half_square = np.zeros(len(cells), np.float32)

    def work(start: int, end: int) -> None:
        _fill_tiles(
            (start, end), points, cells.offsets, cells.items, centroids, coordinates,
            max_half_square,
        )  # fmt: skip

    run_in_spans(work, cells.sizes + 1)
    return Tiles(cells.offsets, cells.items, coordinates, max_half_square)


# The kernels index whole arrays instead of taking views of their rows: a view of an array that
# threads share counts references, and the threads would wait for each other at every count.
# Places are unsigned in inner loops: numba does not vectorise a loop whose index may be negative.


@njit(nogil=True, cache=True)
def _sort_rows_by_cell(cells: IntegerArray, next_place: Int64Array) -> Int32Array:
    # `next_place` begins as each cell's offset and is used up; rows of a cell stay in order.
    items = np.empty(len(cells), np.int32)
    for row in range(len(cells)):
        items[next_place[cells[row]]] = row
        next_place[cells[row]] += 1
    return items


@njit(nogil=True, cache=True)
def _fill_tiles(
    span: tuple[int, int],
    points: Float32Array,
    offsets: Int64Array,
    rows: Int32Array,
    centroids: Float32Array,
    coordinates: Float32Array,
    max_half_square: Float32Array,
) -> None:
    dim = points.shape[1]
    centred, half = np.empty((TILE_POINTS, dim), np.float32), np.empty(TILE_POINTS, np.float32)
    for cell in range(span[0], span[1]):
        for tile in range(offsets[cell], offsets[cell + 1], TILE_POINTS):
            width = min(TILE_POINTS, offsets[cell + 1] - tile)
            # Transposed: one row for each coordinate, and minus half the squares below.
            place = np.uint64(tile * (dim + 1))
            last_row = place + np.uint64(dim * width)
            centre_rows(points, rows, tile, width, centroids, cell, centred, half, 0)
            for at in range(width):
                coordinates[last_row + np.uint64(at)] = -half[at]
                max_half_square[cell] = max(max_half_square[cell], half[at])
            for axis in range(dim):
                for at in range(width):
                    coordinates[place + np.uint64(at)] = centred[at, axis]
                place += np.uint64(width)


@njit(nogil=True, cache=True, fastmath=True)
def centre_rows(
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
    """Write points minus an origin into `centred`, and half their squares into `half`.

    They are the points of `count` rows from the `first` on, and are written from `place` on. Near
    the origin numbers are small, which is what makes single precision do. One call for many: a call
    for each takes 50 ns where the work takes 24.
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
def multiply_rows(left: Float32Array, right: Float32Array, products: Float32Array, scratch: Float32Array) -> None:
    """The products of all rows of `left` with all rows of `right`, shape (n_left, n_right).

    `scratch` holds at least `FEW_ROWS` * (dim + n_right) numbers.
    """
    n, dim = left.shape
    if n > FEW_ROWS:
        np.dot(left, right.T, products)
        return
    columns = scratch[: dim * n].reshape((dim, n))
    for i in range(n):
        for axis in range(dim):
            columns[axis, i] = left[i, axis]
    transposed = scratch[dim * n : (dim + len(right)) * n].reshape((len(right), n))
    np.dot(right, columns, transposed)
    for i in range(n):
        for j in range(len(right)):
            products[i, j] = transposed[j, i]


@njit(nogil=True, cache=True, fastmath=True)
def squared_distance(left: Float32Array, i: int, right: Float32Array, j: int) -> float:
    """The squared distance of two points in double precision."""
    total = 0.0
    for axis in range(left.shape[1]):
        apart = np.float64(left[i, axis]) - np.float64(right[j, axis])
        total += apart * apart
    return total
