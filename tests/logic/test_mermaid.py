"""Reading Mermaid as models write it: the graph that is meant, or a line and a reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.logic import (
    Edge,
    Fault,
    Kind,
    Logic,
    Node,
    abbreviate_texts,
    fill_in_texts,
    parse,
    shape_of_logic,
    write_mermaid,
)


def test_diagrams_as_models_write_them_give_the_graph_that_is_meant(diagrams):
    assert len({one.text for one in diagrams}) >= 500
    wrong = []
    for one in diagrams:
        got = parse(one.text)
        labels = tuple(node.label for node in got.nodes) if isinstance(got, Logic) else got
        if labels != one.meant.labels or pairs(got) != one.meant.edges:
            wrong.append((one.habits, one.text, got))
    assert wrong == []


def pairs(logic):
    """Edges as positions of labels."""
    place = {node.id: number for number, node in enumerate(logic.nodes)}
    return tuple((place[edge.source], place[edge.target]) for edge in logic.edges)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "got nothing"),
        ("   \n", 1, "got nothing"),
        ("A --> B", 1, "must come first"),
        ("sequenceDiagram\n  A->>B: hello", 1, "must come first"),
        ("classDiagram\n  A <|-- B", 1, "must come first"),
        ("Here is my reasoning without a diagram.", 1, "must come first"),
        ("graph TD", 1, "empty"),
        ("graph TD\n%% nothing\n", 1, "empty"),
        ("mindmap\n", 1, "empty"),
        ("graph TD\nA -->", 2, "a node was expected"),
        ("graph TD\nA --> B\nB -->\n", 3, "a node was expected"),
        ("graph TD\n--> B", 2, "a node was expected"),
        ("graph TD\nA[open\nB --> C", 2, "not closed"),
        ('graph TD\nA["open] --> B["x"]', 2, "not closed"),
        ("graph TD\nA((half) --> B", 2, "not closed"),
        ("graph TD\nA --> B\nThis is not Mermaid", 3, "was expected"),
        ("graph TD\nA B C", 2, "was expected"),
        ("graph TD\nA --> B]", 2, "was expected"),
        ("graph TD\nA -->|label B", 2, "a node was expected"),
        ("graph TD\nsubgraph S\nA --> B", 3, "has no `end`"),
        ("graph TD\nA --> B\nend", 3, "none is open"),
        ("```mermaid\ngraph TD\nA --> !\n```", 3, "a node was expected"),
        ("---\ntitle: x\n---\ngraph TD\nA --> ?", 5, "a node was expected"),
        ("mindmap\n  root\nother", 3, "one root"),
        ("mindmap\n  root\n  child", 3, "one root"),
    ],
)
def test_what_cannot_be_read_is_refused_with_line_and_reason(text, line, reason):
    fault = parse(text)
    assert isinstance(fault, Fault)
    assert fault.reason == "logic_unreadable"
    assert (fault.line, reason in fault.detail) == (line, True), fault


def test_a_diagram_of_unreasonable_size_is_refused():
    many = "\n".join(f"n{i} --> n{i + 1}" for i in range(300))
    assert parse(f"graph TD\n{many}").reason == "logic_too_long"
    assert parse(f"graph TD\nA[{'long ' * 5000}]").reason == "logic_too_long"


def test_edges_know_their_direction_and_label():
    logic = parse("graph LR\nA -->|wrote| B\nB --- C\nC <--> D\nE <-- D\nF ~~~ G\nA -- met --- H\nH o--o A")
    assert logic.kind is Kind.GRAPH
    assert logic.edges == (
        Edge("A", "B", "wrote"),
        Edge("B", "C", directed=False),
        Edge("C", "D", directed=False),
        Edge("D", "E"),
        Edge("A", "H", "met", directed=False),
        Edge("H", "A", directed=False),
    )
    assert len(logic.nodes) == 8


def said(text):
    """The labels of a diagram, and its edges by them."""
    logic = parse(text)
    assert isinstance(logic, Logic), logic
    label = {node.id: node.label for node in logic.nodes}
    return list(label.values()), [(label[edge.source], edge.label, label[edge.target]) for edge in logic.edges]


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ('@{ shape: rect, label: "Ida, \\"the captain\\" {x}" }', 'Ida, "the captain" {x}'),
        ("@{ shape: rect, label: 'Ida''s mill' }", "Ida's mill"),
        ("@{ label: Ida's mill, in Essen, shape: rect }", "Ida's mill, in Essen"),
        ("@{label: Opened: 1884}", "Opened: 1884"),
        ('@{\n  shape: rect\n  label: "Ida"\n}', "Ida"),
        ('@{"shape": "rect", "label": "Ida"}', "Ida"),
        ('["x"]@{ shape: stadium }', "x"),
        ('(x)@{ label: "Ida" }:::big', "Ida"),
        ("@{ shape: rect }", "A"),
    ],
)
def test_a_label_may_stand_among_attributes(attributes, label):
    assert said(f"flowchart TD\nA{attributes} --> B") == ([label, "B"], [(label, "", "B")])


def test_attributes_that_do_not_end_are_a_fault():
    assert isinstance(parse('flowchart TD\nA@{ label: "x" \n'), Fault)


def test_the_name_of_an_edge_is_no_node():
    text = "flowchart TD\nA e1@--> B\nA e-2@==>|so| C\ne1@{ animation: fast }\ne-2@{ curve: linear }\nclass e1 animate"
    assert said(text) == (["A", "B", "C"], [("A", "", "B"), ("A", "so", "C")])


def test_latex_in_a_label_is_no_line_break():
    text = r'flowchart TD; A["$\nu$ and $\frac{1}{2}$"] --> B["one\ntwo"]' + "\n"
    assert said(text)[0] == [r"$\nu$ and $\frac{1}{2}$", "one two"]


def test_what_stands_before_and_beside_the_statements_is_passed_over():
    assert said("mermaid\nflowchart TD\naccTitle: x\naccDescr {\n a b c\n}\nA --> B")[0] == ["A", "B"]


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Ida (captain)", "Ida (captain)"),
        ("Opened [1884]", "Opened [1884]"),
        ("C [E]", "C [E]"),
        ("(a) and (b)", "(a) and (b)"),
        ("f(x) = g(y)", "f(x) = g(y)"),
        ("[1] of [2]", "[1] of [2]"),
        ("A (b) and C (d)", "A (b) and C (d)"),
        ("Length (412 m) of it", "Length (412 m) of it"),
        ('id1["Quoted (x)"]', "Quoted (x)"),
        ('id2 ["Quoted"]', "Quoted"),
        ("id3 ((round))", "round"),
        ("id4[Ida [captain]]", "Ida [captain]"),
        ("Ida:::urgent large", "Ida"),
        ("- bullet (x)", "bullet (x)"),
        (")cloud(", "cloud"),
        ('id5["`two\nlines`"]', "two lines"),
    ],
)
def test_brackets_behind_words_of_a_mindmap_belong_to_them(line, label):
    assert said(f"mindmap\n  root\n    {line}")[0] == ["root", label]


def test_an_edge_of_a_subgraph_is_an_edge_of_all_in_it():
    logic = parse("flowchart TD\nsubgraph clues\nA\nB\nend\nclues --> C\nQ --> clues")
    assert {(edge.source, edge.target) for edge in logic.edges} == {("A", "C"), ("B", "C"), ("Q", "A"), ("Q", "B")}
    assert [node.id for node in logic.nodes] == ["A", "B", "C", "Q"]


@pytest.mark.parametrize(
    ("written_label", "label"),
    [
        ('["Foo (bar) [baz]"]', "Foo (bar) [baz]"),
        ("[Foo (bar) [baz]]", "Foo (bar) [baz]"),
        ('["He said "hello" twice"]', 'He said "hello" twice'),
        ('["#quot;x#quot; #35;1 &amp; more"]', '"x" #1 & more'),
        ('["one<br>two<br/>three"]', "one two three"),
        ('["a < b and c > d"]', "a < b and c > d"),
        ('["over\\nlines"]', "over lines"),
        ('["\\"quoted\\""]', '"quoted"'),
        ("['r']", "r"),
        ("""["'r'"]""", "'r'"),
        ("[x --> y]", "x --> y"),
        ("(f(x))", "f(x)"),
        ("[中文（括号）【标签】]", "中文（括号）【标签】"),
    ],
)
def test_labels_say_what_they_say(written_label, label):
    logic = parse(f"graph TD\nA{written_label} --> B\n")
    assert [node.label for node in logic.nodes] == [label, "B"]


@pytest.mark.parametrize("root", ["root((Paris))", "root)Paris(", "root))Paris((", "{{Paris}}", '["Paris"]', "Paris"])
@pytest.mark.parametrize("bullet", ["", "- ", "* "])
def test_a_mindmap_is_a_tree_by_its_indentation(root, bullet):
    text = f"""mindmap
  {root}
    {bullet}Eiffel Tower
      ::icon(fa fa-tower)
      {bullet}opened in (1889)
      %% a comment

    {bullet}id1[Seine: "river"]
"""
    logic = parse(text)
    assert logic.kind is Kind.MINDMAP
    assert [node.label for node in logic.nodes] == ["Paris", "Eiffel Tower", "opened in (1889)", 'Seine: "river"']
    assert pairs(logic) == ((0, 1), (1, 2), (0, 3))


WORDS = st.sampled_from(
    [
        *("graph TD", "flowchart LR", "mindmap", "subgraph", "end", "style", "class", "direction"),
        *("A", "B", "root", "node-1", "节点", "x", "o", "1"),
        *("[", "]", "(", ")", "{", "}", "((", "))", "{{", "}}", "[/", "/]", '"', "'", "`", "“", "”"),
        *("-->", "--", "->", "---", "–>", "==>", "==", "-.->", "-.", ".->", "<-->", "<--", "~~~"),
        *("|", "||", "&", ";", "%%", ":::", "@{", "label:", "#quot;", "<br/>", "&gt;", "\\n"),
        *(" ", "  ", "\n", "\t", "\r\n", "```", "---\n", "!", "?", "\ufeff", "text of a label"),
    ]
)


@given(st.lists(WORDS, max_size=60).map("".join) | st.text(max_size=300))
@settings(max_examples=300, deadline=2000)
def test_no_text_breaks_the_parser(text):
    for start in ("", "graph TD\n", "mindmap\n"):
        got = parse(start + text)
        if isinstance(got, Fault):
            assert got.reason in {"logic_unreadable", "logic_too_long"}
            assert 1 <= got.line <= 1 + (start + text).replace("\\n", "\n").count("\n") + 1
        else:
            names = {node.id for node in got.nodes}
            assert len(names) == len(got.nodes) > 0
            assert all(edge.source in names and edge.target in names for edge in got.edges)


LABELS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1).filter(
    lambda label: label == " ".join(label.split())
)


@st.composite
def logics(draw) -> Logic:
    kind = draw(st.sampled_from([Kind.FLOWCHART, Kind.GRAPH]))
    labels = draw(st.lists(LABELS, min_size=1, max_size=8))
    nodes = tuple(Node(f"n{number}", label) for number, label in enumerate(labels))
    ends = st.sampled_from([node.id for node in nodes])
    edges = st.builds(Edge, ends, ends, st.just("") | LABELS, st.booleans())
    return Logic(kind, nodes, tuple(draw(st.lists(edges, max_size=12))))


@given(logics())
@settings(max_examples=150)
def test_what_is_written_reads_back(logic):
    assert parse(write_mermaid(logic)) == logic


@given(logics(), st.lists(LABELS, max_size=3))
@settings(max_examples=150)
def test_names_stand_for_texts_and_are_filled_in_again(logic, others):
    """Nodes come back in the order of the edges; everything else as it was."""
    texts = {f"KP{number}": text for number, text in enumerate([*(node.label for node in logic.nodes[1:]), *others])}
    short = abbreviate_texts(write_mermaid(logic), texts)
    labels = [node.label for node in logic.nodes]
    read = parse(fill_in_texts(short, texts))
    assert sorted(node.label for node in read.nodes) == sorted(labels)
    assert shape_of_logic(read) == shape_of_logic(logic)
    said, known = {n.id: n.label for n in read.nodes}, {n.id: n.label for n in logic.nodes}
    assert [(said[e.source], e.label, e.directed, said[e.target]) for e in read.edges] == [
        (known[e.source], e.label, e.directed, known[e.target]) for e in logic.edges
    ]
    again = fill_in_texts(short, texts)
    assert fill_in_texts(abbreviate_texts(again, texts), texts) == again


def test_a_diagram_without_names_and_one_that_cannot_be_read_stay_as_they_are():
    for text in ('graph LR\n  a["x"] --> b', "no diagram"):
        assert fill_in_texts(text, {"KP1": "A point."}) == text
    assert abbreviate_texts("no diagram", {"KP1": "A point."}) == "no diagram"


def test_a_mindmap_is_written_with_names_too():
    text = 'mindmap\n    n0["Paris"]\n        n1["It lies on the Seine."]\n        n2["It lies on the Seine."]'
    texts = {"KP1": "It lies on the Seine.", "ANSWER": "Paris"}
    short = abbreviate_texts(text, texts)
    assert short == 'mindmap\n    ANSWER\n        KP1\n        n2["It lies on the Seine."]'
    assert fill_in_texts(short, texts) == text


@given(logics())
@settings(max_examples=100)
def test_the_short_way_reads_what_the_long_way_reads(logic):
    """Longer arrows and a class on each node mean the same, and no usual line has them."""
    usual = write_mermaid(logic)
    unusual = "\n".join(line.replace("-->", "---->", 1) for line in usual.split("\n"))
    assert parse(unusual) == parse(usual)


@given(logics(), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_shape_ignores_names_words_and_order(logic, random):
    order = list(logic.nodes)
    random.shuffle(order)
    edges = [Edge(f"x{e.source}", f"x{e.target}", "other", e.directed) for e in logic.edges]
    random.shuffle(edges)
    renamed = Logic(Kind.GRAPH, tuple(Node(f"x{node.id}", f"{node.label}!") for node in order), tuple(edges))
    assert shape_of_logic(renamed) == shape_of_logic(logic)
