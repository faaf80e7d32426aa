"""A question's logic: Mermaid text in; typed graph, its faults, its shape and a picture out."""

from kdos.logic.diagram import Edge, Fault, Kind, Logic, Node
from kdos.logic.drawing import draw
from kdos.logic.mermaid import parse, write
from kdos.logic.shape import Shape, ShapeCounts, overlap, shape
from kdos.logic.validity import faults

__all__ = [
    "Edge",
    "Fault",
    "Kind",
    "Logic",
    "Node",
    "Shape",
    "ShapeCounts",
    "draw",
    "faults",
    "overlap",
    "parse",
    "shape",
    "write",
]
