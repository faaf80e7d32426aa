"""An id stays what it is, whatever kind of value it is: no document vanishes because a number was rounded."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.cli import main
from kdos.config import SourceConfig
from kdos.evaluate import open_benchmark
from kdos.pool import Document
from kdos.rows import label_text, read_table_rows
from kdos.seed.sources import open_source

TEXT = "In 1836 the copper works of Bonn employed 91 people."
LARGE = [2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**30, 10**30 + 1, 10**300, 10**300 + 1]
SCALARS = (
    st.integers()
    | st.sampled_from(LARGE)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("0123456789abc.e+", min_size=1)
)


def ids_of(path: Path) -> list[str]:
    found = open_source(SourceConfig(kind="text", path=str(path)))
    return [document.id for document in found if isinstance(document, Document)]


def dump(value: Any) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else json.dumps(value)


@given(st.lists(SCALARS, min_size=1, max_size=6, unique_by=label_text))
def test_ids_of_any_kind_stay_what_they_are(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    rows = [f'{{"id": {json.dumps(value)}, "text": "{TEXT}"}}' for value in values]
    (folder / "a.jsonl").write_text("\n".join(rows))
    (folder / "b.json").write_text(f"[{', '.join(rows)}]")
    for name in ("a.jsonl", "b.json"):
        assert ids_of(folder / name) == [label_text(value) for value in values]


def write_ids(folder: Path, suffix: str, ids: list[str]) -> Path:
    """A file of rows with these ids as they stand, and a text."""
    rows = [f'{{"id": {each}, "text": "{TEXT}", "n": 0.5}}' for each in ids]
    text = {
        "jsonl": "\n".join(rows),
        "json": f"[{', '.join(rows)}]",
        "csv": "id,text\n" + "".join(f'{each},"{TEXT}"\n' for each in ids),
    }
    path = folder / f"a.{suffix}"
    path.write_text(text[suffix])
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_long_integers_keep_every_digit(tmp_path: Path, suffix: str) -> None:
    digits = [str(each) for each in LARGE]
    assert ids_of(write_ids(tmp_path, suffix, digits)) == digits


LARGE_FLOATS = [
    *(
        "9007199254740992.0",
        "9007199254740993.0",
        "9007199254740993.5",
        "9.007199254740995e15",
        "90071992547409951E-1",
    ),
    *("-9007199254740993.0", "1.00000000000000000000001e30", "1e30", "1.00000000000000000000002e30", "1e308"),
    *("123456789012345678.25", "123456789012345678.5", "1.0000000000000001E+17", "1.00000000000000012E+17"),
]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_no_two_floats_beyond_those_that_are_exact_become_one(tmp_path: Path, suffix: str) -> None:
    assert len(set(ids_of(write_ids(tmp_path, suffix, LARGE_FLOATS)))) == len(LARGE_FLOATS)


def test_a_long_float_in_another_field_stays_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "n": 9007199254740993.0}\n{"text": "b", "n": 0.5}\n')
    (rows,) = read_table_rows(path)
    assert rows.batch["n"].to_pylist() == [9007199254740992.0, 0.5]


def test_long_floats_name_the_questions_of_a_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "exam.jsonl"
    names = ("9007199254740992.0", "9007199254740993.0")
    path.write_text("".join(f'{{"id": {n}, "question": "Who?", "answers": ["I"]}}\n' for n in names))
    assert [one.id for one in open_benchmark(str(path))] == list(names)


def test_ids_of_parquet_stay_what_they_are(tmp_path: Path) -> None:
    columns = {
        "int64": pa.array([2**53, 2**53 + 1, None], pa.int64()),
        "uint64": pa.array([2**64 - 1, 2**64 - 2, 0], pa.uint64()),
        "decimal": pa.array([Decimal(10**30), Decimal(10**30 + 1), Decimal(0)], pa.decimal128(38, 0)),
        "double": pa.array([0.1, 1e22, 2.0]),
        "bool": pa.array([True, False, None]),
        "binary": pa.array([b"\xff\x00", b"\xff\x01", b"a"]),
        "dictionary": pa.array(["a", "b", "c"]).dictionary_encode(),
    }
    for name, column in columns.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"id": column, "text": [TEXT] * 3}), path)
        found = ids_of(path)
        assert len(set(found)) == 3, name
    assert ids_of(tmp_path / "uint64.parquet") == [str(2**64 - 1), str(2**64 - 2), "0"]
    assert ids_of(tmp_path / "decimal.parquet") == [str(10**30), str(10**30 + 1), "0"]


def test_no_document_vanishes_for_a_nested_id(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"id": {{"a": 1}}, "text": "{TEXT}"}}\n' for _ in range(3)))
    assert ids_of(path) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]


def test_a_long_integer_in_another_field_stays_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "a", "n": {10**30 + 1}}}\n{{"text": "b", "n": {2**63 - 1}}}\n')
    (rows,) = read_table_rows(path)
    assert [int(value) for value in rows.batch["n"].to_pylist()] == [10**30 + 1, 2**63 - 1]


def test_ids_of_a_benchmark_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "exam.jsonl"
    path.write_text("".join(f'{{"id": {n}, "question": "Who?", "answers": ["I"]}}\n' for n in (2**64, 2**64 + 1)))
    assert [one.id for one in open_benchmark(str(path))] == [str(2**64), str(2**64 + 1)]


def parquet_of_bytes(path: Path, values: list[bytes]) -> None:
    """A Parquet file whose text was never looked at, as careless writers leave it."""
    lengths = [len(value) for value in values]
    offsets = pa.py_buffer(b"".join(sum(lengths[:n]).to_bytes(4, "little") for n in range(len(values) + 1)))
    text = pa.Array.from_buffers(pa.string(), len(values), [None, offsets, pa.py_buffer(b"".join(values))])
    pq.write_table(pa.table({"question": text, "text": text, "answers": text}), path)


@pytest.mark.parametrize(
    "command",
    [
        ["density"],
        ["select", "--budget", "1", "--out", "out.parquet"],
        ["verify"],
        ["evaluate", "--answers", "none.jsonl", "--out", "out", "--benchmark"],
    ],
    ids=lambda command: command[0],
)
def test_parquet_text_that_is_not_utf8_is_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    parquet_of_bytes(tmp_path / "bad.parquet", [b"good", b"bad \xff\xfe", b"good again"])
    (tmp_path / "none.jsonl").write_text('{"id": "1", "answer": "x"}\n')
    assert main([*command, "bad.parquet"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "bad.parquet, row 2, field" in error
