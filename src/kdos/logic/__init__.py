"""A question's logic: Mermaid text in; typed graph, its faults, its shape and its difficulty out."""

from kdos.logic.diagram import Edge, Fault, Kind, Logic, Node, ShapeCounts, shape_of_logic
from kdos.logic.difficulty import LEVELS, Difficulty, measure_difficulty
from kdos.logic.mermaid import abbreviate_texts, fill_in_texts, parse, write_mermaid
from kdos.logic.validity import find_answering_point, find_faults

__all__ = [
    "LEVELS", "Difficulty", "Edge", "Fault", "Kind", "Logic", "Node", "ShapeCounts", "abbreviate_texts",
    "fill_in_texts", "find_answering_point", "find_faults", "measure_difficulty", "parse", "shape_of_logic",
    "write_mermaid",
]  # fmt: skip
