"""The map to explore: points with what they may be coloured by, packed into the page."""

import base64
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from kdos.arrays import Float64Array, Int64Array
from kdos.chance import generator
from kdos.pool import values
from kdos.pool.grouping import fact_key
from kdos.report.artefacts import Artefacts, Drawn, Loop
from kdos.report.wording import OUTCOMES, outcome_of

RANGE = 65_535
"""Places are whole numbers in [0, RANGE], both axes to one scale."""

LEVELS = 255
"""Values of a ramp are whole numbers in [0, LEVELS]."""

TEXT_LENGTH = 240
"""Characters of a point's text that the map shows."""

JITTER = 0.006
"""Standard deviation, as a share of the range, by which drafts of the same cells are set apart."""

ROUND_CLASSES = 6
TIMES = ("not taught", "once", "2 or 3 times", "4 to 7 times", "8 times or more")


@dataclass(frozen=True, slots=True)
class Ramp:
    """A number for each point, as a level between `low` and `high`."""

    name: str
    low: float
    high: float
    values: Int64Array
    kind: str = "ramp"


@dataclass(frozen=True, slots=True)
class Classes:
    """A class for each point; `ordered` ones are coloured along the ramp."""

    name: str
    labels: Sequence[str]
    values: Int64Array
    ordered: bool = False
    kind: str = "classes"


@dataclass(frozen=True, slots=True)
class Layer:
    """One set of points of the map."""

    name: str
    total: int
    x: Int64Array
    y: Int64Array
    text: Sequence[str]
    colourings: Sequence[Ramp | Classes]


def map_layers(artefacts: Artefacts) -> list[Layer]:
    """The layers that the run's artefacts allow: knowledge points, drafts."""
    if artefacts.source is None:
        return []
    plane = Plane.around(artefacts.source)
    layers = [knowledge_layer(artefacts.source, artefacts.loop, plane)]
    drafts = artefacts.loop.drafts
    if drafts is None:
        return layers
    n_rounds = len(artefacts.loop.rounds)
    layers.append(draft_layer(drafts, artefacts.source, plane, n_rounds=n_rounds))
    return [layer for layer in layers if layer.text]


@dataclass(frozen=True, slots=True)
class Plane:
    """From principal coordinates to whole numbers; y points down."""

    left: float
    top: float
    scale: float

    @classmethod
    def around(cls, points: Drawn) -> "Plane":
        """The plane that holds all of the points."""
        x, y = coordinates(points)
        width = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
        return cls(float(x.min()), float(y.max()), RANGE / width)

    def place(self, x: Float64Array, y: Float64Array) -> tuple[Int64Array, Int64Array]:
        """Whole coordinates."""
        places = np.stack([(x - self.left) * self.scale, (self.top - y) * self.scale])
        across, down = np.clip(np.rint(places), 0, RANGE).astype(np.int64)
        return across, down


def knowledge_layer(source: Drawn, loop: Loop, plane: Plane) -> Layer:
    """The source's knowledge points."""
    x, y = plane.place(*coordinates(source))
    texts = values(source.table, "text")
    taught = [loop.taught.get(fact_key(text)) for text in texts]
    times = np.array([0 if t is None else t.times for t in taught])
    rounds = np.array([0 if t is None else t.first_round for t in taught])
    return Layer(
        name="Knowledge points of the source",
        total=source.total,
        x=x,
        y=y,
        text=[text[:TEXT_LENGTH] for text in texts],
        colourings=[
            ramp("log10 density", source.table["log10_density"].to_numpy()),
            classes("domain", values(source.table, "domain")),
            Classes("taught", TIMES, np.digitize(times, [1, 2, 4, 8]), ordered=True),
            by_round("first taught", rounds, len(loop.rounds)),
        ],
    )


def draft_layer(drafts: Drawn, source: Drawn, plane: Plane, *, n_rounds: int) -> Layer:
    """The drafts whose knowledge points were placed, each in the middle of its cells."""
    cells = values(drafts.table, "cells")
    placed = np.array([row for row, held in enumerate(cells) if held], np.int64)
    table = drafts.table.take(placed)
    x, y = middle_of_cells([cells[row] for row in placed], source)
    spread = RANGE / plane.scale * JITTER
    shift = generator(0, "map", len(placed)).normal(0, spread, (2, len(placed)))
    across, down = plane.place(x + shift[0], y + shift[1])
    errors = values(table, "error_class")
    return Layer(
        name="Drafts of the loop",
        total=drafts.total,
        x=across,
        y=down,
        text=[question[:TEXT_LENGTH] for question in values(table, "question")],
        colourings=[
            Classes(
                "outcome",
                list(OUTCOMES.values()),
                np.array([list(OUTCOMES).index(outcome_of(error)) for error in errors], np.int64),
            ),
            by_round("round", drafts.file[placed] + 1, n_rounds),
            classes("reason", [reason or "accepted" for reason in values(table, "reason")]),
            classes("domain", values(table, "domain")),
        ],
    )


def middle_of_cells(
    cells: Sequence[Sequence[int]], source: Drawn
) -> tuple[Float64Array, Float64Array]:
    """The mean of the source's knowledge points in each list of cells, on the principal plane."""
    x, y = coordinates(source)
    own = source.table["cell"].to_numpy()
    n_cells = 1 + max(int(own.max()), max((max(held) for held in cells), default=0))
    size = np.maximum(np.bincount(own, minlength=n_cells), 1)
    centre_x = np.bincount(own, x, minlength=n_cells) / size
    centre_y = np.bincount(own, y, minlength=n_cells) / size
    lengths = np.array([len(held) for held in cells], np.int64)
    flat = np.concatenate([np.asarray(held) for held in cells]) if cells else np.zeros(0, int)
    row = np.repeat(np.arange(len(cells)), lengths)
    return (
        np.bincount(row, centre_x[flat], minlength=len(cells)) / lengths,
        np.bincount(row, centre_y[flat], minlength=len(cells)) / lengths,
    )


def coordinates(points: Drawn) -> tuple[Float64Array, Float64Array]:
    """The two principal coordinates."""
    return (
        points.table["x"].to_numpy().astype(np.float64),
        points.table["y"].to_numpy().astype(np.float64),
    )


def ramp(name: str, numbers: Float64Array) -> Ramp:
    """Numbers on a scale that leaves out the most extreme 0.5 % at either end."""
    low, high = (float(q) for q in np.quantile(numbers, [0.005, 0.995]))
    share = (numbers - low) / max(high - low, 1e-12)
    return Ramp(name, low, high, np.clip(np.rint(share * LEVELS), 0, LEVELS).astype(np.int64))


def classes(name: str, names: Sequence[str]) -> Classes:
    """Labels in the order of how often they occur."""
    ranked = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    number = {label: i for i, (label, _) in enumerate(ranked)}
    return Classes(
        name,
        [label or "not stated" for label in number],
        np.array([number[label] for label in names], np.int64),
    )


def by_round(name: str, rounds: Int64Array, last: int) -> Classes:
    """Rounds in classes of a few each; round 0 stands for never."""
    edges = np.unique(np.linspace(1, last + 1, ROUND_CLASSES + 1).round().astype(np.int64))
    labels = [
        f"round {low}" if high - low == 1 else f"rounds {low} to {high - 1}"
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    number = np.digitize(rounds, edges)
    if number.min(initial=1) > 0:
        return Classes(name, labels, number - 1, ordered=True)
    return Classes(name, ["never", *labels], number, ordered=True)


def packed(layers: Sequence[Layer]) -> str:
    """The layers as base64 of deflated JSON: nothing in it can be taken for markup."""
    data = orjson.dumps(layers, option=orjson.OPT_SERIALIZE_NUMPY)
    return base64.b64encode(zlib.compress(data)).decode()
