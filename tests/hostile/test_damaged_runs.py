"""A run whose files have changed on disk: the same dataset, or one line that names the file; never a third."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kdos.artifacts import RunFolder
from kdos.cli import main
from kdos.errors import DamageError

TRADES = ("bridge", "library", "theatre", "market", "harbour")
Damaging = Callable[[bytes, random.Random], bytes]
PLACES = ("Lisbon", "Porto", "Braga", "Coimbra", "Faro")


def write_corpus(path: Path) -> Path:
    with path.open("w") as file:
        for i, place in enumerate(PLACES):
            text = " ".join(
                f"The {trade} of {place} was opened in {1700 + 13 * i + 7 * j}. It was designed by Maria "
                f"{place}{trade.title()} for {1000 + 37 * i + j} crowns."
                for j, trade in enumerate(TRADES)
            )
            file.write(json.dumps({"id": place, "text": text}) + "\n")
    return path


def write_config(folder: Path, **changes: object) -> Path:
    value = {
        "source": {"kind": "text", "path": str(folder / "corpus.jsonl")},
        "embed": "lexical",
        "exposures": 8,
        "budget": {"samples": 12},
        "space": {"cells": 4, "dim": 8},
        "synthesize": {"window": 8},
    }
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(value | changes))
    return path


def hash_dataset(run: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((run / "dataset").glob("*.parquet")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of 12 samples, and in `more` the same gone on to 20."""
    home = tmp_path_factory.mktemp("home")
    write_corpus(home / "corpus.jsonl")
    assert main(["run", str(write_config(home)), "--out", str(home / "run")]) == 0
    shutil.copytree(home / "run", home / "more")
    more = write_config(home, budget={"samples": 20})
    assert main(["run", str(more), "--out", str(home / "more")]) == 0
    write_config(home)
    assert hash_dataset(home / "run") != hash_dataset(home / "more")
    return home


def flip_bit(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(1, len(data))]


def empty(data: bytes, draw: random.Random) -> bytes:
    return b""


def empty_list(data: bytes, draw: random.Random) -> bytes:
    return b"[]"


def binary(data: bytes, draw: random.Random) -> bytes:
    return draw.randbytes(len(data))


def files_of(run: Path) -> list[Path]:
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name not in (".lock", ".kdos"))
    return [path.relative_to(run) for path in files if path.parts[-2] != "report"]


def damaged_copy(home: Path, to: Path, inside: Path, damage: Damaging, seed: int) -> Path:
    run = to / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(home / "run", run)
    (run / inside).write_bytes(damage((run / inside).read_bytes(), random.Random(seed)))
    return run


DAMAGES = (flip_bit, truncate, empty, empty_list, binary)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_gives_its_dataset_or_one_line(
    home: Path, tmp_path: Path, damage: Damaging, capsys: pytest.CaptureFixture[str]
) -> None:
    config, expected = write_config(home), hash_dataset(home / "run")
    readers = [["report"], ["target", "--json"], ["export", "--format", "text", "--out", str(tmp_path / "out")]]
    for seed, inside in enumerate(files_of(home / "run")):
        run = damaged_copy(home, tmp_path, inside, damage, seed)
        before = (run / inside).read_bytes()
        capsys.readouterr()
        code = main(["run", str(config), "--out", str(run)])
        errors = capsys.readouterr().err
        assert code in (0, 2), inside
        if code == 0:
            # The ledger is not looked at where nothing is left to do; a torn last line is a killed process's.
            assert inside.name in {"ledger.sqlite", "checksums.jsonl"}
            assert hash_dataset(run) == expected
            continue
        assert errors.count("\n") == 1
        assert inside.name in errors
        assert (run / inside).read_bytes() == before
        for command, *flags in readers[seed % 3 : seed % 3 + 1]:
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
            assert main([command, str(run), *flags]) == 2, (inside, command)
            assert capsys.readouterr().err.count("\n") == 1
            assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_goes_on_to_the_same_dataset_or_not_at_all(
    home: Path, tmp_path: Path, damage: Damaging, capsys: pytest.CaptureFixture[str]
) -> None:
    config, expected = write_config(home, budget={"samples": 20}), hash_dataset(home / "more")
    for seed, inside in enumerate(files_of(home / "run")):
        run = damaged_copy(home, tmp_path, inside, damage, 100 + seed)
        capsys.readouterr()
        code = main(["run", str(config), "--out", str(run)])
        assert code in (0, 2), inside
        if code == 0:
            assert hash_dataset(run) == expected, inside
        else:
            assert inside.name in capsys.readouterr().err.splitlines()[-1]


def test_what_is_gone_is_made_again_or_named(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, expected = write_config(home), hash_dataset(home / "run")
    for inside in files_of(home / "run"):
        run = tmp_path / "run"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(home / "run", run)
        (run / inside).unlink()
        capsys.readouterr()
        code = main(["run", str(config), "--out", str(run)])
        assert code in (0, 2), inside
        if code == 0:
            assert hash_dataset(run) == expected, inside
        else:
            assert capsys.readouterr().err.count("\n") == 1


def test_the_advice_on_a_damaged_file_leads_to_the_same_dataset(home: Path, tmp_path: Path) -> None:
    config, expected = write_config(home), hash_dataset(home / "run")
    shutil.copytree(home / "run", tmp_path / "run")
    for name in ("dataset", "target.parquet", "summary.json"):
        path = tmp_path / "run" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 0
        assert path.exists()
    parts = RunFolder(tmp_path / "run").complete_parts()
    table = parts[1].table("samples")
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(DamageError, match=r"Move .* to another folder.*none is paid again") as caught:
        RunFolder(tmp_path / "run").require_intact()
    assert "elete" not in str(caught.value)
    for one in parts[1:]:
        one.path.rename(tmp_path / one.path.name)
    assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 0
    assert hash_dataset(tmp_path / "run") == expected
    calls = RunFolder(home / "run").read_summary()["llm_calls"]
    assert RunFolder(tmp_path / "run").read_summary()["llm_calls"] == calls
    shutil.rmtree(tmp_path / "run" / "seed")
    assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 2
    cache = ["--cache", str(tmp_path / "run" / "ledger.sqlite")]
    assert main(["run", str(config), "--out", str(tmp_path / "other"), *cache]) == 0
    assert hash_dataset(tmp_path / "other") == expected
    assert RunFolder(tmp_path / "other").read_summary()["llm_calls"] == 0


def test_a_line_of_the_checksums_that_a_killed_process_left_torn_harms_nothing(home: Path, tmp_path: Path) -> None:
    config, expected = write_config(home, budget={"samples": 20}), hash_dataset(home / "more")
    shutil.copytree(home / "run", tmp_path / "run")
    with (tmp_path / "run" / "checksums.jsonl").open("ab") as file:
        file.write(b'0badc0de {"path":"synthesize/part-00')
    assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 0
    assert hash_dataset(tmp_path / "run") == expected
    assert main(["run", str(config), "--out", str(tmp_path / "run")]) == 0


def test_a_file_of_the_users_in_the_dataset_is_no_damage(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "run" / "dataset" / "notes.md").write_text("mine")
    assert main(["run", str(write_config(home)), "--out", str(tmp_path / "run")]) == 0
    (tmp_path / "run" / "dataset" / "train-00001-of-00001.parquet").write_bytes(b"PAR1 not the run's")
    assert main(["run", str(write_config(home)), "--out", str(tmp_path / "run")]) == 2
