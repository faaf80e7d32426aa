import json
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.cli import main
from kdos.export import DatasetCard, write_dataset

Make = Callable[[int], pa.Table]
SUMMARY = {
    "samples": 60,
    "drafts": 80,
    "llm_calls": 45,
    "kl": 0.002,
    "stop_reason": "covered",
    "cost_usd": 0.0,
    "space": "0123abcd",
    "target": "uniform",
    "usage": {"prompt_tokens": 100, "completion_tokens": 50},
}


@pytest.fixture
def run(tmp_path: Path, some_samples: Make) -> Path:
    """What export reads of a finished run: 60 samples in two parts."""
    folder = tmp_path / "engines"
    for number, classes in ((1, {"distribution": 12}), (2, {"distribution": 6, "answer": 2})):
        part_folder = folder / "synthesize" / f"part-{number:05d}"
        part_folder.mkdir(parents=True)
        (part_folder / "part.json").write_text(json.dumps({"classes": classes}))
    (folder / "run.yaml").write_text("target: uniform\nfingerprint: 0123abcd\n")
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    kept_out = {"benchmarks": {"exam": {"questions": 20, "drafts": 3}}, "removed": []}
    (folder / "decontamination.json").write_text(json.dumps(kept_out))
    (folder / "seed").mkdir()
    names = [f"d{i}" for i in range(10)]
    documents = pa.table({"id": names, "licence": ["CC-BY-SA-4.0"] * 10})
    pq.write_table(documents, folder / "seed" / "documents.parquet")
    seeds = pa.table({"id": [f"q{i}" for i in range(10)], "document": names})
    pq.write_table(seeds, folder / "seed" / "seeds.parquet")
    write_dataset(some_samples(60), DatasetCard(name="engines"), folder / "dataset", shard_rows=25)
    return folder


def test_datasets_with_documents_held_out(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["export", str(run), "--format", "datasets", "--out", str(out)]
    assert main([*command, "--test-share", "0.4", "--random-seed", "2"]) == 0
    said = json.loads(capsys.readouterr().out)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: rows.num_rows for name, rows in loaded.items()} == said["rows"]
    assert sum(said["rows"].values()) + said["left_out"] == 60
    assert not set(loaded["train"]["document"]) & set(loaded["test"]["document"])
    card = (out / "README.md").read_text()
    assert "license:\n- cc-by-sa-4.0" in card
    assert "| distribution | 18 |\n| answer | 2 |" in card
    assert "| stopped by | covered |" in card
    assert "| exam | 20 | 3 |" in card
    assert "| prompt tokens | 100 |\n| completion tokens | 50 |\n| cost (USD) | 0 |" in card


@pytest.mark.parametrize("layout", ["datasets", "llamafactory", "trl", "text"])
def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path, layout: str) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for out in folders:
        assert main(["export", str(run), "--format", layout, "--out", str(out)]) == 0
    first, second = ({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} for out in folders)
    assert first == second


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_a_folder_without_a_run_or_a_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(tmp_path), "--format", "trl", "--out", str(tmp_path / "out")]
    assert "the directory must hold a file of a kind we read" in refusal(arguments, capsys)
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.yaml").write_text("fingerprint: 0123abcd\n")
    arguments = ["export", str(tmp_path / "run"), "--format", "trl", "--out", str(tmp_path / "out")]
    assert "must be finished" in refusal(arguments, capsys)


def test_a_damaged_shard_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "dataset" / "train-00001-of-00003.parquet").write_bytes(b"PAR1 torn")
    assert main(["export", str(run), "--format", "trl", "--out", str(tmp_path / "out")]) == 2
    assert "train-00001-of-00003.parquet must be a Parquet file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--test-share", "1"], "--test-share must be in [0, 1)"),
        (["--test-share", "0.0001"], "--test-share must leave samples on both sides"),
        (["--length", "0"], "--length must be at least 1"),
        (["--tokenizer", "t.json"], "--tokenizer belongs to --format text"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    command = ["export", str(run), "--format", "trl", "--out", str(tmp_path / "out"), *flags]
    assert message in refusal(command, capsys)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_files_in_it_is_never_written_over(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", str(run), "--format", "trl", "--out", str(run)]
    assert "--out must be a new or empty folder" in refusal(arguments, capsys)
    assert (run / "run.yaml").is_file()
