"""How hard a question is by the structure of its logic: what has to be joined before the answer is reached.

That questions have levels of difficulty is LinkSyn's (abstract); how it measures them is not public, and this is our
design.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdos.logic.diagram import Edge, Kind, Logic
from kdos.logic.validity import adjacent_nodes
from kdos.pool.sentences import is_mostly_unspaced
from kdos.pool.wording import normalise_text, read_sentence_words

LEVELS = ("D1", "D2", "D3", "D4", "D5")
"""From the easiest to the hardest; rows and columns of every table of levels are in this order."""
MOST_MEASURED = 8
"""Knowledge points that a path is looked for in: twice as many as a sample may have are no question any more."""
UNSPACED_RUN = 3
"""Characters in a row that two texts without spaces share where they speak of one thing."""


@dataclass(frozen=True, slots=True, order=True)
class Difficulty:
    """`steps` knowledge points must be joined one after the other, the last of which gives the answer.

    `indirect` of them name nothing that the last one names.
    """

    steps: int
    indirect: int

    @property
    def level(self) -> int:
        """The place in `LEVELS`: one step is D1, two D2, three D3, or D4 where one is indirect; four with two, D5."""
        if self.steps < 3:
            return max(self.steps, 1) - 1
        return 2 + min(self.indirect, 2 if self.steps > 3 else 1)


def measure_difficulty(
    logic: Logic,
    *,
    knowledge_points: Sequence[str],
    question: str,
    answering: int | None,
    topic_entities: Iterable[str] = (),
) -> Difficulty:
    """The hardest path through a question's logic that its answer needs.

    A path runs over knowledge points to the one that the answer rests on, `answering` by its place among them. A step
    is needed if the two points that it joins share a name which the question leaves out: what the question names
    need not be found. Where no two points share a name, words that they share count. A point that leads to the answer
    beside the answering one is a condition, no step.
    """
    points = list(knowledge_points[:MOST_MEASURED])
    if answering is None or answering >= len(points):
        return Difficulty(1, 0)
    words = [_telling_words(point) for point in points]
    names = _names_in(points, topic_entities)
    asked, text = _telling_words(question), normalise_text(question)
    before: dict[int, list[int]] = {place: [] for place in range(len(points))}
    for source, via, target in _joined_points(logic, points):
        shared = (words[source] & words[target] & names) or words[source] & words[target]
        hidden = [normalise_text(label) not in text for label in via] or [not shared <= asked, not shared]
        if any(hidden):
            before[target].append(source)
    own = words[answering] & names
    is_indirect = [not (held & names & own) for held in words]
    return max(
        (
            Difficulty(len(path), sum(is_indirect[place] for place in path[:-1]))
            for path in _paths_to(answering, before)
        ),
        key=lambda found: (found.level, found),
    )


def _telling_words(text: str) -> frozenset[str]:
    """The words of a text without the small ones; of one without spaces, its runs of characters."""
    if is_mostly_unspaced(text):
        letters = normalise_text(text)
        runs = (letters[place : place + UNSPACED_RUN] for place in range(len(letters) - UNSPACED_RUN + 1))
        return frozenset(run for run in runs if " " not in run)
    return read_sentence_words(text).words


def _names_in(points: Iterable[str], topic_entities: Iterable[str]) -> frozenset[str]:
    """The words that pin anything down in these knowledge points: names, numbers, and all words of topic entities."""
    named = [read_sentence_words(point).names for point in points if not is_mostly_unspaced(point)]
    return frozenset().union(*named, *map(_telling_words, topic_entities))


def _joined_points(logic: Logic, points: Sequence[str]) -> list[tuple[int, tuple[str, ...], int]]:
    """Which knowledge point leads to which, by their places, with the labels of what stands between them."""
    places = _place_points(logic, points)
    labels = {node.id: node.label for node in logic.nodes}
    ways = adjacent_nodes(_towards_end(logic), both=False)
    found: list[tuple[int, tuple[str, ...], int]] = []
    for start, source in places.items():
        waiting: list[tuple[str, tuple[str, ...]]] = [(start, ())]
        seen = {start}
        while waiting:
            name, via = waiting.pop()
            for other in ways.get(name, ()):
                if other in seen:
                    continue
                if other in places:
                    found.append((source, via, places[other]))
                else:
                    seen.add(other)
                    waiting.append((other, (*via, labels[other])))
    return found


def _place_points(logic: Logic, points: Sequence[str]) -> dict[str, int]:
    """The knowledge point that each node stands for: word for word, or but for case and punctuation."""
    exact = {point: place for place, point in enumerate(points)}
    plain = {normalise_text(point): place for place, point in enumerate(points)}
    found = {node.id: exact.get(node.label, plain.get(normalise_text(node.label))) for node in logic.nodes}
    return {name: place for name, place in found.items() if place is not None}


def _towards_end(logic: Logic) -> list[Edge]:
    """The edges from cause to effect: of those that read both ways, and of a hierarchy's, towards the end."""
    hierarchy = logic.kind is Kind.MINDMAP
    if not hierarchy and all(edge.directed for edge in logic.edges):
        return list(logic.edges)
    far = _distances_to_end(logic)
    turned = [edge if far[edge.source] > far[edge.target] else _turn(edge) for edge in logic.edges]
    return [after if hierarchy or not edge.directed else edge for edge, after in zip(logic.edges, turned, strict=True)]


def _turn(edge: Edge) -> Edge:
    return Edge(edge.target, edge.source, edge.label, edge.directed)


def _distances_to_end(logic: Logic) -> Mapping[str, int]:
    """How many edges each node is away from the last one that nothing leaves, in either direction."""
    leaving = {edge.source for edge in logic.edges if edge.directed}
    end = next((node.id for node in reversed(logic.nodes) if node.id not in leaving), logic.nodes[-1].id)
    ways, far, waiting = adjacent_nodes(logic.edges, both=True), {end: 0}, [end]
    for name in waiting:
        for other in ways.get(name, ()):
            if other not in far:
                far[other] = far[name] + 1
                waiting.append(other)
    return {node.id: far.get(node.id, len(logic.nodes)) for node in logic.nodes}


def _paths_to(end: int, before: Mapping[int, Sequence[int]]) -> list[tuple[int, ...]]:
    """Every path over needed steps that ends at a knowledge point and passes none twice."""
    paths, waiting = list[tuple[int, ...]](), [(end,)]
    while waiting:
        path = waiting.pop()
        paths.append(path)
        waiting += [(source, *path) for source in dict.fromkeys(before[path[0]]) if source not in path]
    return paths
