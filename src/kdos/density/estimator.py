"""The density of points: k nearest neighbours, counted in the space's intrinsic dimension."""

import math
from dataclasses import dataclass

import numpy as np

from kdos.density.neighbours import neighbour_distances, probes_for, shelve
from kdos.density.space import Cells, Floats, Points, Space
from kdos.errors import UsageError

EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was found for each point: its cell, k-th neighbour distance and log density (nats)."""

    cells: Cells
    radius: Floats
    log_density: Floats


def measure(
    points: Points,
    space: Space,
    *,
    among: Points | None = None,
    probes: int | None = None,
    rate: float = 1.0,
) -> Measurement:
    """Measure points among themselves, or among others of the same space.

    `rate` is the share, in (0, 1], of the pool that `among` was drawn from it at: densities are
    those of the whole pool.
    """
    pool = points if among is None else among
    least = space.k + (among is None)
    if len(pool) < least:
        raise UsageError(
            f"a density with k = {space.k} needs at least {least} points. Got {len(pool)}. "
            "Lower k, or give more points."
        )
    cells = space.assign(points)
    shelf = shelve(pool, cells if among is None else space.assign(pool), space.n_cells)
    if probes is None:
        probes = probes_for(len(pool), space.n_cells)
    distances = neighbour_distances(
        points, shelf, space.centroids, k=space.k, probes=probes, among_itself=among is None
    )
    radius = distances[:, -1]
    found = radius_log_density(radius, space.intrinsic_dim, k=space.k, r_min=space.r_min)
    return Measurement(cells, radius, found - math.log(rate))


def log_density(
    points: Points, space: Space, *, probes: int | None = None, rate: float = 1.0
) -> Floats:
    """The log density (nats) of each point among all of them, shape (n,)."""
    return measure(points, space, probes=probes, rate=rate).log_density


def radius_log_density(radius: Floats, intrinsic_dim: float, *, k: int, r_min: float) -> Floats:
    """log rho = psi(k) - log V_d - d log max(r_k, r_min) in nats (our design §6).

    psi(k) makes the mean unbiased (Kozachenko and Leonenko 1987).
    """
    near = np.log(np.maximum(radius, r_min))
    return digamma(k) - log_ball(intrinsic_dim) - intrinsic_dim * near


def log_ball(dim: float) -> float:
    """The log volume (nats) of the unit ball in `dim` dimensions."""
    return dim / 2 * math.log(math.pi) - math.lgamma(dim / 2 + 1)


def digamma(k: int) -> float:
    """psi(k) for a whole number k >= 1."""
    return sum(1 / i for i in range(1, k)) - EULER
