import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from kdos.artifacts import RunFolder
from kdos.cli import main
from kdos.config import read_config
from kdos.run import run_config
from kdos.train.sweep import explain_recall

CONTRACT = {
    "arm", "params", "presentations", "pools", "coverage", "log10_density", "recall", "recall_ci",
}  # fmt: skip
FLAGS = ["--pools", "2", "--samples", "30", "--facts", "200", "--widths", "16", "--presentations", "3200,6400"]
LOOPS = ["--targets", "natural,uniform", "--exposures", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run on the documentation of Python."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    value = {"source": {"kind": "pydocs", "limit": 6}, "budget": {"samples": 60}, "random_seed": 3}
    run_config(read_config(value), folder)
    return folder


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_a_sweep_compares_pools_that_were_made_and_resumes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, out = digest(run), tmp_path / "out"
    law = tmp_path / "law.json"
    measured = Path(__file__).parents[2] / "benchmarks" / "results" / "infusion_measurements.csv"
    assert main(["scaling", "fit", str(measured), "--out", str(law), "--json"]) == 0
    capsys.readouterr()
    command = ["sweep", str(run), "--out", str(out), *FLAGS, *LOOPS, "--workers", "1", "--json"]
    assert main(command) == 0
    table = json.loads(capsys.readouterr().out)

    arms = {row["arm"] for row in table["arms"]}
    assert arms == {"loop", "blind", "blind-dedup", "greedy-cover", "placebo", "oracle", "loop-uniform"}
    assert all(row.keys() >= CONTRACT and row["pools"] == 2 for row in table["arms"])
    assert all("minus_blind_ci" in row for row in table["arms"] if row["arm"] != "blind")
    assert len(table["arms"]) == 2 * len(arms), "each at both budgets"
    assert len(table["comparisons"]) == 3 * 2
    for one in table["comparisons"]:
        low, high = one["holm_interval"]
        assert low <= one["interval"][0] <= one["difference"] <= one["interval"][1] <= high
        assert one["holm_p_value"] >= one["p_value"]
    coverage = {row["arm"]: row["coverage"] for row in table["arms"]}
    assert coverage["blind"] < coverage["loop"] <= coverage["oracle"] + 0.02
    assert coverage["blind"] <= coverage["greedy-cover"]
    (density,) = table["density"]
    assert len(density["pools"]) == 9
    assert digest(run) == before, "the run is left alone"
    assert {path.name for path in (out / "pools").iterdir() if path.is_dir()} == {
        f"{kind}-{number}" for kind in ("loop", "blind", "placebo", "loop-uniform") for number in range(2)
    }
    assert (out / "sweep.png").stat().st_size > 1000
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == table
    assert main([*command, "--names", "words", "--presentations", "3200"]) == 0
    words = json.loads(capsys.readouterr().out)
    assert words["names"] == "words"
    assert json.loads((out / "sweep.json").read_text()) == table


def test_pools_that_take_over_what_was_prepared_are_those_that_prepare_it(run: Path, tmp_path: Path) -> None:
    config = read_config(
        {"source": {"kind": "pydocs", "limit": 6}, "budget": {"samples": 20}, "random_seed": 3, "target": "uniform"}
    )
    run_config(config, tmp_path / "alone")
    run_config(config, tmp_path / "after", prepared=RunFolder(run))
    alone, after = (RunFolder(tmp_path / name).read_samples() for name in ("alone", "after"))
    assert alone.equals(after)
    RunFolder(tmp_path / "after").refuse_damage()


def test_a_placebo_has_the_points_change_places_and_nothing_else(run: Path, tmp_path: Path) -> None:
    value = {"source": {"kind": "pydocs", "limit": 6}, "budget": {"samples": 20}, "random_seed": 3}
    run_config(read_config(value | {"space": {"placebo": True}}), tmp_path / "placebo")
    ours, theirs = (RunFolder(path) for path in (run, tmp_path / "placebo"))
    assert ours.read_space().fingerprint == theirs.read_space().fingerprint
    points, moved = ours.read_reference_points(), theirs.read_reference_points()
    assert (points != moved).any()
    assert (np.sort(points, axis=0) == np.sort(moved, axis=0)).all()


def test_recall_that_follows_coverage_alone_is_explained_by_it_alone() -> None:
    rng = np.random.default_rng(0)
    coverage, density = rng.random(60), rng.normal(0, 1, 60)
    found = explain_recall(0.2 + 0.5 * coverage + rng.normal(0, 0.01, 60), coverage, density, rng)
    estimate, low, high = found["slope_coverage"]
    assert low < 0.5 < high
    assert estimate == pytest.approx(0.5, abs=0.02)
    assert found["r2_coverage"][0] > 0.99
    assert found["r2_log10_density"][0] < 0.2
    assert found["slope_log10_density"][1] < 0 < found["slope_log10_density"][2]


def test_wrong_use(tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["sweep", str(tmp_path), *out]) == 2
    assert "holds no run.yaml" in capsys.readouterr().err
    for flags, line in [
        (["--targets", "natrual"], "`target` must be one of"),
        (["--presentations", "0"], "--presentations must be numbers"),
        (["--exposures", "2,1"], "--exposures must be numbers"),
    ]:
        assert main(["sweep", str(run), *flags, *out]) == 2
        assert line in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
