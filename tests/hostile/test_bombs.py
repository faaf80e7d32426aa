"""What is small when it comes in and large when it is read: diagrams, nesting, packed files, endless lines."""

import bz2
import gzip
import lzma
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.checks import BenchmarkIndex, KnownQuestions, known_questions
from kdos.config import SourceConfig
from kdos.errors import InputError
from kdos.logic import Fault, Logic, parse
from kdos.logic.diagram import MAX_EDGES, MAX_NODES
from kdos.pool import Refusal
from kdos.pool.sentences import split_sentences
from kdos.pool.wording import read_sentence_words
from kdos.rows import files, read_table_rows
from kdos.rows.limits import MAX_JSON_DEPTH
from kdos.scoring import is_correct_answer
from kdos.seed import sources, wikipedia
from kdos.seed.sources import open_source
from kdos.seed.wikipedia import clean_wikitext
from kdos.seed.wikitext_marks import count_marks
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


# A control character before letters may be a command of LaTeX whose backslash was not doubled.
PLAIN_TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=3)


@given(
    st.recursive(
        st.none() | st.booleans() | PLAIN_TEXTS, lambda inner: st.lists(inner) | st.dictionaries(PLAIN_TEXTS, inner)
    )
)
def test_what_is_not_deep_is_read(value: object) -> None:
    text = orjson.dumps({"value": value}).decode()
    assert read_value(text, {}) == {"value": value}


# Files

MEGABYTE = 1 << 20
PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    "": bytes,
}
WITHOUT_END = {
    "rows.jsonl": b'{"id": "a", "text": "' + b"x" * 24 * MEGABYTE,
    "table.csv": b"id,text\na," + b"x" * 24 * MEGABYTE,
    "zeros.jsonl": bytes(24 * MEGABYTE),
    "document.json": b'[{"id": "a", "text": "' + b"x" * 24 * MEGABYTE,
    "text.txt": b"x" * 24 * MEGABYTE,
}


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("name", WITHOUT_END)
def test_a_file_that_unpacks_without_end_is_refused_in_bounded_memory(
    name: str, packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{name}{packed}"
    path.write_bytes(PACKERS[packed](WITHOUT_END[name]))
    monkeypatch.setattr(files, "MAX_LINE_BYTES", MEGABYTE)
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", MEGABYTE)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="at most 1 MiB"):
            list(open_source(SourceConfig("text", str(path))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MEGABYTE


def test_a_document_that_is_far_too_long_is_a_refusal_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_TEXT_CHARS", 1_000)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps({"id": str(n), "text": "word " * n}) + b"\n" for n in (10, 500, 20)))
    found = list(open_source(SourceConfig("text", str(path))))
    assert [getattr(one, "reason", "") for one in found] == ["", "text_too_long", ""]


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH + 1, 1_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_row_nested_too_deeply_is_named_by_its_line(depth: int, opening: str, tmp_path: Path) -> None:
    deep = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "a"}}\n{{"text": "b", "more": {deep}}}\n')
    with pytest.raises(InputError, match="line 2"):
        list(read_table_rows(path))


def write_dump(path: Path, text: str) -> SourceConfig:
    path.write_text(
        "<mediawiki><page><title>A</title><ns>0</ns><id>1</id><revision><model>wikitext</model>"
        f"<text>{text}</text></revision></page></mediawiki>"
    )
    return SourceConfig("wikipedia", str(path))


def test_an_element_of_a_dump_without_end_and_deep_elements_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wikipedia, "MAX_TEXT_CHARS", MEGABYTE)
    with pytest.raises(InputError, match="elements of at most"):
        list(open_source(write_dump(tmp_path / "long.xml", "x" * 8 * MEGABYTE)))
    with pytest.raises(InputError, match="levels deep"):
        list(open_source(write_dump(tmp_path / "deep.xml", "<b>" * 10_000 + "</b>" * 10_000)))


# Wikitext

PUMPS = (
    "{{a|", "{{{a|", "[[a|", "[http://a ", "<b>", "<ref>", "<b ", "<p>", "{|\n|a\n", "<!-- a", "<nowiki>", "{{a|''",
    "\n{|\n|{{a|", "<b a={{", '<b a="', "<b>''</b>''", "{{a|'''}}", "{{a|<ref>}}", "{{a|{{{b}}", "{{a|[[b}}]]",
    "{{a|b}}", "[[a|b]]", "{{{{", "}}", "&lt;", "== a ==\n", "\n* ", "[[File:a|", "<br>", "=", "<ref name=a/>",
)  # fmt: skip
SECONDS_A_MEGABYTE = 200
"""Processor time for wikitext of the worst kind; without limits 16 kB of it took 15 seconds, and a megabyte a day."""


@pytest.mark.parametrize("pump", PUMPS)
def test_wikitext_that_nothing_closes_takes_time_in_proportion(pump: str) -> None:
    text = "Before it.\n\n" + pump * (40_000 // len(pump)) + "\n\n== Next ==\nA word after it.\n"
    began = time.process_time()
    clean = clean_wikitext(text, unlinked=frozenset({"file"}))
    assert time.process_time() - began < SECONDS_A_MEGABYTE * len(text) / 1e6
    assert "Before it." in clean
    assert "A word after it." in clean or pump in {"=", "== a ==\n"}


@pytest.mark.parametrize(
    ("wikitext", "unclosed"),
    [
        ("{{a|[[b|c]]}} ''x'' '''y''' <b class=c>z</b> <ref name=d /> <br> [http://e f] {|\n|}", 0),
        ("{{a [[b ''c <b>", 4),
        ("{{a|[[b}} c ]]", 1),
        ("}} ]] </b> ''a'' -->", 0),
    ],
)
def test_marks_that_nothing_closes_are_counted(wikitext: str, unclosed: int) -> None:
    assert count_marks(wikitext).unclosed == unclosed


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("{", "}"), ("{{a|", "}}"), ("[[a|", "]]"), ("<b>", "</b>"), ("{{{", "}}}"), ("{|\n|", "\n|}")],
)
def test_marks_nested_without_end_are_no_recursion_without_end(opening: str, closing: str) -> None:
    text = f"Before it.\n\n{opening * 5000}inside{closing * 5000}\n\n== Next ==\nA word after it.\n"
    clean = clean_wikitext(text, unlinked=frozenset())
    assert "Before it." in clean
    assert "A word after it." in clean


@pytest.mark.parametrize(
    "lines",
    [
        [f'{{"k{number}": 1}}' for number in range(40_000)],
        [f'{{"a": {{"k{number}": 1}}}}' for number in range(40_000)],
        [orjson.dumps({"a": [{f"k{number}": 1} for number in range(40_000)]}).decode(), '{"a": []}'],
    ],
    ids=["rows", "structs", "items"],
)
def test_rows_of_other_fields_each_do_not_fill_a_table(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"line 1.*much the same fields"):
        list(read_table_rows(path, batch_size=65_536))


def test_rows_of_which_each_lacks_most_fields_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(f'{{"k{number % 200}": 1, "text": "a"}}' for number in range(20_000)))
    assert sum(rows.batch.num_rows for rows in read_table_rows(path)) == 20_000


GROWING = {
    "initials": (split_sentences, "A. "),
    "names in a sentence": (read_sentence_words, "In 1836 it was. "),
    "an answer of one word": (
        lambda text: is_correct_answer(text, [text[: len(text) // 2] + "b"], question=""),
        "word ",
    ),
    "an answer of many": (lambda text: is_correct_answer(text, [f"{text} b"], question=""), "中"),
    "small words with capitals": (read_sentence_words, "The "),
}


@pytest.mark.parametrize(("read", "pump"), GROWING.values(), ids=GROWING)
def test_a_long_text_takes_time_in_proportion(read: Callable[[str], object], pump: str) -> None:
    text = pump * (1_000_000 // len(pump))
    began = time.process_time()
    read(text)
    assert time.process_time() - began < SECONDS_A_MEGABYTE  # without: hours


def test_questions_of_the_same_words_are_compared_with_a_bounded_number_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_questions, "MOST_CANDIDATES", 50)
    monkeypatch.setattr(known_questions, "MOST_CONTAINED", 50)
    draw, words = random.Random(1), [f"w{number}" for number in range(10)]
    asked = [" ".join(draw.sample(words, len(words))) for _ in range(400)]
    known, compared = KnownQuestions(), []
    score = KnownQuestions._score_candidate
    monkeypatch.setattr(KnownQuestions, "_score_candidate", lambda *given: compared.append(1) or score(*given))
    for question in asked:
        known.find_match(question, ["a"])
        known.add_question(question, ["a"])
    assert 0 < len(compared) <= 50 * len(asked)
    benchmark = BenchmarkIndex()
    same = "what is the name of the mayor of"
    for number in range(400):
        benchmark.add_question(f"{same} town{number}", ["a"], name=f"b:{number}")
    found = benchmark.find_match(f"Pray tell me {same} town399 please my dear", ["a"])
    assert found is not None
    assert found.name == "b:399"
