"""A question's logic as a typed graph: what leads to what, and its shape without words."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

COLOUR_ROUNDS = 4
"""How far from a node its colour looks."""
# A bound on the work of one reply (our design); a sample has five knowledge points at most.
MAX_CHARACTERS = 20_000
MAX_NODES = 200
MAX_EDGES = 400


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


class LogicTooLargeError(ValueError):
    """Raised inside the parsers where a diagram would pass a limit, before it is built; `parse` makes it a Fault."""


def check_size(*, nodes: int, edges: int) -> None:
    """Raise `LogicTooLargeError` for a diagram of this size or more: a line of ``A & B --> C & D`` has many edges."""
    if nodes > MAX_NODES or edges > MAX_EDGES:
        raise LogicTooLargeError(f"{nodes} nodes and {edges} edges; at most {MAX_NODES} and {MAX_EDGES}")


class Shape(NamedTuple):
    """A diagram without its words: `name` is equal for equal shapes; `parts` counts its colours."""

    name: str
    parts: Counter[str]


def shape_of_logic(logic: Logic) -> Shape:
    """The shape of a diagram; `flowchart` and `graph` with the same edges have the same.

    Two questions overlap in logic where their diagrams have the same parts once every name is taken
    away: "structural homogeneity" in the words of KDoS's prompts. Parts are counted by colour
    refinement (Weisfeiler and Leman): a node's colour is how many edges of which sort it has, then
    that together with its neighbours' colours, and so on. It tells apart all trees, and all but
    very regular graphs; diagrams of a few statements are far from those. Our design.
    """
    sort = "child" if logic.kind is Kind.MINDMAP else "edge"
    around: dict[str, list[tuple[str, str]]] = {node.id: [] for node in logic.nodes}
    for edge in logic.edges:
        ways = (f"{sort} out", f"{sort} in") if edge.directed else ("line", "line")
        around[edge.source].append((ways[0], edge.target))
        around[edge.target].append((ways[1], edge.source))
    colours = dict.fromkeys(around, "")
    parts: Counter[str] = Counter()
    # Nodes start alike; each round folds the colours of the neighbours into a node's own.
    for _ in range(COLOUR_ROUNDS):
        colours = {
            name: _hash_colour(colours[name], sorted(way + colours[other] for way, other in ends))
            for name, ends in around.items()
        }
        parts.update(colours.values())
    return Shape(_hash_colour("", sorted(colours.values())), parts)


def _hash_colour(before: str, around: list[str]) -> str:
    return hashlib.blake2b("|".join([before, *around]).encode(), digest_size=8).hexdigest()


def shape_overlap(one: Shape, other: Shape) -> float:
    """Share of parts that two shapes have in common, in [0, 1]; 1 for the same shape."""
    # Counters: `&` takes the smaller of two counts, `|` the larger.
    return (one.parts & other.parts).total() / (one.parts | other.parts).total()


@dataclass(slots=True)
class ShapeCounts:
    """How often each shape occurs, by its name; counts of two pools add up."""

    counts: Counter[str] = field(default_factory=Counter[str])

    def add_shapes(self, names: Iterable[str]) -> None:
        """Count the shapes of these names too."""
        self.counts.update(names)

    def share_of_shape(self, name: str) -> float:
        """Share of all diagrams that have this shape, in [0, 1]; 0 before any is counted."""
        return self.counts[name] / max(1, self.counts.total())

    def effective_number(self) -> float:
        """As how many equally frequent shapes the counts are worth: exp of their entropy."""
        total = self.counts.total()
        shares = [count / total for count in sorted(self.counts.values())]
        return math.exp(-sum(share * math.log(share) for share in shares)) if total else 0.0
