"""`kdos extract`: any table of questions and answers in, the same rows with their knowledge points out."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import kdos
from kdos.api import extraction
from kdos.cli import main
from kdos.llm import ScriptedEngine
from kdos.llm.mock_server import MockServer, serve_app
from kdos.tasks.extract import EXTRACT_PROMPT

PASSAGE = "The Eiffel Tower stands in Paris. It was opened in 1889 by Gustave Eiffel."
BORN, BIRTHPLACE = "Gustave Eiffel was born in Dijon.", "The birthplace of Gustave Eiffel is Dijon."
ROWS = [
    {"n": 0, "query": "Where was the builder of the Eiffel Tower born?", "reply": "Dijon", "about": {"page": [1, 2]}},
    {"n": 1, "query": "", "reply": "Dijon", "about": None},
    {"n": 2, "query": "In which city was Gustave Eiffel born?", "reply": "Dijon", "about": {"page": []}},
    {"n": 3, "query": "Who is nobody?", "reply": "Nobody", "about": None},
    {"n": 4, "query": "Who garbles?", "reply": "Somebody", "about": None},
]
FIELDS = ["--field", "query", "--answers", "reply"]


def said(request):
    """Two wordings of one fact, nothing, and no JSON."""
    question = request.inputs["question"]
    points = {"Where": [BORN, BORN.upper(), "The Eiffel Tower stands in Paris."], "In": [BIRTHPLACE], "Who is": []}
    found = next((points[start] for start in points if question.startswith(start)), None)
    return "no facts, sorry" if found is None else {"topic_entities": [], "knowledge_points": found, "logic": "graph"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def server():
    server = MockServer(ScriptedEngine(said), [EXTRACT_PROMPT])
    with serve_app(server.build_app()) as server.url:
        yield server


def extract(table: Path, out: Path, *flags: str) -> int:
    return main(["extract", str(table), "--out", str(out), "--json", *flags])


def asking(server) -> list[str]:
    return [*FIELDS, "--endpoint", server.url, "--model", "m"]


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    return shown


def test_rows_stay_as_they_were_and_one_fact_has_one_wording(table, server, tmp_path, capsys) -> None:
    out, before = tmp_path / "out.jsonl", table.read_bytes()
    assert extract(table, out, *asking(server)) == 0
    summary = json.loads(capsys.readouterr().out)
    rows = list(map(json.loads, out.read_text().splitlines()))
    assert [row.pop("knowledge_points") for row in rows] == [[BORN, "The Eiffel Tower stands in Paris."], [BORN]]
    assert rows == [ROWS[0], ROWS[2]]
    assert summary["by_reason"] == {"no_question": 1, "no_knowledge_point": 1, "unreadable": 1}
    assert summary["rows"] == summary["extracted"] + summary["refused"] == len(ROWS)
    assert (summary["knowledge_points"], summary["distinct"]) == (3, 2)
    assert summary["fields"] == {"question": "query", "answers": "reply"}
    assert table.read_bytes() == before


def test_what_is_written_feeds_the_graph_and_density(table, server, tmp_path, capsys) -> None:
    out = tmp_path / "out.parquet"
    assert extract(table, out, *asking(server)) == 0
    capsys.readouterr()
    assert main(["graph", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kps"], found["samples"], found["components"]) == (2, 2, 1)
    assert main(["density", str(out), "--field", "knowledge_points", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 2


def test_what_was_answered_is_not_asked_again(table, server, tmp_path, capsys, monkeypatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(extraction, "merge_points", interrupt)
        assert extract(table, tmp_path / "out.parquet", *asking(server)) == 130
    assert not (tmp_path / "out.parquet").exists()
    asked = server.stats.requests
    # Whatever the rows are written as, and wherever they stand in the table.
    table.write_text("".join(json.dumps(row) + "\n" for row in reversed(ROWS)))
    assert extract(table, tmp_path / "out.jsonl", *asking(server)) == 0
    assert json.loads(capsys.readouterr().out)["ledger"] == str(tmp_path / "out.ledger.sqlite")
    assert server.stats.requests == asked


def test_the_rules_read_passages_offline_in_any_number_of_files(tmp_path, capsys) -> None:
    row = {"question": "Where does the Eiffel Tower stand?", "answers": ["Paris"], "context": PASSAGE}
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row | {"id": name}) + "\n")
    summary = kdos.extract(f"{tmp_path}/*.jsonl", tmp_path / "out.parquet")
    assert summary["fields"] == {"question": "question", "answers": "answers", "passage": "context"}
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["knowledge_points"] for row in rows] == [["The Eiffel Tower stands in Paris."]] * 2
    assert not list(tmp_path.glob("*.sqlite"))
    assert main(["extract", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "c.jsonl"), "--limit", "1"]) == 0
    assert "1 of 1 rows with 1 knowledge points, 1 distinct" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["knowledge_points", "Knowledge_Points"])
def test_knowledge_points_that_are_there_are_not_written_over(table, tmp_path, capsys, name) -> None:
    # In the last row only: what is looked at is every row of every file.
    table.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, ROWS[0] | {name: ["mine"]}]))
    shown = refusal(["extract", str(table), "--out", str(tmp_path / "out.jsonl"), *FIELDS], capsys)
    assert f"field {name}: must not be there yet" in shown
    assert "Rename or drop it" in shown


def test_an_output_is_never_written_over(table, tmp_path, capsys) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    assert "--out must be a new file" in refusal(["extract", str(table), "--out", str(out), *FIELDS], capsys)
    assert "--out must not be an input" in refusal(["extract", str(table), "--out", str(table), *FIELDS], capsys)
    assert out.read_text() == "mine"


def test_what_parquet_cannot_hold_is_told_before_anything_is_asked(table, server, tmp_path, capsys) -> None:
    table.write_text("".join(json.dumps(row | {"n": row["n"] or "none"}) + "\n" for row in ROWS))
    words = ["extract", str(table), "--out", str(tmp_path / "out.parquet"), *asking(server)]
    assert "field n: holds values of several types" in refusal(words, capsys)
    assert server.stats.requests == 0
    assert [path.name for path in tmp_path.iterdir()] == [table.name]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--endpoint", "http://127.0.0.1:9/v1"], "--endpoint and --model belong together"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--key-env", "KDOS_NO_KEY"], "KDOS_NO_KEY"),
        (["--answers", "none"], "field none: no such field"),
        (["--limit", "0"], "--limit must be at least 1"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(table, tmp_path, capsys, flags, message) -> None:
    assert message in refusal(["extract", str(table), "--out", str(tmp_path / "out.jsonl"), *FIELDS, *flags], capsys)
    assert [path.name for path in tmp_path.iterdir()] == [table.name]


def test_rows_of_which_none_has_a_fact_are_told_with_the_reason(table, server, tmp_path, capsys) -> None:
    table.write_text("".join(json.dumps(row) + "\n" for row in ROWS[3:]))
    assert main(["extract", str(table), "--out", str(tmp_path / "out.jsonl"), *asking(server)]) == 1
    shown = capsys.readouterr().err
    assert "All 2 rows were refused: 1 no_knowledge_point, 1 unreadable" in shown
    assert not (tmp_path / "out.jsonl").exists()
