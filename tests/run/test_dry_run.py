"""`kdos run --dry-run` and `--samples`, and the same from Python: what is foretold, and that nothing is touched."""

import json
from dataclasses import replace

import pytest
import run_corpus
import yaml

import kdos
from kdos.cli import main
from kdos.config import read_config
from kdos.errors import ConfigError
from kdos.run import run_config
from kdos.run.forecast import foretell_run

UNREACHABLE = {"kind": "http", "url": "http://127.0.0.1:9/v1", "model": "m", "prices": {"prompt": 1, "completion": 2}}


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "data").mkdir()
    return run_corpus.write_corpus(tmp_path / "data" / "corpus.jsonl")


def command(config, folder, capsys, *flags):
    (path := folder / "c.yaml").write_text(json.dumps(config))
    code = main(["run", str(path), "--out", str(folder / "run"), *flags])
    return code, capsys.readouterr()


def test_a_dry_run_foretells_the_run_and_writes_nothing(corpus, tmp_path, capsys):
    config = run_corpus.config_of(corpus, exposures=1, budget={})
    before = sorted(tmp_path.rglob("*"))
    code, shown = command(config, tmp_path, capsys, "--dry-run")
    assert code == 0
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "c.yaml"])
    foretold = json.loads(shown.out.splitlines()[-1])
    made = run_config(read_config(config), tmp_path / "run")
    assert foretold["dry_run"] is True
    assert (foretold["documents"], foretold["passages"]) == (10, foretold["passages"])
    assert foretold["knowledge_points"] == made["reference"]["knowledge_points"]
    assert foretold["samples"] == pytest.approx(made["samples"], rel=0.1)
    assert foretold["calls"] == pytest.approx(made["llm_calls"], rel=0.1)
    assert (foretold["prompt_tokens"], foretold["cost_usd"], foretold["probes"]) == (0, 0, 0)
    assert foretold["basis"]["samples"] == "rehearsed"
    assert "knowledge points" in shown.err and "rehearsed on 100% of the source" in shown.err


def test_of_a_model_nothing_is_asked_and_what_is_guessed_is_said(corpus, tmp_path, capsys):
    config = run_corpus.config_of(corpus, engine=UNREACHABLE, budget={"samples": 50, "usd": 0.0001})
    code, shown = command(config, tmp_path, capsys, "--dry-run")
    assert code == 0
    foretold = json.loads(shown.out.splitlines()[-1])
    assert foretold["samples"] == 50 and foretold["prompt_tokens"] > 0 and foretold["cost_usd"] > 0.0001
    assert (foretold["seconds"], foretold["basis"]["seconds"]) == (None, "unknown")
    assert foretold["basis"]["calls"] == foretold["basis"]["cost_usd"] == "guessed"
    assert foretold["basis"]["passages"] == "known"
    assert "budget.usd will end it before" in shown.err
    without = replace(read_config(config).engine, prices=None)
    assert foretell_run(replace(read_config(config), engine=without), tmp_path / "run").cost_usd is None


def test_a_dry_run_names_each_server(corpus, tmp_path, capsys):
    urls = ["http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"]
    engine = {"kind": "http", "urls": urls, "model": "m"}
    code, shown = command(run_corpus.config_of(corpus, engine=engine), tmp_path, capsys, "--dry-run")
    assert code == 0
    assert f"m at {urls[0]}, {urls[1]}" in shown.err


def test_a_dry_run_of_what_nothing_is_made_of_says_so(tmp_path, capsys):
    (source := tmp_path / "empty.jsonl").write_text('{"id": "a", "text": "Nothing. At all."}\n')
    code, shown = command(run_corpus.config_of(source), tmp_path, capsys, "--dry-run")
    assert code == 0
    foretold = json.loads(shown.out.splitlines()[-1])
    assert (foretold["samples"], foretold["knowledge_points"]) == (0, None)


@pytest.mark.parametrize("flags", [["--dry-run"], []])
def test_a_dry_run_finds_the_faults_that_the_run_would(corpus, tmp_path, capsys, flags):
    config = run_corpus.config_of(corpus, disciplines={"law": 0.5})
    code, shown = command(config, tmp_path, capsys, *flags)
    assert code == 2
    assert shown.err.splitlines()[-1].startswith("kdos: `disciplines`")


@pytest.fixture
def one_fact(tmp_path):
    (source := tmp_path / "one.jsonl").write_text('{"id": "a", "text": "The tower was built in Paris in 1889."}\n')
    return source


@pytest.mark.parametrize("flags", [["--dry-run"], []])
def test_a_source_of_one_knowledge_point_is_one_line(one_fact, tmp_path, capsys, flags):
    code, shown = command(run_corpus.config_of(one_fact, space={}), tmp_path, capsys, *flags)
    assert code == 2
    assert shown.err.count("\n") == 1 and "at least 3 knowledge points. The source states 1" in shown.err


def test_a_model_may_read_more_than_the_built_in_engine(one_fact, tmp_path, capsys):
    code, shown = command(run_corpus.config_of(one_fact, engine=UNREACHABLE), tmp_path, capsys, "--dry-run")
    assert code == 0
    assert json.loads(shown.out.splitlines()[-1])["basis"]["knowledge_points"] == "unknown"


def test_a_dry_run_refuses_a_folder_that_the_run_would(corpus, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.yaml").write_text("mine: true\n")
    code, shown = command(run_corpus.config_of(corpus), tmp_path, capsys, "--dry-run")
    assert code == 2 and shown.err.count("\n") == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.yaml"]


def test_samples_stand_for_what_the_configuration_says(corpus, tmp_path, capsys):
    code, shown = command(run_corpus.config_of(corpus), tmp_path, capsys, "--samples", "25")
    assert code == 0
    summary = json.loads(shown.out.splitlines()[-1])
    assert summary["samples"] == 25 and summary["stop_reason"] == "budget"
    saved = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    assert saved["budget"]["samples"] == 25
    code, shown = command(run_corpus.config_of(corpus), tmp_path, capsys, "--samples", "30")
    assert json.loads(shown.out.splitlines()[-1])["samples"] == 30
    code, shown = command(run_corpus.config_of(corpus), tmp_path, capsys, "--samples", "20")
    assert code == 2 and "holds already, 30 samples" in shown.err


@pytest.mark.parametrize("given", ["0", "-3", "many", "1.5"])
def test_wrong_samples_are_one_line_and_exit_code_2(given, corpus, tmp_path, capsys):
    code, shown = command(run_corpus.config_of(corpus), tmp_path, capsys, "--samples", given)
    assert code == 2
    assert shown.err.count("\n") == 1 and "--samples must be" in shown.err and given in shown.err
    assert not (tmp_path / "run").exists()


def test_the_same_from_python(corpus, tmp_path):
    config = run_corpus.config_of(corpus)
    foretold = kdos.run(config, tmp_path / "run", samples=20, dry_run=True)
    assert foretold.samples == 20 and not (tmp_path / "run").exists()
    assert kdos.run(config, tmp_path / "run", samples=20).summary["samples"] == 20
    for wrong in (0, "20", True):
        with pytest.raises(ConfigError, match=r"`budget\.samples`"):
            kdos.run(config, tmp_path / "other", samples=wrong)
