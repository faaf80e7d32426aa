import bz2
import gzip
import json
import lzma
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.errors import InputError
from kdos.rows import list_table_fields, list_table_files, read_table_rows, resolve_field

ROWS = [{"id": str(n), "text": f"Text number {n}."} for n in range(5)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def texts(path, field="text", **options):
    return [
        text
        for rows in read_table_rows(path, columns=[field], **options)
        for text in rows.text_column(field).to_pylist()
    ]


def write_parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)


def zstd(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)],
)
def test_jsonl_is_read_whole_and_damage_is_seen_under_every_compression(tmp_path, suffix, pack):
    path = tmp_path / f"rows.jsonl{suffix}"
    path.write_bytes(pack(LINES))
    assert texts(path) == [row["text"] for row in ROWS]
    if suffix:
        many = pack(b"".join(json.dumps({"text": f"{n * 7919}"}).encode() + b"\n" for n in range(99)))
        path.write_bytes(many[: len(many) // 2])
        with pytest.raises(InputError, match=r"rows\.jsonl.*must be a whole, readable file"):
            texts(path)


def test_csv_keeps_quoted_line_breaks_and_reads_empty_cells_as_null(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('\ufeffid,text\n1,"two\nlines, ""quoted"""\n2,\n\n3,plain\n', encoding="utf-8")
    (rows,) = read_table_rows(path)
    assert rows.text_column("text").to_pylist() == ['two\nlines, "quoted"', None, "plain"]
    assert list(rows.positions) == [2, 4, 6]
    assert rows.batch.column("id").to_pylist() == ["1", "2", "3"]


def test_tsv_takes_quotes_as_they_are(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_text('id\ttext\n1\tthe 5" gun\n')
    assert texts(path) == ['the 5" gun']


def test_a_cell_longer_than_the_csv_module_allows_by_itself(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text\n" + "x" * 200_000 + "\n")
    assert len(texts(path)[0]) == 200_000


def test_a_json_array_is_read_and_its_rows_are_counted(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*ROWS, {"text": 7}], indent=1))
    with pytest.raises(InputError, match=r"rows\.json, row 6, field text: .*Got int after str"):
        texts(path)
    path.write_text(json.dumps(ROWS))
    assert texts(path) == [row["text"] for row in ROWS]


def test_a_json_document_with_one_list_in_it_is_that_list(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"version": "1", "Data": ROWS}))
    assert texts(path) == [row["text"] for row in ROWS]
    path.write_bytes(LINES)
    assert texts(path) == [row["text"] for row in ROWS]
    path.write_text(json.dumps(ROWS[0], indent=1))
    assert texts(path) == ["Text number 0."]


def test_parquet_is_read_from_a_folder_of_shards_in_order(tmp_path):
    write_parquet(tmp_path / "b.parquet", ROWS[3:])
    write_parquet(tmp_path / "a.parquet", ROWS[:3], row_group_size=2)
    (tmp_path / ".hidden.parquet").write_bytes(b"no")
    (tmp_path / "README.md").write_text("about")
    assert texts(tmp_path) == [row["text"] for row in ROWS]
    assert texts(tmp_path, batch_size=1) == [row["text"] for row in ROWS]


def test_rows_without_columns_named_come_as_they_are(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1, "b": [1]}\n{"c": {"d": true}}\n')
    (rows,) = read_table_rows(path)
    assert rows.batch.to_pylist() == [{"a": 1, "b": [1], "c": None}, {"a": None, "b": None, "c": {"d": True}}]


NESTED = [
    {"id": 1, "parts": [{"text": "One."}, {"text": None}, {"text": "Two."}], "meta": {"k": "v"}},
    {"id": 2, "parts": [], "meta": {"k": None}},
]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_a_dotted_path_goes_through_structs_and_lists(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        write_parquet(path, NESTED)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in NESTED))
    assert texts(path, "parts.text") == ["One.\n\nTwo.", None]
    assert texts(path, "meta.k") == ["v", None]
    assert list_table_fields(path) == ["id", "parts.text", "meta.k"]
    with pytest.raises(InputError, match=r"field parts\.words: no such field\. .*parts\.text"):
        texts(path, "parts.words")


def test_null_empty_and_blank_texts_are_null(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": null}\n{"text": ""}\n{"text": " \\n\\u3000"}\n{}\n')
    assert texts(path) == ["a", None, None, None, None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\n' * 16 + b'{"text": "b"\n', "rows.jsonl, line 17: must be one JSON object"),
        (b'{"text": "a"}\n' * 16 + b"\xff\n", "rows.jsonl, line 17: must be UTF-8 text"),
        (b'{"text": "a"}\n\n{"text": "\xff"}\n', "rows.jsonl, line 3: must be UTF-8 text"),
        (b'{"text": "a"}\n[1]\n', "rows.jsonl, line 2: must be a JSON object. Got b'[1]'"),
        (b'{"text": "a"}\n\n{"text": 4}\n', "line 3, field text: must be of one type in all rows"),
        (b'{"text": 4}\n', "line 1, field text: must be text. Got 4"),
        (b'{"text": [[1]]}\n', "line 1, field text: must be text. Got [[1]]"),
        (b'{"body": "a", "n": {"k": 1}}\n', "field text: no such field. There are: body, n.k"),
        (b"", "rows.jsonl: must hold at least one row. Got none"),
        (b"\n \n", "rows.jsonl: must hold at least one row. Got none"),
    ],
)
def test_a_bad_jsonl_file_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        texts(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,text\n1,a\n2\n", "rows.csv, line 3: must have 2 cells, as the header has. Got 1"),
        (b"id,text\n1,\xe9\n", "rows.csv, line 2: must be UTF-8 text. Got the byte 0xe9"),
        (b'id,text\n1,"a" b\n', "rows.csv, line 2: must be CSV"),
        (b"id,name\n1,a\n", "field text: no such field. There are: id, name"),
        (b"id,text\n", "rows.csv: must hold at least one row. Got none"),
        (b"", "rows.csv: must hold at least one row. Got none"),
    ],
)
def test_a_bad_csv_file_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        texts(path)
    assert message in str(caught.value)


def test_a_bad_parquet_file_is_one_clear_line(tmp_path):
    path = tmp_path / "rows.parquet"
    write_parquet(path, [{"body": "a", "n": 4}])
    with pytest.raises(InputError, match=r"field text: no such field\. There are: body, n"):
        texts(path)
    with pytest.raises(InputError, match=r"rows\.parquet, row 1, field n: must be text\. Got 4"):
        texts(path, "n")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"must be a whole, readable file"):
        texts(path)


def test_paths_that_hold_no_table(tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl: no such file or directory"):
        list_table_files(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"the directory must hold a file of a kind we read"):
        list_table_files(tmp_path)
    (tmp_path / "a.docx").write_bytes(b"")
    with pytest.raises(InputError, match=r"must be a file of a kind we read.*Got \.docx"):
        list_table_files(tmp_path / "a.docx")


def test_the_text_field_is_guessed_by_its_name():
    assert resolve_field("text", ["id", "Question", "content"]) == "Question"
    assert resolve_field("text", ["id", "answer"]) == ""


def test_labels_write_numbers_out_and_refuse_lists(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 7, "tags": ["a"]}\n{"id": null, "tags": []}\n')
    (rows,) = read_table_rows(path)
    assert rows.label_column("id").to_pylist() == ["7", None]
    with pytest.raises(InputError, match=r"line 1, field tags: must be one value"):
        rows.label_column("tags")


@given(
    rows=st.lists(st.fixed_dictionaries({"text": st.text() | st.none(), "n": st.integers(0, 9)})),
    batch_size=st.integers(1, 7),
)
def test_every_row_comes_once_and_in_order(tmp_path_factory, rows, batch_size):
    path: Path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"text": "last", "n": 1}]))
    read = list(read_table_rows(path, batch_size=batch_size))
    found = [row for part in read for row in part.batch.to_pylist()]
    assert found == [*rows, {"text": "last", "n": 1}]
    assert [place for part in read for place in part.positions] == list(range(1, len(rows) + 2))


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(rows):
        path = tmp_path / "rows.jsonl.gz"
        with gzip.open(path, "wt", compresslevel=1) as stream:
            for number in range(rows):
                stream.write(json.dumps({"text": f"{number} " * 20}) + "\n")
        tracemalloc.start()
        for part in read_table_rows(path, columns=["text"], batch_size=500):
            part.text_column("text")
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(20_000) < 1.2 * peak(2_000)
