"""A question's logic as a typed graph: what leads to what, on the way to the answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The three diagram types KDoS's prompts name, and what each is for."""

    FLOWCHART = "flowchart"
    """Steps and conditions: must not run in a circle."""
    GRAPH = "graph"
    """Relations between entities: may run both ways."""
    MINDMAP = "mindmap"
    """A hierarchy: a tree, whose edges lead from parent to child."""


class Node(NamedTuple):  # a tuple: half a dozen are made for every draft
    """One box of the diagram. `id` is its name within the diagram, `label` what it says."""

    id: str
    label: str


class Edge(NamedTuple):
    """One link between two node ids; `directed` is False where it reads both ways."""

    source: str
    target: str
    label: str = ""
    directed: bool = True


@dataclass(frozen=True, slots=True)
class Logic:
    """The diagram: nodes in the order of first mention, edges in the order written."""

    kind: Kind
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a diagram: a short reason, details, and the line (0: no one line)."""

    reason: str
    detail: str = ""
    line: int = 0


class LogicError(ValueError):
    """Raised inside the parsers at the place that cannot be read; `parse` makes it a Fault."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position
