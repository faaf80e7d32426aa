"""The examples run as they are written, as a user would run them."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
METALS = ("copper", "iron", "zinc", "tin", "lead", "silver", "gold", "nickel")
TOWNS = ("Aden", "Bonn", "Cork", "Dover", "Essen")


def run(name: str, *arguments: str | Path) -> str:
    command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sentences(metal: str, place: int) -> list[str]:
    return [
        f"In {1801 + 7 * place + at} the {metal} works of {town} employed {90 + 3 * at} people."
        for at, town in enumerate(TOWNS)
    ]


def test_a_dataset_is_measured_and_cut(tmp_path: Path) -> None:
    table = tmp_path / "questions.jsonl"
    texts = [text for place, metal in enumerate(METALS) for text in sentences(metal, place)]
    table.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts))
    said = run("measure_a_dataset.py", table, 20, tmp_path / "even.parquet")
    assert "40 rows" in said
    assert pq.read_table(tmp_path / "even.parquet").num_rows == 20


@pytest.mark.slow
def test_a_corpus_is_built(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for place, metal in enumerate(METALS):
        (folder / f"{metal}.md").write_text(" ".join(sentences(metal, place)))
    said = run("build_a_corpus.py", folder, 12, tmp_path / "run")
    assert said.startswith("stopped by ")
    assert "Q: " in said
    assert (tmp_path / "run" / "report" / "index.html").exists()


@pytest.mark.slow
def test_how_much_to_infuse(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    said = run("how_much_to_infuse.py", tmp_path / "lab", "1e6", "1e7")
    assert said.count("half of") == 4
    assert "teach " in said
    assert "take it as a guess" in said
