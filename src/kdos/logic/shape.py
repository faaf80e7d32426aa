"""The shape of a question's logic, whoever and whatever it is about (our design).

Two questions overlap in logic where their diagrams have the same parts once every name is taken
away: "structural homogeneity" in the words of KDoS's prompts. Parts are counted by colour
refinement (Weisfeiler and Leman): a node's colour is how many edges of which sort it has, then that
together with its neighbours' colours, and so on. It tells apart all trees, and all but very regular
graphs; diagrams of a few statements are far from those.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kdos.logic.diagram import Kind, Logic

COLOUR_ROUNDS = 4
"""How far from a node its colour looks."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A diagram without its words: `name` is equal for equal shapes; `parts` counts its colours."""

    name: str
    parts: Mapping[str, int]


def shape_of_logic(logic: Logic) -> Shape:
    """The shape of a diagram; `flowchart` and `graph` with the same edges have the same."""
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


def shape_overlap(one: Shape, other: Shape) -> float:
    """Share of parts that two shapes have in common, in [0, 1]; 1 for the same shape."""
    names = one.parts.keys() | other.parts.keys()
    shared = sum(min(one.parts.get(name, 0), other.parts.get(name, 0)) for name in names)
    return shared / sum(max(one.parts.get(name, 0), other.parts.get(name, 0)) for name in names)


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


def _hash_colour(before: str, around: list[str]) -> str:
    """A new colour out of the old one and what is around."""
    return hashlib.blake2b("|".join([before, *around]).encode(), digest_size=8).hexdigest()
