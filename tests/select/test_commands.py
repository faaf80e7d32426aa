"""`kdos density` and `kdos select` from outside: contract, bad input, rows in = rows out."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.cli import main
from kdos.density import measure_density
from kdos.rows.dataset import open_dataset
from kdos.select import MeasureOptions, fit_dataset, measure_dataset, measure_in_space_of

KEYS = {
    "n",
    "distinct",
    "dim",
    "intrinsic_dim",
    "log10_density",
    "log10_density_ci",
    "effective_cells",
    "empty_share",
    "gini",
    "cells",
    "space",
    "health",
}
TOPICS = ("rivers of Asia", "kings of Denmark", "prime numbers", "jazz pianists")


def questions(n: int = 400) -> list[str]:
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("aeioulmnrst"), 6)) for _ in range(200)]
    return [
        f"What do {TOPICS[min(rng.geometric(0.5), 4) - 1]} owe to {names[rng.integers(200)]} {i}?" for i in range(n)
    ]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    rows = [{"id": i, "question": text, "score": i % 5} for i, text in enumerate(questions())]
    rows[7]["question"] = "   "
    rows[8]["question"] = None
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.npy"
    np.save(path, np.random.default_rng(0).standard_normal((500, 6)).astype(np.float32))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def summary(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err
    return json.loads(out.splitlines()[-1])


def test_density_of_texts(capsys, table: Path, tmp_path: Path) -> None:
    points = tmp_path / "points.parquet"
    found = summary(capsys, "density", table, "--points", points)
    assert found.keys() >= KEYS
    assert (found["n"], found["skipped"], found["dim"]) == (398, 2, 64)
    low, high = found["log10_density_ci"]
    assert low < found["log10_density"] < high
    rows = pq.read_table(points)
    assert rows.num_rows == 400
    assert rows["cell"].null_count == rows["log10_density"].null_count == 2
    assert rows["cell"][7].as_py() is None
    written = np.array(rows["log10_density"].drop_null())
    assert written.mean() == pytest.approx(found["log10_density"], abs=1e-3)


def test_density_for_the_eye(capsys, table: Path) -> None:
    code, out, err = run(capsys, "density", table, "--compare", table)
    assert (code, out) == (0, "")
    assert "398 rows" in err
    assert "crowded" in err
    assert "no row in 0 cells" in err
    assert "this space was not seen to group wordings" in err


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("这座桥于一九〇七年由市长开通。", "CJK"),
        ("この橋は市長によって開通した。", "Hiragana"),
        ("افتتح رئيس البلدية الجسر.", "Arabic"),
        ("Η γέφυρα πάνω από τον ποταμό.", "Greek"),
    ],
)
def test_a_script_that_the_embedder_does_not_know_is_named(capsys, tmp_path: Path, text: str, script: str) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"{text} {n}"}) + "\n" for n in range(30)))
    assert main(["density", str(rows), "--json"]) == 0
    printed = capsys.readouterr()
    assert f"hardly knows the words in {script} (" in printed.err
    assert "hardly" not in printed.out


def test_density_of_vectors_as_they_are(capsys, vectors: Path) -> None:
    found = summary(capsys, "density", vectors)
    assert (found["n"], found["dim"]) == (500, 6)
    assert found["intrinsic_dim"] == pytest.approx(6, rel=0.2)
    assert found["health"] is None
    assert "health: not known, since vectors come without texts" in run(capsys, "density", vectors)[2]
    reduced = summary(capsys, "density", vectors, "--dim", 3, "--normalize")
    assert reduced["dim"] == 3
    assert reduced["space"] != found["space"]
    assert summary(capsys, "density", vectors) == found


def test_a_column_of_vectors_is_measured_as_a_npy_is(capsys, vectors: Path, tmp_path) -> None:
    path = tmp_path / "vectors.parquet"
    pq.write_table(pa.table({"v": list(np.load(vectors))}), path)
    found, same = summary(capsys, "density", path, "--field", "v"), summary(capsys, "density", vectors)
    assert found.pop("field") == "v"
    assert same.pop("field") is None
    assert found == same


def test_half_precision_is_read(capsys, vectors: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.npy"
    np.save(path, np.load(vectors).astype(np.float16))
    assert summary(capsys, "density", path)["n"] == 500


def test_a_larger_dataset_is_measured_among_a_sample(vectors: Path, monkeypatch) -> None:
    monkeypatch.setattr(import_module("kdos.rows.dataset"), "DATASET_BATCH_ROWS", 16)
    monkeypatch.setattr(import_module("kdos.density.stream"), "POINTS_AT_ONCE", 100)
    whole = fit_dataset(open_dataset(str(vectors)), MeasureOptions())
    part = fit_dataset(open_dataset(str(vectors)), MeasureOptions(reference_rows=250))
    assert len(part.fitted.sample.rows) == 250
    assert part.fitted.rate == 0.5
    at, exact = measure_dataset(part), measure_dataset(whole)
    assert at.profile.n_points == at.profile.n_distinct == 500
    assert np.isfinite(at.log_density).all()
    assert abs(at.log_density.mean() - exact.log_density.mean()) < 0.3
    assert np.corrcoef(at.log_density, exact.log_density)[0, 1] > 0.8
    among = part.reference.points
    twin = measure_density(np.load(vectors), part.space, among=among, rate=part.fitted.rate)
    np.testing.assert_array_equal(at.cells, twin.cells)
    np.testing.assert_allclose(at.log_density, twin.log_density, rtol=1e-12)
    np.testing.assert_array_equal(at.novel, twin.radius > part.space.novel_radius)


def test_another_dataset_in_the_same_space(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("question\nWhat do rivers of Asia owe to nobody?\nWho sang it?\n")
    found = fit_dataset(open_dataset(str(table)), MeasureOptions())
    at = measure_in_space_of(found, open_dataset(str(other)))
    assert at.profile.n_points == 2
    assert at.profile.space == found.space.fingerprint


def test_a_second_dataset_with_nothing_to_measure_is_refused(capsys, table: Path, tmp_path) -> None:
    blank = tmp_path / "blank.jsonl"
    blank.write_text('{"question": null}\n{"question": " "}\n')
    code, out, err = run(capsys, "density", table, "--compare", blank, "--json")
    assert (code, out) == (2, "")
    assert "must hold at least one row to measure" in err


def test_picture(capsys, vectors: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.png"
    summary(capsys, "density", vectors, "--picture", path)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_select_keeps_rows_as_they_were(capsys, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "chosen.parquet"
    found = summary(capsys, "select", table, "--budget", 120, "--target", "uniform", "--out", out)
    assert found["kl"] == pytest.approx(found["kl_optimum"])
    assert 0 <= found["tv"] <= 1
    assert found["rows"] == found["candidates"] + found["skipped"] + found["repeated"]
    rows = pq.read_table(out)
    assert rows.column_names == ["id", "question", "score", "cell"]
    assert rows.num_rows == 120
    texts = questions()
    assert all(row["question"] == texts[row["id"]] for row in rows.to_pylist())


def test_select_of_vectors_and_by_weight(capsys, vectors, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "chosen.parquet"
    summary(capsys, "select", vectors, "--budget", 40, "--target", "sqrt", "--out", out)
    rows = pq.read_table(out)
    held = {tuple(row) for row in np.load(vectors).tolist()}
    assert all(tuple(row["vector"]) in held for row in rows.to_pylist())
    summary(capsys, "select", table, "--budget", 60, "--weight", "score", "--out", out)
    assert np.mean(pq.read_table(out)["score"].to_numpy()) > 2.2


def test_select_drops_repeats_first(capsys, tmp_path: Path) -> None:
    path, out = tmp_path / "twice.jsonl", tmp_path / "chosen.parquet"
    texts = questions(200)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts + [t.upper() for t in texts]))
    for dedup, repeated in [("off", 0), ("exact", 200)]:
        found = summary(capsys, "select", path, "--budget", 50, "--dedup", dedup, "--out", out)
        assert found["repeated"] == repeated
    near = summary(capsys, "select", path, "--budget", 20, "--dedup", "near", "--out", out)
    assert near["repeated"] >= 200


def test_select_by_demand_follows_the_questions(capsys, table: Path, tmp_path: Path) -> None:
    wanted, out = tmp_path / "wanted.csv", tmp_path / "chosen.parquet"
    asked = [text for text in questions() if "prime numbers" in text][:30]
    wanted.write_text("question\n" + "\n".join(asked) + "\n")
    summary(capsys, "select", table, "--budget", 25, "--target", f"demand:{wanted}", "--out", out)
    chosen = pq.read_table(out)["question"].to_pylist()
    share = np.mean(["prime numbers" in text for text in chosen])
    assert share > 2 * np.mean(["prime numbers" in text for text in questions()])


@pytest.mark.parametrize(
    ("flags", "note"),
    [
        (["--cells", 500], "there are 49 cells, not 500: of 398 distinct points a cell holds 8 or more on the mean"),
        (["--k", 900], "k is 397, not 900: 398 distinct points have no more neighbours"),
    ],
)
def test_what_the_rows_are_too_few_for_is_cut_and_said(capsys, table: Path, flags, note) -> None:
    code, out, err = run(capsys, "density", table, "--json", *flags)
    assert (code, err.strip()) == (0, note)
    assert json.loads(out)["cells"] <= 49


@pytest.mark.parametrize("texts", [["Lisbon lies in Portugal."], ["Lisbon lies in Portugal."] * 9])
def test_one_row_or_rows_all_alike_are_one_clear_line(capsys, tmp_path: Path, texts) -> None:
    path, out = tmp_path / "few.jsonl", tmp_path / "out.parquet"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    for command in (["density", path], ["select", path, "--budget", 1, "--out", out]):
        code, printed, err = run(capsys, *command)
        assert (code, printed) == (2, "")
        assert err.startswith("kdos: a density is read from distances, so at least two rows must differ. Got ")
        assert len(err.strip().splitlines()) == 1
    assert not out.exists()


def test_two_rows_are_measured_and_chosen(capsys, tmp_path: Path) -> None:
    path, out = tmp_path / "two.jsonl", tmp_path / "out.parquet"
    path.write_text('{"text": "Lisbon lies in Portugal."}\n{"text": "Bees make honey."}\n')
    found = summary(capsys, "density", path)
    assert (found["n"], found["cells"]) == (2, 1)
    assert np.isfinite([found["log10_density"], *found["log10_density_ci"], found["intrinsic_dim"]]).all()
    assert summary(capsys, "select", path, "--budget", 1, "--out", out)["selected"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["density", "absent.jsonl"], "absent.jsonl"),
        (["density", "{table}", "--field", "nothing"], "nothing"),
        (["density", "{table}", "--embed", "magic"], "static, lexical, minilm"),
        (["density", "{vectors}", "--field", "x"], "no fields"),
        (["select", "{table}", "--budget", "0", "--out", "o.parquet"], "at least 1"),
        (["select", "{table}", "--budget", "999", "--out", "o.parquet"], "must not exceed"),
        (["select", "{table}", "--budget", "9", "--target", "best", "--out", "o.parquet"], "best"),
        (["select", "{table}", "--budget", "9", "--weight", "question", "--out", "o.parquet"], "number"),
        (["select", "{vectors}", "--budget", "9", "--dedup", "near", "--out", "o.parquet"], "texts"),
    ],
)
def test_wrong_use_is_one_clear_line(
    capsys, monkeypatch, table: Path, vectors: Path, tmp_path: Path, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    filled = [word.format(table=table, vectors=vectors) for word in arguments]
    code, out, err = run(capsys, *filled)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "o.parquet").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((30, 3), np.nan, np.float32), "finite"),
        (np.zeros(9, np.float32), "shape"),
        (np.zeros((0, 4), np.float32), "shape"),
        (np.ones((40, 4), np.float32), "two rows must differ. Got 40 that are all alike"),
        (np.ones((1, 4), np.float32), "two rows must differ. Got one"),
        (np.ones((40, 4), np.int32), "float"),
    ],
)
def test_vectors_that_cannot_be_measured(capsys, tmp_path: Path, array, message) -> None:
    path = tmp_path / "bad.npy"
    np.save(path, array)
    code, _, err = run(capsys, "density", path)
    assert code == 2
    assert message in err


def test_a_parquet_without_the_field(capsys, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), path)
    code, _, err = run(capsys, "density", path, "--field", "text")
    assert code == 2
    assert "no such field" in err
    code, _, err = run(capsys, "density", path)
    assert code == 2
    assert "--field" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--target", "demand:"), "must name a file after the colon"),
        (("--target", "bogus"), "must be one of natural"),
        (("--field", ""), "--field must name a field"),
        (("--field", "question["), "field question[: no such field"),
        (("--field", "question[]"), "field question[]: no such field"),
        (("--field", "question[7]"), "field question[7]: must hold at least one row to measure"),
        (("--weight", "w"), "line 3, field w: must be a number in every row. Got 'much'"),
    ],
)
def test_what_names_nothing_is_named_itself(capsys, tmp_path: Path, options: tuple[str, str], says: str) -> None:
    path, out = tmp_path / "rows.csv", tmp_path / "out.jsonl"
    path.write_text("question,w\nWho sang it?,1\nWho heard it?,much\nWho wrote it?,2\n")
    code, _, err = run(capsys, "select", path, "--budget", "2", "--embed", "lexical", "--out", out, *options)
    assert code == 2
    assert says in err
    assert not out.exists()
