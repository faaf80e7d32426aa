"""The density of points: k nearest neighbours, counted in the space's intrinsic dimension."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import Float32Array, Float64Array, Int32Array
from kdos.density.codebook import NEAR_PER_PROBE, Codebook, far_enough
from kdos.density.copies import find_copies
from kdos.density.neighbours.csr import Lists, shelve
from kdos.density.neighbours.search import Found, nearest_among_cells
from kdos.density.neighbours.tiles import Tiles, laid_out
from kdos.density.space import Space
from kdos.errors import UsageError

EULER = 0.5772156649015329
CANDIDATES = 1536, 4096
PAIRS = 2**28
"""How many points a join looks at for each point, about, unless the caller names `probes`: as many
as PAIRS in all allow for, within these bounds. Small pools are joined more thoroughly."""
PROBES_AT_MOST = 64
"""Past so many neighbour cells, groups of cells are probed instead."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was found for each point: its cell, k-th neighbour distance and log density (nats)."""

    cells: Int32Array
    radius: Float64Array
    log_density: Float64Array


@dataclass(frozen=True, slots=True)
class Pool:
    """Distinct points and their cells."""

    points: Float32Array
    cells: Int32Array


@dataclass(frozen=True, slots=True)
class Search:
    """How a pool is searched: in the cells of `codebook`, whose number `merged` has for each cell
    of the space unless they are the same, and in `probes` cells besides the nearest."""

    codebook: Codebook
    merged: Int32Array | None
    probes: int

    def cells_of(self, cells: Int32Array) -> Int32Array:
        """The cells to be searched, for cells of the space."""
        return cells if self.merged is None else self.merged[cells]

    @property
    def near(self) -> Lists:
        """The cells that the points of each block choose from."""
        return self.codebook.near(min(NEAR_PER_PROBE * self.probes, len(self.codebook) - 1))


@dataclass(frozen=True, slots=True)
class Index:
    """A pool laid out in tiles, on the shelves of its cells, to be searched as `search` says.

    `near` lists the cells that the queries of each block choose from.
    """

    pool: Pool
    search: Search
    near: Lists
    shelves: Lists
    tiles: Tiles


def pool_of(points: Float32Array, space: Space) -> Pool:
    """The distinct ones of some points."""
    distinct = find_copies(points).distinct(points)
    return Pool(distinct, space.assign(distinct))


def measure(
    points: Float32Array,
    space: Space,
    *,
    among: Float32Array | Index | None = None,
    probes: int | None = None,
    rate: float = 1.0,
) -> Measurement:
    """Measure points among themselves, or among others of the same space.

    Exact copies of a point are not its neighbours: they are the same point. `rate` is the share, in
    (0, 1], of the pool that `among` was drawn from it at: densities are those of the whole pool.
    `probes` is left to an index if `among` is one.
    """
    copies = find_copies(points)
    distinct = np.ascontiguousarray(copies.distinct(points))
    queries = Pool(distinct, space.assign(distinct))
    if not isinstance(among, Index):
        pool = queries if among is None else pool_of(among, space)
        among = index_of(pool, space.codebook, probes=probes)
    radius = radii(queries, among, space)
    log_rho = radius_log_density(radius, space.intrinsic_dim, k=space.k, r_min=space.r_min)
    each = copies.of
    return Measurement(queries.cells[each], radius[each], (log_rho - math.log(rate))[each])


def radii(queries: Pool, index: Index, space: Space) -> Float64Array:
    """The k-th neighbour distance of each query in a pool, shape (n,); its own copy is left out."""
    if queries is index.pool:
        return neighbours(queries, index, k=space.k, ranks=(space.k,)).distances[:, 0]
    k = min(space.k + 1, len(index.pool.points))
    near = neighbours(queries, index, k=k).distances
    return np.where(near[:, 0] == 0, near[:, -1], near[:, space.k - 1])


def log_density(
    points: Float32Array, space: Space, *, probes: int | None = None, rate: float = 1.0
) -> Float64Array:
    """The log density (nats) of each point among all of them, shape (n,)."""
    return measure(points, space, probes=probes, rate=rate).log_density


def index_of(pool: Pool, codebook: Codebook, *, probes: int | None = None) -> Index:
    """An index of a pool, where each query looks into the `probes` + 1 cells it is nearest to.

    Left out, `probes` brings about 1,536 to 4,096 points to each query.
    """
    if len(pool.points) == 0:
        raise UsageError("a pool must hold at least one point. Got none.")
    search = search_for(pool, codebook, probes=probes)
    near = search.near  # before the tiles, which leave less room for what it takes
    shelves = shelve(search.cells_of(pool.cells), len(search.codebook))
    tiles = laid_out(pool.points, shelves, search.codebook.centroids)
    return Index(pool, search, near, shelves, tiles)


def neighbours(
    queries: Pool,
    index: Index,
    *,
    k: int,
    ranks: Sequence[int] | None = None,
    widely: bool = False,
) -> Found:
    """The k nearest of a pool in the cells that a query looks into.

    Where `queries` is the pool, none is its own neighbour. Where cells hold too few, as many more
    are looked at as it takes to find k. `widely` looks into all cells that are chosen among: about
    ten times as many.
    """
    pool, search, tiles = index.pool, index.search, index.tiles
    among_itself = queries is pool
    n_pool, needed = len(pool.points), k + among_itself
    if n_pool < needed:
        raise UsageError(
            f"a density with k = {k} needs at least {needed} distinct points. Got {n_pool}. "
            "Lower k, or give more points."
        )
    codebook, shelves = search.codebook, index.shelves
    if not among_itself:
        shelves = shelve(search.cells_of(queries.cells), len(codebook))
    return nearest_among_cells(
        queries.points,
        shelves,
        pool.points,
        tiles,
        centroids=codebook.centroids,
        blocks=codebook.blocks,
        near=far_enough(index.near, codebook, shelves.sizes, tiles.sizes, needed),
        cells=len(codebook) if widely else search.probes + 1,
        k=k,
        among_itself=among_itself,
        ranks=ranks,
    )


def search_for(pool: Pool, codebook: Codebook, *, probes: int | None = None) -> Search:
    """Few points are searched as one cell; many cells with few points each, group by group."""
    n_pool, n_cells = len(pool.points), len(codebook)
    if probes is not None:
        return Search(codebook, None, min(probes, n_cells - 1))
    if n_pool <= candidates_for(n_pool):
        middle = pool.points.mean(0, dtype=np.float64, keepdims=True).astype(np.float32)
        return Search(Codebook(middle, np.array([0, 1])), np.zeros(n_cells, np.int32), 0)
    merged, wanted = None, probes_for(n_pool, n_cells)
    if wanted > PROBES_AT_MOST:
        codebook, merged = codebook.coarse()
        wanted = probes_for(n_pool, len(codebook))
    return Search(codebook, merged, wanted)


def probes_for(n_points: int, n_cells: int) -> int:
    """How many neighbour cells bring as many points to each join as `candidates_for` says."""
    wanted = -(-candidates_for(n_points) * n_cells // n_points) - 1
    return min(max(wanted, 0), n_cells - 1)


def candidates_for(n_points: int) -> int:
    """How many points of a pool each query is compared with, about."""
    least, most = CANDIDATES
    return min(max(PAIRS // n_points, least), most)


def radius_log_density(
    radius: Float64Array, intrinsic_dim: float, *, k: int, r_min: float
) -> Float64Array:
    """log rho = psi(k) - log V_d - d log max(r_k, r_min) in nats (our design).

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
