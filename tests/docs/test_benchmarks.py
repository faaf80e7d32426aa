"""The index of the benchmarks and their runner, against the folder."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
INDEX = (FOLDER / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_run", FOLDER / "run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_folder(tmp_path: Path, **scripts: str) -> Path:
    """A folder of benchmarks with these scripts."""
    folder = tmp_path / "benchmarks"
    (folder / "results").mkdir(parents=True)
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(f'"""What {name} shows."""\n{text}\n')
    return folder


def test_the_index_has_a_row_for_each_script_and_no_other(runner) -> None:
    rows = re.findall(r"^\| `([\w.]+)` \|", INDEX, re.MULTILINE)
    assert sorted(rows) == sorted(path.name for path in runner.find_benchmarks().values())
    assert all(f"`{name}.py`" in INDEX for name in runner.HELPERS)


def test_the_index_names_each_results_file_and_no_other() -> None:
    named = set(re.findall(r"`(\w+\.(?:json|csv))`", INDEX))
    assert named == {path.name for path in (FOLDER / "results").iterdir()}


def test_the_list_names_each_script_with_what_it_says_of_itself(runner) -> None:
    command = [sys.executable, str(FOLDER / "run.py"), "list"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in shown] == list(runner.find_benchmarks())
    assert all(len(line.split()) > 3 for line in shown)


def test_arguments_are_kept_for_scripts_that_exist_only(runner) -> None:
    assert {*runner.CALLS, *runner.QUICK} <= set(runner.find_benchmarks())


def test_a_script_that_fails_or_hangs_makes_the_runner_fail(runner, tmp_path, capsys) -> None:
    folder = a_folder(tmp_path, fails="raise SystemExit(3)", hangs="import time; time.sleep(60)", works="")
    assert runner.main(["run", "works"], folder=folder) == 0
    assert runner.main(["all", "--timeout", "10"], folder=folder) == 1
    ended = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in ended[2:3]] == [["hangs", "stopped"]]
    assert ended[1] == ["fails", "exit", "3"]
    assert ended[3] == ["works", "exit", "0"]


def test_what_was_not_given_is_named_and_a_quick_run_changes_no_result(runner, tmp_path, capsys) -> None:
    keep = "from pathlib import Path\nPath(__file__).with_name('results').joinpath('new').touch()"
    folder = a_folder(tmp_path, report_map=keep, density_codebook=keep)
    assert runner.main(["all", "--quick"], folder=folder) == 0
    assert list((folder / "results").iterdir()) == []
    shown = capsys.readouterr().out
    assert "report_map               skipped: needs --run" in shown
    assert "density_codebook         exit 0" in shown


def test_an_unknown_name_is_wrong_use(runner) -> None:
    with pytest.raises(SystemExit) as ended:
        runner.main(["run", "no_such_benchmark"])
    assert ended.value.code == 2
