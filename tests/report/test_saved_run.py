import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.errors import InputError, StoreError
from kdos.report import saved_run
from kdos.report.saved_run import read_random_rows, read_saved_run


def test_a_finished_run_is_read_in_full(finished_run: Path) -> None:
    run = read_saved_run(finished_run)
    assert run.name == "engines"
    assert run.summary is not None
    assert run.source is not None
    assert run.source.total == run.source.table.num_rows == 420
    assert run.target is not None
    assert len(run.loop.parts) == len(list((finished_run / "synthesize").glob("part-*")))
    assert run.blind is not None
    assert run.blind.parts[-1]["samples"] == 240


def test_every_draft_has_one_fate(finished_run: Path) -> None:
    run = read_saved_run(finished_run)
    drafts = sum(record["drafts"] for record in run.loop.parts)
    assert run.loop.verdict_counts.total() == drafts
    assert run.loop.verdict_counts["", ""] == run.loop.parts[-1]["samples"]
    assert run.loop.drafts is not None
    assert run.loop.drafts.total == drafts
    by_part = np.bincount(run.loop.drafts.file_index).tolist()
    assert by_part == [record["drafts"] for record in run.loop.parts]


def test_cells_hold_what_the_pool_s_knowledge_points_say(finished_run: Path) -> None:
    run = read_saved_run(finished_run)
    points = pq.read_table(finished_run / "synthesize" / "knowledge_points.parquet")
    cells, exposures = points["cell"].to_numpy(), points["exposures"].to_numpy()
    expected = np.bincount(cells, exposures, minlength=len(run.loop.points_by_cell))
    assert run.loop.points_by_cell.tolist() == expected.tolist()
    assert sum(taught.exposures for taught in run.loop.taught_points.values()) == exposures.sum()


def test_knowledge_points_get_the_domain_of_their_seed(finished_run: Path) -> None:
    source = read_saved_run(finished_run).source
    assert source is not None
    for row in source.table.slice(0, 20).to_pylist():
        assert row["domain"] == row["text"].split()[1]


def test_a_run_that_goes_on_gives_what_there_is(running_run: Path) -> None:
    (running_run / "target.parquet").unlink()
    (running_run / "synthesize" / "knowledge_points.parquet").unlink()
    last = sorted((running_run / "synthesize").glob("part-*"))[-1]
    last.rename(last.with_name(last.name + ".part"))
    run = read_saved_run(running_run)
    assert run.summary is None
    assert run.target is None
    assert run.loop.pool_points is None
    assert len(run.loop.parts) == len(list((running_run / "synthesize").glob("part-?????")))


def test_a_run_that_has_only_begun_is_a_run(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("target: uniform\n")
    run = read_saved_run(tmp_path)
    assert run.source is None
    assert run.loop.parts == []
    assert run.examples == []


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no run\.yaml"):
        read_saved_run(tmp_path / "nowhere")


def test_a_damaged_file_is_named(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "synthesize" / "part-00001" / "verdicts.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(StoreError, match=r"part-00001/verdicts\.parquet must be a Parquet file"):
        read_saved_run(run)


def test_of_many_rows_some_are_drawn_evenly_over_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_run, "MAX_POINTS_SHOWN", 600)
    paths = [tmp_path / f"{i}.parquet" for i in range(3)]
    for i, path in enumerate(paths):
        table = pa.table({"n": range(i * 1000, (i + 1) * 1000), "other": [0] * 1000})
        pq.write_table(table, path, row_group_size=128)
    drawn = read_random_rows(paths, ["n"])
    assert drawn is not None
    numbers = drawn.table["n"].to_numpy()
    assert drawn.total == 3000
    assert len(numbers) == len(set(numbers)) == 600
    assert (np.diff(numbers) > 0).all()
    assert (numbers // 1000 == drawn.file_index).all()
    assert all(150 < n < 250 for n in np.bincount(drawn.file_index))


def test_examples_are_samples_of_the_run(finished_run: Path) -> None:
    run = read_saved_run(finished_run)
    pool = {
        row["id"]: row
        for path in (finished_run / "synthesize").glob("part-*/samples.parquet")
        for row in pq.read_table(path).to_pylist()
    }
    assert 1 <= len(run.examples) <= saved_run.SAMPLES_SHOWN
    for example in run.examples:
        assert json.dumps(example) == json.dumps(pool[example["id"]])
