"""`kdos export FILE`: any table of questions and answers as trainers read it."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdos
from kdos.api import TableOptions
from kdos.cli import main
from kdos.export import name_groups
from kdos.pool.duplicates import find_near_duplicates

TOWNS = ("Alder", "Brome", "Corve", "Dunmoor", "Esk", "Fallow", "Garth", "Hythe", "Iver", "Jarrow", "Kelso", "Lorne")
ROWS = [
    {"ask": f"Who {verb} the {what} of {town}?", "say": f"{verb} {n}", "title": town, "n": [n, n]}
    for n, town in enumerate(TOWNS)
    for verb, what in (("opened", "harbour"), ("paid for", "railway bridge"), ("burnt down", "old town hall"))
]


ASKED = {"question": "Who?", "answer": "Ida"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "towns.jsonl", [*ROWS, {"ask": None, "say": "x"}, {"ask": "Who?", "say": " "}])


def export(table: Path, layout: str, out: Path, *flags: str) -> int:
    return main(
        ["export", str(table), "--format", layout, "--out", str(out), "--field", "ask", "--answers", "say", *flags]
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return list(map(json.loads, path.read_text().splitlines()))


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    return shown


def test_every_row_with_an_answer_is_a_prompt_and_its_completion(table, tmp_path, capsys) -> None:
    before = table.read_bytes()
    assert export(table, "trl", tmp_path / "out") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "out": str(tmp_path / "out"),
        "rows": {"train": len(ROWS)},
        "left_out": 0,
        "refused": {"no_question": 1, "no_answer": 1},
        "fields": {"question": "ask", "answers": "say"},
    }
    assert "fields: question = ask, answers = say" in shown.err
    found = lines(tmp_path / "out/prompt_completion/train.jsonl")
    assert found == [{"prompt": row["ask"] + "\n", "completion": row["say"]} for row in ROWS]
    assert table.read_bytes() == before


def test_conversations_in_several_files_are_read_by_the_one_resolver(tmp_path) -> None:
    for n in (1, 2):
        talk = [{"from": "human", "value": f"Who is {n}?"}, {"from": "gpt", "value": f"Number {n}"}]
        write(tmp_path / f"part{n}.jsonl", [{"conversations": talk}])
    summary = kdos.export(f"{tmp_path}/part*.jsonl", "llamafactory", tmp_path / "out")
    assert summary["fields"]["question"] == "conversations[user][0].value"
    found = json.loads((tmp_path / "out/kdos_alpaca.json").read_text())
    assert found == [{"instruction": f"Who is {n}?", "input": "", "output": f"Number {n}"} for n in (1, 2)]


def test_a_dataset_keeps_its_columns_and_its_card_says_where_they_come_from(table, tmp_path) -> None:
    assert export(table, "datasets", tmp_path / "out") == 0
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == ROWS
    card = (tmp_path / "out/README.md").read_text()
    assert "Rows of towns.jsonl, laid out by kdos: 38 were read, 2 of them are left out." in card
    assert "| question | ask |\n| answers | say |" in card
    assert "| no\\_answer | 1 |\n| no\\_question | 1 |" in card
    assert "synthetic" not in card
    assert str(tmp_path) not in card


def test_text_is_question_answer_and_facts_or_what_a_row_says(tmp_path) -> None:
    asked = [{"question": "Who?", "answer": "Ida", "knowledge_points": ["Ida did.", "She did."]}]
    kdos.export(write(tmp_path / "a.jsonl", [*asked, {"question": "Why?", "answer": "So"}]), "text", tmp_path / "a")
    assert [row["text"] for row in lines(tmp_path / "a/train.jsonl")] == ["Who?\nIda\n\nIda did. She did.", "Why?\nSo"]
    plain = write(tmp_path / "b.jsonl", [{"text": "A harbour."}, {"text": " "}, {"text": "A bridge."}])
    summary = kdos.export(plain, "text", tmp_path / "b")
    assert (summary["fields"], summary["refused"]) == ({"text": "text"}, {"no_text": 1})
    assert [row["text"] for row in lines(tmp_path / "b/train.jsonl")] == ["A harbour.", "A bridge."]
    words = [
        "export",
        str(tmp_path / "a.jsonl"),
        "--format",
        "text",
        "--field",
        "answer",
        "--out",
        str(tmp_path / "c"),
    ]
    assert main(words) == 0
    assert [row["text"] for row in lines(tmp_path / "c/train.jsonl")] == ["Ida", "So"]


def test_a_document_is_on_one_side_and_every_row_is_somewhere(table, tmp_path, capsys) -> None:
    assert export(table, "datasets", tmp_path / "out", "--test-share", "0.4", "--similar", "0.95") == 0
    said = json.loads(capsys.readouterr().out)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert said["grouped_by"] == "title"
    assert sum(said["rows"].values()) == len(ROWS)
    assert not set(loaded["train"]["title"]) & set(loaded["test"]["title"])


def test_a_group_can_be_named_and_only_one_that_is_there(table, tmp_path, capsys) -> None:
    flags = ["--test-share", "0.4", "--group", "say", "--similar", "0.95"]
    assert export(table, "trl", tmp_path / "out", *flags) == 0
    assert json.loads(capsys.readouterr().out)["grouped_by"] == "say"
    flags = ["--format", "trl", "--out", str(tmp_path / "new"), "--field", "ask", "--answers", "say"]
    words = ["export", str(table), *flags, "--test-share", "0.4", "--group", "none"]
    assert "field none: no such field" in refusal(words, capsys)


def test_a_file_without_the_group_or_knowledge_points_is_read_too(tmp_path) -> None:
    rows = [{"question": f"Who opened the {n}th harbour of {town}?", "answer": "Ida"} for n, town in enumerate(TOWNS)]
    write(tmp_path / "a.jsonl", [row | {"document": "d", "knowledge_points": ["Ida did."]} for row in rows])
    write(tmp_path / "b.jsonl", [row | {"question": "By whom? " + row["question"][::-1]} for row in rows])
    summary = kdos.export(f"{tmp_path}/*.jsonl", "text", tmp_path / "out", test_share=0.5, random_seed=1)
    assert sum(summary["rows"].values()) == 2 * len(rows)
    sides = [
        {"Ida did." in row["text"] for row in lines(tmp_path / f"out/{side}.jsonl")} for side in ("train", "test")
    ]
    assert sorted(map(len, sides)) == [1, 2]


QUESTIONS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from([None, "a", "b", "c"])), max_size=30
)


@given(QUESTIONS)
def test_near_identical_questions_and_documents_are_never_parted(drawn) -> None:
    # Each is one word away from the next, and the ends of such a chain are not alike.
    words = "which engineer designed the swing bridge over river near market town church"
    texts = [" ".join([f"({n})" * 8, *words.split()[k:], "indeed " * k]) for n, k, _ in drawn]
    documents = [document for _, _, document in drawn]
    names = name_groups(texts, documents)
    for one in range(len(names)):
        for other in range(one):
            same = documents[one] is not None and documents[one] == documents[other]
            if same or texts[one] == texts[other]:
                assert names[one] == names[other]


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    words = "who was the engineer that designed the old swing bridge across the river near the market of Ousel".split()
    chain = [" ".join([f"{word}s" for word in words[:n]] + words[n:]) for n in range(len(words) + 1)]
    names = name_groups([*chain, "What does copper melt at?", "who? what?", "Who, what!"], [None] * (len(chain) + 3))
    assert len(find_near_duplicates(chain).kept_rows) > 1
    assert len(set(names[: len(chain)])) == 1
    assert len(set(names)) == 3


def test_a_row_keeps_its_side_when_rows_are_added(tmp_path) -> None:
    few, many = (write(tmp_path / f"{n}.jsonl", ROWS[:n]) for n in (18, 36))
    options = TableOptions({"question": "ask", "answers": "say"}, similar=0.95)
    for path in (few, many):
        kdos.export(path, "trl", tmp_path / path.stem, table=options, test_share=0.5)
    for side in ("train", "test"):
        name = f"prompt_completion/{side}.jsonl"
        kept = [row["prompt"] for row in lines(tmp_path / "36" / name)]
        assert {row["prompt"] for row in lines(tmp_path / "18" / name)} <= set(kept)


@pytest.mark.parametrize(
    ("rows", "flags", "message"),
    [
        ([{"text": "x"}], ["--format", "trl"], "a field must hold the question. There are: text. Give --question"),
        ([{"question": "x"}], ["--format", "datasets"], "a field must hold the answers"),
        ([ASKED | {"answer": "-"}], ["--format", "trl"], "All were refused: {'no_answer': 1}"),
        ([ASKED | {"n": n} for n in (1, "a")], ["--format", "datasets"], "field n: holds values"),
        ([ASKED], ["--format", "trl", "--public"], "--public belongs to --push"),
        ([ASKED], ["--format", "trl", "--test-share", "0.5"], "leave samples on both sides"),
        ([ASKED], ["--format", "trl", "--similar", "0", "--test-share", "0.5"], "`similar` must be in (0, 1]"),
    ],
)
def test_what_cannot_be_exported_is_one_line(tmp_path, capsys, rows, flags, message) -> None:
    table = write(tmp_path / "rows.jsonl", rows)
    assert message in refusal(["export", str(table), "--out", str(tmp_path / "out"), *flags], capsys)
    assert not (tmp_path / "out").exists()


def test_a_run_takes_no_fields(tmp_path, capsys) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.yaml").write_text("fingerprint: 0123\n")
    words = ["export", str(tmp_path / "run"), "--format", "trl", "--out", str(tmp_path / "out"), "--field", "x"]
    assert "are named for tables" in refusal(words, capsys)
