"""Fuzz the Mermaid parser: no text may break it or make it hang.

    python benchmarks/checks_fuzz.py [--seconds 60] [--random-seed 0]

Texts are made of Mermaid's own tokens, of diagrams with pieces cut, doubled and swapped, and of
single tokens repeated to the length limit. Prints one line of JSON; exits 1 at the first failure.
"""

import argparse
import json
import sys
import time

from kdos.chance import keyed_generator
from kdos.logic import Fault, find_faults, parse, shape_of_logic, write_mermaid
from kdos.logic.mermaid import MAX_CHARACTERS

TOKENS = [
    *("graph TD\n", "flowchart LR\n", "mindmap\n", "subgraph S\n", "end\n", "style A x", "class A b"),
    *("A", "B", "root", "node-1", "节点", "x", "o", "1", "e1@", "text of a label", "_", ".", "-"),
    *("[", "]", "(", ")", "{", "}", "((", "))", "{{", "}}", "[/", "/]", "[\\", "\\]", ">", "@{"),
    *('"', "'", "`", "“", "”", "-->", "--", "->", "---", "–>", "==>", "==", "-.->", "-.", ".->"),
    *("<-->", "<--", "~~~", "|", "&", ";", "%%", ":::", "label:", "#quot;", "<br/>", "&gt;", "\\n"),
    *(" ", "   ", "\n", "\t", "\r\n", "```mermaid\n", "```", "---\n", "!", "?", "\ufeff", "😀"),
]
DIAGRAM = """flowchart TD
    Q["Which city?"] -->|asks| A("The tower (1889)")
    A -- leads to --> B{Paris?} & C[[Lyon]]
    subgraph S [Clues]
        D -.-> E
    end
    S ==> F>"done"]
"""
SLOW = 1.0
"""Seconds that one text may take."""


def texts(rng):
    while True:
        kind = rng.integers(4)
        if kind == 0:
            yield "".join(rng.choice(TOKENS, rng.integers(1, 80)))
        elif kind == 1:
            yield "graph TD\n" + "".join(rng.choice(TOKENS, rng.integers(1, 80)))
        elif kind == 2:
            yield mangled(rng)
        else:
            unit = "".join(rng.choice(TOKENS, rng.integers(1, 4)))
            length = MAX_CHARACTERS - 40 if rng.random() < 0.05 else rng.integers(50, 2000)
            yield "graph TD\nA" + unit * int(length // len(unit))


def mangled(rng):
    text = DIAGRAM
    for _ in range(rng.integers(1, 6)):
        start, end = sorted(rng.integers(0, len(text) + 1, 2))
        piece = [text[start:end] * 2, "", text[start:end][::-1], str(rng.choice(TOKENS))]
        text = text[:start] + piece[rng.integers(4)] + text[end:]
    return text


def tried(text):
    logic = parse(text)
    if isinstance(logic, Fault):
        return "refused"
    find_faults(logic, knowledge_points=["The tower opened in 1889."], answer="Paris")
    again = write_mermaid(logic)
    if len(again) <= MAX_CHARACTERS and meaning(parse(again)) != meaning(logic):
        raise AssertionError("what was written does not read back")
    shape_of_logic(logic)
    return "read"


def meaning(logic):
    """Labels in order, and edges between their positions: names are not part of it."""
    place = {node.id: number for number, node in enumerate(logic.nodes)}
    edges = [(place[e.source], place[e.target], e.label, e.directed) for e in logic.edges]
    return logic.kind, [node.label for node in logic.nodes], edges


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--random-seed", type=int, default=0)
    args = parser.parse_args()
    counts = {"read": 0, "refused": 0}
    slowest = 0.0
    end = time.monotonic() + args.seconds
    for text in texts(keyed_generator(args.random_seed, "fuzz")):
        start = time.process_time()
        try:
            counts[tried(text)] += 1
        except Exception as error:
            print(f"{error!r} for {text!r}", file=sys.stderr)
            return 1
        took = time.process_time() - start
        slowest = max(slowest, took)
        if took > SLOW:
            print(f"{took:.1f} s for {text[:200]!r}", file=sys.stderr)
            return 1
        if time.monotonic() > end:
            break
    print(json.dumps({**counts, "slowest_seconds": round(slowest, 3), "seconds": args.seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
