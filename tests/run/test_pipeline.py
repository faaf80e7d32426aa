"""A whole run: resumed, repeated, in parallel, over HTTP, killed, refused."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import yaml
from run_corpus import config_of, dataset_hash

from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.errors import ConfigError, StoreError
from kdos.llm.dispatcher import RETRY
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import run_blind, run_config
from kdos.store import lock_run_folder


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
    assert over_http["llm_calls"] == server.stats.requests
    assert server.stats.answered_twice == 0


def test_what_one_run_paid_for_another_has_from_the_cache(corpus, tmp_path):
    config = read_config(config_of(corpus, budget={"samples": 20}))
    first, second = (run_config(config, tmp_path / name, cache=tmp_path / "cache") for name in "ab")
    assert first["llm_calls"] > 0
    assert second["llm_calls"] == 0
    assert dataset_hash(tmp_path / "a") == dataset_hash(tmp_path / "b")


def test_a_raised_budget_goes_on_from_where_it_was(finished, corpus, tmp_path):
    few = config_of(corpus, budget={"samples": 40})
    first = run_config(read_config(few), tmp_path / "run")
    more = run_config(read_config(few | {"budget": {"samples": 60}}), tmp_path / "run")
    assert (first["samples"], more["samples"]) == (40, 60)
    assert more["parts"] > first["parts"]


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


def killed_and_resumed(config, out, *, after):
    """Run as a process of its own, killed after so many seconds until it gets through."""
    path = out.parent / f"{out.name}.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "kdos", "run", str(path), "--out", str(out)]
    kills = 0
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
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
