"""Lists of whole numbers in two arrays (compressed sparse rows), as of the rows in each cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from kdos.arrays import Int32Array, Int64Array, IntegerArray


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


@njit(nogil=True, cache=True)
def _sort_rows_by_cell(cells: IntegerArray, next_place: Int64Array) -> Int32Array:
    # `next_place` begins as each cell's offset and is used up; rows of a cell stay in order.
    items = np.empty(len(cells), np.int32)
    for row in range(len(cells)):
        items[next_place[cells[row]]] = row
        next_place[cells[row]] += 1
    return items
