import json
from pathlib import Path

import pytest

from kdos.cli import main

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_page_is_written_into_the_run(running_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(running_run)]) == 0
    said = json.loads(capsys.readouterr().out)
    page = running_run / "report" / "index.html"
    assert said == {"page": str(page), "bytes": page.stat().st_size, "figures": []}
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_figures_for_a_paper_are_the_same_each_time(running_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for _ in range(2):
        assert main(["report", str(running_run), "--png"]) == 0
        figures = [Path(name) for name in json.loads(capsys.readouterr().out)["figures"]]
        made.append({path.name: path.read_bytes() for path in figures})
    assert made[0] == made[1]
    assert set(made[0]) == {"panels.png", "gap.png", "drafts.png"}
    assert all(data.startswith(PNG) for data in made[0].values())


def test_a_folder_that_is_no_run_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"kdos: RUN must be the folder of a run. {tmp_path} holds no run.yaml."]
    assert list(tmp_path.iterdir()) == []
