"""What a run leaves: samples, their counts and its files."""

import json
from collections import Counter
from pathlib import Path

from run_corpus import rows_of, samples_of


def test_novel_knowledge_points_are_counted_apart(finished):
    folder, summary = finished
    points = rows_of(folder / "synthesize" / "knowledge_points.parquet")
    assert summary["novel_share"] == sum(point["novel"] for point in points) / len(points)


def test_every_answer_stands_in_its_document_at_its_offsets(finished, corpus):
    folder, _ = finished
    texts = {row["id"]: row["text"] for row in map(json.loads, corpus.read_text().splitlines())}
    for sample in samples_of(folder):
        start, end = sample["answer_start"], sample["answer_end"]
        assert texts[sample["document"]][start:end] == sample["answer"]


def test_every_sample_is_complete(finished):
    folder, _ = finished
    for sample in samples_of(folder):
        assert 3 <= len(sample["knowledge_points"]) <= 5
        assert len(sample["cells"]) == len(sample["knowledge_points"])
        assert sample["answer"].casefold() not in sample["question"].casefold().split()
        assert sample["evidence"]
        assert sample["seeds"]
        assert sample["engine"] == "rules"
        assert len(sample["prompt_hash"]) == 16


def test_the_error_classes_are_counted_alike_everywhere(finished):
    folder, summary = finished
    classes, reasons = Counter(), Counter()
    for path in sorted(folder.glob("synthesize/round-*")):
        facts = json.loads((path / "round.json").read_text())
        refused = [row for row in rows_of(path / "verdicts.parquet") if not row["accepted"]]
        assert facts["classes"] == Counter(row["error_class"] for row in refused)
        assert facts["refused"] == Counter(row["reason"] for row in refused)
        classes.update(facts["classes"])
        reasons.update(facts["refused"])
    assert summary["stages"]["drafts"]["refused"] == reasons
    card = (folder / "dataset/README.md").read_text()
    page = (folder / "report/index.html").read_text()
    for name, drafts in classes.items():
        shown = name.replace("_", "\\_")
        assert f"| {shown} | {drafts} |" in card
        assert name.replace("_", " ") in page


def test_paths_survive(finished):
    folder, _ = finished
    assert {path.name for path in folder.iterdir()} >= {
        "run.yaml", "ledger.sqlite", "seed", "extract", "space", "synthesize", "dataset",
        "report", "summary.json", "target.parquet",
    }  # fmt: skip
    assert not list(Path(folder).rglob("*.part"))
