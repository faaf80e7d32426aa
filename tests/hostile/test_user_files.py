"""Whatever is wrong with a run, nothing of the user's is removed, overwritten or emptied."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kdos.artifacts import RunFolder
from kdos.cli import main
from kdos.outputs import RUN

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


CORPUS = "".join(
    f'{{"id": "{n}", "text": "In {1800 + n} the copper works of Bonn employed {90 + n} people. '
    f"The copper works of Bonn were built by Anna Lee{n}. The copper works of Bonn cost {400 + n} crowns. "
    f'The copper works of Bonn were sold in {1850 + n}."}}\n'
    for n in range(16)
)
GOOD = "embed: lexical\nbudget: {{samples: 3}}\nspace: {{cells: 4, dim: 4, k: 3}}\nsource: {{kind: text, path: {}}}\n"


@pytest.mark.parametrize("path", [".", "''", "data"])
def test_a_source_that_holds_the_run_does_not_read_it(path: str, capsys) -> None:
    Path("good.jsonl").unlink()
    Path("empty.jsonl").unlink()
    Path("blank.jsonl").unlink()
    Path("data").mkdir()
    Path("data/corpus.jsonl").write_text(CORPUS)
    Path("c.yaml").write_text(GOOD.format(path))
    found = []
    for out in ("data/one", "data/one", "data/two"):
        assert main(["run", "c.yaml", "--out", out]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert [each["stages"]["document"]["in"] for each in found] == [16, 16, 16]
    assert (Path("data/one/dataset") / "README.md").exists()


def test_what_is_left_out_of_a_source_is_said(capsys) -> None:
    for name in ("good", "empty", "blank"):
        Path(f"{name}.jsonl").unlink()
    Path("corpus.jsonl").write_text(CORPUS)
    Path("c.yaml").write_text(GOOD.format("."))
    assert main(["run", "c.yaml", "--out", "one"]) == 0
    assert "what it made there is not read: one" in capsys.readouterr().err


def test_a_run_is_no_place_for_what_other_commands_make(capsys) -> None:
    Path("corpus.jsonl").write_text(CORPUS)
    Path("c.yaml").write_text(GOOD.format("corpus.jsonl"))
    Path("qa.jsonl").write_text('{"id": "1", "question": "Who led the works?", "answers": ["Lee"], "answer": "Lee"}\n')
    assert main(["run", "c.yaml", "--out", "run"]) == 0
    before = files_below(Path("run"))
    for words in (
        ["evaluate", "--benchmark", "qa.jsonl", "--answers", "qa.jsonl", "--out", "run"],
        ["verify", "qa.jsonl", "--out", "run"],
        ["export", "run", "--format", "text", "--out", "run"],
        ["train", "--proxy", "--out", "run"],
        ["select", "corpus.jsonl", "--budget", "2", "--embed", "lexical", "--out", "run/target.parquet"],
        ["verify", "qa.jsonl", "--keep", "run/dataset/train-00000-of-00001.parquet"],
        ["run", "c.yaml", "--out", "run/blind"],
        ["export", "run", "--format", "text", "--out", "run/sub"],
        ["export", "run", "--format", "text", "--out", "run/new/sub"],
        ["run", "c.yaml", "--out", "run/another"],
        ["verify", "qa.jsonl", "--out", "run/verified"],
        ["select", "corpus.jsonl", "--budget", "2", "--embed", "lexical", "--out", "run/mine.parquet"],
        ["density", "corpus.jsonl", "--embed", "lexical", "--points", "run/points.parquet"],
    ):
        capsys.readouterr()
        assert main(words) == 2, words
        assert capsys.readouterr().err.count("\n") == 1
        assert files_below(Path("run")) == before


def test_an_evaluation_goes_on_in_its_own_folder_only() -> None:
    Path("qa.jsonl").write_text('{"id": "1", "question": "Who led the works?", "answers": ["Lee"], "answer": "Lee"}\n')
    words = ["evaluate", "--benchmark", "qa.jsonl", "--answers", "qa.jsonl", "--out", "scores"]
    assert main(words) == 0
    Path("scores/thesis.txt").write_text("thesis")
    assert main(words) == 0
    assert Path("scores/thesis.txt").read_text() == "thesis"
    assert main([*words[:-1], "scores", "--against", "scores"]) == 2
    Path("scores/.kdos").unlink()
    before = files_below(Path("scores"))
    assert main(words) == 2
    assert files_below(Path("scores")) == before


def test_a_database_of_somebody_elses_is_no_cache() -> None:
    with closing(sqlite3.connect("mine.sqlite")) as connection:
        connection.execute("CREATE TABLE letters (text TEXT)")
        connection.commit()
    before = Path("mine.sqlite").read_bytes()
    Path("corpus.jsonl").write_text(CORPUS)
    Path("c.yaml").write_text(GOOD.format("corpus.jsonl"))
    assert main(["run", "c.yaml", "--out", "run", "--cache", "mine.sqlite"]) == 2
    assert Path("mine.sqlite").read_bytes() == before


def test_a_configuration_called_run_yaml_is_the_users() -> None:
    Path("out").mkdir()
    Path("corpus.jsonl").write_text(CORPUS)
    Path("out/run.yaml").write_text(GOOD.format("corpus.jsonl"))
    before = files_below(Path("out"))
    assert main(["run", "out/run.yaml", "--out", "out"]) == 2
    assert files_below(Path("out")) == before


def test_a_file_called_as_ours_aside_was_called_is_the_users() -> None:
    Path("corpus.jsonl").write_text(CORPUS)
    Path("o.parquet.part").write_text("thesis")
    words = ["select", "corpus.jsonl", "--budget", "2", "--embed", "lexical", "--out", "o.parquet"]
    assert main(words) == 0
    assert Path("o.parquet.part").read_text() == "thesis"


def test_the_names_of_a_run_are_all_known_to_the_gate() -> None:
    parts = (getattr(RunFolder(Path("x")), name) for name in vars(RunFolder) if name.islower() and name[0] != "_")
    paths = [part for part in parts if isinstance(part, Path) and part != Path("x")]
    assert paths
    assert {path.relative_to("x").parts[0] for path in paths} <= RUN.made


def test_only_parts_are_dropped_never_a_folder_of_that_name_or_what_a_link_leads_to(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for number in (1, 2, 3):
        path = folder.part_folder(number).path
        path.mkdir(parents=True)
        (path / "part.json").write_text("{}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "part.json").write_text("{}")
    folder.part_folder(4).path.symlink_to(elsewhere)
    mine = folder.part_folder(9).path
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    folder.drop_parts_after(1)
    assert [part.path.name for part in folder.complete_parts()] == ["part-00001", "part-00004"]
    assert (mine / "notes.txt").read_text() == "mine"
    assert (elsewhere / "part.json").exists()
