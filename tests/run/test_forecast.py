"""What `doctor` foretells against what the run then spends, through HTTP."""

import json

import pytest
import run_corpus

from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.llm import HttpEngine
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import rehearsal as rehearsal_module
from kdos.run import run_config
from kdos.run.forecast import forecast_run
from kdos.run.rehearsal import measure_source, rehearse_run

PRICES = {"prompt": 0.3, "completion": 1.2}


@pytest.fixture(scope="module")
def server():
    with serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        yield url


def config_with_prices(corpus, url, samples):
    engine = {"kind": "http", "url": url, "model": "rules", "prices": PRICES}
    return read_config(run_corpus.config_of(corpus, engine=engine, budget={"samples": samples}))


@pytest.mark.parametrize("samples", [20, 90])
def test_the_forecast_is_within_a_quarter_of_what_is_spent(server, samples, tmp_path):
    config = config_with_prices(run_corpus.write_corpus(tmp_path / "corpus.jsonl"), server, samples)
    size = measure_source(config)
    (tmp_path / "aside").mkdir()
    rehearsal = rehearse_run(config, size, tmp_path / "aside")
    with HttpEngine(config.engine) as engine:
        foretold = forecast_run(config, size, rehearsal, engine)
    spent = run_config(config, tmp_path / "run")
    assert foretold.calls == pytest.approx(spent["llm_calls"], rel=0.25)
    assert foretold.cost_usd == pytest.approx(spent["cost_usd"], rel=0.25)
    assert foretold.probes < 50


def test_of_a_large_source_a_piece_is_rehearsed_and_all_of_it_is_counted(server, tmp_path, monkeypatch):
    config = config_with_prices(run_corpus.write_corpus(tmp_path / "corpus.jsonl"), server, 40)
    whole = measure_source(config)
    monkeypatch.setattr(rehearsal_module, "REHEARSED_PASSAGES", 10)
    piece = measure_source(config)
    assert (piece.passages, piece.request_bytes) == (whole.passages, whole.request_bytes)
    assert 10 <= piece.window_passages < whole.window_passages == whole.passages
    rehearsal = rehearse_run(config, piece, tmp_path)
    assert rehearsal.share == piece.window_passages / whole.passages
    with HttpEngine(config.engine) as engine:
        foretold = forecast_run(config, piece, rehearsal, engine)
    loop = [load for (stage, _), load in rehearsal.loads.items() if stage == "loop"]
    assert foretold.calls > whole.passages + sum(load.calls for load in loop)


def doctor(config, folder, capsys):
    path = folder / "c.yaml"
    path.write_text(json.dumps(config))
    code = main(["doctor", str(path), "--out", str(folder / "run")])
    return code, capsys.readouterr()


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"kind": "text", "path": "nowhere.jsonl"}, "no such file"),
        ({"kind": "text", "path": "empty.jsonl"}, "must hold at least one"),
        ({"kind": "text", "path": "rows.jsonl", "text": "body"}, "no such field"),
        ({"kind": "qa", "path": "rows.jsonl", "question": "body", "answers": "text"}, "no such field"),
        ({"kind": "wikipedia", "path": "rows.jsonl"}, ".xml"),
    ],
)
@pytest.mark.parametrize("engine", [{"kind": "rules"}, {"kind": "http", "url": "http://127.0.0.1:9/v1", "model": "m"}])
def test_a_source_that_cannot_be_read_is_one_line_and_exit_code_2(source, complaint, engine, tmp_path, capsys):
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    named = source | {"path": str(tmp_path / source["path"])}
    code, shown = doctor({"source": named, "engine": engine}, tmp_path, capsys)
    assert code == 2
    assert complaint in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_doctor_says_what_is_spent_and_which_cap_ends_it(server, tmp_path, capsys):
    corpus = run_corpus.write_corpus(tmp_path / "corpus.jsonl")
    engine = {"kind": "http", "url": server, "model": "rules", "prices": PRICES}
    config = run_corpus.config_of(corpus, engine=engine, budget={"samples": 20, "usd": 0.001})
    code, shown = doctor(config, tmp_path, capsys)
    assert code == 0
    found = json.loads(shown.out.splitlines()[-1])
    checks = {check["name"]: check for check in found["checks"]}
    assert found["forecast"]["cost_usd"] > 0.001
    assert "budget.usd will end it before" in checks["price"]["advice"]
    assert "10 documents" in checks["source"]["found"]


def test_where_the_engine_writes_nothing_either_the_forecast_is_of_that(server, tmp_path):
    corpus = tmp_path / "alone.jsonl"
    rows = ({"id": str(n), "text": f"Town {n} was founded by Ada Moor in {1700 + n}."} for n in range(40))
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = config_with_prices(corpus, server, 20)
    size = measure_source(config)
    (tmp_path / "aside").mkdir()
    with HttpEngine(config.engine) as engine:
        foretold = forecast_run(config, size, rehearse_run(config, size, tmp_path / "aside"), engine)
    spent = run_config(config, tmp_path / "run")
    assert (foretold.samples, spent["samples"]) == (0, 0)
    assert foretold.calls == pytest.approx(spent["llm_calls"], rel=0.25)
