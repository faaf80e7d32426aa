"""Which rows are exact copies of one another."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from kdos.arrays import Float32Array, Int64Array, UInt32Array, UInt64Array
from kdos.threads import run_in_spans

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Copies:
    """`first`, shape (n_distinct,), is each distinct row's first place, in order of appearance.

    `group`, shape (n,), says which distinct row each row is a copy of.
    """

    first: Int64Array
    group: Int64Array

    def keep_distinct(self, rows: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """What belongs to the distinct rows, in order; the same array where all are distinct."""
        return rows if len(self.first) == len(self.group) else rows[self.first]


def find_copies(points: Float32Array) -> Copies:
    """Group equal rows of `points`, shape (n, dim)."""
    hashes = hash_rows(points)
    ranked = np.sort(hashes)  # where none is twice, which is usual, an argsort would be dear
    if (ranked[1:] != ranked[:-1]).all():
        each = np.arange(len(points))
        return Copies(each, each)
    order = np.argsort(hashes, kind="stable")
    fresh = np.ones(len(points), bool)
    close = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]) + 1
    fresh[close] = (points[order[close]] != points[order[close - 1]]).any(1)
    # A run of equal rows is led by its first, since the sort was stable.
    leader = order[np.flatnonzero(fresh)][np.cumsum(fresh) - 1]
    leader_of = np.empty(len(points), np.int64)
    leader_of[order] = leader
    first = np.flatnonzero(leader_of == np.arange(len(points)))
    return Copies(first, np.searchsorted(first, leader_of))


def hash_rows(points: Float32Array) -> UInt64Array:
    """64 bits for each row, equal for equal rows, shape (n,)."""
    hashes = np.empty(len(points), np.uint64)
    run_in_spans(
        lambda start, end: _hash_span(start, end, points.view(np.uint32), hashes),
        np.ones(len(points)),
    )
    return hashes


@njit(nogil=True, cache=True)
def _hash_span(start: int, end: int, bits: UInt32Array, hashes: UInt64Array) -> None:
    """64 mixed bits of each row (the finaliser of SplitMix64 over running products)."""
    for row in range(start, end):
        state = np.uint64(0x9E3779B97F4A7C15)
        for axis in range(bits.shape[1]):
            value = bits[row, axis]
            if value == 0x80000000:  # minus zero equals zero
                value = np.uint32(0)
            state = (state ^ np.uint64(value)) * np.uint64(0xBF58476D1CE4E5B9)
            state ^= state >> np.uint64(29)
        hashes[row] = state
