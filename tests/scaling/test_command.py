import json
from pathlib import Path

import numpy as np
import pytest

from kdos.api import load_config
from kdos.cli import main
from kdos.config import BudgetConfig
from kdos.scaling.collapse import recall_curve

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
            recall = recall_curve(np.log(facts), np.log(k50), np.array(0.25), values=64)
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
    assert "at least 2 sizes" in refused("fit", two, "--holdout-largest", capsys=capsys)
    below = write(tmp_path / "below.csv", runs(6144, 13_824, 24_576, top=2))
    assert "Measure 1,400 facts next" in refused("fit", below, capsys=capsys)
    short = write(tmp_path / "short.csv", ["6144,500,0.4"], header="params,facts,recall")
    assert "presentations" in refused("fit", short, capsys=capsys)


def test_a_cell_without_a_collapse_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*runs(6144, 13_824, 24_576), *runs(55_296, top=2)]
    found = fit(write(tmp_path / "runs.csv", rows), capsys=capsys)

    assert len(found["cells"]) == 3
    assert "55,296 parameters" in found["left_out"][0]


def test_a_plan_and_the_run_that_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = runs(6144, 13_824, 24_576) + [row.replace("192000", "96000") for row in runs(6144)]
    law = str(tmp_path / "law.json")
    fit(write(tmp_path / "runs.csv", rows), "--out", law, "--json", capsys=capsys)
    articles = tmp_path / "articles.jsonl"
    articles.write_text(
        "\n".join(
            json.dumps(
                {
                    "id": str(n),
                    "title": f"Moor Town {n}",
                    "text": f"Moor Town {n} was founded by Ada Moor in {1700 + n}. "
                    f"The bridge of Moor Town {n} was opened in {1800 + n}. "
                    f"Some {200 + n} people built the harbour of Moor Town {n}.",
                }
            )
            for n in range(40)
        )
    )
    config, planned = tmp_path / "run.yaml", tmp_path / "planned.yaml"
    config.write_text(f"source: {{kind: text, path: {articles}}}\nbudget: {{calls: 500}}\n")

    flags = ["--law", law, "--params", "6144", "--tokens", "40000", "--facts", "30"]
    assert main(["scaling", "plan", *flags, "--config", str(config), "--out", str(planned)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["taught"] == 30
    assert load_config(planned).budget == BudgetConfig(samples=plan["samples"], calls=500)
    assert main(["run", str(planned), "--out", str(tmp_path / "run")]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] <= plan["samples"]


def test_flags_of_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law = tmp_path / "law.json"
    plan = ("plan", "--law", str(law), "--tokens", "1e9", "--params")
    assert "law.json: must be a law" in refused(*plan, "7e9", capsys=capsys)
    law.write_text("{}")
    assert "law.json: must be a law" in refused(*plan, "7e9", capsys=capsys)
    assert "--params must be more than 0" in refused(*plan, "-1", capsys=capsys)
    assert "go together" in refused(*plan, "7e9", "--config", "run.yaml", capsys=capsys)
