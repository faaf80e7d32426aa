import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kdos.api import load_config
from kdos.cli import main
from kdos.config import BudgetConfig
from kdos.scaling.collapse import recall_curve

COMMITTED = Path(__file__).parents[2] / "benchmarks/results/infusion_measurements.csv"
PILOT = Path(__file__).parents[2] / "../shared/data/infusion/pilot_runs.csv"
HEADER = "params,presentations,facts,recall,random_seed"


def write(path: Path, rows: list[str], *, header: str = HEADER) -> str:
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def runs(*sizes: int, top: float = 8) -> list[str]:
    """Two seeds of each size at one budget, up to `top` times a quarter of K50."""
    rows = []
    for size in sizes:
        k50 = 1400 * (size / 6144) ** 0.6
        for step in range(int(2 * np.log2(top)) + 1):
            facts = round(k50 / 4 * 2 ** (step / 2))
            recall = recall_curve(np.log(facts), np.log(k50), np.array(0.25), floor=1 / 64)
            rows += [f"{size},192000,{facts},{float(recall):.4f},{seed}" for seed in (0, 1)]
    return rows


def fit(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["scaling", "fit", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["scaling", *arguments]) == 2
    return capsys.readouterr().err


def test_from_measurements_to_a_law(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "runs.csv", runs(6144, 13_824, 24_576, 55_296))
    found = fit(file, "--holdout-largest", "--out", str(tmp_path / "law.json"), capsys=capsys)

    assert found["forms"]["power"][1] == pytest.approx(0.6, abs=0.02)
    assert found["holdout"][0]["error"] == pytest.approx(0, abs=0.02)
    assert found["one_curve"]["r2"] > 0.99
    assert json.loads((tmp_path / "law.json").read_bytes())["sizes"] == [6144, 55_296]


@pytest.mark.skipif(not PILOT.exists(), reason="the pilot's runs are not here")
def test_the_pilot_foretells_its_largest_size(capsys: pytest.CaptureFixture[str]) -> None:
    found = fit(str(PILOT), "--holdout-largest", "--json", capsys=capsys)

    (held,) = found["holdout"]
    assert held["params"] == 24_576
    assert abs(held["error"]) <= 0.15
    assert held["inside"]
    assert found["one_curve"]["r2"] >= 0.90


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("6144,192000,500,1.2,0", "line 6, field recall: must be a share in [0, 1]. Got '1.2'"),
        ("6144,192000,500,nan,0", "line 6, field recall: must be a share in [0, 1]. Got 'nan'"),
        ("6144,192000,0,0.5,0", "field facts: must be a whole number of at least 1. Got '0'"),
        ("big,192000,500,0.5,0", "field params: must be a whole number of at least 1. Got 'big'"),
        ("6144,192000,500,,0", "field recall: must be a share in [0, 1]. Got None"),
        ("6144,192000,500", "must have 5 cells, as the header has. Got 3"),
    ],
)
def test_a_bad_row_is_named(row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "runs.csv", [*runs(6144)[:4], row])
    assert message in " ".join(refused("fit", file, capsys=capsys).split())


def test_what_is_missing_is_to_be_measured_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "one.csv", runs(6144))
    assert "at least 2 sizes" in refused("fit", one, capsys=capsys)
    two = write(tmp_path / "two.csv", runs(6144, 13_824))
    wanted = "at least 3 sizes. Got 2: 6,144, 13,824 parameters. Measure 27,648 parameters next."
    assert wanted in refused("fit", two, "--holdout-largest", capsys=capsys)
    below = write(tmp_path / "below.csv", runs(6144, 13_824, 24_576, top=2))
    assert "Measure 1,400 facts next" in refused("fit", below, capsys=capsys)
    short = write(tmp_path / "short.csv", ["6144,500,0.4"], header="params,facts,recall")
    assert "presentations" in refused("fit", short, capsys=capsys)


def test_a_cell_without_a_collapse_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*runs(6144, 13_824, 24_576), *runs(55_296, top=2)]
    found = fit(write(tmp_path / "runs.csv", rows), capsys=capsys)

    assert len(found["cells"]) == 3
    assert "55,296 parameters" in found["left_out"][0]


def budgets(*sizes: int) -> list[str]:
    """Runs of `runs`, and those of the smallest size at half the budget, where K50 is 0.65 of the other."""
    halved = [row.split(",") for row in runs(sizes[0])]
    return runs(*sizes) + [
        f"{size},96000,{round(int(facts) * 0.65)},{recall},{seed}" for size, _, facts, recall, seed in halved
    ]


def test_two_sizes_say_what_they_can(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "two.csv", runs(6144, 13_824))
    assert main(["scaling", "fit", file]) == 0
    out, told = capsys.readouterr()
    found = json.loads(out)

    assert found["residual"] is None
    assert found["left_out_error"] == {}
    assert len(found["cells"]) == 2
    assert "error at sizes left out: not testable" in told
    assert "one budget" in told


def test_one_random_seed_has_no_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in budgets(6144, 13_824, 24_576, 55_296) if row.endswith(",0")]
    law = str(tmp_path / "law.json")
    assert main(["scaling", "fit", write(tmp_path / "one.csv", rows), "--holdout-largest", "--out", law]) == 0
    out, told = capsys.readouterr()
    found = json.loads(out)

    assert "every cell has one random seed: no intervals" in told
    assert [one["k50"]["low"] for one in found["cells"]] == [None] * 5
    assert (found["holdout"][0]["predicted"]["high"], found["holdout"][0]["inside"]) == (None, None)
    assert main(["scaling", "plan", "--law", law, "--params", "1e5", "--tokens", "1e7"]) == 0
    out, told = capsys.readouterr()
    assert json.loads(out)["facts"]["low"] is None
    assert "no interval: one random seed" in told


def test_budgets_of_whole_epochs_are_one_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row.split(",") for row in runs(6144, 13_824, 24_576)]
    whole = [
        f"{size},{int(shown) // int(facts) * int(facts)}.0,{facts},{recall},{seed}"
        for size, shown, facts, recall, seed in rows
    ]
    law = str(tmp_path / "law.json")
    found = fit(write(tmp_path / "runs.csv", whole), "--out", law, capsys=capsys)

    assert len(found["cells"]) == 3
    tokens = str(192_000 * 26 / 0.9)
    assert main(["scaling", "plan", "--law", law, "--params", "30000", "--tokens", tokens]) == 0
    assert json.loads(capsys.readouterr().out)["extrapolation"]["presentations"] == 1
    assert "cannot say what" in refused("plan", "--law", law, "--params", "30000", "--tokens", "1e9", capsys=capsys)


def test_runs_at_fewer_than_one_exposure_count_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = ["6144,192000,200000,0.9,0"]
    found = fit(write(tmp_path / "runs.csv", [*odd, *runs(6144, 13_824)]), capsys=capsys)
    plain = fit(write(tmp_path / "plain.csv", runs(6144, 13_824)), capsys=capsys)
    assert "1 runs teach more facts than their 192,000 presentations" in found["left_out"][0]
    assert found["cells"] == plain["cells"]

    few = [row.replace(",192000,", ",1000,") for row in runs(6144, 13_824)]
    told = refused("fit", write(tmp_path / "few.csv", few), capsys=capsys)
    assert "Measure more presentations next" in " ".join(told.split()).replace("measure", "Measure")


def test_cells_above_the_known_bits_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "runs.csv", runs(6144, 13_824, 24_576))
    assert main(["scaling", "fit", file, "--bits", "30"]) == 0
    assert "3 cells (6,144 at 192,000, 13,824 at 192,000, 24,576 at 192,000) hold more bits" in capsys.readouterr().err
    assert fit(file, capsys=capsys)["notes"] == [
        "one budget: what presentations do was not measured. Measure one size at half and at twice that."
    ]


@pytest.mark.parametrize("file", [COMMITTED, PILOT], ids=["committed", "pilot"])
def test_a_plan_for_seven_billion_parameters(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both laws' intervals overlap because each holds the same figure, which is asked of each alone."""
    if not file.exists():
        pytest.skip("the pilot's runs are not here")
    law = str(tmp_path / "law.json")
    fit(str(file), "--out", law, capsys=capsys)
    assert main(["scaling", "plan", "--law", law, "--params", "7e9", "--tokens", "1e9"]) == 0
    out, told = capsys.readouterr()
    plan = json.loads(out)

    first, *_ = told.splitlines()
    assert f"extrapolated {7e9 / plan_sizes(law)[1]:,.1f} times in parameters" in first
    assert "an order of magnitude" in first
    assert plan["exposures"] >= plan["least_exposures"] == 50
    assert plan["facts"]["low"] < 300_000 < plan["facts"]["high"]
    assert plan["facts"]["high"] <= 1e9 * 0.9 / 26 / 50 * 1.001
    assert plan["prediction"]["k50"]["value"] <= 1e9 * 0.9 / 26


def plan_sizes(law: str) -> list[int]:
    return json.loads(Path(law).read_bytes())["sizes"]


def test_from_measurements_by_law_and_plan_to_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The law sets how many facts, the run makes them: no others, none more often than the dataset is to hold it."""
    law = str(tmp_path / "law.json")
    fit(write(tmp_path / "runs.csv", budgets(6144, 13_824, 24_576)), "--out", law, "--json", capsys=capsys)
    articles = write_articles(tmp_path / "articles.jsonl", count=30)
    config, planned = tmp_path / "run.yaml", tmp_path / "planned.yaml"
    config.write_text(f"source: {{kind: text, path: {articles}}}\nbudget: {{calls: 500}}\n")
    flags = ["--law", law, "--params", "6144", "--tokens", "78000"]
    assert main(["scaling", "plan", *flags, "--config", str(config), "--out", str(planned)]) == 0
    plan = json.loads(capsys.readouterr().out)
    run = load_config(planned)

    assert plan["taught"] == 40
    assert plan["exposures"] >= plan["least_exposures"] == 50
    assert plan["dataset_exposures"] * plan["epochs"] == pytest.approx(plan["exposures"])
    assert (run.facts, run.exposures) == (plan["taught"], plan["dataset_exposures"]) == (40, 3)
    assert run.budget == BudgetConfig(samples=plan["samples"], calls=500)

    assert main(["run", str(planned), "--out", str(tmp_path / "run")]) == 0
    summary = json.loads(capsys.readouterr().out)
    held = pq.read_table(tmp_path / "run" / "synthesize" / "knowledge_points.parquet").to_pylist()
    shown = [point["exposures"] for point in held if not point["novel"]]
    assert summary["samples"] <= plan["samples"]
    assert summary["reference"]["knowledge_points"] == 90
    assert 30 <= len(shown) <= 40 * 1.1, "a sample may bring along a point that nobody asked for (slack)"
    assert max(shown) <= 3


def write_articles(path: Path, *, count: int) -> Path:
    """Articles of three facts each."""
    texts = (
        f"Moor Town {n} was founded by Ada Moor in {1700 + n}. The bridge of Moor Town {n} was opened in {1800 + n}. "
        f"Some {200 + n} people built the harbour of Moor Town {n}."
        for n in range(count)
    )
    rows = [json.dumps({"id": str(n), "title": f"Moor Town {n}", "text": text}) for n, text in enumerate(texts)]
    path.write_text("\n".join(rows))
    return path


def test_flags_of_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = tmp_path / "law.json"
    plan = ("plan", "--law", str(law), "--tokens", "1e9", "--params")
    assert "law.json: must be a law" in refused(*plan, "7e9", capsys=capsys)
    law.write_text("{}")
    assert "law.json: must be a law" in refused(*plan, "7e9", capsys=capsys)
    assert "--params must be more than 0" in refused(*plan, "-1", capsys=capsys)
    assert "--bits must be more than 0" in refused(*plan, "7e9", "--bits", "nan", capsys=capsys)
    assert "--least-exposures must be at least 1" in refused(*plan, "7e9", "--least-exposures", "0.5", capsys=capsys)
    assert "--floor must be in [0, 1)" in refused("fit", "runs.csv", "--floor", "1", capsys=capsys)
    assert "--bits must be more than 0" in refused("fit", "runs.csv", "--bits", "0", capsys=capsys)
    assert "go together" in refused(*plan, "7e9", "--config", "run.yaml", capsys=capsys)
