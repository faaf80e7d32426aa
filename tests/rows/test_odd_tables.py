"""Tables as people have them: every row read as it is meant, or one line that says what is wrong."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.errors import InputError, UsageError
from kdos.rows import SeveralPaths, find_table_fields, list_table_files, read_table_rows, standard_input, write_rows
from kdos.rows.dataset import open_dataset, wrap_dataset


def read(path: Any) -> list[dict[str, Any]]:
    return [
        dict(zip(rows.batch.schema.names, values, strict=True))
        for rows in read_table_rows(path)
        for values in zip(*(rows.values(name) for name in rows.batch.schema.names), strict=True)
    ]


def texts_of(folder: Path, name: str, body: str) -> list[Any]:
    path = folder / name
    path.write_text(body, newline="")
    return [row["text"] for row in read(path)]


TSV = {
    "a mark that nothing closes": ('id\ttext\n1\t"One\n2\tTwo\n3\tThree\n', ['"One', "Two", "Three"]),
    "two such marks": ('id\ttext\n1\t"One\n2\tTwo\n3\t"Three\n', ['"One', "Two", '"Three']),
    "in the middle": ('text\tid\n"One\t1\nTwo\t2\n', ['"One', "Two"]),
    "quoted words at the start": ('id\ttext\n1\t"One" is one\n', ['"One" is one']),
    "doubled marks": ('id\ttext\n1\t"He said ""one"""\n', ['He said "one"']),
    "a line break in marks": ('id\ttext\n1\t"One\nmore"\n2\tTwo\n', ["One\nmore", "Two"]),
    "a line break in marks, not at the end": ('text\tid\n"One\nmore"\t1\nTwo\t2\n', ["One\nmore", "Two"]),
    "a tab in marks": ('id\ttext\tnote\n1\t"One\tmore"\tx\n', ["One\tmore"]),
    "an inch": ('id\ttext\n1\t5" gun\n', ['5" gun']),
    "one column": ('text\n"One\nTwo\n', ['"One', "Two"]),
    "a row of empty cells": ("id\ttext\n1\tOne\n\t\n2\tTwo\n", ["One", None, "Two"]),
    "line ends of Windows": ('id\ttext\r\n1\t"One\r\n2\tTwo\r\n', ['"One', "Two"]),
}
CSV = {
    "tabs": ("rows.csv", "id\ttext\n1\tOne, two\n2\tThree\n", ["One, two", "Three"]),
    "semicolons": ("rows.csv", 'id;text;note\n1;"One; two";x\n2;Three, 4,5;y\n', None),
    "semicolons without quotes": (
        "rows.csv",
        "id;text;note\n1;One, two;x\n2;Three, 4,5;y\n",
        ["One, two", "Three, 4,5"],
    ),
    "what Excel writes first": ("rows.csv", "sep=;\nid;text\n1;One, two\n", ["One, two"]),
    "bars": ("rows.csv", "id|text|note\n1|One|x\n", ["One"]),
    "commas in a .tsv": ("rows.tsv", "id,text\n1,One\n", ["One"]),
    "the column of an index": ("rows.csv", ",text\n0,One\n1,Two\n", ["One", "Two"]),
    "a mark of the byte order": ("rows.csv", "\ufeffid,text\n1,One\n", ["One"]),
    "a .tab file": ("rows.tab", "id\ttext\n1\tOne\n", ["One"]),
}


@pytest.mark.parametrize(("body", "meant"), TSV.values(), ids=TSV)
def test_no_mark_costs_a_row_between_tabs(tmp_path: Path, body: str, meant: list[str]) -> None:
    assert texts_of(tmp_path, "rows.tsv", body) == meant


@pytest.mark.parametrize(("name", "body", "meant"), [case for case in CSV.values() if case[2]])
def test_what_separates_cells_is_found_out(tmp_path: Path, name: str, body: str, meant: list[str]) -> None:
    assert texts_of(tmp_path, name, body) == meant


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("id;text\n1;One\n", "field text: no such field. There are: id;text"),
        ("id,text,text\n1,One,Two\n", "line 1: must have columns of different names. Got 'text' twice"),
        ('id,text\n1,One\n2,"Two\n3,Three\n', "line 3: must be CSV"),
        ("id,text\n1,One\n2,Two,three\n", "line 3: must have 2 cells, as the header has. Got 3"),
        ('id,text\n1,"a \\"b\\" c"\n', "must be CSV"),
    ],
)
def test_csv_that_has_two_readings_is_refused(tmp_path: Path, body: str, says: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(body)
    with pytest.raises(InputError) as error:
        list(read_table_rows(path, columns=["text"]))
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("Who opened it?\tIda\nWho built it?\tBo\n", ("column_1", "column_1", "column_2")),
        ("1\tWho opened it?\tIda\n2\tWho built it?\tBo\n", ("column_2", "column_2", "column_3")),
        (
            "Who opened it?\tIda\tBo\tB\nWho built it?\tBo\tCy\tA\n",
            ("column_1", "column_1", "(column_2, column_3)[column_4]"),
        ),
        ("The Harrow Bridge was opened in 1884.\nIt crosses the river Ousel.\n", ("column_1", None, None)),
    ],
)
def test_the_first_row_of_a_table_without_a_header_is_a_row(
    tmp_path: Path, body: str, fields: tuple[str | None, ...]
) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text(body)
    assert len(read(path)) == 2
    found = find_table_fields(path, ("text", "question", "answers"))
    assert tuple(found.get(part) for part in ("text", "question", "answers")) == fields


# -- JSON


def select_all(path: Path, out: Path) -> list[Any]:
    """All rows written again, as `kdos select` writes them, and read as plain JSON."""
    batches = list(open_dataset(str(path), "text").read_whole_rows())
    write_rows(out, batches, batches[0].schema)
    return [json.loads(line) for line in out.read_text().splitlines()]


ODD_ROWS = {
    "numbers of more digits than decimals have": [{"text": "a", "o": 10**60}, {"text": "b", "o": None}],
    "an empty struct in all": [{"text": "a", "o": {}}, {"text": "b", "o": {}}],
    "an empty struct beside a filled one": [{"text": "a", "o": {}}, {"text": "b", "o": {"k": 1}}],
    "an empty struct deep inside": [{"text": "a", "o": [{"p": {}}]}, {"text": "b", "o": [{"p": {"k": 1}}]}],
    "numbers and texts": [{"text": "a", "o": 1}, {"text": "b", "o": "1"}],
    "texts and lists": [{"text": "a", "o": "x"}, {"text": "b", "o": ["x", "y"]}],
    "a list of several types": [{"text": "a", "o": [0, "arch", None]}],
    "text and structs": [{"text": "a", "o": "x"}, {"text": "b", "o": {"type": "text"}}],
    "truths and numbers": [{"text": "a", "o": True}, {"text": "b", "o": 2}],
    "numbers of more than 64 bits": [{"text": "a", "o": 2**70}, {"text": "b", "o": -(2**64)}],
    "numbers of more than 38 digits beside texts": [{"text": "a", "o": 10**50}, {"text": "b", "o": "x"}],
    "a key of several types inside": [{"text": "a", "o": {"k": 1}}, {"text": "b", "o": {"k": "1"}}],
    "null, then a struct": [{"text": "a", "o": None}, {"text": "b", "o": {"k": [1]}}],
}


@pytest.mark.parametrize("rows", ODD_ROWS.values(), ids=ODD_ROWS)
def test_rows_of_json_are_written_as_they_were(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert select_all(path, tmp_path / "out.jsonl") == rows


def test_parquet_has_no_form_for_several_types_and_one_for_long_numbers(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.parquet"
    path.write_text("\n".join(map(json.dumps, ODD_ROWS["numbers and texts"])))
    batches = list(open_dataset(str(path), "text").read_whole_rows())
    with pytest.raises(InputError, match=r"field o: holds values of several types.*Write \.jsonl instead"):
        write_rows(out, batches, batches[0].schema)
    assert not out.exists()
    path.write_text("\n".join(map(json.dumps, ODD_ROWS["numbers of more than 64 bits"])))
    batches = list(open_dataset(str(path), "text").read_whole_rows())
    write_rows(out, batches, batches[0].schema)
    assert pq.read_table(out).column("o").to_pylist() == [Decimal(2**70), Decimal(-(2**64))]


@pytest.mark.parametrize(
    "body", ['[{"text": "a"},\n {"text": "b"}]', '[{"text": "a"}, {"text": "b"}]', '{"text": "a"}\n\n{"text": "b"}']
)
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".jsonlines", ".ndjson"])
def test_json_is_read_whatever_its_suffix_says(tmp_path: Path, body: str, suffix: str) -> None:
    assert texts_of(tmp_path, f"rows{suffix}", body) == ["a", "b"]


# -- folders, patterns, standard input


def write_arrow(path: Path, rows: list[dict[str, Any]], *, stream: bool) -> None:
    table = pa.Table.from_pylist(rows)
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with path.open("wb") as file, opened(file, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("stream", [True, False])
def test_arrow_is_read_as_datasets_and_as_feather_write_it(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "rows.arrow"
    write_arrow(path, [{"text": "a", "m": {"k": 1}}, {"text": "b", "m": None}], stream=stream)
    assert [row["text"] for row in read(path)] == ["a", "b"]
    (rows,) = read_table_rows(path, columns=["m.k"])
    assert rows.values("m.k") == [1, None]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="must be a whole, readable file"):
        read(path)


def test_a_folder_that_datasets_saved_holds_its_rows_alone(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"text": ["a", "b"]})
    datasets.DatasetDict({"train": made, "test": made.select([0])}).save_to_disk(str(tmp_path / "saved"))
    assert [row["text"] for row in read(tmp_path / "saved" / "train")] == ["a", "b"]
    assert len(read(tmp_path / "saved")) == 3


def test_of_a_snapshot_of_the_hub_the_current_revision_is_read(tmp_path: Path) -> None:
    root = tmp_path / "datasets--a--b"
    for revision in ("old", "new"):
        folder = root / "snapshots" / revision / "data"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"text": [revision]}), folder / "train-00000-of-00001.parquet")
        (root / "snapshots" / revision / "dataset_infos.json").write_text('{"default": {}}')
        (root / "snapshots" / revision / "README.md").write_text("# A data set")
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("new\n")
    assert [row["text"] for row in read(root)] == ["new"]
    assert [row["text"] for row in read(root / "snapshots" / "old")] == ["old"]


def test_several_paths_and_patterns_are_one_table(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}))
    assert [row["text"] for row in read(tmp_path / "[ab].jsonl")] == ["a", "b"]
    several = SeveralPaths((str(tmp_path / "c.jsonl"), str(tmp_path / "*.jsonl")))
    assert [row["text"] for row in read(several)] == ["c", "a", "b"]
    with pytest.raises(InputError, match="no such file"):
        list_table_files(tmp_path / "*.csv")


@pytest.mark.parametrize(
    "data",
    [
        b'{"text": "a"}\n{"text": "b"}\n',
        b"id,text\n1,a\n2,b\n",
        b"id\ttext\n1\ta\n2\tb\n",
        b'[{"text": "a"}, {"text": "b"}]',
    ],
)
def test_standard_input_is_told_by_how_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(data)
    standard_input.spool_standard_input.cache_clear()
    with source.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        path = standard_input.spool_standard_input()
    assert [row["text"] for row in read(path)] == ["a", "b"]
    standard_input.spool_standard_input.cache_clear()
    source.write_bytes(b"")
    with source.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(UsageError, match="It is empty"):
            standard_input.spool_standard_input()


# -- Arrow's types and names


def write_table(path: Path, table: pa.Table) -> Path:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


VIEWS: dict[str, Any] = {
    "texts": pa.array(["a", None, "c"], pa.string_view()),
    "lists": pa.array([["a", "b"], None, []], pa.list_view(pa.string())),
    "texts in structs in lists": pa.array([[{"z": "q"}], [], None], pa.list_(pa.struct([("z", pa.string_view())]))),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3]), pa.array(["a", "b"])),
}


@pytest.mark.parametrize("column", VIEWS.values(), ids=VIEWS)
def test_rows_of_views_are_chosen_as_they_were(tmp_path: Path, column: Any) -> None:
    table = pa.table({"text": pa.array(["x", "y", "z"], pa.string_view()), "more": column})
    path = write_table(tmp_path / "rows.arrow", table)
    for dataset in (open_dataset(str(path)), wrap_dataset(table)):
        [batch] = dataset.read_whole_rows()
        assert batch.take(pa.array([2, 0])).to_pylist() == [table.to_pylist()[2], table.to_pylist()[0]]


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_columns_of_one_name_are_refused(tmp_path: Path, suffix: str) -> None:
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names=["question", "answer", "answer"])
    path = tmp_path / f"rows{suffix}"
    (pq.write_table(table, path) if suffix == ".parquet" else write_table(path, table))
    with pytest.raises(InputError, match=r"must have columns of different names\. Got 'answer' twice"):
        find_table_fields(path, ("question",))
    with pytest.raises(InputError, match="Got 'answer' twice"):
        wrap_dataset(table, "question")


ROWS = [{"question": "a", "answer": "b"}, {"question": "c", "answer": "d"}]
DOCUMENTS = {
    "splits": ({"train": ROWS[:1], "test": ROWS[1:]}, ROWS),
    "one row with a list": ({"question": "a", "answers": ["b", "c"]}, [{"question": "a", "answers": ["b", "c"]}]),
    "one conversation": (
        {"id": 1, "messages": [{"role": "user", "content": "a"}]},
        [{"id": 1, "messages": [{"role": "user", "content": "a"}]}],
    ),
    "rows beside their version": ({"version": "1", "data": ROWS}, ROWS),
}


@pytest.mark.parametrize(("document", "meant"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_json_document_gives_all_its_rows(tmp_path: Path, document: Any, meant: list[Any]) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(document, indent=1))
    assert read(path) == meant


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("rows.json", '{"question": ["a", "b"], "answer": ["c", "d"]}', "Got one object of columns"),
        ("rows.tsv", "question\tanswer\ra\tb\rc\td\r", "line 1: must end its lines with a line feed"),
        ("rows.csv", "question,answer\ra,b\rc,d\r", "line 1: must end its lines with a line feed"),
        ("rows.csv", "", "must hold at least one row"),
        ("rows.csv", "question,answer\n", "must hold at least one row"),
        ("rows.json", "[]", "must hold at least one row"),
    ],
)
def test_what_holds_no_rows_as_they_are_read_says_so(tmp_path: Path, name: str, body: str, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(body.encode())
    with pytest.raises(InputError) as error:
        find_table_fields(path, ("question",))
    assert says in str(error.value)
