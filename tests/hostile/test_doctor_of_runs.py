"""`kdos doctor RUN` finds every file that has changed; a run that made nothing says why and exits with 1."""

import json
import random
import shutil
from pathlib import Path

import pytest
from test_damaged_runs import files_of, flip_bit, write_config, write_corpus

from kdos.cli import main
from kdos.errors import EmptyRunError
from kdos.llm import ScriptedEngine
from kdos.run import explain_failure, inspect_run, pipeline
from kdos.tasks import Reply


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_corpus(home / "corpus.jsonl")
    assert main(["run", str(write_config(home)), "--out", str(home / "run")]) == 0
    return home


def test_a_sound_run_is_sound(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(home / "run")]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ok"]


def test_any_changed_file_is_found_and_named(home: Path, tmp_path: Path) -> None:
    page = Path("report/index.html")
    for seed, inside in enumerate([*files_of(home / "run"), Path(".kdos"), page]):
        if inside.name.startswith("ledger"):
            continue
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.copytree(home / "run", tmp_path / "run")
        path = tmp_path / "run" / inside
        path.write_bytes(flip_bit(path.read_bytes(), random.Random(seed)))
        _, findings = inspect_run(tmp_path / "run")
        assert findings, inside
        assert any(inside.name in f"{one.path} {one.found}" for one in findings)


def test_what_is_no_run_is_wrong_use(tmp_path: Path) -> None:
    assert main(["doctor", str(tmp_path)]) == 2


def test_a_model_that_answers_in_prose_is_the_models_fault(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prose = ScriptedEngine(lambda request: Reply(request, "Certainly! Here is what I think of it."))
    monkeypatch.setattr(pipeline, "RulesEngine", lambda: prose)
    assert main(["run", str(write_config(home)), "--out", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "the model must answer" in error
    assert "100% of" in error
    assert not (tmp_path / "run" / "seed").exists()
    assert EmptyRunError.exit_code == 1


def test_most_replies_refused_or_no_sample_is_a_failure() -> None:
    def summary(samples: int, calls: int, out: int) -> dict[str, object]:
        stages = {
            "calls": {"in": calls, "out": out, "refused": {"unreadable": calls - out}},
            "drafts": {"in": 8, "out": samples, "refused": {"crowded": 8 - samples}},
        }
        return {"samples": samples, "stop_reason": "budget", "stages": stages}

    assert explain_failure(summary(4, 10, 5)) == ""
    assert "6 of 10 replies could not be used (unreadable 6)" in explain_failure(summary(4, 10, 4))
    assert "all 8 drafts were refused (crowded 8)" in explain_failure(summary(0, 10, 10))


@pytest.mark.parametrize("name", ["summary.json", "target.parquet", "target_points.parquet", "dataset"])
def test_a_result_that_is_gone_is_found_and_not_exported(name: str, home: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(home / "run", run)
    gone = run / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    assert main(["doctor", str(run)]) == 1
    if name in {"summary.json", "dataset"}:
        assert main(["export", str(run), "--format", "text", "--out", str(tmp_path / "out")]) == 2


@pytest.mark.parametrize("name", [".kdos", "report/index.html"])
def test_what_a_call_writes_anew_is_found_and_ends_no_run(name: str, home: Path, tmp_path: Path) -> None:
    run, config = tmp_path / "run", str(write_config(home))
    shutil.copytree(home / "run", run)
    again = ["report", str(run)] if name.startswith("report") else ["run", config, "--out", str(run)]
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"")):
        damage(run / name)
        assert main(["doctor", str(run)]) == 1
        assert [one.path for one in inspect_run(run)[1]] == [run / name]
        assert main(["run", config, "--out", str(run)]) == 0
        assert main(again) == 0
        assert main(["doctor", str(run)]) == 0


def test_a_changed_source_is_found_by_both_doctors(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_corpus(tmp_path / "corpus.jsonl")
    config, run = str(write_config(tmp_path)), tmp_path / "run"
    assert main(["doctor", config, "--out", str(run)]) == 0
    assert not run.exists()
    assert main(["run", config, "--out", str(run)]) == 0
    assert main(["doctor", config, "--out", str(run)]) == 0
    assert main(["doctor", str(run)]) == 0
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("Lisbon", "Madrid", 1))
    for words in (["doctor", config, "--out", str(run)], ["doctor", str(run)]):
        capsys.readouterr()
        assert main(words) == 1
        assert "source.path" in capsys.readouterr().err
    assert [one.check for one in inspect_run(run)[1]] == ["inputs"]
    corpus.unlink()
    assert main(["doctor", str(run)]) == 0  # a run may lie where its source is not


def test_the_doctor_refuses_what_the_run_would_refuse(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(home / "run", run)
    other = str(write_config(home, budget={"samples": 4}))
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("thesis")
    for out, said in ((run, "budget.samples"), (foreign, "thesis.txt"), (run / "sub", "inside a run")):
        capsys.readouterr()
        assert main(["doctor", other, "--out", str(out)]) == 1
        assert said in capsys.readouterr().err
    assert [one.name for one in foreign.iterdir()] == ["thesis.txt"]
    write_config(home)
