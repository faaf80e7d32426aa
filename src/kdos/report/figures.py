"""The figures as PNG files for a paper; the page draws its own."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from kdos.arrays import Float64Array
from kdos.report import tables
from kdos.report.charts import LineSeries, collect_part_series, collect_sample_series
from kdos.report.panels import (
    DENSITY_GRID_STEP,
    HISTOGRAM_COLUMNS,
    HISTOGRAM_ROWS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    PanelFrame,
    collect_pool_points,
    estimate_kernel_density,
    find_enclosing_levels,
    fit_panel_frame,
    sum_weights_on_grid,
)
from kdos.report.saved_run import SavedRun, principal_coordinates

STEERED_COLOUR, BLIND_COLOUR, FLOOR_COLOUR = "#0b6e6e", "#a85a12", "#6b7178"
COLOUR_MAP = LinearSegmentedColormap.from_list("density", ["#bcd8cd", "#499b9a", "#20687b", "#17334e"])
DOTS_PER_INCH = 200


def draw_png_figures(run: SavedRun) -> dict[str, bytes]:
    """PNG files by name; a figure that the artefacts do not allow yet is left out."""
    makers: Mapping[str, Callable[[SavedRun], Figure | None]] = {
        "panels": _draw_panels_figure,
        "gap": _draw_gap_figure,
        "drafts": _draw_drafts_figure,
    }
    made = {name: make(run) for name, make in makers.items()}
    return {f"{name}.png": _encode_png(figure) for name, figure in made.items() if figure}


def _encode_png(figure: Figure) -> bytes:
    buffer = BytesIO()
    # Without the name of the software: the bytes depend on nothing but the figure.
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def _draw_panels_figure(run: SavedRun) -> Figure | None:
    if run.source is None:
        return None
    x, y = principal_coordinates(run.source)
    frame = fit_panel_frame(x, y)
    density = run.source.table["log10_density"].to_numpy()
    pools = [("before", x, y, density, np.ones(len(x)))]
    after = collect_pool_points(run)
    if after is not None:
        pools.append(("after", *after))
    figure = Figure(figsize=(9, 2.4 * len(pools)), layout="constrained")
    axes = figure.subplots(len(pools), 3, squeeze=False)
    low, high = (float(q) for q in np.quantile(density, [0.01, 0.99]))
    for row, (name, *columns) in zip(axes, pools, strict=True):
        _draw_panel_row(row, frame, columns, limits=(low, high))
        row[0].set_ylabel(name)
    titles = ("scatter", "2-D histogram (log)", "kernel density")
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=10)
    return figure


def _draw_panel_row(
    row: npt.NDArray[np.object_], frame: PanelFrame, columns: list[Float64Array], *, limits: tuple[float, float]
) -> None:
    """The three panels of one pool: x, y, log10 density and weight of each point."""
    x, y, density, weights = columns
    places = frame.to_panel_units(x, y)
    scatter, histogram, kernel = row
    low, high = limits
    scatter.scatter(*places.T, c=density, s=1, cmap=COLOUR_MAP, vmin=low, vmax=high, lw=0)
    counts = sum_weights_on_grid(places, weights, HISTOGRAM_COLUMNS, HISTOGRAM_ROWS)
    logs = np.log10(np.where(counts > 0, counts, np.nan))
    extent = (0, PANEL_WIDTH, PANEL_HEIGHT, 0)
    histogram.imshow(logs, cmap=COLOUR_MAP, extent=extent, interpolation="nearest")
    smooth = estimate_kernel_density(places, weights)
    levels = [*find_enclosing_levels(smooth), float(smooth.max())]
    across = (np.arange(smooth.shape[1]) + 0.5) * DENSITY_GRID_STEP
    down = (np.arange(smooth.shape[0]) + 0.5) * DENSITY_GRID_STEP
    kernel.contourf(across, down, smooth, levels=sorted(set(levels)), cmap=COLOUR_MAP)
    for ax in row:
        ax.set(xlim=(0, PANEL_WIDTH), ylim=(PANEL_HEIGHT, 0), xticks=[], yticks=[], aspect="equal")


def _draw_gap_figure(run: SavedRun) -> Figure | None:
    if not run.loop.parts:
        return None
    figure = Figure(figsize=(12, 3), layout="constrained")
    first, left, right = figure.subplots(1, 3)
    loops = ((run.loop, "steered", STEERED_COLOUR), (run.blind, "blind", BLIND_COLOUR))
    for loop, name, colour in loops:
        if loop is not None and loop.parts:
            _plot_series(first, collect_sample_series(loop, "distinct", role=name), label=name, color=colour)
            _plot_series(left, collect_part_series(loop, "kl", role=name), label=name, color=colour)
            _plot_series(right, collect_part_series(loop, "tv", role=name), label=name, color=colour)
    floor = collect_part_series(run.loop, "floor", role="floor")
    _plot_series(left, floor, label="noise floor", color=FLOOR_COLOUR, linestyle="--")
    first.set(xlabel="samples", ylabel="distinct knowledge points", xlim=(0, None), ylim=(0, None))
    left.set(xlabel="part", ylabel="KL to the target (nats)", yscale="log")
    right.set(xlabel="part", ylabel="total variation", ylim=(0, None))
    for ax in (first, left, right):
        ax.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    return figure


def _plot_series(ax: Axes, line: LineSeries, **style: Any) -> None:
    ax.plot(line.x, line.y, **style)


def _draw_drafts_figure(run: SavedRun) -> Figure | None:
    rows = [row for row in tables.tabulate_draft_outcomes(run.loop) if row.outcome]
    if not rows:
        return None
    figure = Figure(figsize=(6, 0.6 + 0.35 * len(rows)), layout="constrained")
    ax = figure.subplots()
    names = [row.outcome for row in rows]
    colours = [STEERED_COLOUR if name == "accepted" else BLIND_COLOUR for name in names]
    bars = ax.barh(names, [row.drafts for row in rows], color=colours)
    ax.bar_label(bars, [f"{row.drafts:,}" for row in rows], padding=4)
    ax.invert_yaxis()
    ax.set(xticks=[], xmargin=0.15)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return figure
