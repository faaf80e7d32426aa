"""Pools that grow: adding points changes what is near them and leaves the rest as it was."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from kdos.density.estimator import Pool, neighbours, radius_log_density
from kdos.density.space import Cells, Floats, Points, Space

Narrow = npt.NDArray[np.float32]

REACH = 32
"""How many of the points nearest to a new one are asked whether it is now among their own k.

A point can have farther ones that count it among theirs; of 10 neighbours these hold nearly all.
"""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Distinct points with their cells and distances to the k nearest, shape (n, k), ascending."""

    points: Points
    cells: Cells
    distances: Narrow

    def log_density(self, space: Space) -> Floats:
        """The log density (nats) of each point, shape (n,)."""
        radius = self.distances[:, -1].astype(np.float64)
        return radius_log_density(radius, space.intrinsic_dim, k=space.k, r_min=space.r_min)


def neighbourhood(points: Points, space: Space) -> Neighbourhood:
    """The neighbourhood of distinct points of a space."""
    pool = Pool(points, space.assign(points))
    found = neighbours(pool, pool, space.codebook, k=space.k, probes=None)
    return Neighbourhood(points, pool.cells, found.distances.astype(np.float32))


def grown(old: Neighbourhood, points: Points, space: Space) -> Neighbourhood:
    """The neighbourhood with more points, none of which may be in it already."""
    fresh = Pool(points, space.assign(points))
    everyone = Pool(np.concatenate([old.points, points]), np.concatenate([old.cells, fresh.cells]))
    reach = min(max(REACH, space.k) + 1, len(everyone.points))
    found = neighbours(fresh, everyone, space.codebook, k=reach, probes=None)
    # The nearest of all is the point itself.
    rows, across = found.rows[:, 1:], found.distances[:, 1:].astype(np.float32)
    distances = old.distances.copy()
    _welcome(distances, rows, across)
    distances = np.concatenate([distances, across[:, : space.k]])
    return Neighbourhood(everyone.points, everyone.cells, distances)


@njit(nogil=True, cache=True)
def _welcome(distances: Narrow, rows: Cells, across: Narrow) -> None:
    """Put each new point into the lists of the old ones that it is near enough to."""
    n, last = distances.shape[0], distances.shape[1] - 1
    for new in range(rows.shape[0]):
        for place in range(rows.shape[1]):
            old, apart = rows[new, place], across[new, place]
            if old >= n or apart >= distances[old, last]:
                continue
            at = last
            while at > 0 and distances[old, at - 1] > apart:
                distances[old, at] = distances[old, at - 1]
                at -= 1
            distances[old, at] = apart
