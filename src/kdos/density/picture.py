"""A picture of a space in two dimensions: for the eye only, never a measurement.

In our tests a kernel density in the plane ranks points no better than chance against the true
density; colour the picture by the density that was measured in the space itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kdos.arrays import Float32Array, Float64Array
from kdos.density.fit import Reference, leading_directions

PCA_POINTS = 100_000
"""Points that the two directions are found from at most."""
BLOCK_POINTS = 1 << 16
"""Points that are projected at a time."""
GRID_SHARE = 0.9
"""Scott's rule gives the bandwidth; this share of the grid must hold the points."""


def draw_density_map(reference: Reference) -> Any:
    """A Matplotlib figure: points in the plane, each in the colour of its measured density."""
    from matplotlib.figure import Figure  # slow to load, and seldom wanted

    flat = project_to_plane(reference.points)
    grid, (left, right, bottom, top) = plane_density(flat)
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    levels = np.linspace(np.quantile(grid, 0.5), grid.max(), 8)
    axes.contour(grid.T, levels, extent=(left, right, bottom, top), colors="0.7", linewidths=0.6)
    colour = reference.log_density / np.log(10)
    points = axes.scatter(*flat.T, c=colour, s=3, linewidths=0, rasterized=True)
    figure.colorbar(points, label="log10 density, measured in the space")
    axes.set(xlabel="first direction", ylabel="second direction")
    return figure


@dataclass(frozen=True, slots=True)
class Plane:
    """Where points are drawn: `centre`, shape (dim,), and two `directions` through it, shape (dim, 2)."""

    centre: Float64Array
    directions: Float64Array

    def project(self, points: Float32Array) -> Float64Array:
        """Points, shape (n, dim), along the two directions, shape (n, 2); block by block, to bound memory."""
        flat = np.zeros((len(points), 2))
        for start in range(0, len(points), BLOCK_POINTS):
            rows = slice(start, start + BLOCK_POINTS)
            flat[rows, : self.directions.shape[1]] = (points[rows] - self.centre) @ self.directions
        return flat


def fit_plane(points: Float32Array) -> Plane:
    """The plane of the two directions of largest variance; of points in a line, that line."""
    step = -(-len(points) // PCA_POINTS)
    sample = points[::step].astype(np.float64)
    mean = sample.mean(0)
    covariance = np.cov((sample - mean).T).reshape(points.shape[1], -1)
    return Plane(mean, leading_directions(covariance, 2))


def project_to_plane(points: Float32Array) -> Float64Array:
    """Points along their two directions of largest variance, shape (n, 2)."""
    return fit_plane(points).project(points)


def plane_density(flat: Float64Array, *, cells: int = 256) -> tuple[Float64Array, Float64Array]:
    """Kernel density in the plane by linear binning and FFT: log10 on a grid, and its extent.

    The grid has shape (cells, cells), the first axis along the first direction; the extent is
    (left, right, bottom, top).
    """
    low, high = flat.min(0), flat.max(0)
    margin = np.maximum((high - low) * (1 / GRID_SHARE - 1) / 2, 1e-9)
    low, high = low - margin, high + margin
    scale = (cells - 1) / (high - low)
    grid = _bin_linearly((flat - low) * scale, cells)
    width = flat.std(0) * len(flat) ** (-1 / 6) * scale
    smooth = _smooth_gaussian(grid, np.maximum(width, 0.5))
    area = np.prod(1 / scale)
    extent = np.array([low[0], high[0], low[1], high[1]])
    return np.log10(np.maximum(smooth, 1e-12 * smooth.max()) / area), extent


def _bin_linearly(places: Float64Array, cells: int) -> Float64Array:
    """Each point shared out over the four corners around it, by nearness; shape (cells, cells)."""
    corner = np.clip(np.floor(places).astype(np.int64), 0, cells - 2)
    right = places - corner
    grid = np.zeros(cells * cells)
    for down, across in np.ndindex(2, 2):
        share = np.abs(1 - down - right[:, 0]) * np.abs(1 - across - right[:, 1])
        at = (corner[:, 0] + down) * cells + corner[:, 1] + across
        grid += np.bincount(at, share, minlength=cells * cells)
    return grid.reshape(cells, cells)


def _smooth_gaussian(grid: Float64Array, width: Float64Array) -> Float64Array:
    """The grid under a Gaussian of standard deviations `width` (grid steps), padded with zeros."""
    shape = [2 * side for side in grid.shape]
    steps = [np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])]
    kernel = [np.exp(-2 * (np.pi * f * w) ** 2) for f, w in zip(steps, width, strict=True)]
    waves = np.fft.rfft2(grid, shape) * kernel[0][:, None] * kernel[1]
    return np.maximum(np.fft.irfft2(waves, shape)[: grid.shape[0], : grid.shape[1]], 0.0)
