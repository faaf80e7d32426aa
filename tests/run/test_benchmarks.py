"""Benchmark questions are kept out of a run, and the run says so."""

import json

from run_corpus import config_of, samples_of

from kdos.cli import main
from kdos.config import read_config
from kdos.run import run_config


def test_benchmark_questions_are_kept_out_and_told(finished, corpus, tmp_path):
    folder, _ = finished
    ours = [{"question": s["question"], "answers": s["answers"]} for s in samples_of(folder)[:20]]
    test_set = tmp_path / "exam.jsonl"
    test_set.write_text("".join(f"{json.dumps(row)}\n" for row in ours))
    summary = run_config(
        read_config(config_of(corpus, benchmarks=[str(test_set)])), tmp_path / "run"
    )
    kept_out = {row["question"] for row in ours}
    assert kept_out.isdisjoint(sample["question"] for sample in samples_of(tmp_path / "run"))
    report = json.loads((tmp_path / "run/decontamination.json").read_text())
    removed = summary["stages"]["drafts"]["refused"]["contaminated"]
    assert len(report["removed"]) == removed >= 10
    assert report["benchmarks"] == {"exam": {"questions": 20, "drafts": removed}}
    card = (tmp_path / "run/dataset/README.md").read_text()
    assert f"| exam | 20 | {removed} |" in card
    assert f"| calls to the model | {summary['llm_calls']:,} |" in card
    assert "| prompt tokens | 0 |\n| completion tokens | 0 |\n| cost (USD) | 0 |" in card
    out = tmp_path / "exported"
    assert main(["export", str(tmp_path / "run"), "--format", "datasets", "--out", str(out)]) == 0
    assert (out / "README.md").read_text() == card
