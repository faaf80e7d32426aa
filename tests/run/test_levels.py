"""Levels of difficulty and disciplines of a run: what was asked for comes, and is said."""

import json

import pytest
from run_corpus import dataset_hash, rows_of, samples_of

from kdos.config import read_config
from kdos.logic import LEVELS
from kdos.run import run_config

NAMES = (
    "Lisbon",
    "Porto",
    "Braga",
    "Coimbra",
    "Faro",
    "Evora",
    "Aveiro",
    "Leiria",
    "Viseu",
    "Beja",
    "Sintra",
    "Tomar",
)
WANTED = {"D1": 0.4, "D2": 0.4, "D4": 0.2}
SHARES = {"north": 0.35, "south": 0.65}


@pytest.fixture(scope="module")
def linked_corpus(tmp_path_factory):
    """Articles in which each sentence names something that the next one goes on about."""
    path = tmp_path_factory.mktemp("levels") / "articles.jsonl"
    with path.open("w") as file:
        for i, place in enumerate(NAMES):
            paragraphs = [
                f"The Museum of {place}{j} was opened by Ana {place}{j} on a hill of the town in {1700 + 13 * i + j}. "
                f"Ana {place}{j} was taught by Rui Mestre{place}{j} at a school for {20 + i + j} pupils. "
                f"Rui Mestre{place}{j} lived in the house of Quinta{place}{j} for {3 + j} years. "
                f"Quinta{place}{j} was built by the mason Tiago Pedra{place}{j} after the storm of {1600 + 7 * i + j}."
                for j in range(6)
            ]
            row = {"id": place, "title": f"Houses of {place}", "text": "\n\n".join(paragraphs)}
            file.write(json.dumps(row | {"domain": "north" if i % 2 else "south"}) + "\n")
    return path


def levels_config(path, **changes):
    value = {
        "source": {"kind": "text", "path": str(path), "domain": "domain"},
        "exposures": 4,
        "budget": {"samples": 100},
        "space": {"cells": 8},
        "difficulty": WANTED,
        "disciplines": SHARES,
        "synthesize": {"window": 16},
    }
    return read_config(value | changes)


@pytest.fixture(scope="module")
def levelled_run(linked_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "levelled"
    return folder, run_config(levels_config(linked_corpus), folder)


def test_levels_and_disciplines_come_as_they_were_asked_for(levelled_run):
    folder, summary = levelled_run
    realised, samples = summary["realised"], samples_of(folder)
    assert sum(realised["difficulty"].values()) == sum(realised["disciplines"].values()) == len(samples)
    wanted = {level: WANTED.get(level, 0.0) for level in LEVELS}
    shares = {level: realised["difficulty"].get(level, 0) / len(samples) for level in LEVELS}
    assert 0.5 * sum(abs(wanted[level] - shares[level]) for level in LEVELS) < 0.12
    assert realised["disciplines"]["south"] / len(samples) == pytest.approx(0.65, abs=0.04)


def test_every_sample_says_what_was_asked_and_what_came(levelled_run):
    folder, summary = levelled_run
    for sample in samples_of(folder):
        assert sample["difficulty"] in LEVELS
        assert sample["difficulty_asked"] in WANTED
    matrix = summary["requested_to_realised"]
    assert sum(sum(map(sum, rows)) for rows in matrix.values()) == summary["samples"]
    assert set(matrix) == set(SHARES)
    verdicts = [row for path in folder.glob("synthesize/*/verdicts.parquet") for row in rows_of(path)]
    assert {row["difficulty_asked"] for row in verdicts} == set(WANTED)


def test_a_run_that_was_cut_short_and_another_number_of_workers_give_the_same_bytes(
    levelled_run, linked_corpus, tmp_path
):
    whole = dataset_hash(levelled_run[0])
    two = run_config(levels_config(linked_corpus, workers=2), tmp_path / "two")
    assert two["realised"] == levelled_run[1]["realised"]
    assert dataset_hash(tmp_path / "two") == whole
    calls = levelled_run[1]["llm_calls"]
    for share in (0.9, 0.95):
        budget = {"samples": 100, "calls": int(calls * share)}
        assert run_config(levels_config(linked_corpus, budget=budget), tmp_path / "cut")["stop_reason"] == "budget"
    assert run_config(levels_config(linked_corpus), tmp_path / "cut")["realised"] == two["realised"]
    assert dataset_hash(tmp_path / "cut") == whole


def test_without_a_wish_the_level_is_measured_all_the_same(linked_corpus, tmp_path):
    summary = run_config(
        levels_config(linked_corpus, difficulty={}, disciplines={}, budget={"samples": 20}), tmp_path / "r"
    )
    assert "realised" not in summary
    assert {sample["difficulty"] for sample in samples_of(tmp_path / "r")} <= set(LEVELS)
    assert {sample["difficulty_asked"] for sample in samples_of(tmp_path / "r")} == {""}
