"""Lists of whole numbers, as of the rows on each shelf, in two arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Int32Array, Int64Array, IntegerArray


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists of whole numbers: list i is `items[offsets[i]:offsets[i + 1]]`."""

    offsets: Int64Array
    items: Int32Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Int64Array:
        """The length of each list."""
        return np.diff(self.offsets)


def as_lists(runs: Sequence[Int32Array]) -> Lists:
    """Several arrays of whole numbers as lists."""
    return Lists(np.cumsum([0, *map(len, runs)]), np.concatenate(runs))


def shelve(cells: IntegerArray, n_cells: int) -> Lists:
    """The rows in each cell, in order."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=n_cells))])
    return Lists(offsets, _in_order(cells, offsets[:-1].copy()))


def one_shelf(n: int) -> Lists:
    """All rows on one shelf."""
    return Lists(np.array([0, n]), np.arange(n, dtype=np.int32))


def one_each(n: int) -> Lists:
    """Every row on a shelf of its own."""
    return Lists(np.arange(n + 1), np.arange(n, dtype=np.int32))


def in_parts(shelves: Lists, most: int | Int64Array) -> tuple[Lists, Int64Array]:
    """Shelves cut into parts of at most `most` rows, and the shelf of each part."""
    most = np.broadcast_to(most, len(shelves))
    counts = -(-shelves.sizes // most)
    shelf = np.repeat(np.arange(len(shelves)), counts)
    nth = np.arange(len(shelf)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = np.append(shelves.offsets[:-1][shelf] + nth * most[shelf], shelves.offsets[-1])
    return Lists(offsets, shelves.items), shelf


def together(sizes: Int64Array, most: int) -> Int64Array:
    """Runs of parts side by side, equal but for what parts allow, and about as few as can be of at
    most `most` rows: run r is parts `bounds[r]` to `bounds[r + 1]`."""
    ends = np.cumsum(sizes)
    n_rows = int(ends[-1]) if len(ends) else 0
    n_runs = max(-(-n_rows // most), 1)
    wanted = n_rows * np.arange(1, n_runs) // n_runs
    return np.unique([0, *np.searchsorted(ends, wanted), len(sizes)])


@njit(nogil=True, cache=True)
def _in_order(cells: IntegerArray, places: Int64Array) -> Int32Array:
    items = np.empty(len(cells), np.int32)
    for row in range(len(cells)):
        items[places[cells[row]]] = row
        places[cells[row]] += 1
    return items
