"""Logic as Mermaid text: how facts lead to an answer."""

from collections.abc import Sequence

from kdos.logic import Edge, Kind, Logic, Node, write


def steps(chains: Sequence[Sequence[str]], last: str, answer: str) -> str:
    """Chains of statements, each ending in the `last` one, which gives the answer."""
    labels = list(dict.fromkeys([*(text for chain in chains for text in chain), last]))
    names = {label: f"n{number}" for number, label in enumerate(labels)}
    edges = [
        Edge(names[one], names[other])
        for chain in chains
        for one, other in zip(chain, [*chain[1:], last], strict=True)
    ]
    nodes = [*(Node(names[label], label) for label in labels), Node("answer", answer)]
    kind = Kind.FLOWCHART if any(len(chain) > 1 for chain in chains) else Kind.GRAPH
    return write(Logic(kind, tuple(nodes), (*edges, Edge(names[last], "answer"))))
