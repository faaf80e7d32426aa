import json
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import yaml

from kdos.export import write_llamafactory, write_text, write_trl

Make = Callable[[int], pa.Table]
SPLITS = {"train": slice(0, 30), "test": slice(30, 40)}


def two_splits(samples: pa.Table) -> dict[str, pa.Table]:
    return {"train": samples.slice(0, 30), "test": samples.slice(30)}


def questions(samples: pa.Table) -> list[tuple[str, str]]:
    return [(row["question"], row["answer"]) for row in samples.to_pylist()]


def test_llamafactory_files_are_described_and_hold_the_pool(tmp_path: Path, some_samples: Make) -> None:
    splits = two_splits(some_samples(40))
    write_llamafactory(splits, tmp_path / "out")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    for suffix, split in (("", "train"), ("_test", "test")):
        alpaca, sharegpt = info[f"kdos_alpaca{suffix}"], info[f"kdos_sharegpt{suffix}"]
        rows = json.loads((tmp_path / "out" / alpaca["file_name"]).read_text())
        prompt, response = alpaca["columns"]["prompt"], alpaca["columns"]["response"]
        assert [(row[prompt], row[response]) for row in rows] == questions(splits[split])
        assert {row[alpaca["columns"]["query"]] for row in rows} == {""}
        talks = json.loads((tmp_path / "out" / sharegpt["file_name"]).read_text())
        turns = [talk[sharegpt["columns"]["messages"]] for talk in talks]
        assert [tuple(turn["value"] for turn in talk) for talk in turns] == questions(splits[split])
        assert {tuple(turn["from"] for turn in talk) for talk in turns} == {("human", "gpt")}


def test_llamafactory_training_names_files_that_are_there(tmp_path: Path, some_samples: Make) -> None:
    write_llamafactory(two_splits(some_samples(40)), tmp_path / "both")
    write_llamafactory({"train": some_samples(40)}, tmp_path / "one")
    training = yaml.safe_load((tmp_path / "both" / "train.yaml").read_text())
    info = json.loads((tmp_path / "both" / "dataset_info.json").read_text())
    assert {training["dataset"], training["eval_dataset"]} <= set(info)
    assert "eval_dataset" not in yaml.safe_load((tmp_path / "one" / "train.yaml").read_text())


def test_trl_files_load_by_split_and_hold_the_pool(tmp_path: Path, some_samples: Make) -> None:
    splits = two_splits(some_samples(40))
    write_trl(splits, tmp_path / "out")
    plain, talks = (
        datasets.load_dataset(str(tmp_path / "out" / kind), cache_dir=str(tmp_path / "cache"))
        for kind in ("prompt_completion", "conversational")
    )
    for split, samples in splits.items():
        pairs = [(row["prompt"], row["completion"]) for row in plain[split]]
        assert pairs == [(question + "\n", answer) for question, answer in questions(samples)]
        turns = [[(m["role"], m["content"]) for m in row["messages"]] for row in talks[split]]
        assert turns == [[("user", q), ("assistant", a)] for q, a in questions(samples)]


def test_text_is_one_document_a_sample(tmp_path: Path, some_samples: Make) -> None:
    samples = some_samples(12)
    write_text({"train": samples}, tmp_path / "out")
    lines = (tmp_path / "out" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    for line, row in zip(lines, samples.to_pylist(), strict=True):
        text = json.loads(line)["text"]
        assert text.startswith(f"{row['question']}\n{row['answer']}\n")
        assert all(point in text for point in row["knowledge_points"])


def test_an_empty_split_is_a_valid_file(tmp_path: Path, some_samples: Make) -> None:
    write_llamafactory({"train": some_samples(0)}, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "kdos_alpaca.json").read_text()) == []
