"""Mermaid diagrams the way language models write them, each with the graph that is meant."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from kdos.chance import keyed_generator


@dataclass(frozen=True)
class Meant:
    """Node labels in the order of mention, and edges between their positions."""

    labels: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Written:
    """A diagram as text, what is meant by it, and which habits it shows."""

    text: str
    meant: Meant
    habits: tuple[str, ...]


CLUES = Meant(
    (
        "Which tractor?",
        "The Massey Ferguson 35 is a tractor model.",
        "The Massey Ferguson 35 has a Perkins 3-cylinder diesel engine.",
        "Massey Ferguson 35",
    ),
    ((0, 1), (0, 2), (1, 3), (2, 3)),
)
CHAIN = Meant(
    ("Marie Curie won in 1903", "the Nobel Prize in Physics", "shared with Pierre", "1903"), ((0, 1), (1, 2), (2, 3))
)
CHINESE = Meant(
    ("哪座城市？", "埃菲尔铁塔位于巴黎。", "埃菲尔铁塔（高330米）建于1889年", "巴黎"), ((0, 1), (0, 2), (1, 3), (2, 3))
)
CODE = Meant(
    ("os.path.join(path, *paths)", "returns a str", "list[int] or dict", "f(x) = y & z"), ((0, 1), (1, 2), (2, 3))
)
GRAPHS = {"clues": CLUES, "chain": CHAIN, "chinese": CHINESE, "code": CODE}

HEADERS = {
    "flowchart TD": "flowchart TD\n",
    "graph LR": "graph LR\n",
    "no direction": "flowchart\n",
    "semicolon": "graph TD;\n",
    "capitals": "Graph td\n",
    "elk": "flowchart-elk TB\n",
    "blank lines": "\n\nflowchart LR\n\n",
    "front matter": "---\ntitle: Logic\n---\nflowchart TD\n",
    "directive": '%%{init: {"theme": "dark"}}%%\ngraph TD\n',
    "comment": "graph TD\n%% the question comes first\n",
    "styling first": "flowchart TD\nclassDef kp fill:#f9f,stroke:#333\n",
    "zero width": "\ufeffgraph TD\n",
    "space before": "   graph TD\n",
}
SHAPES = {
    "quoted": '["{}"]',
    "quoted with spaces": '[ "{}" ]',
    "round quoted": '("{}")',
    "stadium": '(["{}"])',
    "subroutine": '[["{}"]]',
    "cylinder": '[("{}")]',
    "circle": '(("{}"))',
    "double circle": '((("{}")))',
    "diamond": '{{"{}"}}',
    "hexagon": '{{{{"{}"}}}}',
    "flag": '>"{}"]',
    "parallelogram": '[/"{}"/]',
    "trapezoid": '[/"{}"\\]',
    "unquoted": "[{}]",
    "unquoted diamond": "{{{}}}",
    "single quotes": "['{}']",
    "curly quotes": "[“{}”]",
    "markdown": '["`{}`"]',
    "space before bracket": ' ["{}"]',
    "attributes": '@{{ shape: rect, label: "{}" }}',
    "class": '["{}"]:::kp',
    "bold": '["<b>{}</b>"]',
    "break at end": '["{}<br/>"]',
}
NOT_UNQUOTED = {"unquoted diamond": "code", "attributes": "code"}
ARROWS = {
    "-->": " --> ",
    "tight": "-->",
    "long": " ----> ",
    "one dash": " -> ",
    "en dash": " –> ",
    "em dash": " —> ",
    "thick": " ==> ",
    "fat": " => ",
    "dotted": " -.-> ",
    "long dotted": " -..-> ",
    "unicode": " → ",
    "escaped": " --&gt; ",
    "cross": " --x ",
    "circle": " --o ",
    "piped": " -->|leads to| ",
    "piped with spaces": " --> | leads to | ",
    "piped quoted": ' -->|"leads to"| ',
    "piped with head": " -->|leads to|> ",
    "piped inside": " --|leads to|--> ",
    "spoken": " -- leads to --> ",
    "spoken quoted": ' -- "leads to" --> ',
    "spoken thick": " == leads to ==> ",
    "spoken dotted": " -. leads to .-> ",
    "Chinese words": " -->|推出| ",
    "edge name": " e1@--> ",
}
LAYOUTS = (
    "lines",
    "indented",
    "tabs",
    "semicolons",
    "one line",
    "nodes first",
    "chains",
    "ampersand",
    "carriage returns",
    "subgraph",
    "comments",
    "styling",
    "fence",
    "fence and prose",
    "escaped line breaks",
    "trailing spaces",
    "labels repeated",
)
NAMES = {
    "letters": "ABCD",
    "numbers": "1234",
    "words": ("Question", "fact_1", "fact-2", "the.answer"),
    "Chinese": ("问题", "事实一", "事实二", "答案"),
}


def written() -> Iterator[Written]:
    """Each habit alone on each graph, then 300 mixtures drawn by chance."""
    usual = {"header": "flowchart TD", "shape": "quoted", "arrow": "-->", "layout": "lines"}
    choices = {"header": HEADERS, "shape": SHAPES, "arrow": ARROWS, "layout": LAYOUTS}
    for graph in GRAPHS:
        for habit, options in choices.items():
            for option in options:
                if allowed(graph, habit, option):
                    yield write(graph, "letters", **{**usual, habit: option})
    rng = keyed_generator(7, "diagrams")
    while True:
        graph, names = rng.choice(list(GRAPHS)), rng.choice(list(NAMES))
        mixture = {habit: str(rng.choice(list(options))) for habit, options in choices.items()}
        if all(allowed(graph, habit, option) for habit, option in mixture.items()):
            yield write(str(graph), str(names), **mixture)


def allowed(graph: str, habit: str, option: str) -> bool:
    """Can this graph be written so? Mermaid itself cannot say everything unquoted."""
    return not (habit == "shape" and NOT_UNQUOTED.get(option) == graph)


def write(graph: str, names: str, *, header: str, shape: str, arrow: str, layout: str) -> Written:
    meant = GRAPHS[graph]
    ids = NAMES[names]
    label = [ids[i] + SHAPES[shape].format(said) for i, said in enumerate(meant.labels)]
    body = statements(meant, ids, label, ARROWS[arrow], layout)
    text = laid_out(HEADERS[header], body, layout)
    return Written(text, meant, (graph, names, header, shape, arrow, layout))


def statements(meant, ids, label, arrow, layout) -> list[str]:
    """The statements of the diagram; a label is written where its node is first mentioned."""
    seen: set[int] = set()

    def node(i: int) -> str:
        if i in seen and layout != "labels repeated":
            return ids[i]
        seen.add(i)
        return label[i]

    lines = []
    if layout == "nodes first":
        lines = [node(i) for i in range(len(label))]
    if layout == "chains" and meant is not CLUES and meant.edges[0][1] == meant.edges[1][0]:
        return [*lines, arrow.join(node(i) for i in range(len(label)))]
    if layout == "ampersand" and meant.edges[0][0] == meant.edges[1][0]:
        middle = arrow.join([node(0), f"{node(1)} & {node(2)}"])
        return [middle, f"{ids[1]} & {ids[2]}{arrow}{node(3)}"]
    return lines + [f"{node(a)}{arrow}{node(b)}" for a, b in meant.edges]


def laid_out(header: str, body: list[str], layout: str) -> str:
    match layout:
        case "indented":
            return header + "".join(f"    {line}\n" for line in body)
        case "tabs":
            return header + "".join(f"\t{line}\n" for line in body)
        case "semicolons":
            return header + "; ".join(body) + ";"
        case "one line":
            return header + " ".join(body)
        case "carriage returns":
            return (header + "\n".join(body)).replace("\n", "\r\n")
        case "subgraph":
            return header + "\n".join(["subgraph S [All of it]", "direction TB", *body, "end"])
        case "comments":
            return header + "\n".join(f"{line} %% so --> it goes" for line in body)
        case "styling":
            end = ["style A fill:#f9f", "class A,B kp", "linkStyle 0 stroke:red", 'click A "x"']
            return header + "\n".join(body + end)
        case "fence":
            return "```mermaid\n" + header + "\n".join(body) + "\n```"
        case "fence and prose":
            return "Here it is:\n\n```mermaid\n" + header + "\n".join(body) + "\n```\nDone."
        case "escaped line breaks":
            return (header + "\n".join(body)).replace("\n", "\\n")
        case "trailing spaces":
            return header + "".join(f"{line}  \t\n" for line in body)
        case _:
            return header + "\n".join(body)


@pytest.fixture(scope="session")
def diagrams() -> list[Written]:
    """700 diagrams as language models write them."""
    return list(islice(written(), 700))
