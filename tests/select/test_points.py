"""`kdos density --points`: where each row lies, as columns that a map of points is drawn from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kdos
from kdos.api import DatasetDensity
from kdos.api.datasets import TEXT_CHARS
from kdos.cli import main
from kdos.density.picture import fit_plane
from kdos.embed import load_embedder
from kdos.errors import InputError
from kdos.rows.dataset import open_dataset
from kdos.select import MeasureOptions, fit_dataset, measure_dataset

COLUMNS = ["log10_density", "cell", "novel", "x", "y", "text", "id"]


def rows(count: int) -> list[dict[str, Any]]:
    towns = ("Alder", "Brome", "Corve", "Dunmoor", "Esk")
    made = [{"id": n, "question": f"Who built mill {n} of {towns[n % 5]} in {1800 + n}?"} for n in range(count)]
    made[3]["question"], made[4]["question"] = "  ", "Why? " * 1000
    return made


def write(path: Path, made: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


def test_a_row_has_its_place_its_text_and_its_id(tmp_path: Path) -> None:
    table = write(tmp_path / "rows.jsonl", rows(200))
    measured = kdos.density(str(table))
    assert measured.save_points(tmp_path / "points.parquet") == 200
    found = pq.read_table(tmp_path / "points.parquet")
    assert found.column_names == COLUMNS
    assert found["id"].to_pylist() == [str(n) for n in range(200)]
    texts = [row["question"] for row in rows(200)]
    assert found["text"].to_pylist() == [None if not text.strip() else text[:TEXT_CHARS] for text in texts]
    assert [row.as_py() for row in found.slice(3, 1).drop(["id"]).columns[0]] == [None]
    assert {found[name].null_count for name in COLUMNS[:-1]} == {1}
    points = measured.dataset.reference.points
    flat = fit_plane(points).project(points).astype(np.float32)
    np.testing.assert_array_equal(np.stack([found["x"].drop_null(), found["y"].drop_null()], axis=1), flat)
    assert flat[:, 0].var() > flat[:, 1].var() > points.var(0).min()


def test_rows_beyond_the_sample_are_placed_as_those_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdos.rows.dataset.DATASET_BATCH_ROWS", 64)
    texts = [row["question"] for row in rows(300)]
    dataset = fit_dataset(open_dataset(str(write(tmp_path / "r.jsonl", rows(300)))), MeasureOptions(reference_rows=90))
    DatasetDensity(dataset, measure_dataset(dataset)).save_points(tmp_path / "points.parquet")
    found = pq.read_table(tmp_path / "points.parquet").to_pylist()
    embedder = load_embedder("static")
    assert embedder is not None
    assert len(dataset.reference.points) == 90
    plane = fit_plane(dataset.reference.points)
    kept = [n for n, text in enumerate(texts) if text.strip()]
    flat = plane.project(dataset.space.project(embedder.embed([texts[n] for n in kept])))
    placed = [[found[n]["x"], found[n]["y"]] for n in kept]
    np.testing.assert_allclose(placed, flat, atol=1e-6)


def test_files_without_ids_and_vectors_without_texts(tmp_path: Path) -> None:
    bare = [{"question": row["question"]} for row in rows(60)]
    tables = tmp_path / "tables"
    tables.mkdir()
    write(tables / "a.jsonl", rows(60))
    pq.write_table(pa.Table.from_pylist(bare), tables / "b.parquet")
    assert main(["density", str(tables), "--points", str(tmp_path / "points.jsonl"), "--json"]) == 0
    found = [json.loads(line) for line in (tmp_path / "points.jsonl").read_text().splitlines()]
    assert [row["id"] for row in found] == [*(str(n) for n in range(60)), *[None] * 60]
    assert kdos.density([row["question"] for row in bare]).save_points(tmp_path / "c.csv") == 60
    assert (tmp_path / "c.csv").read_text().partition("\n")[0] == ",".join(COLUMNS[:-1])
    np.save(tmp_path / "v.npy", np.random.default_rng(0).standard_normal((80, 3)).astype(np.float32))
    kdos.density(str(tmp_path / "v.npy")).save_points(tmp_path / "v.parquet")
    assert pq.read_table(tmp_path / "v.parquet").column_names == COLUMNS[:5]


def test_points_on_a_line_have_no_second_coordinate(tmp_path: Path) -> None:
    kdos.density(np.random.default_rng(0).standard_normal((80, 1))).save_points(tmp_path / "v.parquet")
    assert set(pq.read_table(tmp_path / "v.parquet")["y"].to_pylist()) == {0.0}


@pytest.mark.parametrize("count", [59, 61])
def test_rows_that_changed_since_they_were_measured_are_not_written(tmp_path: Path, count: int) -> None:
    table = write(tmp_path / "rows.jsonl", rows(60))
    measured = kdos.density(str(table))
    write(table, rows(count))
    with pytest.raises(InputError, match="must stay as it is while it is measured"):
        measured.save_points(tmp_path / "points.parquet")
    assert not (tmp_path / "points.parquet").exists()
