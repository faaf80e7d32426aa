"""A question's logic as boxes and arrows: layers from left to right, few crossings."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdos.logic import Edge, Logic, Node
from kdos.logic.validity import reached

LETTERS = 28
"""Letters of a line in a box; wide letters, such as Chinese ones, count twice."""
LINES = 6

LETTER_WIDTH, LINE_HEIGHT = 7.3, 17
PAD_X, PAD_Y = 10, 8
GAP_X, GAP_Y = 56, 14
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
    columns = ordered(layers(logic), logic.edges)
    boxes = place({node.id: node for node in logic.nodes}, columns)
    return Drawing(
        width=max(box.x + box.width for box in boxes.values()) + 1,
        height=max(box.y + box.height for box in boxes.values()) + 1,
        boxes=[boxes[node.id] for node in logic.nodes],
        arrows=[arrow(edge, boxes) for edge in logic.edges],
    )


def layers(logic: Logic) -> list[list[str]]:
    """Node ids by layer: each node one past the farthest that leads to it."""
    sources: dict[str, list[str]] = {node.id: [] for node in logic.nodes}
    for edge in forward(logic):
        sources[edge.target].append(edge.source)
    depth: dict[str, int] = {}
    for name in settled(sources):
        depth[name] = 1 + max((depth[source] for source in sources[name]), default=-1)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in logic.nodes:
        columns[depth[node.id]].append(node.id)
    return columns


def forward(logic: Logic) -> list[Edge]:
    """The edges that do not close a circle with those before them."""
    ways: dict[str, list[str]] = {node.id: [] for node in logic.nodes}
    kept: list[Edge] = []
    for edge in logic.edges:
        if edge.source not in reached(edge.target, ways):
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


def ordered(columns: list[list[str]], edges: Sequence[Edge]) -> list[list[str]]:
    """Each layer ordered by where the neighbours of its nodes stand, which uncrosses edges."""
    beside: dict[str, list[str]] = {name: [] for column in columns for name in column}
    for edge in edges:
        beside[edge.source].append(edge.target)
        beside[edge.target].append(edge.source)
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


def place(nodes: Mapping[str, Node], columns: Sequence[Sequence[str]]) -> dict[str, Box]:
    """Boxes in columns, each column centred on the tallest."""
    labels = {name: broken(node.label) for name, node in nodes.items()}
    heights = {name: len(lines) * LINE_HEIGHT + 2 * PAD_Y for name, lines in labels.items()}
    tall = [sum(heights[n] for n in column) + GAP_Y * (len(column) - 1) for column in columns]
    boxes: dict[str, Box] = {}
    left = 1.0
    for column, height in zip(columns, tall, strict=True):
        width = max(width_of(line) for name in column for line in labels[name]) + 2 * PAD_X
        top = 1 + (max(tall) - height) / 2
        for name in column:
            boxes[name] = Box(left, top, width, heights[name], labels[name])
            top += heights[name] + GAP_Y
        left += width + GAP_X
    return boxes


def arrow(edge: Edge, boxes: Mapping[str, Box]) -> Arrow:
    """A curve from the right of one box to the left of another, or back."""
    a, b = boxes[edge.source], boxes[edge.target]
    y1, y2 = a.y + a.height / 2, b.y + b.height / 2
    if a is b:
        x1 = x2 = a.x + a.width
        y1, y2, bend = a.y + PAD_Y, a.y + a.height - PAD_Y, GAP_X / 2
        path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 + bend:g} {y2:g} {x2:g} {y2:g}"
        return Arrow(path, edge.label, x1 + bend, (y1 + y2) / 2, edge.directed)
    way = 1 if b.x >= a.x else -1
    x1 = a.x + a.width if way > 0 else a.x
    x2 = b.x if way > 0 else b.x + b.width
    bend = way * max(abs(x2 - x1), GAP_X) / 2
    path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    return Arrow(path, edge.label, (x1 + x2) / 2, (y1 + y2) / 2, edge.directed)


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
