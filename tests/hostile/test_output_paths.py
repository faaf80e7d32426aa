"""Whatever path a command is given, it ends in one line and exit code 2, and no byte of the user's changes."""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hostile_folders import build_hostile_folder, compare_trees, snapshot_tree

from kdos.cli import main
from kdos.errors import StoreError
from kdos.store import write_arrays

TOO_LONG = "x" * 300
FILE_OUTPUTS = {
    "select": ["select", "rows.jsonl", "--budget", "5", "--embed", "lexical", "--out", "OUT.parquet"],
    "density points": ["density", "rows.jsonl", "--embed", "lexical", "--points", "OUT.parquet"],
    "density picture": ["density", "rows.jsonl", "--embed", "lexical", "--picture", "OUT.png"],
    "graph": ["graph", "rows.jsonl", "--paths", "3", "--out", "OUT.parquet"],
    "verify keep": ["verify", "rows.jsonl", "--keep", "OUT.jsonl"],
    "extract": ["extract", "rows.jsonl", "--out", "OUT.jsonl"],
    "scaling fit": ["scaling", "fit", "rows.jsonl", "--out", "OUT.json"],
    "scaling plan": ["scaling", "plan", "--law", "law.json", "--params", "1", "--tokens", "9", "--config", "c.yaml",
                     "--out", "OUT.yaml"],
    "run cache": ["run", "c.yaml", "--out", "new", "--cache", "OUT.sqlite"],
}  # fmt: skip
FOLDER_OUTPUTS = {
    "run": ["run", "c.yaml", "--out", "OUT"],
    "demo": ["demo", "--out", "OUT"],
    "evaluate": ["evaluate", "--benchmark", "rows.jsonl", "--answers", "answers.jsonl", "--out", "OUT"],
    "verify": ["verify", "rows.jsonl", "--out", "OUT"],
    "export": ["export", "run", "--format", "trl", "--out", "OUT"],
    "export table": ["export", "rows.jsonl", "--format", "datasets", "--out", "OUT"],
    "train": ["train", "--proxy", "--out", "OUT"],
    "sweep": ["sweep", "run", "--out", "OUT"],
}
BAD_FILES = {
    "a folder": "folder{}",
    "a missing folder": "missing/x{}",
    "under a file": "thesis.txt/x{}",
    "too long": TOO_LONG + "{}",
    "a loop of links": "loop{}",
    "a link to a loop": "loop.d/x{}",
    "a device": "device{}",
    "a dangling link into nowhere": "dangling{}",
    "another kind": "x.thesis",
    "stdout": "-",
    "nothing": "",
    "a NUL": "a\0b{}",
    "nobody's home": "~nobody-of-this-name/x{}",
    "a part of a run": "run/summary.json{}",
    "an input": "input{}",
    "a hard link of an input": "hard{}",
}
BAD_FOLDERS = {
    "a file": "thesis.txt",
    "under a file": "thesis.txt/x/y",
    "too long": TOO_LONG,
    "too long below": f"new/{TOO_LONG}/x",
    "a loop of links": "loop.d",
    "a device": "/dev/full",
    "a dangling link": "dangling.d",
    "stdout": "-",
    "nothing": "",
    "a NUL": "a\0b",
    "somebody else's": "folder.d",
    "the working folder": ".",
    "a part of a run": "run/report/x",
}
BAD_INPUTS = ("", "a\0b", TOO_LONG, "missing.jsonl", "loop.d", "dangling.d", "/dev/full", "thesis.txt/x", "empty.d")
READERS = {
    "density": ["density", "IN"],
    "density compare": ["density", "rows.jsonl", "--embed", "lexical", "--compare", "IN"],
    "select": ["select", "IN", "--budget", "5", "--out", "o.parquet"],
    "graph": ["graph", "IN"],
    "verify": ["verify", "IN"],
    "extract": ["extract", "IN", "--out", "o.parquet"],
    "verify benchmark": ["verify", "rows.jsonl", "--benchmark", "IN"],
    "evaluate": ["evaluate", "--benchmark", "IN", "--answers", "answers.jsonl", "--out", "new"],
    "evaluate answers": ["evaluate", "--benchmark", "rows.jsonl", "--answers", "IN", "--out", "new"],
    "evaluate against": ["evaluate", "--benchmark", "rows.jsonl", "--answers", "answers.jsonl", "--out", "new",
                         "--against", "IN"],
    "run": ["run", "IN", "--out", "new"],
    "doctor": ["doctor", "IN"],
    "target": ["target", "IN"],
    "report": ["report", "IN"],
    "export": ["export", "IN", "--format", "text", "--out", "new"],
    "export datasets": ["export", "IN", "--format", "datasets", "--test-share", "0.5", "--out", "new"],
    "scaling fit": ["scaling", "fit", "IN"],
    "scaling plan": ["scaling", "plan", "--law", "IN", "--params", "1", "--tokens", "9"],
    "sweep": ["sweep", "IN", "--out", "new"],
}  # fmt: skip
WRONG_NUMBERS = (
    ["serve-rules", "--port", "99999999"],
    ["serve-rules", "--port", "-1"],
    ["serve-rules", "--latency", "nan"],
    ["serve-rules", "--truncate", "2"],
    ["density", "rows.jsonl", "--k", "0"],
    ["density", "rows.jsonl", "--cells", "-3"],
    ["density", "rows.jsonl", "--dim", "9" * 5000],
    ["select", "rows.jsonl", "--budget", "0", "--out", "o.parquet"],
    ["run", "c.yaml", "--workers", "0"],
    ["graph", "rows.jsonl", "--length", "0"],
    ["evaluate", "--benchmark", "rows.jsonl", "--answers", "answers.jsonl", "--out", "new", "--shots", "-1"],
    ["train", "--proxy", "--out", "new", "--seeds", "x"],
    ["density"],
    [],
)


def write_rows(path: Path, count: int = 40) -> None:
    rows = [
        {
            "id": str(n), "question": f"Who built mill {n}?", "answers": [f"Anna Lee{n}"], "answer": f"Anna Lee{n}",
            "text": f"Mill {n} of Bonn was built in {1800 + n} by Anna Lee{n}.", "cell": f"mine {n}",
            "knowledge_points": [f"Mill {n} was built by Lee{n % 3}.", f"Lee{n % 3} lived in Bonn."],
        }
        for n in range(count)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with good inputs, a run's folder, and names that lead where nothing may be written."""
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.jsonl")
    shutil.copy("rows.jsonl", "answers.jsonl")
    Path("c.yaml").write_text("source: {kind: text, path: rows.jsonl}\nembed: lexical\nbudget: {samples: 3}\n")
    Path("thesis.txt").write_text("thesis")
    for name in ("folder.d", "run/report", "empty.d"):
        Path(name).mkdir(parents=True)
    Path("folder.d/thesis.txt").write_text("thesis")
    Path("run/run.yaml").write_text("fingerprint: 0123456789abcdef\n")
    Path("loop.d").symlink_to("loop.d")
    Path("dangling.d").symlink_to("nowhere/at/all")
    return tmp_path


def add_bad_file(name: str, suffix: str) -> None:
    """Make what lies at a bad path for a file, where anything does."""
    path = Path(name)
    match name.removesuffix(suffix):
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case "dangling":
            path.symlink_to(f"nowhere/at/all{suffix}")
        case "device":
            path.symlink_to("/dev/full")
        case "input":
            path.symlink_to("rows.jsonl")
        case "hard":
            path.hardlink_to("rows.jsonl")
        case _:
            pass


def assert_refused(words: list[str], before: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("kdos: ")
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert compare_trees(before, snapshot_tree(Path())) == []


@pytest.mark.parametrize("words", FILE_OUTPUTS.values(), ids=FILE_OUTPUTS)
def test_no_bad_path_for_a_file_is_written(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    suffix = Path(words[-1]).suffix
    inputs = {word for word in words if word in ("rows.jsonl", "law.json", "c.yaml")}
    for kind, pattern in BAD_FILES.items():
        name = pattern.format(suffix)
        if suffix == ".sqlite" and kind in ("another kind", "a part of a run"):
            continue  # a cache has any name, and may be the ledger of another run
        if kind in ("an input", "a hard link of an input") and "rows.jsonl" not in inputs:
            continue
        if kind == "a part of a run":
            name = f"run/report/x{suffix}"
        add_bad_file(name, suffix)
        assert_refused([*words[:-1], name], snapshot_tree(Path()), capsys)


@pytest.mark.parametrize("words", FOLDER_OUTPUTS.values(), ids=FOLDER_OUTPUTS)
@pytest.mark.parametrize("name", BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_no_bad_path_for_a_folder_is_written(words: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_refused([*words[:-1], name], snapshot_tree(Path()), capsys)


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_no_bad_path_to_read_gives_a_traceback(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot_tree(Path())
    for name in BAD_INPUTS:
        assert_refused([name if word == "IN" else word for word in words], before, capsys)


@pytest.mark.parametrize("words", WRONG_NUMBERS, ids=lambda words: " ".join(words)[:60])
def test_wrong_arguments_are_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert_refused(words, snapshot_tree(Path()), capsys)


@pytest.mark.parametrize("random_seed", range(12))
@pytest.mark.parametrize("command", FOLDER_OUTPUTS)
def test_a_hostile_folder_stays_as_it_is(command: str, random_seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    build_hostile_folder(Path("theirs"), random_seed)
    assert_refused([*FOLDER_OUTPUTS[command][:-1], "theirs"], snapshot_tree(Path()), capsys)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_rows_are_written_as_the_name_says_and_keep_their_columns(suffix: str) -> None:
    out = Path(f"out{suffix}")
    words = ["select", "rows.jsonl", "--budget", "5", "--embed", "lexical", "--field", "text", "--out", str(out)]
    assert main(words) == 0
    match suffix:
        case ".parquet":
            rows = pq.read_table(out).to_pylist()
        case ".jsonl":
            rows = [json.loads(line) for line in out.read_text().splitlines()]
        case _:
            with out.open(newline="") as file:
                rows = list(csv.DictReader(file))
            rows = [row | {"answers": json.loads(row["answers"])} for row in rows]
    assert len(rows) == 5
    for row in rows:
        assert row["cell"] == f"mine {row['id']}"
        assert row["answers"] == [f"Anna Lee{row['id']}"]
        assert row.keys().isdisjoint({"kdos_cell"})


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_pictures_are_drawn_as_the_name_says(suffix: str, start: bytes) -> None:
    out = Path(f"map{suffix}")
    for _ in range(2):
        assert main(["density", "rows.jsonl", "--embed", "lexical", "--field", "text", "--picture", str(out)]) == 0
        assert out.read_bytes().startswith(start)


def test_a_link_is_written_through_and_stays() -> None:
    Path("empty.d/real.parquet").write_text("old")
    Path("link.parquet").symlink_to("empty.d/real.parquet")
    assert main(["graph", "rows.jsonl", "--paths", "3", "--out", "link.parquet"]) == 0
    assert Path("link.parquet").is_symlink()
    assert pq.read_table("empty.d/real.parquet").num_rows == 3


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path("empty.d").resolve()))
    assert main(["graph", "rows.jsonl", "--paths", "3", "--out", "~/paths.jsonl"]) == 0
    assert Path("empty.d/paths.jsonl").is_file()
    assert not Path("~").exists()


FULL_DISK = """
import resource, sys
from kdos.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (100, FILE_OUTPUTS["select"]),
        (100, ["select", "rows.jsonl", "--budget", "5", "--embed", "lexical", "--out", "o.jsonl"]),
        (100, FILE_OUTPUTS["density picture"]),
        (100, FILE_OUTPUTS["graph"]),
        (100, ["evaluate", "--benchmark", "rows.jsonl", "--answers", "answers.jsonl", "--out", "new"]),
        (100, ["verify", "rows.jsonl", "--out", "new"]),
        (100, ["run", "c.yaml", "--out", "new"]),
        (40_000, ["run", "c.yaml", "--out", "new"]),
    ],
)
def test_a_full_disk_is_one_line_and_nothing_half_written(room: int, words: list[str]) -> None:
    before = snapshot_tree(Path())
    command = [sys.executable, "-c", FULL_DISK, str(room), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("kdos: ")
    changed = compare_trees(before, snapshot_tree(Path()), allowed_new=["new"])
    assert changed == []
    assert not list(Path().rglob("*.kdos-part"))


def test_an_array_that_finds_no_room_says_so(tmp_path: Path) -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most))
    try:
        with pytest.raises(StoreError, match="space must find room on its disk"):
            write_arrays(tmp_path / "full" / "space", {}, {"points": np.zeros(20_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, most))
    assert list((tmp_path / "full").iterdir()) == []


def test_a_full_stdout_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "kdos", "graph", "rows.jsonl", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=200)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert os.strerror(28) in done.stderr
