"""Mermaid text in, a typed graph or the fault that stops us out; and a graph as Mermaid text."""

import re
from functools import lru_cache

from kdos.logic.diagram import Fault, Kind, Logic, LogicError
from kdos.logic.flowchart import Flowchart
from kdos.logic.mindmap import read_mindmap

MAX_CHARACTERS = 20_000
MAX_NODES = 200
MAX_EDGES = 400
_FENCE = re.compile(r"```[ \t]*(?:mermaid)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n.*?\n---[ \t]*(?=\n)", re.DOTALL)
_HEADER = re.compile(
    r"(?:\s|;|%%[^\n]*)*"
    r"(?:(flowchart(?:-elk)?|graph)\b(?:[ \t]+(?:TD|TB|BT|RL|LR)\b)?|(mindmap)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\s*(\S{1,30})")
_ESCAPED_HEAD = re.compile(r"(?<=[-=.–—])&gt;")
_CODED = re.compile(r'["<]|#(?=\w+;)|&(?=#?\w+;)|\\(?=[n"])|^`(?=[^`]*`$)')
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")


@lru_cache(maxsize=256)  # read again soon or never; more would only burden the memory
def parse(text: str) -> Logic | Fault:
    """Read a `flowchart`, `graph` or `mindmap`; a Fault with line and reason where that fails."""
    if len(text) > MAX_CHARACTERS:
        return Fault("logic_too_long", f"{len(text)} characters; at most {MAX_CHARACTERS}")
    text = _plain(text)
    header = _HEADER.match(text)
    if header is None:
        word = _WORD.match(text)
        got = repr(word[1]) if word else "nothing"
        return Fault(
            "logic_unreadable", f"flowchart, graph or mindmap must come first; got {got}", 1
        )
    try:
        logic = _read(text, header)
    except LogicError as error:
        return Fault("logic_unreadable", str(error), 1 + text.count("\n", 0, error.position))
    if not logic.nodes:
        return Fault("logic_unreadable", "the diagram is empty", 1)
    if len(logic.nodes) > MAX_NODES or len(logic.edges) > MAX_EDGES:
        size = f"{len(logic.nodes)} nodes and {len(logic.edges)} edges"
        return Fault("logic_too_long", f"{size}; at most {MAX_NODES} and {MAX_EDGES}")
    return logic


def _read(text: str, header: re.Match[str]) -> Logic:
    """Read what comes after the header."""
    if header[2]:
        nodes, edges = read_mindmap(text, header.end())
        return Logic(Kind.MINDMAP, nodes, edges)
    kind = Kind.GRAPH if header[1].lower() == "graph" else Kind.FLOWCHART
    nodes, edges = Flowchart(text).read(header.end())
    return Logic(kind, nodes, edges)


def _plain(text: str) -> str:
    """The diagram alone: without Markdown fence, front matter, escapes and invisible letters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "`" in text and (fence := _FENCE.search(text)):
        text = "\n" * text.count("\n", 0, fence.start(1)) + fence[1]
    if "\n" not in text and "\\n" in text:
        text = text.replace("\\n", "\n")
    if "&gt;" in text:
        text = _ESCAPED_HEAD.sub(">", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text).replace("\u00a0", " ").replace("\u3000", " ")
    if "---" in text[:40] and (front := _FRONT_MATTER.match(text)):
        text = "\n" * front[0].count("\n") + text[front.end() :]
    return text


def write(logic: Logic) -> str:
    """The diagram as Mermaid that any renderer reads: plain names, every label in quotes."""
    if logic.kind is Kind.MINDMAP:
        return _write_mindmap(logic)
    names = {node.id: f"n{number}" for number, node in enumerate(logic.nodes)}
    lines = [f"{logic.kind} TD"]
    lines += [f'    {names[node.id]}["{_quotable(node.label)}"]' for node in logic.nodes]
    for edge in logic.edges:
        arrow = "-->" if edge.directed else "---"
        label = f'|"{_quotable(edge.label)}"|' if edge.label else ""
        lines.append(f"    {names[edge.source]} {arrow}{label} {names[edge.target]}")
    return "\n".join(lines)


def _write_mindmap(logic: Logic) -> str:
    """The tree, one node a line, indented by its depth."""
    depth = {logic.nodes[0].id: 1}
    for edge in logic.edges:
        depth[edge.target] = depth[edge.source] + 1
    lines = [
        f'{"    " * depth[node.id]}{node.id}["{_quotable(node.label)}"]' for node in logic.nodes
    ]
    return "\n".join(["mindmap", *lines])


def _quotable(label: str) -> str:
    """The label with Mermaid's codes for the characters that would end or change it."""
    return _CODED.sub(lambda found: f"#{ord(found[0])};", label)
