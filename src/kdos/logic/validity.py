"""Does a diagram tell how a sample's knowledge points lead to its answer?"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from kdos.logic.diagram import Edge, Fault, Kind, Logic
from kdos.pool.wording import normalise_text

NAMED_SHARE = 0.8
"""Share of a knowledge point's telling words that a node must hold to name it (our design)."""
# Words of three letters or more but for the smallest ones, and every number.
_TELLING = re.compile(r"(?!(?:the|and|was|were|are|for|has|had|its|with|from|that|this)\b)\w{3,}|\d+")


def find_faults(logic: Logic, *, knowledge_points: Sequence[str], answer: str) -> list[Fault]:
    """What keeps the diagram from being this sample's logic, worst first (our design).

    It must hang together, must not run in a circle where it is a flowchart, must name every
    knowledge point in a place of its own, and must end in one place, which holds the answer.
    """
    found: list[Fault] = []
    labels = {node.id: node.label for node in logic.nodes}
    ways = adjacent_nodes(logic.edges, both=logic.kind is Kind.MINDMAP)
    joined = ways if logic.kind is Kind.MINDMAP else adjacent_nodes(logic.edges, both=True)
    if len(reachable_nodes(logic.nodes[0].id, joined)) < len(labels):
        found.append(Fault("logic_not_connected"))
    circle = _node_on_cycle(logic)
    if logic.kind is Kind.FLOWCHART and circle:
        found.append(Fault("logic_circular", f"{circle!r} leads back to itself"))
    found += [Fault("knowledge_point_not_in_logic", point) for point in _unnamed_points(logic, knowledge_points)]
    # Without circles and lines the ends are the nodes that nothing leaves; otherwise what reaches
    # each other counts as one end, which takes the reach of every node.
    flows = not circle and all(edge.directed for edge in logic.edges) and ways is not joined
    ends = [[name] for name in labels if name not in ways] if flows else final_parts(list(labels), ways)
    shown = " | ".join(labels[part[0]] for part in ends)
    if len(ends) > 1:
        found.append(Fault("logic_many_ends", shown))
    if not any(_holds_answer(labels[name], answer) for part in ends for name in part):
        found.append(Fault("logic_end_not_answer", shown))
    return found


def find_answering_point(logic: Logic, *, knowledge_points: Sequence[str], answer: str) -> int | None:
    """The place of the knowledge point that the answer rests on: it says it, or leads to it; None if unclear.

    Where several hold the answer's words, it is the one that the diagram joins to its end (our design).
    """
    saying = [place for place, point in enumerate(knowledge_points) if _holds_answer(point, answer)]
    if len(saying) == 1:
        return saying[0]
    ends = {node.id for node in logic.nodes if _holds_answer(node.label, answer)}
    ends &= {node.id for node in logic.nodes} - {edge.source for edge in logic.edges if edge.directed}
    before = {edge.source for edge in logic.edges if edge.target in ends} | ends
    labels = {node.label for node in logic.nodes if node.id in before}
    leading = [place for place, point in enumerate(knowledge_points) if point in labels]
    both = [place for place in leading if place in saying]
    return next(iter(both or leading or saying), None)


def adjacent_nodes(edges: Iterable[Edge], *, both: bool) -> dict[str, list[str]]:
    """Where each node leads; with `both`, every edge counts in both directions."""
    ways: dict[str, list[str]] = {}
    for edge in edges:
        ways.setdefault(edge.source, []).append(edge.target)
        if both or not edge.directed:
            ways.setdefault(edge.target, []).append(edge.source)
    return ways


def reachable_nodes(start: str, ways: Mapping[str, list[str]]) -> set[str]:
    """The nodes that can be reached from `start`, itself included."""
    seen = {start}
    waiting = [start]
    while waiting:
        for name in ways.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


def _node_on_cycle(logic: Logic) -> str:
    """A node from which directed edges lead back to itself, or the empty string."""
    # Most diagrams are written from cause to effect: then no edge runs back, and none can circle.
    place = {node.id: number for number, node in enumerate(logic.nodes)}
    if all(place[edge.source] < place[edge.target] for edge in logic.edges if edge.directed):
        return ""
    directed = [edge for edge in logic.edges if edge.directed]
    before = Counter(edge.target for edge in directed)
    ways = adjacent_nodes(directed, both=False)
    # Kahn's algorithm: take away nodes that nothing leads to; what is left is on a circle or behind one.
    free = [name for name in ways if name not in before]
    while free:
        for name in ways.get(free.pop(), ()):
            before[name] -= 1
            if before[name] == 0:
                free.append(name)
    return next((name for name, left in before.items() if left > 0), "")


def final_parts(names: Sequence[str], ways: Mapping[str, list[str]]) -> list[list[str]]:
    """The parts that nothing leaves: single sinks, or sets of nodes that all reach each other."""
    parts = [[name] for name in names if name not in ways]
    ahead = {name: reachable_nodes(name, ways) for name in names if name in ways}
    taken: set[str] = set()
    for name, others in ahead.items():
        if name not in taken and all(name in ahead.get(other, ()) for other in others):
            taken |= others
            parts.append([other for other in names if other in others])
    return parts


def _unnamed_points(logic: Logic, knowledge_points: Sequence[str]) -> list[str]:
    """The knowledge points that no node, and no edge with its two ends, names.

    A place names one knowledge point: the shortest place that holds it word for word is taken,
    else the shortest that holds nearly all of its telling words.
    """
    # Three passes, the strict ones first, so that a loose match takes no other point's place:
    # labels that are the point, places that hold it, places that hold nearly all telling words.
    shown = [node.label for node in logic.nodes]
    others = [point for point in knowledge_points if not _take_place(shown, point, str.__eq__)]
    if not others:
        return []
    places = sorted(map(normalise_text, shown), key=len)
    wanted = [(point, normalise_text(point)) for point in others]
    loose = [pair for pair in wanted if not _take_place(places, pair[1], str.__contains__)]
    if not loose:
        return []
    labels = {node.id: normalise_text(node.label) for node in logic.nodes}
    places += [
        f"{labels[edge.source]} {normalise_text(edge.label)} {labels[edge.target]}"
        for edge in logic.edges
        if edge.label
    ]
    places.sort(key=len)
    return [point for point, text in loose if not _take_place(places, text, _names_point)]


def _take_place(places: list[str], wanted: str, fits: Callable[[str, str], bool]) -> bool:
    """Does a place fit what is wanted? Then the first that does is taken away."""
    for number, place in enumerate(places):
        if fits(place, wanted):
            del places[number]
            return True
    return False


def _holds_answer(label: str, answer: str) -> bool:
    # As it is written, or but for case and punctuation.
    if answer in label:
        return True
    wanted = normalise_text(answer)
    return wanted != "" and wanted in normalise_text(label)


def _names_point(place: str, wanted: str) -> bool:
    """Does the place hold nearly all telling words of the knowledge point, and all its numbers?"""
    words = set(_TELLING.findall(wanted))
    numbers = {word for word in words if any(letter.isdigit() for letter in word)}
    held = sum(word in place for word in words)
    return held >= NAMED_SHARE * len(words) > 0 and numbers.issubset(place.split())
