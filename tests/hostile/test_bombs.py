"""What is small when it comes in and large when it is read: diagrams, nesting, packed files, endless lines."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.logic import Fault, Logic, parse
from kdos.logic.diagram import MAX_EDGES, MAX_NODES
from kdos.pool import Refusal
from kdos.tasks.json_repair import MAX_DEPTH
from kdos.tasks.prompt import TEXT, an_object
from kdos.tasks.reading import read_value

# Diagrams


def joined_nodes(count: int, name: str) -> str:
    return " & ".join(f"{name}{number}" for number in range(count))


EXPLODING = {
    "joined nodes": "flowchart TD\n" + " --> ".join(joined_nodes(60, letter) for letter in "abcde"),
    "the same names": "graph TD\n" + " --> ".join(["&".join("A" * 300)] * 33),
    "subgraphs": "graph TD\n"
    + "".join(f"subgraph S{n}\n" + "A\n" * 500 + "end\n" for n in range(8))
    + "S0-->S1\n" * 9,
    "nodes": "graph TD\n" + "\n".join(f"n{number}" for number in range(3_000)),
    "mindmap": "mindmap\n root\n" + "\n".join(f"  n{number}" for number in range(2_000)),
}


@pytest.mark.parametrize("name", EXPLODING)
def test_a_diagram_that_expands_is_refused_before_it_is_built(name: str) -> None:
    found = parse(EXPLODING[name])
    assert isinstance(found, Fault)
    assert found.reason == "logic_too_long", found


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["-->", "---", "~~~"])), min_size=1, max_size=9))
def test_no_diagram_is_larger_than_the_limits(parts: list[tuple[int, str]]) -> None:
    text = "graph TD\n" + "".join(
        f"{joined_nodes(count, chr(97 + at))} {link} " for at, (count, link) in enumerate(parts)
    )
    found = parse(f"{text} z")
    edges = sum(
        count * (parts[at + 1][0] if at + 1 < len(parts) else 1)
        for at, (count, link) in enumerate(parts)
        if link != "~~~"
    )
    fits = edges <= MAX_EDGES and sum(count for count, _ in parts) < MAX_NODES
    assert isinstance(found, Logic) == fits
    assert not isinstance(found, Logic) or len(found.edges) == edges


# Nesting

ANSWER = an_object(answer=TEXT)
DEEP = {
    "lists": lambda depth: "[" * depth + "]" * depth,
    "objects": lambda depth: '{"a":' * depth + "1" + "}" * depth,
    "both": lambda depth: '[{"a":' * depth + "1" + "}]" * depth,
    "never closed": lambda depth: "[" * depth,
    "beside an answer": lambda depth: '{"answer": "x", "y": ' + "[" * depth + "]" * depth + "}",
    "broken": lambda depth: '{answer: "x", y: ' + "[" * depth + "]" * depth + "}",
    "in a fence": lambda depth: "```json\\n" + "[" * depth + "\\n```",
}


@pytest.mark.parametrize("schema", [{}, ANSWER], ids=["any", "answer"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300, 1_000, 1_030, 100_000])
@pytest.mark.parametrize("name", DEEP)
def test_a_deep_reply_is_a_refusal(name: str, depth: int, schema: dict[str, object]) -> None:
    found = read_value(DEEP[name](depth), schema)
    assert isinstance(found, Refusal)
    assert found.reason == "unreadable"


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=3),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner),
    )
)
def test_what_is_not_deep_is_read(value: object) -> None:
    text = orjson.dumps({"value": value}).decode()
    assert read_value(text, {}) == {"value": value}
