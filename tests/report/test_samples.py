import dataclasses
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.logic import Edge, Kind, Logic, Node, parse
from kdos.report.samples import (
    MAX_BOX_LINES,
    MAX_LINE_WIDTH,
    DiagramLayout,
    assign_node_layers,
    build_shown_samples,
    lay_out_diagram,
    measure_text_width,
    wrap_node_label,
)
from kdos.report.saved_run import SavedRun

NAMES = "abcdefgh"
EDGES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans()), max_size=14)


def a_graph(edges: list[tuple[str, str, bool]], label: str = "a fact") -> Logic:
    nodes = tuple(Node(name, f"{label} {name}") for name in NAMES)
    drawn = tuple(Edge(a, b, f"{a}{b}", directed) for a, b, directed in edges)
    return Logic(Kind.GRAPH, nodes, drawn)


def overlaps(drawing: DiagramLayout) -> bool:
    return any(
        a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
        for a, b in itertools.combinations(drawing.boxes, 2)
    )


@settings(max_examples=200)
@given(EDGES)
def test_any_graph_is_drawn_whole_and_without_overlap(edges: list[tuple[str, str, bool]]) -> None:
    drawing = lay_out_diagram(a_graph(edges))
    assert len(drawing.boxes) == len(NAMES)
    assert [arrow.label for arrow in drawing.arrows] == [a + b for a, b, _ in edges]
    assert [arrow.directed for arrow in drawing.arrows] == [directed for *_, directed in edges]
    assert not overlaps(drawing)
    assert all(
        box.x >= 0 and box.x + box.width <= drawing.width and box.y + box.height <= drawing.height
        for box in drawing.boxes
    )


@given(EDGES)
def test_without_circles_every_edge_leads_onward(edges: list[tuple[str, str, bool]]) -> None:
    onward = [(a, b, True) for a, b, _ in edges if a < b]
    depth = assign_node_layers(a_graph(onward))
    assert all(depth[a] < depth[b] for a, b, _ in onward)


def test_a_long_edge_goes_around_the_boxes_between() -> None:
    logic = parse("flowchart LR\n a[one] --> b[two] --> c[three]\n a --> c")
    assert isinstance(logic, Logic)
    drawing = lay_out_diagram(logic)
    one, two, _ = drawing.boxes
    direct, around = drawing.arrows[0], drawing.arrows[2]
    assert direct.path.count("C") == 1
    assert around.path.count("C") == 2
    level = float(around.path.partition("L")[2].split("C")[0].split()[1])
    assert not two.y <= level <= two.y + two.height
    assert one.x < two.x


@given(st.text(max_size=400))
def test_labels_fit_their_lines(label: str) -> None:
    lines = wrap_node_label(label)
    assert 1 <= len(lines) <= MAX_BOX_LINES
    assert all(measure_text_width(line) <= MAX_LINE_WIDTH for line in lines)
    if len(lines) < MAX_BOX_LINES:
        assert "".join(lines).replace(" ", "") == "".join(label.split())


def test_wide_letters_count_twice() -> None:
    assert measure_text_width("你好ab") == 6
    assert all(measure_text_width(line) <= MAX_LINE_WIDTH for line in wrap_node_label("知识" * 40))


def test_labels_of_a_circle_and_of_a_node_to_itself() -> None:
    drawing = lay_out_diagram(a_graph([("a", "b", True), ("b", "a", True), ("c", "c", True)]))
    assert len({arrow.path for arrow in drawing.arrows}) == 3


def test_a_logic_that_cannot_be_read_is_shown_with_its_fault(run: SavedRun) -> None:
    broken = {**run.examples[0], "logic": "flowchart TD\n a[ --> "}
    (example,) = build_shown_samples(dataclasses.replace(run, examples=[broken]))
    assert example.drawing is None
    assert "unreadable" in example.fault
