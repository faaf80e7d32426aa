"""What a run prepares before its loop; benchmark questions are kept out, and it says so."""

import json

import pytest
from run_corpus import config_of, samples_of

from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.errors import ConfigError
from kdos.evaluate import place_questions
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.scoring import BenchmarkQuestion
from kdos.store import read_arrays


def test_an_endpoint_may_embed(corpus, tmp_path):
    folder = tmp_path / "run"
    with serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        changes = {"embed": "endpoint:hashed", "engine": {"embed_url": url}}
        summary = run_config(read_config(config_of(corpus, **changes)), folder)
        question = BenchmarkQuestion(id="q", question="When was the bridge of Faro opened?", answers=("1752",))
        places = place_questions([question], folder)
    assert summary["samples"] > 100
    assert read_arrays(folder / "space")[0]["embedder"] == "endpoint:hashed"
    assert places.cells.shape == (1,)


def test_an_embedder_that_is_not_there_is_found_out_first(corpus, tmp_path):
    for embed, complaint in (("endpoint:hashed", "embed_url"), ("lexicall", "must be lexical")):
        with pytest.raises(ConfigError, match=complaint):
            run_config(read_config(config_of(corpus, embed=embed)), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_benchmark_questions_are_kept_out_and_told(finished, corpus, tmp_path):
    folder, _ = finished
    ours = [{"question": s["question"], "answers": s["answers"]} for s in samples_of(folder)[:20]]
    test_set = tmp_path / "exam.jsonl"
    test_set.write_text("".join(f"{json.dumps(row)}\n" for row in ours))
    summary = run_config(read_config(config_of(corpus, benchmarks=[str(test_set)])), tmp_path / "run")
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
