"""Pools that grow: adding points changes what is near them and leaves the rest as it was."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from kdos.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from kdos.density.codebook import far_enough
from kdos.density.estimator import (
    Pool,
    Search,
    index_of,
    neighbours,
    radius_log_density,
    search_for,
)
from kdos.density.lists import Lists, shelve
from kdos.density.neighbours import nearest_among_cells
from kdos.density.space import Space
from kdos.density.tiles import Tiles, places, room_for, square, with_more
from kdos.errors import UsageError

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Roomy:
    """Points laid out to be searched, up to `most` of them, and the bar of each place.

    A new point that comes up to a bar, minus half of the squared distance to the k-th neighbour, is
    among the k nearest of the point there. No point comes up to the bar of a new one.
    """

    search: Search
    tiles: Tiles
    bars: Float32Array
    most: int


class Neighbourhood:
    """Distinct points with their distances to the k nearest, which more points can be added to.

    They are held twice, once in the order of their cells, with room for about a quarter more. What
    `points`, `cells` and `distances` give is good until the next `add`.
    """

    def __init__(self, points: Float32Array, space: Space) -> None:
        self.space = space
        pool = Pool(points, space.assign(points))
        found = neighbours(pool, index_of(pool, space.codebook), k=space.k)
        self._n, roomy = len(points), len(points) + len(points) // 4
        self._points = _enlarged(points, roomy)
        self._cells = _enlarged(pool.cells, roomy)
        self._distances = _enlarged(found.distances.astype(np.float32), roomy)
        self._index = self._indexed(self._n)

    def __len__(self) -> int:
        return self._n

    @property
    def points(self) -> Float32Array:
        """The points, in the order in which they came, shape (n, dim)."""
        return self._points[: self._n]

    @property
    def cells(self) -> Int32Array:
        """The cell of each point, shape (n,)."""
        return self._cells[: self._n]

    @property
    def distances(self) -> Float32Array:
        """The distances of each point to its k nearest, ascending, shape (n, k)."""
        return self._distances[: self._n]

    def log_density(self) -> Float64Array:
        """The log density (nats) of each point, shape (n,)."""
        radius, space = self.distances[:, -1].astype(np.float64), self.space
        return radius_log_density(radius, space.intrinsic_dim, k=space.k, r_min=space.r_min)

    def add(self, points: Float32Array) -> None:
        """Add points of the space; raises, and stays as it was, if one of them is there already."""
        n, end = self._n, self._n + len(points)
        cells = self.space.assign(points)
        self._points, self._cells = _enlarged(self._points, end), _enlarged(self._cells, end)
        self._distances = _enlarged(self._distances, end)
        self._points[n:end], self._cells[n:end] = points, cells
        index = self._with_more(end) or self._indexed(end)
        codebook, k = index.search.codebook, self.space.k
        asking = shelve(index.search.cells_of(cells), len(codebook))
        found = nearest_among_cells(
            points,
            asking,
            self._points,
            index.tiles,
            centroids=codebook.centroids,
            blocks=codebook.blocks,
            near=far_enough(index.search.near, codebook, asking.sizes, index.tiles.sizes, k + 1),
            cells=index.search.probes + 1,
            k=k + 1,
            bars=index.bars,
        )
        known = np.flatnonzero(found.distances[:, 1] == 0)
        if len(known):
            raise UsageError(
                f"points must be new, and distinct. Got row {known[0]} twice. Drop its copies."
            )
        self._distances[n:end] = found.distances[:, 1:]  # the nearest is the point itself
        rows = index.tiles.rows
        _welcome(points, self._points, rows, found.links, self._distances, index.bars)
        fresh = _last(index.tiles, asking.sizes)
        index.bars[fresh] = _bars(self._distances[rows[fresh]])
        self._n, self._index = end, index

    def _indexed(self, end: int) -> Roomy:
        """An index of all points, and of those behind them, up to row `end`."""
        pool = Pool(self._points[:end], self._cells[:end])
        search = search_for(pool, self.space.codebook)
        shelves = shelve(search.cells_of(pool.cells), len(search.codebook))
        empty = room_for(shelves.sizes, pool.points.shape[1])
        tiles = with_more(empty, pool.points, shelves, search.codebook.centroids)
        assert tiles is not None
        bars = np.full(len(tiles.rows), np.inf, np.float32)
        taken = _last(tiles, shelves.sizes)
        old = taken[tiles.rows[taken] < self._n]
        bars[old] = _bars(self._distances[tiles.rows[old]])
        return Roomy(search, tiles, bars, most=end + end // 8)

    def _with_more(self, end: int) -> Roomy | None:
        """The index with the points up to row `end`, or None where it is time for another."""
        index, before = self._index, self._index.tiles
        if end > index.most:
            return None
        codebook = index.search.codebook
        shelves = shelve(index.search.cells_of(self._cells[self._n : end]), len(codebook))
        shelves = Lists(shelves.offsets, shelves.items + np.int32(self._n))
        tiles = with_more(before, self._points, shelves, codebook.centroids)
        if tiles is None:
            return None
        moved = tiles.begins != before.begins
        held = before.sizes[moved]
        index.bars[places(tiles.begins[moved], held)] = index.bars[
            places(before.begins[moved], held)
        ]
        index.bars[_last(tiles, shelves.sizes)] = np.inf
        return Roomy(index.search, tiles, index.bars, index.most)


def _enlarged(rows: npt.NDArray[Number], n: int) -> npt.NDArray[Number]:
    """The rows with others, not written yet, behind them, where there are fewer than n."""
    if n <= len(rows):
        return rows
    larger = np.empty((n + n // 4, *rows.shape[1:]), rows.dtype)
    larger[: len(rows)] = rows
    return larger


def _bars(distances: Float32Array) -> Float32Array:
    return np.float32(-0.5) * np.square(distances[:, -1])


def _last(tiles: Tiles, counts: Int64Array) -> Int64Array:
    """The places of so many points of each cell that came last."""
    return places(tiles.ends - counts, counts)


@njit(nogil=True, cache=True)
def _welcome(
    fresh: Float32Array,
    points: Float32Array,
    rows: Int32Array,
    links: Int64Array,
    distances: Float32Array,
    bars: Float32Array,
) -> None:
    """Put each new point into the lists of the old ones that it is near enough to."""
    last = distances.shape[1] - 1
    for link in range(len(links)):
        place = links[link, 1]
        row = int(rows[place])
        apart = np.float32(np.sqrt(square(fresh, int(links[link, 0]), points, row)))
        if apart >= distances[row, last]:
            continue
        at = last
        while at > 0 and distances[row, at - 1] > apart:
            distances[row, at] = distances[row, at - 1]
            at -= 1
        distances[row, at] = apart
        bars[place] = np.float32(-0.5) * distances[row, last] * distances[row, last]
