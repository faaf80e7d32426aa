"""The k nearest neighbours of every point, joined in the point's cell and the cells next to it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdos.density.codebook import nearest_centroid

Points = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

CANDIDATES = 1024
"""How many points a join looks at for each point, about, unless the caller names `probes`."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Points sorted by cell: those of cell c are `rows[offsets[c]:offsets[c + 1]]`."""

    points: Points
    rows: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return len(self.offsets) - 1

    def held(self, cell: int) -> npt.NDArray[np.int64]:
        """The rows of the points in a cell."""
        return self.rows[self.offsets[cell] : self.offsets[cell + 1]]


def shelve(points: Points, cells: Cells, n_cells: int) -> Shelf:
    """Sort points by cell."""
    counts = np.bincount(cells, minlength=n_cells)
    return Shelf(points, np.argsort(cells, kind="stable"), np.concatenate([[0], np.cumsum(counts)]))


def probes_for(n_points: int, n_cells: int) -> int:
    """How many neighbour cells bring about `CANDIDATES` points to each join."""
    wanted = -(-CANDIDATES * n_cells // max(n_points, 1)) - 1
    return int(min(max(wanted, 0), n_cells - 1))


def nearest_cells(centroids: Points, probes: int) -> npt.NDArray[np.int64]:
    """Each cell's own number, then its `probes` nearest cells, shape (n_cells, 1 + probes)."""
    square = np.einsum("cd,cd->c", centroids, centroids)
    apart = square[:, None] + square - 2 * centroids @ centroids.T
    np.fill_diagonal(apart, -1)
    return np.argsort(apart, axis=1, kind="stable")[:, : probes + 1]


def neighbour_distances(
    queries: Points, shelf: Shelf, centroids: Points, *, k: int, probes: int, among_itself: bool
) -> Floats:
    """Distances to the k nearest of the shelved points, ascending, shape (n, k).

    Candidates are the points of the query's cell and of its `probes` nearest cells, and of as many
    more as it takes to find k. `among_itself` says that the queries are the shelved points, so
    that none is its own neighbour.
    """
    cells = nearest_centroid(queries, centroids)
    near = nearest_cells(centroids, len(centroids) - 1)
    distances = np.empty((len(queries), k))
    order = np.argsort(cells, kind="stable")
    bounds = np.searchsorted(cells[order], np.arange(len(centroids) + 1))
    for cell in range(len(centroids)):
        rows = order[bounds[cell] : bounds[cell + 1]]
        if len(rows):
            candidates = _candidates(shelf, near[cell], k + among_itself, probes)
            distances[rows] = _nearest(queries, rows, shelf.points, candidates, k, among_itself)
    return distances


def _candidates(
    shelf: Shelf, near: npt.NDArray[np.int64], needed: int, probes: int
) -> npt.NDArray[np.int64]:
    held = np.cumsum(shelf.offsets[near + 1] - shelf.offsets[near])
    reach = max(probes + 1, int(np.searchsorted(held, needed)) + 1)
    return np.concatenate([shelf.held(cell) for cell in near[:reach]])


def _nearest(
    queries: Points,
    rows: npt.NDArray[np.int64],
    points: Points,
    candidates: npt.NDArray[np.int64],
    k: int,
    among_itself: bool,
) -> Floats:
    left, right = queries[rows], points[candidates]
    square = np.einsum("qd,qd->q", left, left)[:, None] + np.einsum("cd,cd->c", right, right)
    square = square - 2 * left @ right.T
    if among_itself:
        square[rows[:, None] == candidates] = np.inf
    nearest = np.argpartition(square, k - 1, axis=1)[:, :k]
    apart = left[:, None].astype(np.float64) - right[nearest]
    return np.sort(np.sqrt(np.einsum("qkd,qkd->qk", apart, apart)), axis=1)
