"""The target of a run: demand by questions, and what is still missing."""

import json

import numpy as np
import pytest
from run_corpus import PLACES, config_of, rows_of, samples_of

from kdos.cli import main
from kdos.config import read_config
from kdos.errors import InputError
from kdos.run import read_run_deficit, run_config
from kdos.run.target import passage_keys
from kdos.sampler import link_seeds
from kdos.targets import choose_facts


@pytest.fixture(scope="module")
def unfinished(corpus, tmp_path_factory):
    """A run that ended before its order was filled."""
    folder = tmp_path_factory.mktemp("runs") / "unfinished"
    return folder, run_config(read_config(config_of(corpus, budget={"samples": 120, "calls": 180})), folder)


def test_what_is_missing_is_named_with_examples(unfinished):
    folder, summary = unfinished
    found = read_run_deficit(folder, examples=2)
    target = {row["cell"]: row for row in rows_of(folder / "target.parquet")}
    points = rows_of(folder / "extract" / "knowledge_points.parquet")
    assert (found.samples, found.wanted) == (summary["samples"], 120)
    assert found.gap.kl == pytest.approx(summary["kl"])
    assert [cell.missing for cell in found.cells] == sorted((cell.missing for cell in found.cells), reverse=True)
    assert found.cells
    for cell in found.cells:
        assert cell.missing == cell.quota - cell.held > 0
        assert cell.share == target[cell.cell]["q"]
        assert {each.text for each in cell.examples} <= {row["text"] for row in points if row["cell"] == cell.cell}
        assert all(each.passages for each in cell.examples)
    assert found.distinct == summary["distinct"]
    assert found.coverage == summary["coverage"]
    assert (found.order, found.filled) == (summary["order"], summary["filled"])
    assert sum(cell.missing for cell in found.cells) == found.order - found.filled


def test_a_folder_without_a_run_lacks_a_clear_line(tmp_path, capsys):
    assert main(["target", str(tmp_path)]) == 2
    assert "holds no run.yaml" in capsys.readouterr().err


def test_the_target_command_shows_cells_and_their_knowledge_points(unfinished, capsys):
    folder, _ = unfinished
    assert main(["target", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == sum(cell["missing"] for cell in found["cells"])
    assert main(["target", str(folder), "--most", "1"]) == 0
    assert f"cell {found['cells'][0]['cell']}: lacks" in capsys.readouterr().err


def test_every_missing_knowledge_point_is_named_with_its_passages(corpus, tmp_path, capsys):
    config = read_config(config_of(corpus, exposures=1, target="natural", budget={"calls": 110}))
    run_config(config, tmp_path / "run")
    taught = {text for row in samples_of(tmp_path / "run") for text in row["knowledge_points"]}
    points = rows_of(tmp_path / "run" / "extract" / "knowledge_points.parquet")
    passages = {row["id"] for row in rows_of(tmp_path / "run" / "seed" / "passages.parquet")}
    assert main(["target", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    named = [each for cell in found["cells"] for each in cell["examples"]]
    assert {each["text"] for each in named} == {
        row["text"] for row in points if not taught & {row["text"], *row["wordings"]}
    }
    assert len(named) == found["knowledge_points"] - found["distinct"] > 0
    assert all(each["passages"] and set(each["passages"]) <= passages for each in named)
    assert all(each["held"] == 0 for each in named)
    assert sum(each["reachable"] for each in named) == found["missing"]
    assert main(["target", str(tmp_path / "run"), "--examples", "0", "--json"]) == 0
    assert not any(cell["examples"] for cell in json.loads(capsys.readouterr().out)["cells"])


def test_few_facts_are_chosen_in_whole_passages():
    """Chosen one by one, 59 of 120 knowledge points came for 40: each draft links points of one passage."""
    keys = np.random.default_rng(0).permutation(60).astype(np.uint64)
    passages = np.arange(20, dtype=np.int32)
    links = link_seeds(
        [np.arange(3 * one, 3 * one + 3) for one in passages],
        cells=np.tile(np.arange(3, dtype=np.int32), 20),
        keys=keys,
        documents=passages,
        passages=passages,
    )

    def chosen_of_passages(by):
        return choose_facts(np.log(np.full(3, 1 / 3)), links.cells, facts=24, keys=by).reshape(20, 3).sum(axis=1)

    found = chosen_of_passages(passage_keys(links))
    assert sorted(found) == [0] * 12 + [3] * 8
    assert set(chosen_of_passages(keys)) == {0, 1, 2, 3}
    assert found[keys.reshape(20, 3).min(axis=1).argmin()] == 3


def test_what_was_asked_for_in_vain_is_named_apart_in_the_terminal_and_by_machine(tmp_path, capsys):
    linked = (
        "The bridge of Faro was opened in 1790. It was designed by Ann Archer for 90 crowns. Some 40 people built it."
    )
    alone = [
        f"The {trade} of Beja was opened in {1700 + n}." for n, trade in enumerate(("market", "archive", "harbour"))
    ]
    source = tmp_path / "documents.jsonl"
    rows = [{"id": f"d{n}", "title": "", "text": text} for n, text in enumerate((linked, *alone))]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = read_config(config_of(source, exposures=1, target="natural", budget={}, space={"cells": 1}))
    summary = run_config(config, tmp_path / "run")
    assert summary["unreachable_points"] >= 3
    assert main(["target", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["missing"], found["unreachable_points"]) == (0, summary["unreachable_points"])
    assert len(found["unreachable"]) == summary["unreachable_points"]
    assert all(each["passages"] and not each["reachable"] and each["held"] == 0 for each in found["unreachable"])
    assert set(alone) <= {each["text"] for each in found["unreachable"]}
    assert main(["target", str(tmp_path / "run"), "--most", "2"]) == 0
    said = capsys.readouterr().err
    assert f"out of reach: {summary['unreachable_points']} knowledge points were asked for in vain\n" in said
    assert f"    {found['unreachable'][0]['text']}  ({found['unreachable'][0]['passages'][0]})\n" in said
    assert f"and {summary['unreachable_points'] - 2} more: --json names all" in said


def write_questions(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_demand_draws_the_pool_to_what_a_model_does_not_know(corpus, tmp_path):
    rows = [
        {"question": f"The bridge of {place} was opened in which year?", "correct": place != "Porto"}
        for place in PLACES
    ]
    questions = write_questions(tmp_path / "wrong.jsonl", rows)
    config = read_config(config_of(corpus, target=f"demand:{questions}", budget={"samples": 20}))
    run_config(config, tmp_path / "run")
    target = rows_of(tmp_path / "run" / "target.parquet")
    assert max(row["q"] for row in target) > 0.6, "only one question counts"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "Who?", "loss": -1}, "line 1, field loss: must be a number of at least 0"),
        ({"question": "Who?", "correct": "no"}, "field correct: must be true or false"),
        ({"question": "Who?", "correct": True}, "must hold at least one question that counts"),
        ({"id": 3}, "must have a field `question`"),
    ],
)
def test_demand_that_cannot_be_read_is_named(row, message, corpus, tmp_path):
    questions = write_questions(tmp_path / "demand.jsonl", [row])
    config = read_config(config_of(corpus, target=f"demand:{questions}"))
    with pytest.raises(InputError, match=message):
        run_config(config, tmp_path / "run")
