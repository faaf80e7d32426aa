"""A whole run on text, with the rules engine: its artefacts, its books, its resumption."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.errors import ConfigError, StoreError
from kdos.llm.rules import RulesEngine
from kdos.llm.stand_in import Faults, StandIn, serving
from kdos.report import write_report
from kdos.run import run, run_blind
from kdos.store import read_arrays, run_lock

PLACES = (
    "Lisbon",
    "Porto",
    "Braga",
    "Coimbra",
    "Faro",
    "Evora",
    "Aveiro",
    "Leiria",
    "Viseu",
    "Beja",
)
TRADES = ("bridge", "library", "theatre", "market", "harbour", "museum", "observatory", "archive")


def write_corpus(path):
    """Articles of plain facts: places with buildings, each with a year, a number and a name."""
    with path.open("w") as file:
        for i, place in enumerate(PLACES):
            paragraphs = [
                f"The {trade} of {place} was opened in {1700 + 13 * i + 7 * j}. "
                f"It was designed by Maria {place}{trade.title()} for {1000 + 37 * i + j} crowns. "
                f"Some {200 + 11 * j + i} people built the {trade} of {place} in {3 + j} years."
                for j, trade in enumerate(TRADES)
            ]
            row = {"id": place.lower(), "title": place, "text": "\n\n".join(paragraphs)}
            file.write(json.dumps(row) + "\n")
    return path


def config_of(corpus, **changes):
    value = {
        "source": {"kind": "text", "path": str(corpus)},
        "target": "sqrt",
        "budget": {"samples": 120},
        "space": {"cells": 12},
        "random_seed": 5,
    }
    return value | changes


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "articles.jsonl")


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return folder, run(read_config(config_of(corpus)), folder)


def dataset_hash(folder):
    digest = hashlib.sha256()
    for path in sorted((folder / "dataset").glob("*.parquet")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def test_the_page_follows_the_run(corpus, tmp_path, monkeypatch):
    pages = []

    def written(folder):
        write_report(folder)
        pages.append((folder / "report" / "index.html").read_text())

    monkeypatch.setattr("kdos.report.live.write_report", written)
    monkeypatch.setattr("kdos.report.live.REFRESH_SECONDS", 0)
    monkeypatch.setattr("kdos.report.live.MOST_SHARE", float("inf"))
    summary = run(read_config(config_of(corpus)), tmp_path / "run")
    assert len(pages) == summary["rounds"] + 1
    assert "The run is preparing" in pages[0]
    assert "samples after round 1." in pages[1]
    assert all('http-equiv="refresh"' in page for page in pages)
    assert 'http-equiv="refresh"' not in (tmp_path / "run" / "report" / "index.html").read_text()


def samples_of(folder):
    return [row for path in (folder / "dataset").glob("*.parquet") for row in rows_of(path)]


def rows_of(path):
    return pq.read_table(path).to_pylist()


def test_it_fills_the_pool_and_says_why_it_stopped(finished):
    _, summary = finished
    assert summary["samples"] == 120
    assert summary["stop_reason"] in {"noise_floor", "total_variation"}
    assert summary["kl"] <= summary["kl_floor"] or summary["tv"] <= 0.02


def test_every_stage_balances(finished):
    folder, summary = finished
    assert set(summary["stages"]) == {"document", "seed", "extract", "calls", "drafts"}
    for name, stage in summary["stages"].items():
        assert stage["in"] == stage["out"] + sum(stage["refused"].values()), name
    assert summary["drafts"] == summary["samples"] + summary["refused"]
    verdicts = [
        row for path in folder.glob("synthesize/*/verdicts.parquet") for row in rows_of(path)
    ]
    assert len(verdicts) == summary["drafts"]
    assert sum(row["accepted"] for row in verdicts) == summary["samples"]
    assert all(row["reason"] and row["error_class"] for row in verdicts if not row["accepted"])


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


def test_the_same_again_returns_at_once_with_the_same(finished, corpus):
    folder, summary = finished
    before = dataset_hash(folder)
    assert run(read_config(config_of(corpus)), folder) == summary
    assert dataset_hash(folder) == before


def test_two_workers_write_the_same_bytes(finished, corpus, tmp_path):
    folder, _ = finished
    run(read_config(config_of(corpus, workers=2)), tmp_path / "two")
    assert dataset_hash(tmp_path / "two") == dataset_hash(folder)


def test_over_http_with_faults_it_writes_the_same_bytes(finished, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("kdos.llm.flight.BACKOFF_FIRST", 0.01)
    folder, summary = finished
    faults = Faults(fail={429: 0.05, 500: 0.05}, truncate=0.05, reset=0.05, retry_after=0.01)
    stand_in = StandIn(RulesEngine(), PROMPTS, faults=faults)
    with serving(stand_in.app()) as url:
        engine = {"kind": "http", "url": url, "model": "rules", "concurrency": 16}
        over_http = run(read_config(config_of(corpus, engine=engine)), tmp_path / "http")
    assert dataset_hash(tmp_path / "http") == dataset_hash(folder)
    assert over_http["samples"] == summary["samples"]
    assert over_http["llm_calls"] == stand_in.counts.answered
    assert stand_in.counts.twice == 0


def test_an_endpoint_may_embed(corpus, tmp_path):
    with serving(StandIn(RulesEngine(), PROMPTS).app()) as url:
        changes = {"embed": "endpoint:hashed", "engine": {"embed_url": url}}
        summary = run(read_config(config_of(corpus, **changes)), tmp_path / "run")
    assert summary["samples"] > 100
    assert read_arrays(tmp_path / "run" / "space")[0]["embedder"] == "endpoint:hashed"


def test_an_embedder_that_is_not_there_is_found_out_first(corpus, tmp_path):
    for embed, complaint in (("endpoint:hashed", "embed_url"), ("lexicall", "must be lexical")):
        with pytest.raises(ConfigError, match=complaint):
            run(read_config(config_of(corpus, embed=embed)), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_raised_budget_goes_on_from_where_it_was(finished, corpus, tmp_path):
    few = config_of(corpus, budget={"samples": 40})
    first = run(read_config(few), tmp_path / "run")
    more = run(read_config(few | {"budget": {"samples": 60}}), tmp_path / "run")
    assert (first["samples"], more["samples"]) == (40, 60)
    assert more["rounds"] > first["rounds"]


def test_another_configuration_is_refused(finished, corpus):
    folder, _ = finished
    with pytest.raises(ConfigError, match="`target` is 'sqrt' there and 'natural' here"):
        run(read_config(config_of(corpus, target="natural")), folder)


def test_blind_lies_beside_the_run_in_the_same_space(finished, corpus):
    folder, summary = finished
    settings = {"steer": False, "accept": "all"}
    blind = run_blind(read_config(config_of(corpus, synthesize=settings)), folder)
    assert blind["space"] == summary["space"]
    assert blind["samples"] == 120
    assert blind["kl"] > summary["kl"]
    assert not (folder / "blind" / "dataset").exists()


def test_benchmark_questions_are_kept_out_and_told(finished, corpus, tmp_path):
    folder, _ = finished
    ours = [{"question": s["question"], "answers": s["answers"]} for s in samples_of(folder)[:20]]
    test_set = tmp_path / "exam.jsonl"
    test_set.write_text("".join(f"{json.dumps(row)}\n" for row in ours))
    summary = run(read_config(config_of(corpus, benchmarks=[str(test_set)])), tmp_path / "run")
    kept_out = {row["question"] for row in ours}
    assert kept_out.isdisjoint(sample["question"] for sample in samples_of(tmp_path / "run"))
    told = json.loads((tmp_path / "run/decontamination.json").read_text())
    removed = summary["stages"]["drafts"]["refused"]["contaminated"]
    assert len(told["removed"]) == removed >= 10
    assert told["benchmarks"] == {"exam": {"questions": 20, "drafts": removed}}
    assert f"| exam | 20 | {removed} |" in (tmp_path / "run/dataset/README.md").read_text()


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


def killed_and_resumed(config, out, *, after):
    """Run as a process of its own, killed after so many seconds until it gets through."""
    path = out.parent / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "kdos", "run", str(path), "--out", str(out)]
    kills = 0
    while True:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            _, errors = process.communicate(timeout=next(after, 120))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, errors.decode()
        return kills


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_bytes(finished, corpus, tmp_path):
    folder, _ = finished
    begun = time.monotonic()
    killed_and_resumed(config_of(corpus), tmp_path / "whole", after=iter([]))
    whole = time.monotonic() - begun
    moments = iter([whole * share for share in (0.5, 0.6, 0.75, 0.9)])
    kills = killed_and_resumed(config_of(corpus), tmp_path / "killed", after=moments)
    assert kills >= 1
    assert dataset_hash(tmp_path / "whole") == dataset_hash(folder)
    assert dataset_hash(tmp_path / "killed") == dataset_hash(folder)


def test_a_second_process_is_turned_away(finished, corpus, tmp_path):
    with run_lock(tmp_path), pytest.raises(StoreError, match="one process at a time"):
        run(read_config(config_of(corpus)), tmp_path)


def test_paths_survive(finished):
    folder, _ = finished
    assert {path.name for path in folder.iterdir()} >= {
        "run.yaml", "ledger.sqlite", "seed", "extract", "embed", "space", "synthesize", "dataset",
        "report", "summary.json", "target.parquet",
    }  # fmt: skip
    assert not list(Path(folder).rglob("*.part"))
