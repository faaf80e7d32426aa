"""The command line: wrong input gets one clear line and exit code 2, and leaves nothing behind."""

import bz2
import json
import subprocess
import sys

import pytest
import yaml

import kdos
from kdos.cli import COMMANDS, main


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def jsonl(rows, *, bad_line=None):
    lines = [json.dumps(row) for row in rows]
    if bad_line:
        lines[bad_line - 1] = lines[bad_line - 1][:-5]
    return "\n".join(lines) + "\n"


ARTICLES = [
    {"id": f"a{i}", "text": f"The Tower of Town{i} was built in {1800 + i} by Anna Lee{i}."} for i in range(30)
]


def cases(folder):
    """(source block or whole config, what the message must say) by name."""
    (folder / "empty").mkdir()
    (folder / "readme").mkdir()
    write(folder / "readme" / "picture.png", b"\x89PNG")
    dump = bz2.compress(b"<mediawiki>" + b"<page><title>A</title></page>" * 5000)
    text = {"kind": "text"}
    return {
        "missing file": ({**text, "path": str(folder / "no.jsonl")}, "no.jsonl"),
        "folder without text": ({**text, "path": str(folder / "readme")}, "readme"),
        "empty folder": ({**text, "path": str(folder / "empty")}, "empty"),
        "malformed line": (
            {**text, "path": str(write(folder / "bad.jsonl", jsonl(ARTICLES, bad_line=17)))},
            "line 17",
        ),
        "no such field": (
            {**text, "path": str(write(folder / "good.jsonl", jsonl(ARTICLES))), "text": "body"},
            "body",
        ),
        "empty corpus": ({**text, "path": str(write(folder / "none.jsonl", ""))}, "none.jsonl"),
        "truncated bz2": (
            {"kind": "wikipedia", "path": str(write(folder / "d.xml.bz2", dump[: len(dump) // 2]))},
            "d.xml.bz2",
        ),
        "invalid utf-8": (
            {**text, "path": str(write(folder / "u.jsonl", b'{"id": "1", "text": "\xff\xfe"}\n'))},
            "u.jsonl",
        ),
        "unknown key": ({**text, "path": "x", "textt": "body"}, "Did you mean `text`?"),
        "wrong type": ({**text, "path": 7}, "source.path"),
        "unknown kind": ({"kind": "texts"}, "must be one of pydocs, files, text"),
    }


NAMES = (
    "missing file",
    "folder without text",
    "empty folder",
    "malformed line",
    "no such field",
    "empty corpus",
    "truncated bz2",
    "invalid utf-8",
    "unknown key",
    "wrong type",
    "unknown kind",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_source_is_one_line_and_leaves_nothing(name, tmp_path, capsys):
    source, expected = cases(tmp_path)[name]
    config = write(tmp_path / "run.yaml", yaml.safe_dump({"source": source}))
    out = tmp_path / "out"
    assert main(["run", str(config), "--out", str(out)]) == 2
    complaint = capsys.readouterr().err
    assert expected in complaint
    assert complaint.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"space": {"cells": 0}}, "`space.cells` must be at least 1. Got 0."),
        ({"target": "unifrom"}, "unifrom"),
        ({"target": "level:99"}, "must be in ["),
        ({"embed": "word2vec"}, "word2vec"),
        ({"budget": {"samples": 0}}, "budget.samples"),
        ({"engine": {"kind": "http"}}, "url"),
        ({"random_sed": 3}, "Did you mean `random_seed`?"),
    ],
)
def test_a_wrong_setting_is_one_line(changes, expected, tmp_path, capsys):
    corpus = write(tmp_path / "articles.jsonl", jsonl(ARTICLES))
    value = {"source": {"kind": "text", "path": str(corpus)}} | changes
    config = write(tmp_path / "run.yaml", yaml.safe_dump(value))
    assert main(["run", str(config), "--out", str(tmp_path / "out")]) == 2
    complaint = capsys.readouterr().err
    assert expected in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "out" / "dataset").exists()


def test_a_config_that_is_no_yaml_names_the_file(tmp_path, capsys):
    config = write(tmp_path / "broken.yaml", "source: {kind: text")
    assert main(["run", str(config)]) == 2
    complaint = capsys.readouterr().err
    assert "broken.yaml" in complaint
    assert complaint.count("\n") == 1
    assert main(["run", str(tmp_path / "none.yaml")]) == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert "usage: kdos" in capsys.readouterr().out


def test_importing_kdos_loads_nothing_heavy():
    heavy = ("numpy", "pyarrow", "sklearn", "numba", "torch", "matplotlib", "aiohttp")
    code = f"import kdos, sys; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
    assert kdos.__version__
