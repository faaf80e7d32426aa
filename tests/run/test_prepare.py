"""What a run prepares before its loop; benchmark questions are kept out, and it says so."""

import json

import numpy as np
import pytest
import yaml
from aiohttp import web
from run_corpus import config_of, dataset_hash, samples_of

from kdos.api import load_config, run
from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.embed.static import StaticEmbedder
from kdos.errors import ConfigError
from kdos.evaluate import place_questions
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.scoring import BenchmarkQuestion
from kdos.store import read_arrays, read_parquet
from kdos.synthesize.window import Window


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


def test_texts_of_picks_that_wait_are_embedded_in_one_request(corpus, tmp_path, monkeypatch):
    questions = {"id": "1", "question": "When was the bridge of Faro opened to all?", "answers": ["1752"]}
    benchmark = tmp_path / "benchmark.jsonl"
    benchmark.write_text(json.dumps(questions) + "\n")

    def run(name):
        """The dataset's hash, how many requests for vectors came, and all texts of them."""
        asked = []

        @web.middleware
        async def note_texts(request, handler):
            if request.path.endswith("/embeddings"):
                asked.append((await request.json())["input"])
            return await handler(request)

        app = MockServer(RulesEngine(), PROMPTS).build_app()
        app.middlewares.append(note_texts)
        with serve_app(app) as url:
            engine = {"kind": "http", "url": url, "model": "rules"}
            changes = {"embed": "endpoint:hashed", "engine": engine, "benchmarks": [str(benchmark)]}
            run_config(read_config(config_of(corpus, **changes)), tmp_path / name)
        return dataset_hash(tmp_path / name), len(asked), sorted(text for texts in asked for text in texts)

    together = run("together")
    monkeypatch.setattr(Window, "finished", lambda self: iter(()))
    alone = run("alone")
    assert together[0] == alone[0]
    assert together[1] < alone[1] / 2
    assert len(set(together[2])) == len(together[2]), "nothing is asked twice"


def test_the_health_of_the_space_is_kept_with_it(finished):
    folder, _ = finished
    health = read_arrays(folder / "space")[0]["health"]
    assert health["sentence"].startswith("this space groups")
    assert health["template_neighbours"] > health["template_neighbours_by_chance"]
    assert health["sentence"] in (folder / "report/index.html").read_text().replace("&#39;", "'")


def test_cells_that_the_source_is_too_small_for_are_cut_and_said(corpus, tmp_path, capsys):
    summary = run_config(read_config(config_of(corpus, space={"cells": 1000, "k": 900})), tmp_path / "run")
    points = summary["reference"]["knowledge_points"]
    assert summary["cells"] <= points // 8
    said = capsys.readouterr().err
    assert f"k is {points - 1}, not 900: {points} distinct points have no more neighbours; there are" in said
    assert summary["samples"] > 100


def test_a_space_may_have_one_dimension(corpus, tmp_path):
    changes = {"embed": "lexical", "space": {"dim": 1}, "budget": {"samples": 4}}
    assert run_config(read_config(config_of(corpus, **changes)), tmp_path / "run")["samples"] == 4
    for place in ("extract", "synthesize"):
        points = read_parquet(tmp_path / "run" / place / "knowledge_points.parquet")
        assert set(points["y"].to_pylist()) == {0}
        assert len(set(points["x"].to_pylist())) > 1


@pytest.mark.parametrize("embed", ["static", "lexical"])
@pytest.mark.parametrize("times", [1, 4])
def test_a_source_of_one_knowledge_point_is_one_clear_line(tmp_path, capsys, embed, times):
    text = "The bridge of Lisbon was opened in 1713."
    rows = [json.dumps({"id": str(n), "text": text}) for n in range(times)]
    (tmp_path / "one.jsonl").write_text("\n".join(rows))
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(config_of(tmp_path / "one.jsonl", embed=embed)))
    assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        f"kdos: a sample links at least 3 knowledge points. The source states 1: {text!r}. "
        "Give a source that states more."
    )


def test_knowledge_points_that_are_all_alike_are_one_clear_line(corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(StaticEmbedder, "embed", lambda _, texts: np.ones((len(texts), 4), np.float32))
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(config_of(corpus)))
    assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("kdos: a density is read from distances, so at least two rows must differ. Got ")
    assert last.endswith(" that are all alike to `static`. Give others.")


def test_a_run_names_a_script_that_its_embedder_does_not_know(capsys, tmp_path):
    source = tmp_path / "bridges.jsonl"
    towns = ("Άργος", "Βόλος", "Λάρισα", "Πάτρα", "Σπάρτη", "Τρίπολη", "Χανιά", "Καβάλα")
    texts = (
        f"The bridge of {t} was opened in {1800 + n}. The library of {t} was designed by Μαρία for {900 + n} crowns."
        for n, t in enumerate(towns)
    )
    source.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts)))
    run_config(read_config(config_of(source, embed="static", budget={"samples": 2})), tmp_path / "run")
    assert "hardly knows the words in Greek (" in capsys.readouterr().err


def test_an_embedder_that_is_not_there_is_found_out_first(corpus, tmp_path):
    for embed, complaint in (("endpoint:hashed", "embed_url"), ("lexicall", "must be static")):
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


def test_a_run_begun_with_a_former_default_goes_on_with_it(corpus, tmp_path):
    out = tmp_path / "run"
    begun = run(config_of(corpus, embed="lexical"), out).summary
    assert (out / "embed").exists()
    (out / "summary.json").unlink()
    again = run(config_of(corpus), out).summary
    assert again["space"] == begun["space"]
    assert read_arrays(out / "space")[0]["embedder"] == "lexical"
    with pytest.raises(ConfigError, match="`embed` is 'lexical' there and 'static' here"):
        run(config_of(corpus, embed="static"), out)
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(config_of(corpus)))
    assert load_config(config, out).embed == "lexical"
    assert load_config(config, tmp_path / "other").embed == "static"
