"""The demo's command: how much it makes, and what it shows of the two runs."""

import json
from dataclasses import replace

import pytest

from kdos.cli import main
from kdos.commands import demo as demo_command
from kdos.config import SourceConfig
from kdos.demo import DEMO


@pytest.fixture
def small_demo(corpus, monkeypatch):
    source = SourceConfig("text", str(corpus), text="text", id="id", title="title")
    monkeypatch.setattr(demo_command, "DEMO", replace(DEMO, source=source))


def run_demo(folder, capsys, *flags):
    code = main(["demo", "--out", str(folder / "demo"), "--workers", "1", *flags])
    return code, capsys.readouterr()


def test_steered_and_blind_make_as_many_and_say_what_it_costs(small_demo, tmp_path, capsys):
    code, shown = run_demo(tmp_path, capsys, "--samples", "15")
    assert code == 0
    steered = json.loads(shown.out.splitlines()[-1])
    blind = steered["blind"]
    assert steered["samples"] == blind["samples"] == 15
    assert steered["distinct"] > blind["distinct"]
    rows = {name: values for name, *values in demo_command.compare_runs(steered, blind)}
    for side, summary in enumerate((steered, blind)):
        assert rows["drafts"][side] == f"{summary['drafts']:,}"
        assert rows["drafts a sample"][side] == f"{summary['drafts'] / 15:.3f}"
        assert rows["knowledge points held, distinct"][side] == str(summary["distinct"])
        assert rows["exposures still wanted"][side] == str(summary["order"] - summary["filled"])
    assert all(name in shown.err for name in rows)


def test_without_a_cap_it_covers_the_source(small_demo, tmp_path, capsys):
    code, shown = run_demo(tmp_path, capsys, "--samples", "all")
    assert code == 0
    steered = json.loads(shown.out.splitlines()[-1])
    assert steered["stop_reason"] == "covered"
    assert steered["coverage"] >= 0.97 > steered["blind"]["coverage"]
    assert steered["blind"]["samples"] == steered["samples"]


@pytest.mark.parametrize("given", ["0", "-1", "most"])
def test_wrong_samples_are_one_line_and_exit_code_2(given, tmp_path, capsys):
    code, shown = run_demo(tmp_path, capsys, "--samples", given)
    assert code == 2
    assert shown.err.count("\n") == 1 and given in shown.err and "Or give all." in shown.err
