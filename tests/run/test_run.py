"""A whole run on text, with the rules engine: its artefacts, its books, its resumption."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from kdos.chance import keyed_generator
from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.errors import ConfigError, InputError, StoreError
from kdos.evaluate import place_questions
from kdos.llm import ScriptedEngine
from kdos.llm.dispatcher import RETRY
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.report import page as report_page
from kdos.report import write_report
from kdos.rules import RulesEngine
from kdos.run import read_run_deficit, run_blind, run_config
from kdos.scoring import BenchmarkQuestion
from kdos.store import lock_run_folder, read_arrays

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
    return folder, run_config(read_config(config_of(corpus)), folder)


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

    monkeypatch.setattr(report_page, "write_report", written)
    monkeypatch.setattr(report_page, "REFRESH_SECONDS", 0)
    monkeypatch.setattr(report_page, "MAX_WRITING_SHARE", float("inf"))
    summary = run_config(read_config(config_of(corpus)), tmp_path / "run")
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


def test_novel_knowledge_points_are_counted_apart(finished):
    folder, summary = finished
    points = rows_of(folder / "synthesize" / "knowledge_points.parquet")
    assert summary["novel_share"] == sum(point["novel"] for point in points) / len(points)


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
    assert run_config(read_config(config_of(corpus)), folder) == summary
    assert dataset_hash(folder) == before


def test_two_workers_write_the_same_bytes(finished, corpus, tmp_path):
    folder, _ = finished
    run_config(read_config(config_of(corpus, workers=2)), tmp_path / "two")
    assert dataset_hash(tmp_path / "two") == dataset_hash(folder)


def test_over_http_with_faults_it_writes_the_same_bytes(finished, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("kdos.llm.dispatcher.RETRY", replace(RETRY, first_delay=0.01))
    folder, summary = finished
    faults = InjectedFaults(fail={429: 0.05, 500: 0.05}, reset=0.05, retry_after=0.01)
    server = MockServer(RulesEngine(), PROMPTS, faults=faults)
    with serve_app(server.build_app()) as url:
        engine = {"kind": "http", "url": url, "model": "rules", "concurrency": 16}
        over_http = run_config(read_config(config_of(corpus, engine=engine)), tmp_path / "http")
    assert dataset_hash(tmp_path / "http") == dataset_hash(folder)
    assert over_http["samples"] == summary["samples"]
    assert over_http["llm_calls"] == server.stats.answered
    assert server.stats.answered_twice == 0


def test_what_one_run_paid_for_another_has_from_the_cache(corpus, tmp_path):
    config = read_config(config_of(corpus, budget={"samples": 20}))
    first, second = (run_config(config, tmp_path / name, cache=tmp_path / "cache") for name in "ab")
    assert first["llm_calls"] > 0
    assert second["llm_calls"] == 0
    assert dataset_hash(tmp_path / "a") == dataset_hash(tmp_path / "b")


def nonsense(request):
    """A reply that fits the schema and says nothing."""
    chance = keyed_generator(0, request.key)

    def made(schema):
        match schema.get("type"):
            case "object":
                return {key: made(item) for key, item in schema["properties"].items()}
            case "array":
                return [made(schema["items"]) for _ in range(int(chance.integers(1, 4)))]
            case "boolean":
                return bool(chance.random() < 0.5)
            case _:
                return "".join(chance.choice(list("abcde "), size=12))

    return made(request.prompt.schema)


def test_a_model_that_writes_nonsense_ends_the_run_with_every_reply_counted(tmp_path):
    source = tmp_path / "qa.jsonl"
    rows = (
        {"id": str(n), "question": f"When was bridge {n} opened?", "answers": [str(1800 + n)],
         "passage": f"Bridge {n} was opened in {1800 + n} by Ann Archer."}
        for n in range(20)
    )  # fmt: skip
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = MockServer(ScriptedEngine(nonsense), PROMPTS)
    with serve_app(server.build_app()) as url:
        changes = {"source": {"kind": "qa", "path": str(source), "passage": "passage"}}
        changes["engine"] = {"kind": "http", "url": url, "model": "m"}
        summary = run_config(read_config(config_of(source, **changes)), tmp_path / "run")
    assert summary["samples"] == 0
    assert summary["stop_reason"] in {"no_gain", "unreachable"}
    assert summary["llm_calls"] == server.stats.requests
    for name, stage in summary["stages"].items():
        assert stage["in"] == stage["out"] + sum(stage["refused"].values()), name


def test_an_endpoint_may_embed(corpus, tmp_path):
    folder = tmp_path / "run"
    with serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        changes = {"embed": "endpoint:hashed", "engine": {"embed_url": url}}
        summary = run_config(read_config(config_of(corpus, **changes)), folder)
        question = BenchmarkQuestion(
            id="q", question="When was the bridge of Faro opened?", answers=("1752",)
        )
        places = place_questions([question], folder)
    assert summary["samples"] > 100
    assert read_arrays(folder / "space")[0]["embedder"] == "endpoint:hashed"
    assert places.cells.shape == (1,)


def test_an_embedder_that_is_not_there_is_found_out_first(corpus, tmp_path):
    for embed, complaint in (("endpoint:hashed", "embed_url"), ("lexicall", "must be lexical")):
        with pytest.raises(ConfigError, match=complaint):
            run_config(read_config(config_of(corpus, embed=embed)), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_raised_budget_goes_on_from_where_it_was(finished, corpus, tmp_path):
    few = config_of(corpus, budget={"samples": 40})
    first = run_config(read_config(few), tmp_path / "run")
    more = run_config(read_config(few | {"budget": {"samples": 60}}), tmp_path / "run")
    assert (first["samples"], more["samples"]) == (40, 60)
    assert more["rounds"] > first["rounds"]


def test_another_configuration_is_refused(finished, corpus):
    folder, _ = finished
    with pytest.raises(ConfigError, match="`target` is 'sqrt' there and 'natural' here"):
        run_config(read_config(config_of(corpus, target="natural")), folder)


def test_blind_lies_beside_the_run_in_the_same_space(finished, corpus):
    folder, summary = finished
    settings = {"picker": "scatter", "synthesize": {"accept": "all"}}
    blind = run_blind(read_config(config_of(corpus, **settings)), folder)
    assert blind["space"] == summary["space"]
    assert blind["samples"] == 120
    assert blind["kl"] > summary["kl"]
    assert not (folder / "blind" / "dataset").exists()


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
    told = json.loads((tmp_path / "run/decontamination.json").read_text())
    removed = summary["stages"]["drafts"]["refused"]["contaminated"]
    assert len(told["removed"]) == removed >= 10
    assert told["benchmarks"] == {"exam": {"questions": 20, "drafts": removed}}
    card = (tmp_path / "run/dataset/README.md").read_text()
    assert f"| exam | 20 | {removed} |" in card
    assert f"| calls to the model | {summary['llm_calls']:,} |" in card
    assert "| prompt tokens | 0 |\n| completion tokens | 0 |\n| cost (USD) | 0 |" in card
    out = tmp_path / "exported"
    assert main(["export", str(tmp_path / "run"), "--format", "datasets", "--out", str(out)]) == 0
    assert (out / "README.md").read_text() == card


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


def test_walks_pick_as_well(corpus, tmp_path):
    config = read_config(config_of(corpus, picker="walk-from-steer", budget={"samples": 60}))
    summary = run_config(config, tmp_path / "run")
    assert summary["samples"] > 20
    assert 0 < summary["adherence"] <= 1
    linked = [len(sample["seeds"]) for sample in samples_of(tmp_path / "run")]
    assert max(linked) > 1


def test_what_is_missing_is_named_with_examples(finished):
    folder, summary = finished
    found = read_run_deficit(folder, examples=2)
    target = {row["cell"]: row for row in rows_of(folder / "target.parquet")}
    points = rows_of(folder / "extract" / "knowledge_points.parquet")
    assert (found.samples, found.wanted) == (120, 120)
    assert found.gap.kl == pytest.approx(summary["kl"])
    assert [cell.missing for cell in found.cells] == sorted(
        (cell.missing for cell in found.cells), reverse=True
    )
    for cell in found.cells:
        assert cell.missing == cell.quota - cell.held > 0
        assert cell.share == target[cell.cell]["q"]
        assert set(cell.examples) <= {row["text"] for row in points if row["cell"] == cell.cell}


def test_a_folder_without_a_run_lacks_a_clear_line(tmp_path, capsys):
    assert main(["target", str(tmp_path)]) == 2
    assert "holds no run.yaml" in capsys.readouterr().err


def test_the_target_command_shows_cells_and_their_knowledge_points(finished, capsys):
    folder, _ = finished
    assert main(["target", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == sum(cell["missing"] for cell in found["cells"])
    assert main(["target", str(folder), "--most", "1"]) == 0
    assert f"cell {found['cells'][0]['cell']}: lacks" in capsys.readouterr().err


def write_questions(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_demand_draws_the_pool_to_what_a_model_does_not_know(corpus, tmp_path):
    rows = [
        {
            "question": f"The bridge of {place} was opened in which year?",
            "correct": place != "Porto",
        }
        for place in PLACES
    ]
    questions = write_questions(tmp_path / "wrong.jsonl", rows)
    config = read_config(config_of(corpus, target=f"demand:{questions}", budget={"samples": 20}))
    run_config(config, tmp_path / "run")
    target = rows_of(tmp_path / "run" / "target.parquet")
    assert max(row["q"] for row in target) > 0.6, "only one question counts"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "Who?", "loss": -1}, "line 1, field loss: must be a number of at least 0"),
        ({"question": "Who?", "correct": "no"}, "field correct: must be true or false"),
        ({"question": "Who?", "correct": True}, "must hold at least one question that counts"),
        ({"id": 3}, "must have a field `question`"),
    ],
)
def test_demand_that_cannot_be_read_is_named(row, message, corpus, tmp_path):
    questions = write_questions(tmp_path / "demand.jsonl", [row])
    config = read_config(config_of(corpus, target=f"demand:{questions}"))
    with pytest.raises(InputError, match=message):
        run_config(config, tmp_path / "run")


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
    with lock_run_folder(tmp_path), pytest.raises(StoreError, match="one process at a time"):
        run_config(read_config(config_of(corpus)), tmp_path)


def test_paths_survive(finished):
    folder, _ = finished
    assert {path.name for path in folder.iterdir()} >= {
        "run.yaml", "ledger.sqlite", "seed", "extract", "embed", "space", "synthesize", "dataset",
        "report", "summary.json", "target.parquet",
    }  # fmt: skip
    assert not list(Path(folder).rglob("*.part"))
