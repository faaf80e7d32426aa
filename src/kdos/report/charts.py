"""Numbers in, the geometry of line charts and step charts out; the template draws them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdos.arrays import Float64Array
from kdos.report.saved_run import LoopRecord, SavedRun

CHART_WIDTH, CHART_HEIGHT = 360, 250
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 46, 66, 12, 36
"""The frame around the plot: room for tick labels at the left, names of lines at the right."""

MAX_TICKS = 6
THOUSAND, MILLION = 1_000, 1_000_000
LEAST_SHORTENED = 10_000
"""From it on a tick is given in thousands."""
LABEL_OFFSET = 6
MIN_LABEL_DISTANCE = 15
"""Least distance between the names of two lines."""
SMALLEST_SHOWN = 1e-6
"""The least that an axis can show; on a logarithmic one zero stands here."""
MET_RANGE = (0.8, 1.25)
"""Between these multiples of its quota a cell counts as met."""
FULLNESS_EDGES = (0.0, 0.125, 0.25, 0.5, *MET_RANGE, 2.0, 4.0, 8.0, math.inf)
"""Edges of held / quota."""
FRACTION_SIGNS = {0.125: "⅛", 0.25: "¼", 0.5: "½"}


@dataclass(frozen=True, slots=True)
class LineSeries:
    """One line of a chart; `role` is its name and the style class that draws it."""

    role: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A tick's place along its axis, in drawing units, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line to draw: path data, and where its name stands."""

    role: str
    path: str
    label_x: float
    label_at: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line chart, in drawing units; `unit` is what its axis across counts."""

    strokes: list[ChartLine]
    across: list[AxisTick]
    up: list[AxisTick]
    unit: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a group: its style class, share in [0, 1] and height in [0, 1]."""

    role: str
    share: float
    height: float


@dataclass(frozen=True, slots=True)
class BarGroup:
    """The bars that stand over one label."""

    label: str
    bars: list[Bar]


def build_kl_chart(run: SavedRun) -> LineChart | None:
    """KL by part, with the noise floor and the blind run."""
    lines = _collect_loop_lines(run, "kl")
    floor = collect_part_series(run.loop, "floor", role="floor")
    return lay_out_line_chart([*lines, floor], logarithmic=True) if lines else None


def build_tv_chart(run: SavedRun) -> LineChart | None:
    """Total variation by part."""
    lines = _collect_loop_lines(run, "tv")
    return lay_out_line_chart(lines) if lines else None


def build_coverage_chart(run: SavedRun) -> LineChart | None:
    """Distinct knowledge points of the source by samples, with the blind run; None where parts do not say."""
    lines = [line for line in _collect_loop_lines(run, "distinct", by="samples") if len(line.x) > 1]
    return lay_out_line_chart(lines, unit="samples") if lines else None


def _collect_loop_lines(run: SavedRun, key: str, *, by: str = "part") -> list[LineSeries]:
    """The steered loop's line and the blind run's; none before the first part."""
    if not run.loop.parts:
        return []
    loops = [("steered", run.loop), ("blind", run.blind)]
    collect = collect_sample_series if by == "samples" else collect_part_series
    return [collect(one, key, role=role) for role, one in loops if one and one.parts]


def collect_sample_series(loop: LoopRecord, key: str, *, role: str) -> LineSeries:
    """A count of a loop over its samples, from none of either; parts of an older kdos may not have it."""
    ends = [(record["samples"], record[key]) for record in loop.parts if key in record]
    return LineSeries(role, x=[0, *(samples for samples, _ in ends)], y=[0, *(count for _, count in ends)])


def collect_part_series(loop: LoopRecord, key: str, *, role: str) -> LineSeries:
    """One measurement of a loop by part; NaN where there is none."""
    numbers = [record[key] for record in loop.parts]
    return LineSeries(
        role,
        x=[record["part"] for record in loop.parts],
        y=[math.nan if value is None else value for value in numbers],
    )


def build_fullness_chart(run: SavedRun) -> list[BarGroup]:
    """How full the cells are, against the blind run where there is one."""
    if run.target is None or not run.loop.points_by_cell.sum():
        return []
    loops = [("steered", run.loop)]
    if run.blind and run.blind.points_by_cell.sum():
        loops.append(("blind", run.blind))
    held = [(role, loop.points_by_cell.astype(np.float64)) for role, loop in loops]
    return lay_out_fullness_bars(held, run.target["quota"].to_numpy().astype(np.float64))


def lay_out_line_chart(lines: Sequence[LineSeries], *, logarithmic: bool = False, unit: str = "part") -> LineChart:
    """A chart of `lines` over a common whole-numbered axis of `unit`; the other starts at 0 or is log."""
    values = np.concatenate([np.asarray(line.y, float) for line in lines])
    values = values[np.isfinite(values)]
    last = max((max(line.x) for line in lines if line.x), default=1.0)
    first = min((min(line.x) for line in lines if line.x), default=0.0)
    up = _build_log_axis(values) if logarithmic else _build_linear_axis(values)
    across = Axis(first, max(last, first + 1), MARGIN_LEFT, CHART_WIDTH - MARGIN_RIGHT)
    strokes = [
        ChartLine(one.role, _draw_line_path(one, across, up), *_find_label_place(one, across, up)) for one in lines
    ]
    return LineChart(
        strokes=_separate_labels(strokes),
        across=[AxisTick(across.to_drawing_units(tick), label_tick(tick)) for tick in across.choose_whole_values()],
        up=[AxisTick(up.to_drawing_units(tick), label_tick(tick)) for tick in up.choose_round_values()],
        unit=unit,
    )


def label_tick(value: float) -> str:
    """A tick's value in few characters: 5000, 25k, 1.2M."""
    if value >= MILLION:
        return f"{value / MILLION:g}M"
    return f"{value / THOUSAND:g}k" if value >= LEAST_SHORTENED else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to drawing units."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def to_drawing_units(self, value: float) -> float:
        """Where a value stands, rounded to a tenth."""
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def choose_whole_values(self) -> list[float]:
        """At most about `MAX_TICKS` whole values along a linear axis, round ones where it starts at 0."""
        if self.low == 0 and self.high > MAX_TICKS:
            return self.choose_round_values()
        step = max(1, math.ceil((self.high - self.low) / MAX_TICKS))
        return [float(tick) for tick in range(math.ceil(self.low), math.floor(self.high) + 1, step)]

    def choose_round_values(self) -> list[float]:
        """At most about `MAX_TICKS` round values along the axis."""
        if self.logarithmic:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            every = math.ceil((last - first) / MAX_TICKS)
            return [10.0**power for power in range(first, last + 1, every)]
        unit = 10.0 ** math.floor(math.log10(self.high))
        # The smallest round step, of 0.2, 0.5, 1 or 2 units, that needs no more ticks than allowed.
        step = next(unit * n for n in (0.2, 0.5, 1, 2) if self.high <= MAX_TICKS * unit * n)
        return [float(f"{i * step:.6g}") for i in range(int(self.high / step) + 1)]


def _build_log_axis(values: Float64Array) -> Axis:
    shown = np.maximum(values, SMALLEST_SHOWN) if len(values) else np.array([1.0])
    low, high = math.floor(math.log10(shown.min())), math.ceil(math.log10(shown.max()))
    # One power of ten at least, for values that are all equal.
    ends = 10.0**low, 10.0 ** max(high, low + 1)
    return Axis(*ends, CHART_HEIGHT - MARGIN_BOTTOM, MARGIN_TOP, logarithmic=True)


def _build_linear_axis(values: Float64Array) -> Axis:
    top = float(values.max()) if len(values) and values.max() > SMALLEST_SHOWN else 1.0
    return Axis(0.0, top * 1.05, CHART_HEIGHT - MARGIN_BOTTOM, MARGIN_TOP)


def _draw_line_path(line: LineSeries, across: Axis, up: Axis) -> str:
    """Path data of a line; values that are not finite break it."""
    parts: list[str] = []
    pen_up = True
    for x, y in zip(line.x, line.y, strict=True):
        if math.isfinite(y):
            place = f"{across.to_drawing_units(x):g} {up.to_drawing_units(y):g}"
            parts.append(f"{'M' if pen_up else 'L'}{place}")
        pen_up = not math.isfinite(y)
    return "".join(parts)


def _find_label_place(line: LineSeries, across: Axis, up: Axis) -> tuple[float, float]:
    """Where the name of a line stands: beside its last finite value."""
    finite = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    x, y = finite[-1] if finite else (across.low, up.low)
    return across.to_drawing_units(x) + LABEL_OFFSET, up.to_drawing_units(y)


def _separate_labels(strokes: Sequence[ChartLine]) -> list[ChartLine]:
    # From top to bottom each name is pushed below the one before it; what then hangs out of the
    # plot at the bottom moves all of them up.
    moved: dict[str, float] = {}
    free = -math.inf
    for stroke in sorted(strokes, key=lambda stroke: stroke.label_at):
        free = max(stroke.label_at, free)
        moved[stroke.role] = free
        free += MIN_LABEL_DISTANCE
    over = max(0.0, free - MIN_LABEL_DISTANCE - (CHART_HEIGHT - MARGIN_BOTTOM))
    return [replace(stroke, label_at=moved[stroke.role] - over) for stroke in strokes]


def compute_fullness_shares(held: Float64Array, quota: Float64Array) -> Float64Array:
    """The share of the target in cells that hold each multiple of their quota (our design).

    `held` and `quota` have shape (n_cells,) and are scaled to one sum, so that pools of any size
    compare; the result has one share for each bin of `FULLNESS_EDGES`.
    """
    wanted = quota > 0
    multiple = held[wanted] / quota[wanted] * (quota.sum() / max(held.sum(), 1))
    return np.histogram(multiple, FULLNESS_EDGES, weights=quota[wanted])[0] / quota.sum()


def lay_out_fullness_bars(loops: Sequence[tuple[str, Float64Array]], quota: Float64Array) -> list[BarGroup]:
    """The shares of the target by fullness; `loops` gives a style class and what cells hold."""
    shares = {role: compute_fullness_shares(held, quota).tolist() for role, held in loops}
    highest = max(map(max, shares.values()))
    return [
        BarGroup(label, [Bar(role, s[i], round(s[i] / highest, 4)) for role, s in shares.items()])
        for i, label in enumerate(name_fullness_bins())
    ]


def name_fullness_bins() -> list[str]:
    """What each bin of `FULLNESS_EDGES` is called."""
    edges = [FRACTION_SIGNS.get(edge, f"{edge:g}") for edge in FULLNESS_EDGES[1:-1]]
    inner = [f"{low}–{high}" for low, high in itertools.pairwise(edges)]
    inner[FULLNESS_EDGES.index(MET_RANGE[0]) - 1] = "met"
    return [f"< {edges[0]}", *inner, f"> {edges[-1]}"]
