"""A question's logic: Mermaid text in, typed graph, its faults and its shape out."""

from kdos.logic.diagram import Edge, Fault, Kind, Logic, Node
from kdos.logic.mermaid import parse, write
from kdos.logic.validity import faults

__all__ = ["Edge", "Fault", "Kind", "Logic", "Node", "faults", "parse", "write"]
