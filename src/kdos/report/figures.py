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
from kdos.report import sections, tables
from kdos.report.artefacts import Artefacts, Loop
from kdos.report.picture import (
    COLUMNS,
    FINE,
    HEIGHT,
    ROWS,
    WIDTH,
    Frame,
    counts_on_grid,
    enclosing_levels,
    frame_around,
    kernel_density,
)

STEERED, BLIND, FLOOR = "#0b6e6e", "#a85a12", "#6b7178"
RAMP = LinearSegmentedColormap.from_list("density", ["#bcd8cd", "#499b9a", "#20687b", "#17334e"])
DOTS_PER_INCH = 200


def draw_figures(run: Artefacts) -> dict[str, bytes]:
    """PNG files by name; a figure that the artefacts do not allow yet is left out."""
    makers: Mapping[str, Callable[[Artefacts], Figure | None]] = {
        "panels": panels_figure,
        "gap": gap_figure,
        "drafts": drafts_figure,
    }
    made = {name: make(run) for name, make in makers.items()}
    return {f"{name}.png": as_png(figure) for name, figure in made.items() if figure is not None}


def as_png(figure: Figure) -> bytes:
    """The figure as PNG bytes that depend on nothing but the figure."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def panels_figure(run: Artefacts) -> Figure | None:
    """Scatter, histogram and kernel density, before and after."""
    if run.source is None:
        return None
    x, y = sections.coordinates(run.source)
    frame = frame_around(x, y)
    density = run.source.table["log10_density"].to_numpy()
    pools = [("before", x, y, density, np.ones(len(x)))]
    after = sections.pool_points(run)
    if after is not None:
        pools.append(("after", *after))
    figure = Figure(figsize=(9, 2.4 * len(pools)), layout="constrained")
    axes = figure.subplots(len(pools), 3, squeeze=False)
    low, high = (float(q) for q in np.quantile(density, [0.01, 0.99]))
    for row, (name, *columns) in zip(axes, pools, strict=True):
        draw_row(row, frame, columns, limits=(low, high))
        row[0].set_ylabel(name)
    for ax, title in zip(
        axes[0], ("scatter", "2-D histogram (log)", "kernel density"), strict=True
    ):
        ax.set_title(title, fontsize=10)
    return figure


def draw_row(
    row: npt.NDArray[np.object_],
    frame: Frame,
    columns: list[Float64Array],
    *,
    limits: tuple[float, float],
) -> None:
    """The three panels of one pool: x, y, log10 density and weight of each point."""
    x, y, density, weights = columns
    places = frame.place(x, y)
    scatter, histogram, kernel = row
    scatter.scatter(*places.T, c=density, s=1, cmap=RAMP, vmin=limits[0], vmax=limits[1], lw=0)
    counts = counts_on_grid(places, weights, COLUMNS, ROWS)
    logs = np.log10(np.where(counts > 0, counts, np.nan))
    histogram.imshow(logs, cmap=RAMP, extent=(0, WIDTH, HEIGHT, 0), interpolation="nearest")
    smooth = kernel_density(places, weights)
    levels = [*enclosing_levels(smooth), float(smooth.max())]
    across = (np.arange(smooth.shape[1]) + 0.5) * FINE
    down = (np.arange(smooth.shape[0]) + 0.5) * FINE
    kernel.contourf(across, down, smooth, levels=sorted(set(levels)), cmap=RAMP)
    for ax in row:
        ax.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0), xticks=[], yticks=[], aspect="equal")


def gap_figure(run: Artefacts) -> Figure | None:
    """KL with its noise floor and total variation, by round."""
    if not run.loop.rounds:
        return None
    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for loop, name, colour in ((run.loop, "steered", STEERED), (run.blind, "blind", BLIND)):
        if loop is not None and loop.rounds:
            draw_line(left, loop, "kl", label=name, color=colour)
            draw_line(right, loop, "tv", label=name, color=colour)
    draw_line(left, run.loop, "floor", label="noise floor", color=FLOOR, linestyle="--")
    left.set(xlabel="round", ylabel="KL to the target (nats)", yscale="log")
    right.set(xlabel="round", ylabel="total variation", ylim=(0, None))
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    return figure


def draw_line(ax: Axes, loop: Loop, key: str, **style: Any) -> None:
    """One figure of a loop by round; a round without the figure breaks the line."""
    line = sections.series(loop, key, role=key)
    ax.plot(line.x, line.y, **style)


def drafts_figure(run: Artefacts) -> Figure | None:
    """What became of the drafts, as bars."""
    rows = [fate for fate in tables.fates(run.loop) if fate.outcome]
    if not rows:
        return None
    figure = Figure(figsize=(6, 0.6 + 0.35 * len(rows)), layout="constrained")
    ax = figure.subplots()
    names = [fate.outcome for fate in rows]
    colours = [STEERED if name == "accepted" else BLIND for name in names]
    bars = ax.barh(names, [fate.drafts for fate in rows], color=colours)
    ax.bar_label(bars, [f"{fate.drafts:,}" for fate in rows], padding=4)
    ax.invert_yaxis()
    ax.set(xticks=[], xmargin=0.15)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return figure
