"""Panels of a pool on the principal plane: scatter, 2-D histogram and kernel density, as SVG.

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
from kdos.chance import keyed_generator
from kdos.pool import column_values
from kdos.pool.wording import fact_key
from kdos.report.saved_run import SavedRun, principal_coordinates

PANEL_WIDTH, PANEL_HEIGHT = 400, 300
"""A panel, in the units of its drawing."""
RAMP_STEPS = 8
"""Colours of the density ramp."""

MAX_DOTS = 12_000
HISTOGRAM_COLUMNS, HISTOGRAM_ROWS = 48, 36
DENSITY_GRID_STEP = 2
"""Distance of the kernel density's grid points, in panel units."""
ENCLOSED_SHARES = (0.95, 0.85, 0.7, 0.55, 0.4, 0.25, 0.12, 0.04)
"""Shares of all knowledge inside each contour, the widest first."""
CLIPPED_SHARE = 0.002
"""Share of the points that the frame leaves out at each side, so that outliers do not shrink it."""
FRAME_MARGIN = 0.08


@dataclass(frozen=True, slots=True)
class PanelFrame:
    """The part of the principal plane that is shown; y points up."""

    left: float
    bottom: float
    scale: float

    def to_panel_units(self, x: Float64Array, y: Float64Array) -> Float64Array:
        """Principal coordinates in the panel's units, shape (n, 2), y pointing down."""
        across, up = (x - self.left) * self.scale, (y - self.bottom) * self.scale
        return np.stack([across, PANEL_HEIGHT - up], 1)


@dataclass(frozen=True, slots=True)
class PanelPaths:
    """The paper's three panels of one pool, as SVG path data, one path for each ramp step."""

    dots: list[str]
    bins: list[str]
    contours: list[str]


@dataclass(frozen=True, slots=True)
class PanelRow:
    """The three panels of one pool."""

    title: str
    note: str
    panels: PanelPaths


def build_panel_rows(run: SavedRun) -> list[PanelRow]:
    """The source before and the pool after, on one frame and one ramp."""
    if run.source is None:
        return []
    source = principal_coordinates(run.source)
    frame = fit_panel_frame(*source)
    density = run.source.table["log10_density"].to_numpy()
    low, high = (float(q) for q in np.quantile(density, [0.01, 0.99]))
    # Both rows take the source's frame and the source's ends of the ramp, so that they compare.
    steps = assign_ramp_steps(density, low, high)
    panels = draw_panel_paths(frame.to_panel_units(*source), np.ones(len(density)), steps)
    rows = [PanelRow("Before", f"the {run.source.total:,} knowledge points of the source", panels)]
    after = collect_pool_points(run)
    if after is not None:
        x, y, log10, weights = after
        taught = int(run.loop.points_by_cell.sum()) or int(weights.sum())
        note = f"{taught:,} facts taught by the samples"
        steps = assign_ramp_steps(log10, low, high)
        panels = draw_panel_paths(frame.to_panel_units(x, y), weights, steps)
        rows.append(PanelRow("After", note, panels))
    return rows


def collect_pool_points(run: SavedRun) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array] | None:
    """x, y, log10 density and exposures, shape (n_points,) each, of what the pool teaches.

    Until the run has written its pool's knowledge points, these are the source's that are taught.
    """
    if run.loop.pool_points is not None:
        table = run.loop.pool_points.table
        log10, weights = table["log10_density"].to_numpy(), table["exposures"].to_numpy()
        return *principal_coordinates(run.loop.pool_points), log10, weights.astype(np.float64)
    if run.source is None or not run.loop.taught_points:
        return None
    taught = [run.loop.taught_points.get(fact_key(t)) for t in column_values(run.source.table, "text")]
    rows = [row for row, found in enumerate(taught) if found]
    if not rows:
        return None
    weights = np.array([found.exposures for found in taught if found], np.float64)
    x, y = principal_coordinates(run.source)
    return x[rows], y[rows], run.source.table["log10_density"].to_numpy()[rows], weights


def fit_panel_frame(x: Float64Array, y: Float64Array) -> PanelFrame:
    """The frame that holds nearly all of the points, both axes to one scale."""
    left, right = np.quantile(x, [CLIPPED_SHARE, 1 - CLIPPED_SHARE])
    bottom, top = np.quantile(y, [CLIPPED_SHARE, 1 - CLIPPED_SHARE])
    width, height = max(right - left, 1e-9), max(top - bottom, 1e-9)
    scale = (1 - 2 * FRAME_MARGIN) * min(PANEL_WIDTH / width, PANEL_HEIGHT / height)
    return PanelFrame(
        left=float((left + right) / 2 - PANEL_WIDTH / scale / 2),
        bottom=float((bottom + top) / 2 - PANEL_HEIGHT / scale / 2),
        scale=float(scale),
    )


def draw_panel_paths(places: Float64Array, weights: Float64Array, step: Int64Array) -> PanelPaths:
    """Draw points at `places`, shape (n, 2); `weights` and ramp `step` have shape (n,)."""
    return PanelPaths(
        dots=[draw_dot_path(places[rows]) for rows in group_dots_by_step(step)],
        bins=draw_histogram_paths(places, weights),
        contours=_draw_contour_paths(places, weights),
    )


def assign_ramp_steps(values: Float64Array, low: float, high: float) -> Int64Array:
    """The ramp step, in [0, RAMP_STEPS), of each value between `low` and `high`."""
    share = (values - low) / max(high - low, 1e-12)
    return np.clip((share * RAMP_STEPS).astype(np.int64), 0, RAMP_STEPS - 1)


def group_dots_by_step(step: Int64Array) -> list[Int64Array]:
    """The rows of each step; of more than `MAX_DOTS` points, that many drawn at random."""
    rows = np.arange(len(step))
    if len(step) > MAX_DOTS:
        rows = keyed_generator(0, "dots", len(step)).choice(len(step), MAX_DOTS, replace=False)
        rows.sort()
    return [rows[step[rows] == number] for number in range(RAMP_STEPS)]


def draw_dot_path(places: Float64Array) -> str:
    """Dots as one path of strokes without length, which round caps make into dots."""
    # Places are rounded to half a unit, equal ones drawn once, and each is given relative to the
    # last, which keeps the page small; one path stands for thousands of circles.
    inside = ((places >= 0) & (places <= [PANEL_WIDTH, PANEL_HEIGHT])).all(1)
    whole = np.unique(np.rint(places[inside] * 2).astype(int), axis=0)
    moves = np.diff(whole, axis=0, prepend=0)
    return "".join(f"m{_format_half_units(dx)} {_format_half_units(dy)}h0" for dx, dy in moves.tolist())


def _format_half_units(doubled: int) -> str:
    return str(doubled // 2) if doubled % 2 == 0 else str(doubled / 2)


def sum_weights_on_grid(places: Float64Array, weights: Float64Array, columns: int, rows: int) -> Float64Array:
    """Weights summed on a grid over the plane, shape (rows, columns)."""
    return np.histogram2d(
        places[:, 1], places[:, 0], bins=(rows, columns), range=((0, PANEL_HEIGHT), (0, PANEL_WIDTH)), weights=weights
    )[0]


def draw_histogram_paths(places: Float64Array, weights: Float64Array) -> list[str]:
    """Squares of the 2-D histogram, one path for each step of the logarithm of their weight."""
    grid = sum_weights_on_grid(places, weights, HISTOGRAM_COLUMNS, HISTOGRAM_ROWS)
    side = PANEL_WIDTH / HISTOGRAM_COLUMNS
    filled = grid > 0
    logs = np.log(np.where(filled, grid, 1))
    # The largest bin would be one step past the last, but for the tiny factor.
    step = assign_ramp_steps(logs, 0.0, float(logs.max()) * (1 + 1e-9))
    return [
        "".join(
            f"M{column * side:g} {row * side:g}h{side:g}v{side:g}h-{side:g}z"
            for row, column in np.argwhere(filled & (step == number)).tolist()
        )
        for number in range(RAMP_STEPS)
    ]


def _draw_contour_paths(places: Float64Array, weights: Float64Array) -> list[str]:
    # A rim of zeros closes the contours of areas that run over the edge of the panel.
    density = estimate_kernel_density(places, weights)
    levels = find_enclosing_levels(density)
    rims = contourpy.contour_generator(z=np.pad(density, 1), line_type=LineType.Separate)
    return [_join_closed_lines(cast("list[Float64Array]", rims.lines(level))) for level in levels]


def estimate_kernel_density(places: Float64Array, weights: Float64Array) -> Float64Array:
    """The Gaussian kernel density on a fine grid, up to a factor, shape (rows, columns).

    Scott's rule for two dimensions (Scott 1992): each axis has the bandwidth n_eff ** (-1/6) times
    its weighted standard deviation, with n_eff = (sum w)² / sum w², Kish's effective sample size.
    """
    # Points are binned first and the bins smoothed: the cost is that of the grid, not of points.
    grid = sum_weights_on_grid(places, weights, PANEL_WIDTH // DENSITY_GRID_STEP, PANEL_HEIGHT // DENSITY_GRID_STEP)
    effective = weights.sum() ** 2 / (weights**2).sum()
    centre = np.average(places, axis=0, weights=weights)
    spread = np.sqrt(np.average((places - centre) ** 2, axis=0, weights=weights))
    # Never below one grid point, where the smoothed bins would fall apart into single dots.
    bandwidth = np.maximum(spread * effective ** (-1 / 6), DENSITY_GRID_STEP) / DENSITY_GRID_STEP
    return gaussian_filter(grid, bandwidth[::-1], mode="constant")


def find_enclosing_levels(density: Float64Array) -> list[float]:
    """The density at the rim of the smallest areas that hold each share of `ENCLOSED_SHARES`.

    These are highest-density regions (Hyndman 1996): the grid's values from the largest down,
    summed until the share is reached.
    """
    ordered = np.sort(density.ravel())[::-1]
    held = np.cumsum(ordered) / ordered.sum()
    return [float(ordered[np.searchsorted(held, share)]) for share in ENCLOSED_SHARES]


def _join_closed_lines(lines: list[Float64Array]) -> str:
    # Grid point i of the padded grid is the middle of bin i - 1, which is i - 0.5 steps from 0.
    rings = [((line[:-1] - 0.5) * DENSITY_GRID_STEP).round(1).tolist() for line in lines]
    return "".join(f"M{'L'.join(f'{x:g} {y:g}' for x, y in ring)}z" for ring in rings)
