import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from kdos.cli import main


def smoke(out: Path, *, workers: int) -> int:
    flags = ["--widths", "16,24", "--presentations", "12800", "--points", "4", "--seeds", "1"]
    return main(["train", "--proxy", *flags, "--workers", str(workers), "--out", str(out)])


@pytest.mark.slow
def test_a_small_experiment_shows_a_collapse_that_grows_with_size_and_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(tmp_path / "lab", workers=2) == 0
    capsys.readouterr()
    file = tmp_path / "lab" / "measurements.csv"
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    recall = {(row["params"], row["presentations"], int(row["facts"])): row for row in rows}
    for params, presentations in {key[:2] for key in recall}:
        cell = sorted(key for key in recall if key[:2] == (params, presentations))
        first, last = (float(recall[key]["recall"]) for key in (cell[0], cell[-1]))
        assert last < first / 2

    assert main(["scaling", "fit", str(file), "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    k50 = {(cell["params"], cell["presentations"]): cell["k50"]["value"] for cell in cells}
    assert k50[6144, 6400] < k50[6144, 12_800] < k50[6144, 25_600]
    assert k50[6144, 12_800] < k50[13_824, 12_800]

    measured = file.read_bytes()
    file.unlink()
    assert smoke(tmp_path / "lab", workers=1) == 0
    assert file.read_bytes() == measured


@pytest.mark.parametrize(
    ("flags", "message"), [("--widths 16,x", "--widths must be numbers"), ("--seeds 0", "--seeds must be at least 1")]
)
def test_flags(flags: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--proxy", "--out", str(tmp_path), *flags.split()]) == 2
    assert message in capsys.readouterr().err
