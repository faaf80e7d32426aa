"""Logic as Mermaid text: how facts lead to an answer."""

from collections.abc import Sequence

CODES = str.maketrans({"#": "#35;", '"': "#quot;", "&": "#amp;", "<": "#lt;"})
"""Mermaid's codes for characters that would end or change a label in quotes."""


def steps(chains: Sequence[Sequence[str]], last: str, answer: str) -> str:
    """Chains of statements, each ending in the `last` one, which gives the answer.

    A flowchart where there are steps in a row, a graph where all bear on the last one at once.
    """
    labels = list(dict.fromkeys([*(text for chain in chains for text in chain), last]))
    names = {label: f"n{number}" for number, label in enumerate(labels)}
    ways = [
        f"    {names[one]} --> {names[other]}"
        for chain in chains
        for one, other in zip(chain, [*chain[1:], last], strict=True)
    ]
    kind = "flowchart" if any(len(chain) > 1 for chain in chains) else "graph"
    boxes = [f'    {names[label]}["{label.translate(CODES)}"]' for label in labels]
    end = [f'    answer["{answer.translate(CODES)}"]', *ways, f"    {names[last]} --> answer"]
    return "\n".join([f"{kind} TD", *boxes, *end])
