"""Whatever is wrong with a run, nothing of the user's is removed, overwritten or emptied."""

from pathlib import Path

import pytest

from kdos.cli import main

WRONG_USE = {
    "no such source": "source: {kind: text, path: missing.jsonl}",
    "an empty corpus": "source: {kind: text, path: empty.jsonl}",
    "an unset key": "source: {kind: text, path: good.jsonl}\n"
    "engine: {kind: http, url: http://127.0.0.1:9/v1, model: m, key_env: KDOS_TEST_UNSET_KEY}",
    "no usable text": "source: {kind: text, path: blank.jsonl}",
}


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.jsonl").write_text('{"text": "In 1836 the copper works of Bonn employed 91 people."}\n')
    Path("empty.jsonl").write_text("")
    Path("blank.jsonl").write_text('{"text": " "}\n')


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("config", WRONG_USE.values(), ids=WRONG_USE)
@pytest.mark.parametrize("inside", ["thesis.txt", "dataset/rows.parquet", "report/index.html", "seed/notes.md"])
def test_a_folder_of_somebody_elses_stays(config: str, inside: str, capsys) -> None:
    Path("c.yaml").write_text(config)
    theirs = Path("out") / inside
    theirs.parent.mkdir(parents=True)
    theirs.write_text("thesis")
    before = files_below(Path("out"))
    assert main(["run", "c.yaml", "--out", "out"]) == 2
    assert files_below(Path("out")) == before
    if "/" in inside:
        assert "--out must be a new or empty folder, or that of a run" in capsys.readouterr().err


@pytest.mark.parametrize("config", WRONG_USE.values(), ids=WRONG_USE)
@pytest.mark.parametrize("existed", [False, True], ids=["new folder", "empty folder"])
def test_wrong_use_leaves_the_folder_as_it_was(config: str, existed: bool) -> None:
    Path("c.yaml").write_text(config)
    if existed:
        Path("out").mkdir()
    assert main(["run", "c.yaml", "--out", "out"]) == 2
    assert Path("out").exists() == existed
    assert not existed or not list(Path("out").iterdir())


def test_the_working_folder_is_never_emptied(capsys) -> None:
    Path("c.yaml").write_text(WRONG_USE["no such source"])
    before = files_below(Path())
    assert main(["run", "c.yaml", "--out", "."]) == 2
    assert files_below(Path()) == before


def test_what_a_lock_links_to_keeps_its_bytes() -> None:
    Path("c.yaml").write_text(WRONG_USE["no such source"])
    Path("thesis.txt").write_text("thesis")
    Path("out").mkdir()
    Path("out/.lock").symlink_to(Path("thesis.txt").resolve())
    assert main(["run", "c.yaml", "--out", "out"]) == 2
    assert Path("thesis.txt").read_text() == "thesis"


def test_a_file_is_no_folder(capsys) -> None:
    Path("c.yaml").write_text(WRONG_USE["no such source"])
    assert main(["run", "c.yaml", "--out", "good.jsonl"]) == 2
    assert "--out must be a folder" in capsys.readouterr().err


def test_a_configuration_may_lie_in_the_folder_it_is_run_in_and_stays() -> None:
    Path("out").mkdir()
    Path("out/c.yaml").write_text(WRONG_USE["no such source"])
    before = files_below(Path("out"))
    assert main(["run", "out/c.yaml", "--out", "out"]) == 2
    assert files_below(Path("out")) == before
