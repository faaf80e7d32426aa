import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")

from kdos.artifacts import RunFolder
from kdos.cli import main
from kdos.density import fit_space
from kdos.store import write_arrays, write_parquet
from kdos.train.sweep import askable_triple, log10_density, pool_for_arm, read_knowledge

WORDS = ("red", "blue", "green", "black", "white")
SENTENCES = [f"The parameter `p{n}` of `m{n % 7}.f{n}` has the default value `{WORDS[n % 5]}`." for n in range(300)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefacts of a run whose knowledge is crowded in one corner, and of its blind twin."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 0.1, (200, 4)), rng.normal(1, 1, (100, 4))])
    space, reference = fit_space(points.astype(np.float32), embedder="given", dim=4, n_cells=8, k=5, random_seed=0)
    write_arrays(folder / "space", *space.to_arrays())
    texts = [*SENTENCES[:-1], "Nobody knows."]
    table = pa.table({"text": texts, "cell": pa.array(reference.cells, pa.int32())})
    write_parquet(folder / "extract" / "knowledge_points.parquet", table, table.schema)
    drawn = [[SENTENCES[n] for n in rng.integers(0, 299, 4)] for _ in range(100)]
    samples = pa.table({"knowledge_points": drawn})
    RunFolder(folder).blind.part_folder(1).write({}, {"samples": samples}, seal=RunFolder(folder).blind.seal)
    return folder


def test_a_sentence_is_read_as_a_fact() -> None:
    fact = askable_triple(SENTENCES[3])
    assert fact is not None
    assert (fact.subject, fact.value) == ("p3 m3.f3", "black")


def test_pools_are_equally_large_and_as_dense_as_their_name_says(run: Path) -> None:
    knowledge = read_knowledge(run, most=1000, random_seed=0)
    arms = ("concentrated", "natural", "sqrt", "uniform", "blind")
    pools = {arm: pool_for_arm(knowledge, arm, rng=np.random.default_rng(0)) for arm in arms}
    levels = [log10_density(knowledge, pools[arm]) for arm in arms[:-1]]

    assert {pool.sum() for pool in pools.values()} == {400}
    assert levels == sorted(levels, reverse=True)
    assert knowledge.left_out == {"not_askable": 1, "rare_answer": 0, "past_the_number_wanted": 0}
    for cell in range(8):
        exposures = pools["natural"][knowledge.cell == cell]
        assert np.ptp(exposures) <= 1


def test_a_sweep_compares_with_blind_and_resumes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--widths", "16", "--presentations", "6400", "--seeds", "2", "--workers", "1"]
    command = ["sweep", str(run), "--arms", "blind,natural", "--out", str(tmp_path / "out"), *flags]
    assert main(command) == 0
    table = json.loads(capsys.readouterr().out)

    blind, natural = table["sizes"][0]["arms"]
    assert table["facts"] == 299
    assert natural["shown_share"] > blind["shown_share"]
    low, high = natural["against_blind_interval"]
    assert low <= natural["against_blind"] <= high
    assert "against_blind" not in blind
    assert (tmp_path / "out" / "sweep.png").stat().st_size > 1000
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == table


def test_wrong_use(tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "must be the folder of a finished `kdos demo`" in capsys.readouterr().err
    assert main(["sweep", str(run), "--arms", "blnd", "--out", str(tmp_path / "out")]) == 2
    assert "`target` must be one of" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
