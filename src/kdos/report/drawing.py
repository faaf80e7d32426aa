"""A question's logic as boxes and arrows: layers from left to right, few crossings."""

import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdos.logic import Edge, Logic
from kdos.logic.validity import reachable_nodes

LETTERS = 23
"""Letters of a line in a box; wide letters, such as Chinese ones, count twice."""
LINES = 8

LETTER_WIDTH, LINE_HEIGHT = 7.3, 17
PAD_X, PAD_Y = 10, 8
GAP_X, GAP_Y = 40, 12
GAP = "\0"
"""What the name of a gap starts with; no node id can."""

SWEEPS = 4
"""Rounds of ordering each layer by the middle of its neighbours."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node where it stands, in drawing units; `lines` are its label, broken."""

    x: float
    y: float
    width: float
    height: float
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge: path data, its label and the middle of it."""

    path: str
    label: str
    x: float
    y: float
    directed: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole diagram."""

    width: float
    height: float
    boxes: list[Box]
    arrows: list[Arrow]


def draw_logic(logic: Logic) -> Drawing:
    """Lay a diagram out."""
    depth = depths(logic)
    routes = [route(edge, number, depth) for number, edge in enumerate(logic.edges)]
    columns = ordered(columns_of(depth, routes), routes)
    boxes = place({node.id: node.label for node in logic.nodes}, columns)
    return Drawing(
        width=max(box.x + box.width for box in boxes.values()) + 1,
        height=max(box.y + box.height for box in boxes.values()) + 1,
        boxes=[boxes[node.id] for node in logic.nodes],
        arrows=[
            arrow(edge, [boxes[name] for name in names])
            for edge, names in zip(logic.edges, routes, strict=True)
        ],
    )


def depths(logic: Logic) -> dict[str, int]:
    """The layer of each node: one past the farthest that leads to it."""
    sources: dict[str, list[str]] = {node.id: [] for node in logic.nodes}
    for edge in forward(logic):
        sources[edge.target].append(edge.source)
    depth: dict[str, int] = {}
    for name in settled(sources):
        depth[name] = 1 + max((depth[source] for source in sources[name]), default=-1)
    return depth


def route(edge: Edge, number: int, depth: Mapping[str, int]) -> list[str]:
    """The names an edge passes: its ends, and a gap in every layer between them."""
    start, end = depth[edge.source], depth[edge.target]
    between = range(start + 1, end) if start < end else range(start - 1, end, -1)
    return [edge.source, *(f"{GAP}{number}/{layer}" for layer in between), edge.target]


def columns_of(depth: Mapping[str, int], routes: Sequence[Sequence[str]]) -> list[list[str]]:
    """The names of each layer, gaps after nodes."""
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, layer in depth.items():
        columns[layer].append(name)
    for names in routes:
        for name in names[1:-1]:
            columns[int(name.rpartition("/")[2])].append(name)
    return columns


def forward(logic: Logic) -> list[Edge]:
    """The edges that do not close a circle with those before them."""
    ways: dict[str, list[str]] = {node.id: [] for node in logic.nodes}
    kept: list[Edge] = []
    for edge in logic.edges:
        if edge.source not in reachable_nodes(edge.target, ways):
            ways[edge.source].append(edge.target)
            kept.append(edge)
    return kept


def settled(sources: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Node ids such that each comes after its sources."""
    done: dict[str, None] = {}
    while len(done) < len(sources):
        for name in sources:
            if name not in done and all(source in done for source in sources[name]):
                done[name] = None
    return done


def ordered(columns: list[list[str]], routes: Sequence[Sequence[str]]) -> list[list[str]]:
    """Each layer ordered by where the neighbours of its names stand, which uncrosses edges."""
    beside: dict[str, list[str]] = {name: [] for column in columns for name in column}
    for names in routes:
        for a, b in itertools.pairwise(names):
            beside[a].append(b)
            beside[b].append(a)
    for _ in range(SWEEPS):
        for number, column in enumerate(columns):
            rank = {
                name: (i + 0.5) / len(other) for other in columns for i, name in enumerate(other)
            }
            columns[number] = sorted(column, key=lambda name: middle(rank, beside[name], name))
    return columns


def middle(rank: Mapping[str, float], names: Sequence[str], own: str) -> float:
    """The mean rank of `names`, or a node's own where it stands alone."""
    return sum(rank[name] for name in names) / len(names) if names else rank[own]


def place(labels: Mapping[str, str], columns: Sequence[Sequence[str]]) -> dict[str, Box]:
    """Boxes in columns, each column centred on the tallest; a gap is a box without lines."""
    lines = {name: broken(labels[name]) if name in labels else [] for c in columns for name in c}
    heights = {
        name: len(text) * LINE_HEIGHT + 2 * PAD_Y if text else 0.0 for name, text in lines.items()
    }
    tall = [sum(heights[n] for n in column) + GAP_Y * (len(column) - 1) for column in columns]
    boxes: dict[str, Box] = {}
    left = 1.0
    for column, height in zip(columns, tall, strict=True):
        width = max(width_of(line) for name in column for line in lines[name]) + 2 * PAD_X
        top = 1 + (max(tall) - height) / 2
        for name in column:
            boxes[name] = Box(left, top, width, heights[name], lines[name])
            top += heights[name] + GAP_Y
        left += width + GAP_X
    return boxes


def arrow(edge: Edge, boxes: Sequence[Box]) -> Arrow:
    """A curve from box to box, straight through the gaps between."""
    if boxes[0] is boxes[-1]:
        return circle(edge, boxes[0])
    onward = boxes[-1].x > boxes[0].x
    x, y = side_of(boxes[0], right=onward)
    path = f"M{x:g} {y:g}"
    for number, box in enumerate(boxes[1:], 1):
        before, (x, y) = (x, y), side_of(box, right=not onward)
        half = (x - before[0]) / 2
        path += f"C{before[0] + half:g} {before[1]:g} {x - half:g} {y:g} {x:g} {y:g}"
        if number < len(boxes) - 1:
            x, y = side_of(box, right=onward)
            path += f"L{x:g} {y:g}"
    start = side_of(boxes[0], right=onward)
    end = side_of(boxes[1], right=not onward)
    return Arrow(path, edge.label, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2, edge.directed)


def circle(edge: Edge, box: Box) -> Arrow:
    """A curve from a box to itself."""
    x, bend = box.x + box.width, GAP_X / 2
    y1, y2 = box.y + PAD_Y, box.y + box.height - PAD_Y
    path = f"M{x:g} {y1:g}C{x + bend:g} {y1:g} {x + bend:g} {y2:g} {x:g} {y2:g}"
    return Arrow(path, edge.label, x + bend, (y1 + y2) / 2, edge.directed)


def side_of(box: Box, *, right: bool) -> tuple[float, float]:
    """The middle of a box's right or left side."""
    return box.x + box.width * right, box.y + box.height / 2


def broken(label: str) -> list[str]:
    """A label in lines of at most `LETTERS`; what does not fit in `LINES` ends in an ellipsis."""
    lines = [""]
    for word in label.split() or [" "]:
        for piece in pieces(word):
            if lines[-1] and letters(lines[-1]) + 1 + letters(piece) > LETTERS:
                lines.append("")
            lines[-1] += (" " if lines[-1] else "") + piece
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1][: LETTERS - 1] + "…"]
    return lines


def pieces(word: str) -> list[str]:
    """A word cut so that each piece fits in a line."""
    cut = [""]
    for letter in word:
        if letters(cut[-1] + letter) > LETTERS:
            cut.append("")
        cut[-1] += letter
    return cut


def letters(text: str) -> int:
    """How many letters wide a text is."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def width_of(text: str) -> float:
    """About how wide a text is in drawing units."""
    return letters(text) * LETTER_WIDTH
