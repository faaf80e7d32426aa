"""Prompts, samples and seed questions that are none: one line with exit code 2, and nothing is asked or written."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kdos.cli import main
from kdos.tasks.prompt_set import RUN_PROMPTS

NESTED = "[" * 10_000 + "]" * 10_000


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


PATHS: dict[str, Callable[[Path], object]] = {
    "nothing there": lambda _: None,
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "a terabyte of zeros": sparse,
    "an escape code": lambda path: path.write_text("\x1b[2J\x1b]0;x\x07 title"),
}


def refuse(key: str, value: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a run, a dry run and the doctor say: each one line, exit code 2."""
    (value.parent / "corpus.jsonl").write_text('{"text": "In 1836 the copper works of Bonn employed 91 people."}\n')
    config = {"source": {"kind": "text", "path": str(value.parent / "corpus.jsonl")}, key: str(value)}
    (path := value.parent / "c.yaml").write_text(json.dumps(config))
    said: list[str] = []
    for command in (["run"], ["run", "--dry-run"], ["doctor"]):
        assert main([command[0], str(path), "--out", str(value.parent / "out"), *command[1:]]) == 2
        said.append(capsys.readouterr().err)
        assert said[-1].count("\n") == 1
        assert said[-1].isprintable() or said[-1].rstrip("\n").isprintable()
    assert len(set(said)) == 1
    assert not (value.parent / "out").exists()
    return said[0]


@pytest.mark.parametrize("make", list(PATHS.values())[1:], ids=list(PATHS)[1:])
def test_a_prompt_that_is_no_text(make: Callable[[Path], object], tmp_path: Path, capsys) -> None:
    (folder := tmp_path / "prompts").mkdir()
    make(folder / "seed.md")
    assert "seed.md" in refuse("prompts", folder, capsys)


@pytest.mark.parametrize("key", ["prompts", "examples", "seeds", "taxonomy"])
@pytest.mark.parametrize("name", [name for name in PATHS if name != "a terabyte of zeros"])
def test_what_is_no_folder_and_what_is_no_file(key: str, name: str, tmp_path: Path, capsys) -> None:
    make = PATHS[name]
    make(tmp_path / "own.jsonl")
    assert "own.jsonl" in refuse(key, tmp_path / "own.jsonl", capsys)


@pytest.mark.parametrize(
    "text", [f"```json\n{NESTED}\n```", f'```json\n{{"seeds": {NESTED}}}\n```', "```json\n{" * 6_000]
)
def test_an_example_in_a_prompt_that_nests_or_never_ends(text: str, tmp_path: Path, capsys) -> None:
    (folder := tmp_path / "prompts").mkdir()
    (folder / "seed.md").write_text(f"{RUN_PROMPTS['seed'].text}\n{text}\n")
    assert "seed.md, line " in refuse("prompts", folder, capsys)


ROWS = {
    "nested": f'{{"question": {NESTED}, "answer": "x"}}',
    "of other kinds": '{"question": {"a": 1}, "answer": [[1]], "logic": 7, "knowledge_points": {}}',
    "a list": "[]",
    "null": "null",
    "half a character": '{"question": "\\ud800", "answer": "x", "logic": "y", "knowledge_points": ["z"]}',
}


@pytest.mark.parametrize("key", ["examples", "seeds", "taxonomy"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_rows_that_are_no_samples_and_no_questions(key: str, row: str, tmp_path: Path, capsys) -> None:
    (path := tmp_path / "own.jsonl").write_text(f"{row}\n")
    assert "own.jsonl" in refuse(key, path, capsys)


def test_a_list_in_a_text_that_nests_is_no_list(tmp_path: Path, capsys) -> None:
    row = {"question": "Who wrote Hamlet?", "answer": "x", "knowledge_points": NESTED, "logic": "graph TD"}
    (path := tmp_path / "own.jsonl").write_text(json.dumps(row))
    assert "Got knowledge_point_length: 20000 characters" in refuse("examples", path, capsys)


@pytest.mark.parametrize("key", ["prompts", "examples", "seeds", "taxonomy"])
def test_the_run_may_not_be_written_over_what_it_reads(key: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"text": "In 1836 the copper works of Bonn employed 91 people."}\n')
    (folder := tmp_path / "own").mkdir()
    (folder / "seed.md").write_text(RUN_PROMPTS["seed"].text)
    (folder / "rows.jsonl").write_text('{"question": "Who?", "answer": "x"}\n')
    (folder / "classes.jsonl").write_text('{"name": "law"}\n{"name": "art"}\n')
    named = folder / {"prompts": "", "taxonomy": "classes.jsonl"}.get(key, "rows.jsonl")
    config = {"source": {"kind": "text", "path": str(tmp_path / "corpus.jsonl")}, key: str(named)}
    (path := tmp_path / "c.yaml").write_text(json.dumps(config))
    before = {file: file.read_bytes() for file in folder.iterdir()}
    assert main(["run", str(path), "--out", str(folder)]) == 2
    assert {file: file.read_bytes() for file in folder.iterdir()} == before
