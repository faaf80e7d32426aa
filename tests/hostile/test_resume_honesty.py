"""What a resumed run returns is what it was asked for: another budget goes on, another source is refused."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from test_damaged_runs import hash_dataset, write_config, write_corpus

from kdos.artifacts import PartFolder, RunFolder
from kdos.cli import main
from kdos.run import provenance


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of 12 samples."""
    home = tmp_path_factory.mktemp("home")
    write_corpus(home / "corpus.jsonl")
    (home / "exam.jsonl").write_text('{"id": "1", "question": "Who wrote Hamlet?", "answers": ["Shakespeare"]}\n')
    assert main(["run", str(write_config(home)), "--out", str(home / "run")]) == 0
    return home


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """The same folder, to change."""
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home"


def run(home: Path, source: Path, **changes: object) -> int:
    """Run in `home`; the configuration names the files of `source`, where the run was begun."""
    config = write_config(source, **changes)
    try:
        return main(["run", str(config), "--out", str(home / "run")])
    finally:
        write_config(source)


def kill_after_parts(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    write, written = PartFolder.write, []

    def write_or_die(self: PartFolder, *args: Any, **keywords: Any) -> None:
        if len(written) == count:
            raise KeyboardInterrupt
        written.append(self)
        write(self, *args, **keywords)

    monkeypatch.setattr(PartFolder, "write", write_or_die)


def test_a_raised_budget_that_was_killed_goes_on_to_the_bigger_pool(
    home: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdos.sampler.pace.FEWEST_PICKS", 2)  # so that there are parts to die between
    shutil.copytree(copy, tmp_path / "whole")
    assert run(tmp_path / "whole", home, budget={"samples": 24}) == 0
    for count in (0, 1):
        with pytest.MonkeyPatch.context() as dying:
            kill_after_parts(dying, count)
            assert run(copy, home, budget={"samples": 24}) == 130
        assert RunFolder(copy / "run").current_summary() is None
        assert main(["export", str(copy / "run"), "--format", "text", "--out", str(tmp_path / f"out-{count}")]) == 2
        assert "another budget" in capsys.readouterr().err
    assert run(copy, home, budget={"samples": 24}) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["samples"] == 24
    assert hash_dataset(copy / "run") == hash_dataset(tmp_path / "whole" / "run")


CHANGES = {
    "edited": lambda text: text.replace("Lisbon", "Madrid", 1),
    "one byte": lambda text: text.replace("1", "2", 1),
    "shorter": lambda text: text[: text.index("\n") + 1],
    "longer": lambda text: text + '{"id": "new", "text": "In 1836 the works of Bonn employed 91 people."}\n',
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("budget", [12, 20])
def test_another_source_is_refused_in_one_line(
    tmp_path: Path, home: Path, copy: Path, change: Any, budget: int, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = home / "corpus.jsonl"
    before, stat = corpus.read_text(), corpus.stat()
    dataset = hash_dataset(copy / "run")
    try:
        corpus.write_text(change(before))
        os.utime(corpus, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert run(copy, home, budget={"samples": budget}) == 2
    finally:
        corpus.write_text(before)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "`source.path` is '" in error
    assert "Give another --out" in error
    assert hash_dataset(copy / "run") == dataset
    assert run(copy, home) == 0  # undone, it is the same run again


def test_a_source_that_was_only_touched_is_the_same(home: Path, copy: Path) -> None:
    os.utime(home / "corpus.jsonl", (1, 1))
    assert run(copy, home) == 0


def test_other_code_prompts_or_benchmarks_are_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exam = home / "exam.jsonl"
    assert run(tmp_path, home, benchmarks=[str(exam)], budget={"samples": 4}) == 0
    exam.write_text(exam.read_text().replace("Hamlet", "Macbeth"))
    assert run(tmp_path, home, benchmarks=[str(exam)], budget={"samples": 4}) == 2
    assert "exam.jsonl" in capsys.readouterr().err
    exam.write_text(exam.read_text().replace("Macbeth", "Hamlet"))
    monkeypatch.setattr(provenance, "__version__", "9.9.9")
    assert run(tmp_path, home, benchmarks=[str(exam)], budget={"samples": 4}) == 2
    assert "`kdos` is '" in capsys.readouterr().err


def test_until_something_is_made_of_it_a_source_may_be_mended(home: Path, tmp_path: Path) -> None:
    corpus = home / "corpus.jsonl"
    before = corpus.read_text()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys.modules["kdos.run.prepare"], "gather_seeds", lambda *_, **__: interrupt())
        assert run(tmp_path, home) == 130
    try:
        corpus.write_text(before.replace("Lisbon", "Madrid"))
        assert run(tmp_path, home) == 0
    finally:
        corpus.write_text(before)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_run_of_an_older_kdos_is_refused_and_read(
    home: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "run" / "checksums.jsonl").unlink()
    config = copy / "run" / "run.yaml"
    config.write_text(config.read_text().partition("made_from:")[0])
    assert run(copy, home) == 2
    assert "older kdos" in capsys.readouterr().err
    assert main(["export", str(copy / "run"), "--format", "text", "--out", str(tmp_path / "out")]) == 0


def test_a_lowered_budget_is_no_smaller_dataset(copy: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = hash_dataset(copy / "run"), (copy / "run" / "run.yaml").read_bytes()
    assert run(copy, home, budget={"samples": 5}) == 2
    assert "must not be less than what" in capsys.readouterr().err
    assert (hash_dataset(copy / "run"), (copy / "run" / "run.yaml").read_bytes()) == before


@pytest.mark.parametrize("again", [{"budget": {"samples": 24}}, {}], ids=["a raised budget", "a lost summary"])
def test_what_lies_beside_the_dataset_stays(copy: Path, home: Path, again: dict[str, Any]) -> None:
    mine = copy / "run" / "dataset" / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    (mine.parent / "train-mine.csv").write_text("mine")
    (copy / "run" / "summary.json").unlink()
    assert run(copy, home, **again) == 0
    assert (mine / "thesis.txt").read_text() == (mine.parent / "train-mine.csv").read_text() == "mine"
