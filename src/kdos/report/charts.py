"""Numbers in, the geometry of line charts and step charts out; the template draws them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdos.arrays import Float64Array

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 66, 12, 36
"""The frame around the plot: room for tick labels at the left, names of lines at the right."""

MOST_TICKS = 6
NAME_GAP = 6
LABEL_APART = 15
"""Least distance between the names of two lines."""

SMALLEST = 1e-6
"""The least that an axis can show; on a logarithmic one zero stands here."""

MET = (0.8, 1.25)
"""Between these multiples of its quota a cell counts as met."""

FULLNESS = (0.0, 0.125, 0.25, 0.5, *MET, 2.0, 4.0, 8.0, math.inf)
"""Edges of held / quota."""
FRACTIONS = {0.125: "⅛", 0.25: "¼", 0.5: "½"}


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart; `role` is its name and the style class that draws it."""

    role: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick's place along its axis, in drawing units, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line to draw: path data, and where its name stands."""

    role: str
    path: str
    label_x: float
    label_at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart, in drawing units."""

    strokes: list[Stroke]
    across: list[Tick]
    up: list[Tick]


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


def line_chart(lines: Sequence[Series], *, logarithmic: bool = False) -> Chart:
    """A chart of `lines` over a common whole-numbered axis; the other starts at 0 or is log."""
    values = np.concatenate([np.asarray(line.y, float) for line in lines])
    values = values[np.isfinite(values)]
    last = max((max(line.x) for line in lines if line.x), default=1.0)
    first = min((min(line.x) for line in lines if line.x), default=0.0)
    up = log_axis(values) if logarithmic else linear_axis(values)
    across = Axis(first, max(last, first + 1), LEFT, WIDTH - RIGHT)
    strokes = [
        Stroke(line.role, line_path(line, across, up), *end_of(line, across, up)) for line in lines
    ]
    whole = max(1, math.ceil((across.high - across.low) / MOST_TICKS))
    ticks = np.arange(math.ceil(across.low), math.floor(across.high) + 1, whole)
    return Chart(
        strokes=kept_apart(strokes),
        across=[Tick(across.place(tick), f"{tick:g}") for tick in ticks.tolist()],
        up=[Tick(up.place(tick), f"{tick:g}") for tick in up.ticks()],
    )


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to drawing units."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, rounded to a tenth."""
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values along the axis."""
        if self.logarithmic:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            every = math.ceil((last - first) / MOST_TICKS)
            return [10.0**power for power in range(first, last + 1, every)]
        unit = 10.0 ** math.floor(math.log10(self.high))
        step = next(unit * n for n in (0.2, 0.5, 1, 2) if self.high <= MOST_TICKS * unit * n)
        return [float(f"{i * step:.6g}") for i in range(int(self.high / step) + 1)]


def log_axis(values: Float64Array) -> Axis:
    """A logarithmic axis over whole powers of ten that hold the values."""
    shown = np.maximum(values, SMALLEST) if len(values) else np.array([1.0])
    low, high = math.floor(math.log10(shown.min())), math.ceil(math.log10(shown.max()))
    return Axis(10.0**low, 10.0 ** max(high, low + 1), HEIGHT - BOTTOM, TOP, logarithmic=True)


def linear_axis(values: Float64Array) -> Axis:
    """An axis from zero to a little above the largest value."""
    top = float(values.max()) if len(values) and values.max() > SMALLEST else 1.0
    return Axis(0.0, top * 1.05, HEIGHT - BOTTOM, TOP)


def line_path(line: Series, across: Axis, up: Axis) -> str:
    """Path data of a line; values that are not finite break it."""
    parts: list[str] = []
    pen_up = True
    for x, y in zip(line.x, line.y, strict=True):
        if math.isfinite(y):
            parts.append(f"{'M' if pen_up else 'L'}{across.place(x):g} {up.place(y):g}")
        pen_up = not math.isfinite(y)
    return "".join(parts)


def end_of(line: Series, across: Axis, up: Axis) -> tuple[float, float]:
    """Where the name of a line stands: beside its last finite value."""
    finite = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    x, y = finite[-1] if finite else (across.low, up.low)
    return across.place(x) + NAME_GAP, up.place(y)


def kept_apart(strokes: Sequence[Stroke]) -> list[Stroke]:
    """The strokes with their names moved so far that none covers another."""
    moved: dict[str, float] = {}
    free = -math.inf
    for stroke in sorted(strokes, key=lambda stroke: stroke.label_at):
        free = max(stroke.label_at, free)
        moved[stroke.role] = free
        free += LABEL_APART
    over = max(0.0, free - LABEL_APART - (HEIGHT - BOTTOM))
    return [replace(stroke, label_at=moved[stroke.role] - over) for stroke in strokes]


def fullness_shares(held: Float64Array, quota: Float64Array) -> Float64Array:
    """How much of the target lies in cells that hold each multiple of their quota.

    Both have shape (n_cells,) and are scaled to one sum, so that pools of any size compare.
    """
    wanted = quota > 0
    multiple = held[wanted] / quota[wanted] * (quota.sum() / max(held.sum(), 1))
    return np.histogram(multiple, FULLNESS, weights=quota[wanted])[0] / quota.sum()


def fullness_chart(
    loops: Sequence[tuple[str, Float64Array]], quota: Float64Array
) -> list[BarGroup]:
    """The shares of the target by fullness; `loops` gives a style class and what cells hold."""
    shares = [fullness_shares(held, quota) for _, held in loops]
    highest = max(float(np.max(share)) for share in shares)
    return [
        BarGroup(
            label,
            [
                Bar(role, float(share[i]), round(float(share[i]) / highest, 4))
                for (role, _), share in zip(loops, shares, strict=True)
            ],
        )
        for i, label in enumerate(fullness_labels())
    ]


def fullness_labels() -> list[str]:
    """What each bin of `FULLNESS` is called."""
    edges = [FRACTIONS.get(edge, f"{edge:g}") for edge in FULLNESS[1:-1]]
    inner = [f"{low}–{high}" for low, high in itertools.pairwise(edges)]
    inner[FULLNESS.index(MET[0]) - 1] = "met"
    return [f"< {edges[0]}", *inner, f"> {edges[-1]}"]
