import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from kdos.cli import main
from kdos.outputs import check_output_file
from kdos.train import Trial, run_trials
from kdos.train.experiment import plan_trial


def measure(out: Path, *flags: str, workers: int = 1) -> list[dict[str, str]]:
    small = ["--widths", "16", "--presentations", "6400", "--seeds", "2", "--subjects", "512"]
    assert main(["train", "--proxy", *small, *flags, "--workers", str(workers), "--out", str(out)]) == 0
    with (out / "measurements.csv").open() as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_a_model_keeps_more_of_its_base_the_more_of_it_is_replayed(tmp_path: Path) -> None:
    flags = ("--arms", "mixed,continued", "--shares", "0,0.4")
    rows = measure(tmp_path / "lab", *flags, workers=2)
    assert len(rows) == 2 * 3 * (2 + 1)  # seeds, counts of facts, shares of both arms
    assert {row["share"] for row in rows if row["arm"] == "mixed"} == {"0.4"}
    kept: dict[str, list[float]] = {"0.0": [], "0.4": []}
    for row in (row for row in rows if row["arm"] == "continued"):
        assert float(row["base_recall_before"]) > 0.9
        kept[row["share"]].append(float(row["base_recall"]))
    assert np.all(np.less(kept["0.0"], kept["0.4"]))
    assert np.mean(kept["0.0"]) < 0.4 < 0.8 < np.mean(kept["0.4"])

    measured = (tmp_path / "lab" / "measurements.csv").read_bytes()
    (tmp_path / "lab" / "measurements.csv").unlink()
    measure(tmp_path / "lab", *flags)
    assert (tmp_path / "lab" / "measurements.csv").read_bytes() == measured


def test_the_standard_experiment_measures_the_arm_from_scratch_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = measure(tmp_path / "lab", "--points", "1", "--seeds", "1", "--presentations", "640")
    assert {row["arm"] for row in rows} == {"scratch"}
    assert list(rows[0])[-3:] == ["arm", "share", "base_recall"]
    # What it says to do next can be done: a training's folder takes nothing but its own files.
    law = capsys.readouterr().err.split("--out ")[1].strip()
    check_output_file(tmp_path / law, "--out", (".json",), inputs=[])


@pytest.mark.parametrize("arm", ["mixed", "continued"])
def test_runs_of_one_seed_share_their_base(arm: str) -> None:
    trials = [
        Trial(16, 1280, facts, 3, arm=arm, base=40, share=share, subjects=64)
        for facts in (20, 80)
        for share in (0.1, 0.4)
    ]
    specs = [plan_trial(trial) for trial in trials]
    for one in specs[1:]:
        np.testing.assert_array_equal(one.base, specs[0].base)
        assert one.alone is not None
        assert specs[0].alone is not None
        np.testing.assert_array_equal(one.alone.schedule[0], specs[0].alone.schedule[0])
        assert one.training.key == specs[0].training.key
    assert not np.isin(specs[2].taught, specs[2].base).any()


def test_what_was_held_before_is_what_the_first_phase_leaves() -> None:
    # Trained for nothing after its base, a model of the arm `continued` is the one that is called "before".
    trial = Trial(16, 1, 20, 0, arm="continued", base=40, share=0.0, subjects=64)
    (row,) = run_trials([trial])

    assert row["base_recall"] == row["base_recall_before"] > 0.5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--arms scratch,fresh", "--arms must name some of scratch,mixed,continued, each once"),
        ("--arms mixed,mixed", "--arms must name some of scratch,mixed,continued, each once"),
        ("--shares 0.1,x", "--shares must be numbers in [0, 1)"),
        ("--shares 0.4,0.1", "smallest first. Got '0.4,0.1'"),
        ("--shares 0,1", "--shares must be numbers in [0, 1)"),
        ("--shares nan", "--shares must be numbers in [0, 1)"),
    ],
)
def test_flags(flags: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--proxy", "--out", str(tmp_path), *flags.split()]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
