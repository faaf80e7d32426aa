import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit

from kdos.cli import main

SIZES = (6144, 13_824, 24_576, 55_296)
BUDGET = 48_000
PLAIN = "params,presentations,facts,recall,random_seed"
HEADER = f"{PLAIN},arm,share,base_recall,base,base_recall_before"


def k50_of(params: int) -> float:
    return 1400 * (params / 6144) ** 0.6


def scratch_rows(*, ends: str = ",scratch,0.0,,,") -> list[str]:
    """Two seeds of each size, from a quarter of K50 to twice it."""
    rows = []
    for size in SIZES:
        for budget in (BUDGET, 2 * BUDGET) if size == SIZES[0] else (BUDGET,):
            k50 = k50_of(size) * (budget / BUDGET) ** 0.5
            for facts in (k50 / 4 * 2 ** (np.arange(7) / 2)).round():
                recall = 1 / 64 + 63 / 64 * expit((np.log(k50) - np.log(facts)) / 0.25)
                rows += [f"{size},{budget},{facts:.0f},{float(recall):.4f},{seed}{ends}" for seed in (0, 1)]
    return rows


def retention_rows(arm: str) -> list[str]:
    """Retention of 0.95 at a share whose odds grow with K/K50 and not with size."""
    rows = []
    for size in SIZES:
        for load in (0.08, 0.25, 0.75):
            for share in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
                off = logit(share) + 1.2 - 0.9 * np.log(load) if share else -4.0
                kept = expit(2 * off + logit(0.95))
                rows += [
                    f"{size},{BUDGET},{load * k50_of(size):.0f},0.9,{seed},{arm},{share},{kept:.3f},150,1.0"
                    for seed in (0, 1, 2)
                ]
    return rows


def write(path: Path, rows: list[str], *, header: str = HEADER) -> str:
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def fit(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    assert main(["scaling", "fit", *arguments]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


def test_the_collapse_is_that_of_the_runs_from_scratch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed = write(tmp_path / "arms.csv", [*retention_rows("continued"), *scratch_rows()])
    old = write(tmp_path / "old.csv", scratch_rows(ends=""), header=PLAIN)
    (with_arms, _), (without, _) = (fit(file, capsys=capsys) for file in (mixed, old))

    assert without.pop("retention") == {}
    assert "continued" in with_arms.pop("retention")
    assert with_arms == without


def test_the_fit_tells_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*scratch_rows(), *retention_rows("continued")]
    found, shown = fit(write(tmp_path / "arms.csv", rows), "--out", str(tmp_path / "law.json"), capsys=capsys)
    kept = found["retention"]["continued"]

    assert kept["relation"]["parameters"] == pytest.approx([-1.2, 0.9, 0.0], abs=0.15)
    assert all(one["inside"] for one in kept["held_out"])
    assert json.loads((tmp_path / "law.json").read_bytes())["retention"] == found["retention"]
    assert "continued: replay share that keeps 95% of the base" in shown
    assert "350 facts (0.25 of K50) beside 150: 0.0" in shown
    assert "held out 55,296" in shown


def test_a_base_that_was_not_held_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = [row.removesuffix(",1.0") + ",0.4" for row in retention_rows("mixed")]
    found, shown = fit(write(tmp_path / "arms.csv", [*scratch_rows(), *lost]), capsys=capsys)

    assert "needed" not in found["retention"]["mixed"]
    assert "left out: With 6,144 parameters, 0.40 of 150 base facts were held before." in " ".join(shown.split())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("6144,48000,500,0.5,0,mixed,1.2,0.5,150,1.0", "field share: must be a share in [0, 1]. Got '1.2'"),
        ("6144,48000,500,0.5,0,mixed,0.1,,150,1.0", "field base_recall: must be a share in [0, 1]. Got None"),
        ("6144,48000,500,0.5,0,mixed,0.1,0.5,0,1.0", "field base: must be a whole number of at least 1. Got '0'"),
    ],
)
def test_a_bad_row_is_named(row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "arms.csv", [*scratch_rows(), row])
    assert main(["scaling", "fit", file]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"line {len(scratch_rows()) + 2}, {message}" in told


def test_a_collapse_needs_runs_from_scratch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scaling", "fit", write(tmp_path / "arms.csv", retention_rows("mixed"))]) == 2
    assert "must hold runs of the arm scratch" in " ".join(capsys.readouterr().err.split())


def plan(law: Path, *flags: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    capsys.readouterr()
    assert main(["scaling", "plan", "--law", str(law), "--params", "30000", "--tokens", "2e6", *flags]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out), " ".join(printed.err.split())


def test_a_plan_takes_its_replay_share_from_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*scratch_rows(), *retention_rows("continued"), *retention_rows("mixed")]
    law = tmp_path / "law.json"
    fit(write(tmp_path / "arms.csv", rows), "--out", str(law), capsys=capsys)
    found, shown = plan(law, capsys=capsys)
    load = json.loads(law.read_bytes())["peak_ratio"]["value"]

    wanted = expit(-1.2 + 0.9 * np.log(load))
    assert found["replay_share"] == found["replay"]["share"] == pytest.approx(wanted, rel=0.1)
    assert found["replay"]["low"] < wanted < found["replay"]["high"]
    assert f"replay: {found['replay_share']:.1%}" in shown
    assert "by the arm continued, within the sizes measured" in shown

    _, far = plan(law, "--params", "7e9", "--tokens", "1e9", capsys=capsys)
    assert f"extrapolated {7e9 / SIZES[-1]:,.1f} times in parameters" in far.split("replay:")[-1]
    asked, shown = plan(law, "--replay-share", "0.3", capsys=capsys)
    assert asked["replay_share"] == 0.3
    assert "replay: 30.0%, as asked for" in shown


def test_a_plan_without_measured_retention_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = tmp_path / "law.json"
    fit(write(tmp_path / "old.csv", scratch_rows(ends=""), header=PLAIN), "--out", str(law), capsys=capsys)
    found, shown = plan(law, capsys=capsys)

    assert found["replay"] == {"share": 0.1, "from": "default"}
    assert "replay: 10% is a default. The law holds no measured retention" in shown

    broken = json.loads(law.read_bytes()) | {"retention": {"continued": {"relation": {"slope": 1}}}}
    law.write_text(json.dumps(broken))
    assert main(["scaling", "plan", "--law", str(law), "--params", "30000", "--tokens", "2e6"]) == 2
    assert "law.json: must be a law" in " ".join(capsys.readouterr().err.split())
