"""The picture plane: two principal coordinates as a scatter, a 2-D histogram, a kernel density.

These are pictures of a distribution, never measurements of it: in two dimensions a kernel density
says next to nothing about the density in the space (`docs/density.md`).
"""

from dataclasses import dataclass
from typing import cast

import contourpy
import numpy as np
from contourpy import LineType
from scipy.ndimage import gaussian_filter

from kdos.arrays import Float64Array, Int64Array
from kdos.chance import generator

WIDTH, HEIGHT = 400, 300
"""The plane of a panel, in the units of its drawing."""

STEPS = 8
"""Colours of the density ramp."""

MOST_DOTS = 12_000
COLUMNS, ROWS = 48, 36
FINE = 2
"""Grid points of the kernel density, in units of the plane."""

ENCLOSED = (0.95, 0.85, 0.7, 0.55, 0.4, 0.25, 0.12, 0.04)
"""Shares of all knowledge inside each contour, the widest first."""

OUTSIDE = 0.002
"""Share of the points that the frame leaves out at each side, so that strays do not shrink it."""
MARGIN = 0.08


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the principal plane that is shown; y points up."""

    left: float
    bottom: float
    scale: float

    def place(self, x: Float64Array, y: Float64Array) -> Float64Array:
        """Principal coordinates in the plane's units, shape (n, 2), y pointing down."""
        return np.stack([(x - self.left) * self.scale, HEIGHT - (y - self.bottom) * self.scale], 1)


@dataclass(frozen=True, slots=True)
class Panels:
    """The paper's three panels of one pool, as SVG path data, one path for each ramp step."""

    dots: list[str]
    bins: list[str]
    contours: list[str]


def frame_around(x: Float64Array, y: Float64Array) -> Frame:
    """The frame that holds nearly all of the points, both axes to one scale."""
    left, right = np.quantile(x, [OUTSIDE, 1 - OUTSIDE])
    bottom, top = np.quantile(y, [OUTSIDE, 1 - OUTSIDE])
    width, height = max(right - left, 1e-9), max(top - bottom, 1e-9)
    scale = (1 - 2 * MARGIN) * min(WIDTH / width, HEIGHT / height)
    return Frame(
        left=float((left + right) / 2 - WIDTH / scale / 2),
        bottom=float((bottom + top) / 2 - HEIGHT / scale / 2),
        scale=float(scale),
    )


def draw_panels(places: Float64Array, weights: Float64Array, step: Int64Array) -> Panels:
    """Draw points at `places`, shape (n, 2); `weights` and ramp `step` have shape (n,)."""
    return Panels(
        dots=[dot_path(places[rows]) for rows in dots_by_step(step)],
        bins=bin_paths(places, weights),
        contours=contour_paths(places, weights),
    )


def ramp_steps(values: Float64Array, low: float, high: float) -> Int64Array:
    """The ramp step, in [0, STEPS), of each value between `low` and `high`."""
    share = (values - low) / max(high - low, 1e-12)
    return np.clip((share * STEPS).astype(np.int64), 0, STEPS - 1)


def dots_by_step(step: Int64Array) -> list[Int64Array]:
    """The rows of each step; of more than `MOST_DOTS` points, that many drawn at random."""
    rows = np.arange(len(step))
    if len(step) > MOST_DOTS:
        rows = generator(0, "dots", len(step)).choice(len(step), MOST_DOTS, replace=False)
        rows.sort()
    return [rows[step[rows] == number] for number in range(STEPS)]


def dot_path(places: Float64Array) -> str:
    """Dots as one path of strokes without length, which round caps make into dots."""
    inside = ((places >= 0) & (places <= [WIDTH, HEIGHT])).all(1)
    whole = np.unique(np.rint(places[inside] * 2).astype(int), axis=0)
    moves = np.diff(whole, axis=0, prepend=0)
    return "".join(f"m{half(dx)} {half(dy)}h0" for dx, dy in moves.tolist())


def half(doubled: int) -> str:
    """A number of half units, as short as SVG allows."""
    return str(doubled // 2) if doubled % 2 == 0 else str(doubled / 2)


def counts_on_grid(
    places: Float64Array, weights: Float64Array, columns: int, rows: int
) -> Float64Array:
    """Weights summed on a grid over the plane, shape (rows, columns)."""
    return np.histogram2d(
        places[:, 1],
        places[:, 0],
        bins=(rows, columns),
        range=((0, HEIGHT), (0, WIDTH)),
        weights=weights,
    )[0]


def bin_paths(places: Float64Array, weights: Float64Array) -> list[str]:
    """Squares of the histogram, in steps of the logarithm of their weight."""
    grid = counts_on_grid(places, weights, COLUMNS, ROWS)
    side = WIDTH / COLUMNS
    filled = grid > 0
    logs = np.log(np.where(filled, grid, 1))
    step = ramp_steps(logs, 0.0, float(logs.max()) * (1 + 1e-9))
    return [
        "".join(
            f"M{column * side:g} {row * side:g}h{side:g}v{side:g}h-{side:g}z"
            for row, column in np.argwhere(filled & (step == number)).tolist()
        )
        for number in range(STEPS)
    ]


def contour_paths(places: Float64Array, weights: Float64Array) -> list[str]:
    """Areas of the kernel density that hold `ENCLOSED` of the weight, the widest first."""
    density = kernel_density(places, weights)
    levels = enclosing_levels(density)
    rims = contourpy.contour_generator(z=np.pad(density, 1), line_type=LineType.Separate)
    return [closed_path(cast("list[Float64Array]", rims.lines(level))) for level in levels]


def kernel_density(places: Float64Array, weights: Float64Array) -> Float64Array:
    """The kernel density on a fine grid: Scott's bandwidth, points binned before smoothing."""
    grid = counts_on_grid(places, weights, WIDTH // FINE, HEIGHT // FINE)
    effective = weights.sum() ** 2 / (weights**2).sum()
    spread = np.sqrt(
        np.average(
            (places - np.average(places, axis=0, weights=weights)) ** 2, axis=0, weights=weights
        )
    )
    bandwidth = np.maximum(spread * effective ** (-1 / 6), FINE) / FINE
    return gaussian_filter(grid, bandwidth[::-1], mode="constant")


def enclosing_levels(density: Float64Array) -> list[float]:
    """The density at the rim of the smallest areas that hold each share of `ENCLOSED`."""
    ordered = np.sort(density.ravel())[::-1]
    held = np.cumsum(ordered) / ordered.sum()
    return [float(ordered[np.searchsorted(held, share)]) for share in ENCLOSED]


def closed_path(lines: list[Float64Array]) -> str:
    """Closed lines on the padded grid as one path in the plane's units."""
    rings = [((line[:-1] - 0.5) * FINE).round(1).tolist() for line in lines]
    return "".join(f"M{'L'.join(f'{x:g} {y:g}' for x, y in ring)}z" for ring in rings)
