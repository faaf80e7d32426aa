import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kdos.cli import OneLineParser
from kdos.commands.graph import add_arguments, main
from kdos.errors import InputError, UsageError

DATA = Path(__file__).parents[2] / "../shared/data"


def run(*given: str) -> None:
    parser = OneLineParser()
    add_arguments(parser)
    main(parser.parse_args(given))


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """300 samples over 40 knowledge points in two disciplines."""
    rng = np.random.default_rng(1)
    lines = [
        json.dumps(
            {
                "knowledge_points": [f"fact {k}" for k in rng.choice(20, 3, replace=False) + 20 * (row % 2)],
                "domain": ["physics", "music"][row % 2],
            }
        )
        for row in range(300)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join([*lines, '{"knowledge_points": ["alone"], "domain": "physics"}']))
    return path


def test_the_graph_in_numbers(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(str(samples), "--json")
    found = json.loads(capsys.readouterr().out)

    assert (found["kps"], found["samples"], found["incidences"]) == (41, 301, 901)
    assert (found["components"], found["isolated"], found["singletons"]) == (3, 1, 1)
    assert found["coverage"] == pytest.approx(40 / 41)
    assert "paths" not in found


def test_paths_name_kps_and_the_rows_that_link_them(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "paths.parquet"
    run(str(samples), "--paths", "500", "--length", "3", "--out", str(out), "--json")
    found = json.loads(capsys.readouterr().out)["paths"]
    rows = [json.loads(line)["knowledge_points"] for line in samples.read_text().splitlines()]
    table = pq.read_table(out)

    assert table.column_names == ["kps", "samples", "value"]
    assert table.num_rows == found["count"] == 500
    for kps, linking in zip(table["kps"].to_pylist(), table["samples"].to_pylist(), strict=True):
        assert len(linking) == len(kps) - 1
        for (a, b), row in zip(pairwise(kps), linking, strict=True):
            assert {a, b} <= set(rows[row])
    assert found["coverage"] == 1
    assert found["tv"] < 0.05


def test_the_same_seed_writes_the_same_bytes(samples: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = str(tmp_path / f"{name}.parquet")
        run(str(samples), "--paths", "50", "--out", out, "--random-seed", seed)
    a, b, c = ((tmp_path / f"{name}.parquet").read_bytes() for name in "abc")

    assert a == b != c


def test_a_boost_gives_a_discipline_its_share(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        str(samples), "--paths", "900", "--out", str(tmp_path / "p.parquet"), "--discipline", "domain",
        "--boost", "music=3", "--json",
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)["paths"]["disciplines"]

    assert found["music"]["target"] == pytest.approx(0.75, abs=0.01)
    assert found["music"]["visits"] == pytest.approx(found["music"]["target"], rel=0.05)


def test_for_the_eye_it_warns_of_a_broken_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.parquet"
    column = pa.array([["a"], ["b", "c"], [], None, ["d"], ["e"]], pa.list_(pa.string()))
    pq.write_table(pa.table({"knowledge_points": column}), path)
    run(str(path))
    shown = capsys.readouterr()

    assert shown.out == ""
    assert "5 knowledge points in 6 samples" in shown.err
    assert "nowhere to go" in shown.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--paths", "3"], "--out"),
        (["--out", "x.parquet"], "--paths"),
        (["--paths", "0", "--out", "x.parquet"], "at least 1"),
        (["--boost", "physics=2"], "--discipline"),
        (["--discipline", "domain", "--boost", "art=2", "--paths", "1", "--out", "x.parquet"], "physics"),
        (["--discipline", "domain", "--boost", "art", "--paths", "1", "--out", "x.parquet"], "NAME=FACTOR"),
    ],
)
def test_wrong_flags_are_named(samples: Path, flags: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        run(str(samples), *flags)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"knowledge_points": "one text"}', "line 1, field knowledge_points: must be a list"),
        ('{"knowledge_points": [{"text": "x"}]}', "must be a list"),
        ('{"knowledge_points": [[["x"]]]}', "must be a list"),
        ('{"facts": ["x"]}', "There are: facts. Name one with --field"),
        ('{"knowledge_points": []}', "must hold knowledge points"),
        ('{"knowledge_points": ["x"', "line 1"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(InputError, match=says):
        run(str(path))


@pytest.mark.skipif(not DATA.exists(), reason="the development data is not here")
def test_routes_of_real_questions_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "paths.parquet"
    run(
        str(DATA / "exam/tal_scq5k.jsonl.gz"), "--paths", "5000", "--length", "4",
        "--out", str(out), "--json",
    )  # fmt: skip
    found = json.loads(capsys.readouterr().out)

    assert found["kps"] == 844
    assert found["paths"]["coverage"] == 1
