"""Make a space from a reference pool, and measure that pool in it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kdos.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator
from kdos.density.cells import cell_log_volumes
from kdos.density.codebook import drop_empty_cells, train_codebook
from kdos.density.estimator import (
    PointIndex,
    PointSet,
    build_index,
    find_copies,
    find_neighbours,
    log_density_from_radius,
)
from kdos.density.space import Space, check_vectors, project_rows
from kdos.errors import UsageError

CELLS_AT_LEAST, CELLS_AT_MOST, POINTS_PER_CELL = 64, 65_536, 64
LEAST_POINTS_PER_CELL = 8
"""Distinct points of a cell on the mean, whatever was asked for: fewer say little of a cell (our design)."""
NOVEL_QUANTILE = 0.99
R_MIN_SHARE = 0.01
"""r_min as a share of the median k-th neighbour distance: nearer ones count as this near."""
PCA_ROWS = 131_072
DISCARDED_RATIOS = 0.1
"""The largest ratios that 2NN leaves out (Facco et al. 2017)."""
DIMENSION_SAMPLE = 4096
"""The dimension is read from so many points: its standard error is one over their square root."""


@dataclass(frozen=True)
class Reference:
    """The pool that a space was fitted on, measured in it; row i is row i of the vectors.

    `points` shape (n, dim), `cells` and `log_density` (nats) and `radius` (k-th neighbour distance)
    shape (n,), `counts` of distinct points shape (n_cells,).
    """

    points: Float32Array
    cells: Int32Array
    log_density: Float64Array
    radius: Float64Array
    counts: Int64Array

    def take(self, rows: Int64Array) -> "Reference":
        """The reference whose row i is what row `rows[i]` was, a permutation: each point in another's place."""
        return replace(
            self, points=self.points[rows], cells=self.cells[rows], log_density=self.log_density[rows],
            radius=self.radius[rows],
        )  # fmt: skip

    def distinct_points(self) -> PointSet:
        """The distinct points and their cells."""
        copies = find_copies(self.points)
        return PointSet(copies.keep_distinct(self.points), copies.keep_distinct(self.cells))


def fit_space(
    vectors: npt.ArrayLike,
    *,
    embedder: str,
    dim: int | None = 64,
    n_cells: int | None = None,
    k: int = 10,
    normalize: bool = True,
    random_seed: int = 0,
) -> tuple[Space, Reference]:
    """Fit a space on a reference pool; `dim=None` takes the vectors as they are, uncentred.

    Exact copies of a row count once. `n_cells` is max(64, n/64) up to 65,536 unless given. A pool too small for them
    gets less: k is n - 1 at most, and a cell has eight points or more on the mean (`note_small_pool` says so).

    Raises:
        UsageError: Fewer than two rows differ, or a number is out of its range.
    """
    if k < 1 or (n_cells is not None and n_cells < 1):
        raise UsageError(f"k and n_cells must be at least 1. Got {k} and {n_cells}.")
    rows = check_vectors(vectors)
    if not len(rows):
        raise _too_few_points(0, embedder)
    rng = keyed_generator(random_seed, "density", "reduction")
    mean, components = fit_reduction(rows, dim, rng)
    points = project_rows(rows, mean, components, normalize=normalize)
    copies = find_copies(points)
    distinct = copies.keep_distinct(points)
    each = slice(None) if len(distinct) == len(points) else copies.group
    del copies
    if len(distinct) < 2:
        raise _too_few_points(len(points), embedder)
    k = min(k, len(distinct) - 1)
    n_cells = _choose_cell_count(len(distinct), n_cells)
    rng = keyed_generator(random_seed, "density", "codebook")
    codebook = train_codebook(distinct, n_cells, rng=rng, normalize=normalize)
    codebook, cells = drop_empty_cells(codebook, codebook.assign_cells(distinct))
    pool = PointSet(distinct, cells)
    rng = keyed_generator(random_seed, "density", "dimension")
    # The dimension before the join, and the index dropped after it: the peak of memory is theirs.
    index = build_index(pool, codebook)
    dimension = _estimate_dimension(index, rng)
    radius = find_neighbours(pool, index, k=k, ranks=(k,)).distances[:, 0]
    del index
    r_min = R_MIN_SHARE * float(np.median(radius))
    log_rho = log_density_from_radius(radius, dimension, k=k, r_min=r_min)
    space = Space(
        embedder=embedder,
        mean=mean,
        components=components,
        normalize=normalize,
        centroids=codebook.centroids,
        groups=codebook.groups,
        log_volumes=cell_log_volumes(log_rho, cells, len(codebook)),
        intrinsic_dim=dimension,
        k=k,
        r_min=r_min,
        novel_radius=float(np.quantile(radius, NOVEL_QUANTILE)),
    )
    counts = np.bincount(cells, minlength=space.n_cells)
    return space, Reference(points, cells[each], log_rho[each], radius[each], counts)


def _estimate_dimension(index: PointIndex, rng: np.random.Generator) -> float:
    # Searched for in all listed cells, 95 and 92 of 100 of the two nearest are right, and 2NN reads
    # 19.93 where exact ones have 19.90. From the join's own first two distances, which cost
    # nothing, it reads 18.2: borders of cells flatten the growth of the shell.
    points, cells = index.point_set.points, index.point_set.cells
    if len(points) < 3:
        return 1.0
    rows = np.sort(rng.choice(len(points), min(DIMENSION_SAMPLE, len(points)), False))
    found = find_neighbours(PointSet(points[rows], cells[rows]), index, k=3, ranks=(2, 3), search_listed_cells=True)
    return min(two_nn_dimension(found.distances), float(points.shape[1]))


def two_nn_dimension(distances: Float64Array) -> float:
    """The dimension from the ratios of second to first neighbour distances (Facco et al. 2017).

    `distances` has shape (n, >= 2), ascending and positive. Maximum likelihood on the ratios below
    the cut, the rest counted as censored there.
    """
    ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    kept = max(1, int(len(ratios) * (1 - DISCARDED_RATIOS)))
    total = ratios[:kept].sum() + (len(ratios) - kept) * ratios[kept - 1]
    return kept / total if total > 0 else float("inf")


def note_small_pool(reference: Reference, *, k: int, n_cells: int | None) -> str | None:
    """One line where a pool is too small for the k and the number of cells that were asked for; None where not."""
    n = int(reference.counts.sum())
    cuts = [f"k is {n - 1}, not {k}: {n:,} distinct points have no more neighbours"] if k >= n else []
    if n_cells is not None and (cut := _choose_cell_count(n, n_cells)) < n_cells:
        cuts.append(
            f"there are {cut:,} cells, not {n_cells:,}: of {n:,} distinct points "
            f"a cell holds {LEAST_POINTS_PER_CELL} or more on the mean"
        )
    return "; ".join(cuts) or None


def _choose_cell_count(n_distinct: int, n_cells: int | None) -> int:
    if n_cells is None:
        n_cells = min(max(CELLS_AT_LEAST, n_distinct // POINTS_PER_CELL), CELLS_AT_MOST)
    return min(n_cells, max(1, n_distinct // LEAST_POINTS_PER_CELL))


def _too_few_points(n_points: int, embedder: str) -> UsageError:
    got = f"{n_points:,} that are all alike to `{embedder}`" if n_points > 1 else ("one" if n_points else "none")
    return UsageError(f"a density is read from distances, so at least two rows must differ. Got {got}. Give others.")


def fit_reduction(rows: Float32Array, dim: int | None, rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
    """Mean, shape (n_features,), and principal components, shape (n_features, dim).

    Both are empty for `dim=None`. A `dim` of n_features or more keeps every direction.
    """
    if dim is None:
        return np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
    if dim < 1:
        raise UsageError(f"dim must be at least 1. Got {dim}. Leave it out for 64.")
    if len(rows) > PCA_ROWS:
        rows = rows[np.sort(rng.choice(len(rows), PCA_ROWS, replace=False))]
    mean = rows.mean(0, dtype=np.float64)
    if dim >= rows.shape[1]:
        return mean.astype(np.float32), np.eye(rows.shape[1], dtype=np.float32)
    centred = rows - mean
    return mean.astype(np.float32), leading_directions(centred.T @ centred, dim).astype(np.float32)


def leading_directions(covariance: Float64Array, count: int) -> Float64Array:
    """The eigenvectors of the largest eigenvalues, shape (n_features, count), largest first."""
    leading = np.linalg.eigh(covariance)[1][:, ::-1][:, :count]
    # An eigenvector's sign is arbitrary: the largest component is made positive.
    return leading * np.sign(leading[np.abs(leading).argmax(0), np.arange(leading.shape[1])])
