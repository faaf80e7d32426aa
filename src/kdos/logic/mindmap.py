"""The body of a `mindmap`: indented lines in, a tree out."""

import re

from kdos.logic.diagram import Edge, LogicError, Node
from kdos.logic.label import clean_label, unquoted

_LINE = re.compile(r"[^\n]*")
_SKIPPED = re.compile(r"%%|::icon\(|:::")
_BULLET = re.compile(r"^(?:[-*+•]|\d+[.)])[ \t]+")
_SHAPED = re.compile(
    r"(?:[\w.-]+[ \t]*)?(?:\(\((?P<circle>.*)\)\)|\)\)(?P<bang>.*)\(\(|\)(?P<cloud>.*)\("
    r"|\{\{(?P<hexagon>.*)\}\}|\[(?P<square>.*)\]|\((?P<round>.*)\))(?::::.*)?"
)
_TAB = 4


def read_mindmap(text: str, position: int) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Read the tree that starts at `position`; its nodes are named n0, n1, … from the root on."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    path: list[tuple[int, str]] = []
    for line in _LINE.finditer(text, position):
        content = line[0].strip()
        if not content or _SKIPPED.match(content):
            continue
        before = line[0][: len(line[0]) - len(line[0].lstrip())]
        indent = len(before.expandtabs(_TAB))
        while path and path[-1][0] >= indent:
            path.pop()
        if nodes and not path:
            raise LogicError("a mindmap has one root; this line stands beside it", line.start())
        node = Node(f"n{len(nodes)}", _said(content))
        if path:
            edges.append(Edge(path[-1][1], node.id))
        nodes.append(node)
        path.append((indent, node.id))
    return tuple(nodes), tuple(edges)


def _said(content: str) -> str:
    """What a line of the tree says, without its bullet and the brackets of its shape."""
    content = _BULLET.sub("", content, count=1)
    shaped = _SHAPED.fullmatch(content)
    said = shaped[shaped.lastgroup] if shaped and shaped.lastgroup else content
    return clean_label(unquoted(said))
