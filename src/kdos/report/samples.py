"""Samples shown in full, each with its logic laid out as boxes and arrows.

The layout is the layered one of Sugiyama, Tagawa and Toda (1981): break circles, put nodes into
layers from left to right, order each layer so that few edges cross, then set coordinates.
"""

import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdos.logic import Edge, Fault, Logic, parse
from kdos.logic.validity import reachable_nodes
from kdos.report.saved_run import SavedRun
from kdos.report.tables import spell_out_name

MAX_LINE_WIDTH = 23
"""Letters of a line in a box; wide letters, such as Chinese ones, count twice."""
MAX_BOX_LINES = 8

LETTER_WIDTH, LINE_HEIGHT = 7.3, 17
BOX_PADDING_X, BOX_PADDING_Y = 10, 8
COLUMN_DISTANCE, BOX_DISTANCE = 40, 12
WAYPOINT = "\0"
"""What the name of a waypoint starts with; no node id can."""
ORDERING_SWEEPS = 4
"""Passes over all layers that order each by the barycentres of its neighbours."""


@dataclass(frozen=True, slots=True)
class DiagramBox:
    """A node where it stands, in drawing units; `lines` are its label, broken."""

    x: float
    y: float
    width: float
    height: float
    lines: list[str]


@dataclass(frozen=True, slots=True)
class DiagramArrow:
    """An edge: path data, its label and the middle of it."""

    path: str
    label: str
    x: float
    y: float
    directed: bool


@dataclass(frozen=True, slots=True)
class DiagramLayout:
    """A whole diagram."""

    width: float
    height: float
    boxes: list[DiagramBox]
    arrows: list[DiagramArrow]


@dataclass(frozen=True, slots=True)
class ShownSample:
    """A sample with its logic drawn, or the fault that keeps it from being drawn."""

    sample: Mapping[str, Any]
    drawing: DiagramLayout | None
    fault: str


def build_shown_samples(run: SavedRun) -> list[ShownSample]:
    """The run's example samples with their logic laid out."""
    found: list[ShownSample] = []
    for sample in run.examples:
        logic = parse(sample["logic"] or "")
        if isinstance(logic, Fault):
            fault = f"{spell_out_name(logic.reason)}: {logic.detail}"
            found.append(ShownSample(sample, None, fault))
        else:
            found.append(ShownSample(sample, lay_out_diagram(logic), ""))
    return found


def lay_out_diagram(logic: Logic) -> DiagramLayout:
    """Boxes in the order of the nodes and arrows in the order of the edges."""
    depth = assign_node_layers(logic)
    routes = [_list_waypoints(edge, number, depth) for number, edge in enumerate(logic.edges)]
    columns = _reduce_crossings(_group_by_layer(depth, routes), routes)
    boxes = _place_boxes({node.id: node.label for node in logic.nodes}, columns)
    return DiagramLayout(
        width=max(box.x + box.width for box in boxes.values()) + 1,
        height=max(box.y + box.height for box in boxes.values()) + 1,
        boxes=[boxes[node.id] for node in logic.nodes],
        arrows=[
            _draw_arrow(edge, [boxes[name] for name in names]) for edge, names in zip(logic.edges, routes, strict=True)
        ],
    )


def assign_node_layers(logic: Logic) -> dict[str, int]:
    """The layer of each node by longest path: one past the farthest that leads to it."""
    sources: dict[str, list[str]] = {node.id: [] for node in logic.nodes}
    for edge in _select_acyclic_edges(logic):
        sources[edge.target].append(edge.source)
    depth: dict[str, int] = {}
    for name in _sort_topologically(sources):
        depth[name] = 1 + max((depth[source] for source in sources[name]), default=-1)
    return depth


def _list_waypoints(edge: Edge, number: int, depth: Mapping[str, int]) -> list[str]:
    # An edge over several layers passes a waypoint in each layer between, Sugiyama's dummy node:
    # it keeps its place in the layer's order, so the edge goes around boxes and not through them.
    start, end = depth[edge.source], depth[edge.target]
    between = range(start + 1, end) if start < end else range(start - 1, end, -1)
    return [edge.source, *(f"{WAYPOINT}{number}/{layer}" for layer in between), edge.target]


def _group_by_layer(depth: Mapping[str, int], routes: Sequence[Sequence[str]]) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, layer in depth.items():
        columns[layer].append(name)
    for names in routes:
        for name in names[1:-1]:
            columns[int(name.rpartition("/")[2])].append(name)
    return columns


def _select_acyclic_edges(logic: Logic) -> list[Edge]:
    # Edges are taken in the order of the text, without those that would close a circle; such an
    # edge is drawn backwards and has no say in the layers.
    ways: dict[str, list[str]] = {node.id: [] for node in logic.nodes}
    kept: list[Edge] = []
    for edge in logic.edges:
        if edge.source not in reachable_nodes(edge.target, ways):
            ways[edge.source].append(edge.target)
            kept.append(edge)
    return kept


def _sort_topologically(sources: Mapping[str, Sequence[str]]) -> Iterable[str]:
    # Quadratic, without a queue: a diagram has a handful of nodes. It ends, for circles are broken.
    done: dict[str, None] = {}
    while len(done) < len(sources):
        for name in sources:
            if name not in done and all(source in done for source in sources[name]):
                done[name] = None
    return done


def _reduce_crossings(columns: list[list[str]], routes: Sequence[Sequence[str]]) -> list[list[str]]:
    # Barycentre heuristic: each name goes to the mean position of its neighbours, as a share of
    # their layer's height. To find the fewest crossings is NP-hard.
    beside: dict[str, list[str]] = {name: [] for column in columns for name in column}
    for names in routes:
        for a, b in itertools.pairwise(names):
            beside[a].append(b)
            beside[b].append(a)
    for _ in range(ORDERING_SWEEPS):
        for number, column in enumerate(columns):
            rank = {n: (i + 0.5) / len(other) for other in columns for i, n in enumerate(other)}
            # A name without neighbours keeps its place.
            near = {name: beside[name] or [name] for name in column}
            centre = {name: sum(rank[n] for n in near[name]) / len(near[name]) for name in column}
            columns[number] = sorted(column, key=centre.__getitem__)
    return columns


def _place_boxes(labels: Mapping[str, str], columns: Sequence[Sequence[str]]) -> dict[str, DiagramBox]:
    """Boxes in columns, each column centred on the tallest; a waypoint is a box without lines."""
    lines = {name: wrap_node_label(labels[name]) if name in labels else [] for c in columns for name in c}
    heights = {name: len(text) * LINE_HEIGHT + 2 * BOX_PADDING_Y if text else 0.0 for name, text in lines.items()}
    tall = [sum(heights[n] for n in column) + BOX_DISTANCE * (len(column) - 1) for column in columns]
    boxes: dict[str, DiagramBox] = {}
    left = 1.0
    for column, height in zip(columns, tall, strict=True):
        letters = max(measure_text_width(line) for name in column for line in lines[name])
        width = letters * LETTER_WIDTH + 2 * BOX_PADDING_X
        top = 1 + (max(tall) - height) / 2
        for name in column:
            boxes[name] = DiagramBox(left, top, width, heights[name], lines[name])
            top += heights[name] + BOX_DISTANCE
        left += width + COLUMN_DISTANCE
    return boxes


def _draw_arrow(edge: Edge, boxes: Sequence[DiagramBox]) -> DiagramArrow:
    """A curve from box to box, straight through the waypoints between."""
    if boxes[0] is boxes[-1]:
        return _draw_self_loop(edge, boxes[0])
    onward = boxes[-1].x > boxes[0].x
    x, y = _find_side_middle(boxes[0], right=onward)
    path = f"M{x:g} {y:g}"
    for number, box in enumerate(boxes[1:], 1):
        before, (x, y) = (x, y), _find_side_middle(box, right=not onward)
        # Both control points lie half way across, so that the curve leaves and arrives level.
        half = (x - before[0]) / 2
        path += f"C{before[0] + half:g} {before[1]:g} {x - half:g} {y:g} {x:g} {y:g}"
        if number < len(boxes) - 1:
            x, y = _find_side_middle(box, right=onward)
            path += f"L{x:g} {y:g}"
    start = _find_side_middle(boxes[0], right=onward)
    end = _find_side_middle(boxes[1], right=not onward)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return DiagramArrow(path, edge.label, *middle, edge.directed)


def _draw_self_loop(edge: Edge, box: DiagramBox) -> DiagramArrow:
    x, bend = box.x + box.width, COLUMN_DISTANCE / 2
    y1, y2 = box.y + BOX_PADDING_Y, box.y + box.height - BOX_PADDING_Y
    path = f"M{x:g} {y1:g}C{x + bend:g} {y1:g} {x + bend:g} {y2:g} {x:g} {y2:g}"
    return DiagramArrow(path, edge.label, x + bend, (y1 + y2) / 2, edge.directed)


def _find_side_middle(box: DiagramBox, *, right: bool) -> tuple[float, float]:
    return box.x + box.width * right, box.y + box.height / 2


def wrap_node_label(label: str) -> list[str]:
    """A label in at most `MAX_BOX_LINES` lines of `MAX_LINE_WIDTH`; a longer one ends in …."""
    lines = [""]
    for word in label.split() or [" "]:
        for piece in _split_long_word(word):
            longer = f"{lines[-1]} {piece}" if lines[-1] else piece
            if measure_text_width(longer) <= MAX_LINE_WIDTH:
                lines[-1] = longer
            else:
                lines.append(piece)
    if len(lines) > MAX_BOX_LINES:
        lines = [*lines[: MAX_BOX_LINES - 1], lines[MAX_BOX_LINES - 1][: MAX_LINE_WIDTH - 1] + "…"]
    return lines


def _split_long_word(word: str) -> list[str]:
    cut = [""]
    for letter in word:
        if measure_text_width(cut[-1] + letter) > MAX_LINE_WIDTH:
            cut.append("")
        cut[-1] += letter
    return cut


def measure_text_width(text: str) -> int:
    """Width in Latin letters; East Asian wide and full-width characters are two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
