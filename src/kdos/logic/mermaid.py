"""Mermaid text in, a typed graph or the fault that stops us out; and a graph as Mermaid text."""

import re
from collections.abc import Mapping
from functools import lru_cache

from kdos.logic.diagram import (
    MAX_CHARACTERS,
    Edge,
    Fault,
    Kind,
    Logic,
    LogicError,
    LogicTooLargeError,
    Node,
    check_size,
)
from kdos.logic.flowchart import FlowchartReader, clean_label, find_balanced_end, strip_quotes

_FENCE = re.compile(r"```[ \t]*+(?:mermaid)?[ \t]*+\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n.*?\n---[ \t]*(?=\n)", re.DOTALL)
_HEADER = re.compile(
    r"\s*+(?:mermaid[ \t]*+\n)?(?:\s|;|%%\{(?:(?!\}%%).)*+\}%%|%%[^\n]*+)*+"
    r"(?:(flowchart(?:-elk)?|graph)\b(?:[ \t]+(?:TD|TB|BT|RL|LR)\b)?|(mindmap)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\s*(\S{1,30})")
# Only the head of an arrow: "&gt;" within a label stays until the label is cleaned.
_ESCAPED_HEAD = re.compile(r"(?<=[-=.–—])&gt;")
# What to write as a code: quotes, "<", and what would be read back as a code, break or backtick.
_CODED = re.compile(r'["<]|#(?=\w+;)|&(?=#?\w+;)|\\(?=[n"])|^`(?=[^`]*`$)')
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_LINE = re.compile(r"[^\n]*")
_MINDMAP_SKIPPED = re.compile(r"%%|::icon\(|:::")
_BULLET = re.compile(r"^(?:[-*+•]|\d+[.)])[ \t]+")
# id((label)) and its kin; the label is the one group that matched. A single bracket behind a space is a part of the
# text, as in "Ida (captain)", unless it is square with quotes in it.
_SHAPED = re.compile(
    r"(?:[\w.-]+(?:[ \t]*(?=\(\(|\{\{|\)|\[\"))?)?(?:\(\((?P<circle>.*)\)\)|\)\)(?P<bang>.*)\(\(|\)(?P<cloud>.*)\("
    r"|\{\{(?P<hexagon>.*)\}\}|\[(?P<square>.*)\]|\((?P<round>.*)\))",
    re.DOTALL,
)
_MINDMAP_CLASS = re.compile(r"(?:(?<![ \t])[ \t]++)?:::[\w -]+$")
_MARKDOWN_BREAK = re.compile(r"(?<=[\[(]\"`)[^`]{0,2000}(?=`\"[\])])")
_TAB_WIDTH = 4


@lru_cache(maxsize=256)  # read again soon or never; more would only burden the memory
def parse(text: str) -> Logic | Fault:
    """Read a `flowchart`, `graph` or `mindmap`; a Fault with line and reason where that fails."""
    if len(text) > MAX_CHARACTERS:
        return Fault("logic_too_long", f"{len(text)} characters; at most {MAX_CHARACTERS}")
    text = _strip_wrapping(text)
    header = _HEADER.match(text)
    if header is None:
        word = _WORD.match(text)
        got = repr(word[1]) if word else "nothing"
        detail = f"flowchart, graph or mindmap must come first; got {got}"
        return Fault("logic_unreadable", detail, 1)
    try:
        if header[2]:
            logic = Logic(Kind.MINDMAP, *_read_mindmap(text, header.end()))
        else:
            kind = Kind.GRAPH if header[1].lower() == "graph" else Kind.FLOWCHART
            logic = Logic(kind, *FlowchartReader(text).read_statements(header.end()))
    except LogicError as error:
        return Fault("logic_unreadable", str(error), 1 + text.count("\n", 0, error.position))
    except LogicTooLargeError as error:
        return Fault("logic_too_long", str(error))
    if not logic.nodes:
        return Fault("logic_unreadable", "the diagram is empty", 1)
    return logic


def _read_mindmap(text: str, position: int) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Read the tree that starts at `position`; its nodes are named n0, n1, … from the root on."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    # The nodes from the root down to the last line, each with its indentation in columns.
    path: list[tuple[int, str]] = []
    text = _MARKDOWN_BREAK.sub(lambda label: label[0].replace("\n", " "), text)
    for line in _LINE.finditer(text, position):
        content = line[0].strip()
        if not content or _MINDMAP_SKIPPED.match(content):
            continue
        indent = len(line[0][: -len(line[0].lstrip())].expandtabs(_TAB_WIDTH))
        # A line's parent is the nearest line above that stands further left, by however little.
        while path and path[-1][0] >= indent:
            path.pop()
        if nodes and not path:
            raise LogicError("a mindmap has one root; this line stands beside it", line.start())
        node = Node(f"n{len(nodes)}", _read_mindmap_label(content))
        if path:
            edges.append(Edge(path[-1][1], node.id))
        nodes.append(node)
        check_size(nodes=len(nodes), edges=len(edges))
        path.append((indent, node.id))
    return tuple(nodes), tuple(edges)


def _read_mindmap_label(content: str) -> str:
    """What a line of the tree says, without its bullet and the brackets of its shape."""
    content = _MINDMAP_CLASS.sub("", _BULLET.sub("", content, count=1))
    shaped = _SHAPED.fullmatch(content)
    said = shaped[shaped.lastgroup] if shaped and shaped.lastgroup else content
    return clean_label(strip_quotes(said if _is_balanced(said) else content))


def _is_balanced(text: str) -> bool:
    """Whether no bracket closes that was not opened before: in "(a) and (b)" the outer ones are no pair."""
    return all(find_balanced_end(text, opening, closing) < 0 for opening, closing in ("()", "[]"))


def _strip_wrapping(text: str) -> str:
    """The diagram alone: without Markdown fence, front matter, escapes and invisible letters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # What is cut from the front leaves its line breaks: a fault's line is that of the reply.
    if "`" in text and (fence := _FENCE.search(text)):
        text = "\n" * text.count("\n", 0, fence.start(1)) + fence[1]
    # Escaped once too often within JSON: one line, its breaks written as a backslash and an n.
    if "\n" not in text and "\\n" in text:
        text = text.replace("\\n", "\n")
    if "&gt;" in text:
        text = _ESCAPED_HEAD.sub(">", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text).replace("\u00a0", " ").replace("\u3000", " ")
    if "---" in text[:40] and (front := _FRONT_MATTER.match(text)):
        text = "\n" * front[0].count("\n") + text[front.end() :]
    return text


def write_mermaid(logic: Logic) -> str:
    """The diagram as Mermaid that any renderer reads: plain names, every label in quotes."""
    if logic.kind is Kind.MINDMAP:
        return _write_mindmap(logic)
    names = {node.id: f"n{number}" for number, node in enumerate(logic.nodes)}
    lines = [f"{logic.kind} TD"]
    lines += [f"    {names[node.id]}{_write_label(node)}" for node in logic.nodes]
    lines += [f"    {names[edge.source]} {_write_arrow(edge)} {names[edge.target]}" for edge in logic.edges]
    return "\n".join(lines)


def fill_in_texts(text: str, texts: Mapping[str, str]) -> str:
    """The diagram with its text for each label that is a name of `texts`; as it is without such, or if unreadable."""
    logic = parse(text)
    if isinstance(logic, Fault) or not any(node.label in texts for node in logic.nodes):
        return text
    nodes = tuple(Node(node.id, texts.get(node.label, node.label)) for node in logic.nodes)
    return write_mermaid(Logic(logic.kind, nodes, logic.edges))


def abbreviate_texts(text: str, texts: Mapping[str, str]) -> str:
    """The diagram with a name alone for each node whose label is a text of `texts`; as it is if it cannot be read.

    `fill_in_texts` undoes it, but for the order of nodes, which becomes that of their first mention in the edges.
    """
    logic = parse(text)
    if isinstance(logic, Fault):
        return text
    names = {said: name for name, said in reversed(list(texts.items()))}
    # A second node with the same label keeps it: by the name alone it would be the first one.
    short = {node.id: names.pop(node.label) for node in logic.nodes if node.label in names}
    if logic.kind is Kind.MINDMAP:
        return _write_mindmap(logic, short)
    shown = {node.id: short.get(node.id, f"n{number}") for number, node in enumerate(logic.nodes)}
    labels = {node.id: _write_label(node) for node in logic.nodes if node.id not in short}

    def mention_node(name: str) -> str:
        return shown[name] + labels.pop(name, "")  # with its label the first time

    lines = [f"{mention_node(e.source)} {_write_arrow(e)} {mention_node(e.target)}" for e in logic.edges]
    linked = {name for edge in logic.edges for name in (edge.source, edge.target)}
    lines += [mention_node(node.id) for node in logic.nodes if node.id not in linked]
    return "\n".join([f"{logic.kind} TD", *lines])


def _write_mindmap(logic: Logic, short: Mapping[str, str] | None = None) -> str:
    """The tree; `short` holds the lines of nodes that are written by a name alone."""
    depth = {logic.nodes[0].id: 1}
    for edge in logic.edges:
        depth[edge.target] = depth[edge.source] + 1
    lines = [(depth[node.id], (short or {}).get(node.id) or f"{node.id}{_write_label(node)}") for node in logic.nodes]
    return "\n".join(["mindmap", *(f"{'    ' * indent}{line}" for indent, line in lines)])


def _write_label(node: Node) -> str:
    return f'["{_encode_label(node.label)}"]'


def _write_arrow(edge: Edge) -> str:
    label = f'|"{_encode_label(edge.label)}"|' if edge.label else ""
    return f"{'-->' if edge.directed else '---'}{label}"


def _encode_label(label: str) -> str:
    """The label with Mermaid's codes for the characters that would end or change it."""
    return _CODED.sub(lambda found: f"#{ord(found[0])};", label)
