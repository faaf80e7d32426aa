"""The codebook: k-means whose centroids cut the space into cells."""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]

ITERATIONS = 10
"""Lloyd's iterations; inertia changes by less than 1 % after them (our measurement)."""
SAMPLE_PER_CELL = 256
"""Training points per cell at most, as faiss takes by default."""
BLOCK = 4096


def train_centroids(
    points: Points, n_cells: int, *, rng: np.random.Generator, normalize: bool
) -> Points:
    """Centroids, shape (n_cells or fewer, dim), none of them without a point of `points`."""
    n_sample = min(len(points), SAMPLE_PER_CELL * n_cells)
    rows = np.sort(rng.choice(len(points), n_sample, replace=False))
    sample = points[rows]
    centroids = sample[np.sort(rng.choice(n_sample, n_cells, replace=False))]
    for _ in range(ITERATIONS):
        centroids = mean_of_cells(
            sample, nearest_centroid(sample, centroids), centroids, normalize=normalize
        )
    held = np.bincount(nearest_centroid(points, centroids), minlength=n_cells)
    return np.ascontiguousarray(centroids[held > 0])


def nearest_centroid(points: Points, centroids: Points) -> Cells:
    """The row of the nearest centroid for each point, shape (n,); the first among equals."""
    half = 0.5 * np.einsum("cd,cd->c", centroids, centroids)
    cells = np.empty(len(points), np.int32)
    for start in range(0, len(points), BLOCK):
        nearness = points[start : start + BLOCK] @ centroids.T - half
        cells[start : start + BLOCK] = nearness.argmax(1)
    return cells


def mean_of_cells(points: Points, cells: Cells, before: Points, *, normalize: bool) -> Points:
    """The mean of each cell's points, of unit length if asked; an empty cell keeps its centroid."""
    n_cells, dim = before.shape
    counts = np.bincount(cells, minlength=n_cells)
    sums = np.stack(
        [np.bincount(cells, points[:, axis], minlength=n_cells) for axis in range(dim)], 1
    )
    means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], before)
    if normalize:
        length = np.linalg.norm(means, axis=1, keepdims=True)
        means = means / np.where(length > 0, length, 1)
    return means.astype(np.float32)
