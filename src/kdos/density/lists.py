"""Lists of whole numbers, as of the rows on each shelf, in two arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Whole = npt.NDArray[np.int64]
Short = npt.NDArray[np.int32]


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


def together(sizes: Whole, most: int) -> Whole:
    """Runs of parts side by side, equal but for what parts allow, and about as few as can be of at
    most `most` rows: run r is parts `bounds[r]` to `bounds[r + 1]`."""
    ends = np.cumsum(sizes)
    n_rows = int(ends[-1]) if len(ends) else 0
    n_runs = max(-(-n_rows // most), 1)
    wanted = n_rows * np.arange(1, n_runs) // n_runs
    return np.unique([0, *np.searchsorted(ends, wanted), len(sizes)])


@njit(nogil=True, cache=True)
def _in_order(cells: npt.NDArray[np.integer], places: Whole) -> Short:
    items = np.empty(len(cells), np.int32)
    for row in range(len(cells)):
        items[places[cells[row]]] = row
        places[cells[row]] += 1
    return items
