"""The map to explore: points with what they may be coloured by, packed into the page."""

import base64
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from kdos.arrays import Float64Array, Int64Array
from kdos.chance import keyed_generator
from kdos.pool import column_values
from kdos.pool.wording import fact_key
from kdos.report.saved_run import LoopRecord, RandomRows, SavedRun, principal_coordinates
from kdos.report.tables import OUTCOME_NAMES, find_outcome_key

# Whole numbers pack far better than floats, and 16 bits place a dot to a tenth of a pixel on a
# canvas of 1,000 pixels that is zoomed in by six.
COORDINATE_RANGE = 65_535
"""Coordinates are whole numbers in [0, COORDINATE_RANGE], both axes to one scale."""
RAMP_LEVELS = 255
"""Values of a ramp are whole numbers in [0, RAMP_LEVELS]."""
MAX_TEXT_LENGTH = 240
"""Characters of a point's text that the map shows."""
DRAFT_JITTER = 0.006
"""Standard deviation, as a share of the range, by which drafts of the same cells are set apart."""

MAX_ROUND_CLASSES = 6
EXPOSURE_CLASSES = ("not taught", "once", "2 or 3 times", "4 to 7 times", "8 times or more")


@dataclass(frozen=True, slots=True)
class ColourRamp:
    """A number for each point, as a level between `low` and `high`."""

    name: str
    low: float
    high: float
    values: Int64Array
    kind: str = "ramp"


@dataclass(frozen=True, slots=True)
class ColourClasses:
    """A class for each point; `ordered` ones are coloured along the ramp."""

    name: str
    labels: Sequence[str]
    values: Int64Array
    ordered: bool = False
    kind: str = "classes"


@dataclass(frozen=True, slots=True)
class MapLayer:
    """One set of points of the map."""

    name: str
    total: int
    x: Int64Array
    y: Int64Array
    text: Sequence[str]
    colourings: Sequence[ColourRamp | ColourClasses]


def build_map_layers(run: SavedRun) -> list[MapLayer]:
    """The layers that the run's artefacts allow: knowledge points, drafts."""
    if run.source is None:
        return []
    projection = MapProjection.fit_to_points(run.source)
    layers = [_build_source_layer(run.source, run.loop, projection)]
    drafts = run.loop.drafts
    if drafts is None:
        return layers
    n_parts = len(run.loop.parts)
    layers.append(_build_draft_layer(drafts, run.source, projection, n_parts=n_parts))
    return [layer for layer in layers if layer.text]


@dataclass(frozen=True, slots=True)
class MapProjection:
    """A map from the two principal coordinates to whole numbers; y points down."""

    left: float
    top: float
    scale: float

    @classmethod
    def fit_to_points(cls, points: RandomRows) -> "MapProjection":
        """The projection whose range holds all of the points."""
        x, y = principal_coordinates(points)
        width = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
        return cls(float(x.min()), float(y.max()), COORDINATE_RANGE / width)

    def project_points(self, x: Float64Array, y: Float64Array) -> tuple[Int64Array, Int64Array]:
        """Columns and rows of points; what lies outside goes to the edge."""
        places = np.stack([(x - self.left) * self.scale, (self.top - y) * self.scale])
        across, down = np.clip(np.rint(places), 0, COORDINATE_RANGE).astype(np.int64)
        return across, down


def _build_source_layer(source: RandomRows, loop: LoopRecord, projection: MapProjection) -> MapLayer:
    x, y = projection.project_points(*principal_coordinates(source))
    texts = column_values(source.table, "text")
    taught = [loop.taught_points.get(fact_key(text)) for text in texts]
    exposures = np.array([0 if t is None else t.exposures for t in taught])
    exposure_class = np.digitize(exposures, [1, 2, 4, 8])
    parts = np.array([0 if t is None else t.first_part for t in taught])
    return MapLayer(
        name="Knowledge points of the source",
        total=source.total,
        x=x,
        y=y,
        text=[text[:MAX_TEXT_LENGTH] for text in texts],
        colourings=[
            build_colour_ramp("log10 density", source.table["log10_density"].to_numpy()),
            build_colour_classes("domain", column_values(source.table, "domain")),
            ColourClasses("taught", EXPOSURE_CLASSES, exposure_class, ordered=True),
            build_part_classes("first taught", parts, len(loop.parts)),
        ],
    )


def _build_draft_layer(drafts: RandomRows, source: RandomRows, projection: MapProjection, *, n_parts: int) -> MapLayer:
    """The drafts whose knowledge points were placed, each in the middle of its cells."""
    cells = column_values(drafts.table, "cells")
    placed = np.array([row for row, held in enumerate(cells) if held], np.int64)
    table = drafts.table.take(placed)
    x, y = compute_cell_midpoints([cells[row] for row in placed], source)
    # Drafts of one set of cells have one midpoint: without noise they would be one dot.
    spread = COORDINATE_RANGE / projection.scale * DRAFT_JITTER
    shift = keyed_generator(0, "map", len(placed)).normal(0, spread, (2, len(placed)))
    across, down = projection.project_points(x + shift[0], y + shift[1])
    number = {key: i for i, key in enumerate(OUTCOME_NAMES)}
    errors = column_values(table, "error_class")
    outcomes = np.array([number[find_outcome_key(error)] for error in errors], np.int64)
    reasons = [reason or "accepted" for reason in column_values(table, "reason")]
    return MapLayer(
        name="Drafts of the loop",
        total=drafts.total,
        x=across,
        y=down,
        text=[question[:MAX_TEXT_LENGTH] for question in column_values(table, "question")],
        colourings=[
            ColourClasses("outcome", list(OUTCOME_NAMES.values()), outcomes),
            build_part_classes("part", drafts.file_index[placed] + 1, n_parts),
            build_colour_classes("reason", reasons),
            build_colour_classes("domain", column_values(table, "domain")),
        ],
    )


def compute_cell_midpoints(cells: Sequence[Sequence[int]], source: RandomRows) -> tuple[Float64Array, Float64Array]:
    """x and y of each list of cells: the mean over it of the cells' mean knowledge point.

    A cell that is listed twice counts twice; one without knowledge points of the source lies at
    the origin. Shape (n_lists,) each.
    """
    x, y = principal_coordinates(source)
    own = source.table["cell"].to_numpy()
    n_cells = 1 + max(int(own.max()), max((max(held) for held in cells), default=0))
    size = np.maximum(np.bincount(own, minlength=n_cells), 1)
    centre_x = np.bincount(own, x, minlength=n_cells) / size
    centre_y = np.bincount(own, y, minlength=n_cells) / size
    # The lists end to end; `row` is the list of an entry, so that one bincount sums them all.
    lengths = np.array([len(held) for held in cells], np.int64)
    flat = np.concatenate([np.asarray(held) for held in cells]) if cells else np.zeros(0, int)
    row = np.repeat(np.arange(len(cells)), lengths)
    return (
        np.bincount(row, centre_x[flat], minlength=len(cells)) / lengths,
        np.bincount(row, centre_y[flat], minlength=len(cells)) / lengths,
    )


def build_colour_ramp(name: str, numbers: Float64Array) -> ColourRamp:
    """Numbers as levels between the 0.5 % and the 99.5 % quantile; the rest gets the end levels."""
    low, high = (float(q) for q in np.quantile(numbers, [0.005, 0.995]))
    share = (numbers - low) / max(high - low, 1e-12)
    levels = np.clip(np.rint(share * RAMP_LEVELS), 0, RAMP_LEVELS).astype(np.int64)
    return ColourRamp(name, low, high, levels)


def build_colour_classes(name: str, names: Sequence[str]) -> ColourClasses:
    """Labels in the order of how often they occur."""
    ranked = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    number = {label: i for i, (label, _) in enumerate(ranked)}
    return ColourClasses(
        name, [label or "not stated" for label in number], np.array([number[label] for label in names], np.int64)
    )


def build_part_classes(name: str, parts: Int64Array, last: int) -> ColourClasses:
    """Parts in classes of a few each; part 0 stands for never."""
    # Short runs have fewer parts than classes: equal edges fall together.
    edges = np.unique(np.linspace(1, last + 1, MAX_ROUND_CLASSES + 1).round().astype(np.int64))
    labels = [
        f"part {low}" if high - low == 1 else f"parts {low} to {high - 1}"
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    # digitize gives 0 to what lies before the first edge, which is part 0 alone.
    number = np.digitize(parts, edges)
    if number.min(initial=1) > 0:
        return ColourClasses(name, labels, number - 1, ordered=True)
    return ColourClasses(name, ["never", *labels], number, ordered=True)


def pack_map_layers(layers: Sequence[MapLayer]) -> str:
    """The layers as base64 of deflated JSON: nothing in it can be taken for markup."""
    # Base64 has no "<": the map's script inflates it in the browser.
    data = orjson.dumps(layers, option=orjson.OPT_SERIALIZE_NUMPY)
    return base64.b64encode(zlib.compress(data)).decode()
