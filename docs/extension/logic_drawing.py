"""A diagram as a picture: SVG that stands alone, every word escaped."""

import textwrap
import unicodedata
from collections import defaultdict
from html import escape

from kdos.logic.diagram import Edge, Logic

WIDTH, LINE, PADDING, GAP_X, GAP_Y = 220, 16, 10, 24, 44
"""Pixels: a box's width, a line of text, space inside a box, space between boxes, between ranks."""
LETTERS_PER_LINE = 30
"""Letters of one line in a box."""


def draw_logic_svg(logic: Logic) -> str:
    """The diagram as an SVG element, ranks from top to bottom, in the colour of the text around."""
    lines = {node.id: _wrap_label(node.label) for node in logic.nodes}
    boxes, width, height = _place_boxes(_rows_by_rank(logic), lines)
    arrows = [_arrow_svg(edge, boxes) for edge in logic.edges if edge.source != edge.target]
    drawn = "".join(arrows + [_box_svg(boxes[name], said) for name, said in lines.items()])
    said = escape("; ".join(node.label for node in logic.nodes), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{said}" font-family="sans-serif" font-size="12" fill="none" '
        f'stroke="currentColor"><defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" '
        f'markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" '
        f'fill="currentColor" stroke="none"/></marker></defs>{drawn}</svg>'
    )


def _rows_by_rank(logic: Logic) -> list[list[str]]:
    """The nodes in rows from top to bottom, in the order of mention."""
    rows: defaultdict[int, list[str]] = defaultdict(list)
    for name, rank in _rank_nodes(logic).items():
        rows[rank].append(name)
    return [rows[rank] for rank in sorted(rows)]


def _place_boxes(
    rows: list[list[str]], lines: dict[str, list[str]]
) -> tuple[dict[str, tuple[int, int, int]], int, int]:
    """Left, top and height of each box; width and height of the whole. Pixels."""
    width = max(map(len, rows)) * (WIDTH + GAP_X) + GAP_X
    boxes: dict[str, tuple[int, int, int]] = {}
    top = GAP_X
    for row in rows:
        left = (width - len(row) * (WIDTH + GAP_X) + GAP_X) // 2
        for place, name in enumerate(row):
            height = len(lines[name]) * LINE + 2 * PADDING
            boxes[name] = (left + place * (WIDTH + GAP_X), top, height)
        top += max(boxes[name][2] for name in row) + GAP_Y
    return boxes, width, top - GAP_Y + GAP_X


def _rank_nodes(logic: Logic) -> dict[str, int]:
    """How far down each node stands: below all that lead to it, circles cut where they close."""
    ranks = {node.id: 0 for node in logic.nodes}
    for _ in range(len(ranks)):
        moved = False
        for edge in logic.edges:
            if edge.directed and ranks[edge.target] <= ranks[edge.source] < len(ranks) - 1:
                ranks[edge.target] = ranks[edge.source] + 1
                moved = True
        if not moved:
            break
    return ranks


def _wrap_label(label: str) -> list[str]:
    """The label in lines that fit a box; letters as wide as two count as two."""
    wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in label)
    return textwrap.wrap(label, LETTERS_PER_LINE // 2 if wide else LETTERS_PER_LINE) or [""]


def _box_svg(place: tuple[int, int, int], said: list[str]) -> str:
    """One box with its lines of text."""
    left, top, height = place
    lines = "".join(
        f'<text x="{left + WIDTH // 2}" y="{top + PADDING + LINE * row + LINE * 3 // 4}" '
        f'text-anchor="middle" fill="currentColor" stroke="none">{escape(text)}</text>'
        for row, text in enumerate(said)
    )
    return f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{height}" rx="6"/>{lines}'


def _arrow_svg(edge: Edge, boxes: dict[str, tuple[int, int, int]]) -> str:
    """One edge from the bottom of its source to the top of its target, with its label."""
    left, top, height = boxes[edge.source]
    end_left, end_top, _ = boxes[edge.target]
    x, y, end_x = left + WIDTH // 2, top + height, end_left + WIDTH // 2
    head = ' marker-end="url(#head)"' if edge.directed else ""
    line = f'<path d="M{x} {y}L{end_x} {end_top}"{head}/>'
    if not edge.label:
        return line
    said = escape(textwrap.shorten(edge.label, LETTERS_PER_LINE))
    at = f'x="{(x + end_x) // 2 + 4}" y="{(y + end_top) // 2}"'
    return f'{line}<text {at} fill="currentColor" stroke="none">{said}</text>'
