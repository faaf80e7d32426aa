"""Knowledge points by name: a request writes each out once, and everything else in it says its name (our design).

A name costs a few tokens where a sentence costs twenty or more, and keeps the wording letter for letter. Replies use
the same names, and are read alike where they write a knowledge point out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from kdos.logic import Fault, abbreviate_texts, fill_in_texts, parse

ANSWER_NAME = "ANSWER"
"""Stands for the answer in a diagram."""
POINT_NAME = re.compile(r"KP\d++")
NAME_BEFORE = re.compile(rf"^\s*+{POINT_NAME.pattern}\s*+[:.)–-]\s*+(?=\S)")
"""What a model may put before a knowledge point that it writes out, as in "KP1: …"."""


class PointNames:
    """The names of a request's knowledge points, with their `texts`: KP1, KP2, … ."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)

    @classmethod
    def of_points(cls, points: Iterable[str]) -> "PointNames":
        """A name for each of these knowledge points, in their order; the same point has one."""
        return cls({f"KP{number}": point for number, point in enumerate(dict.fromkeys(points), 1)})

    @cached_property
    def _names(self) -> dict[str, str]:
        return {text: name for name, text in self.texts.items()}

    def name_points(self, points: Iterable[str]) -> list[str]:
        """The names of knowledge points; one that has none as it is."""
        return [self._names.get(point, point) for point in points]

    def name_logic(self, logic: str, answer: str) -> str:
        """A diagram with names in the places of knowledge points and of the answer."""
        return abbreviate_texts(logic, {**self.texts, ANSWER_NAME: answer})

    def spell_points(self, points: Iterable[str]) -> tuple[str, ...]:
        """The knowledge points that a reply gives by name or writes out, in full."""
        return tuple(map(self._spell_point, points))

    def _spell_point(self, point: str) -> str:
        name = point.strip(" \n\t`'\"")
        return self.texts.get(name) or NAME_BEFORE.sub("", point, count=1)

    def spell_logic(self, logic: str, answer: str) -> str:
        """A reply's diagram with the text for each name in it."""
        return fill_in_texts(logic, {**self.texts, ANSWER_NAME: answer})

    def unknown_name(self, points: Sequence[str], logic: str) -> str:
        """A name among what a reply was spelled out to, the first that the request did not give; empty without one."""
        diagram = parse(logic)
        labels = () if isinstance(diagram, Fault) else (node.label for node in diagram.nodes)
        return next((text for text in (*points, *labels) if POINT_NAME.fullmatch(text)), "")
