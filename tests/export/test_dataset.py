import hashlib
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kdos.export import DatasetCard, render_card, write_dataset

Make = Callable[[int], pa.Table]
CARD = DatasetCard(
    name="engines",
    target="uniform",
    space="0123abcd",
    kl=0.0123456,
    drafts=1200,
    cost_usd=0.0,
    refused={"distribution": 7, "answer": 3},
    licences={"CC BY-SA 4.0": 8, "PSF-2.0": 2},
)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def load(folder: Path, cache: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


def front_matter(text: str) -> dict[str, object]:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_datasets_library_reads_every_row_and_column(tmp_path: Path, some_samples: Make) -> None:
    samples = some_samples(50)
    write_dataset(samples, CARD, tmp_path / "out", shard_rows=20)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["README.md", *(f"train-{i:05d}-of-00003.parquet" for i in range(3))]
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert list(loaded) == ["train"]
    assert loaded["train"].to_list() == samples.to_pylist()


def test_splits_are_loaded_by_name(tmp_path: Path, some_samples: Make) -> None:
    samples = some_samples(30)
    splits = {"train": samples.slice(0, 20), "test": samples.slice(20)}
    write_dataset(splits, CARD, tmp_path / "out")
    loaded = load(tmp_path / "out", tmp_path / "cache")
    assert {name: rows.num_rows for name, rows in loaded.items()} == {"train": 20, "test": 10}
    assert loaded["test"]["id"] == [f"s{i}" for i in range(20, 30)]


def test_equal_rows_give_equal_bytes_however_they_are_held(tmp_path: Path, some_samples: Make) -> None:
    samples = some_samples(50)
    chunked = pa.concat_tables([samples.slice(0, 7), samples.slice(7, 30), samples.slice(37)])
    noted = chunked.replace_schema_metadata({"made": "today"})
    write_dataset(samples, CARD, tmp_path / "a")
    write_dataset(noted, CARD, tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, some_samples: Make) -> None:
    write_dataset(some_samples(5), CARD, tmp_path / "out")
    before = digests(tmp_path / "out")
    with pytest.raises(AttributeError):
        write_dataset({"train": some_samples(9), "test": None}, CARD, tmp_path / "out")
    assert digests(tmp_path / "out") == before


def test_the_card_tells_the_hub_licences_languages_size_and_files(some_samples: Make) -> None:
    front = front_matter(render_card(CARD, {"train": some_samples(50)}))
    assert front["license"] == ["cc-by-sa-4.0", "other"]
    assert front["license_name"] == "psf-2.0"
    assert front["language"] == ["en", "zh"]
    assert front["size_categories"] == ["n<1K"]
    files = [{"split": "train", "path": "train-*.parquet"}]
    assert front["configs"] == [{"config_name": "default", "data_files": files}]


@pytest.mark.parametrize(
    ("licences", "keys"),
    [
        ({}, {"license": ["unknown"]}),
        ({"": 3}, {"license": ["unknown"]}),
        ({"MIT": 1, "mit": 2}, {"license": ["mit"]}),
        ({"A": 1, "B 2": 1}, {"license": ["other"], "license_name": "a-and-b-2"}),
    ],
)
def test_licences_of_sources_become_keys_of_the_hub(
    licences: dict[str, int], keys: dict[str, object], some_samples: Make
) -> None:
    front = front_matter(render_card(DatasetCard(name="x", licences=licences), {"train": some_samples(1)}))
    assert {key: front[key] for key in front if key.startswith("license")} == keys


def test_the_card_holds_what_is_known_and_leaves_out_what_is_not(some_samples: Make) -> None:
    card = render_card(CARD, {"train": some_samples(50)})
    assert "| KL divergence to the target (nats) | 0.0123 |" in card
    assert "| drafts | 1,200 |" in card
    assert "| distribution | 7 |\n| answer | 3 |" in card
    assert "| domain 0 | 20 |" in card
    assert "total variation" not in card


ROWS = pa.table({"question": ["a", "b"], "lang": ["en", "en"]})


@given(st.text())
def test_text_from_data_is_never_markup_in_the_card(text: str) -> None:
    card = render_card(DatasetCard(name=text, target=text, refused={text: 1}), {"train": ROWS})
    front, body = card.split("\n---\n", 1)
    assert yaml.safe_load(front.removeprefix("---\n"))["pretty_name"] == " ".join(text.split())
    tables = [line for line in body.splitlines() if line.startswith("|")]
    cells = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in tables}
    assert cells == {3}
    assert "<" not in body.replace("\\<", "")


def test_a_distance_that_is_rounding_alone_is_printed_as_nothing(some_samples: Make) -> None:
    card = render_card(DatasetCard(name="x", kl=5.551e-17, tv=-5.551e-17), {"train": some_samples(1)})
    assert "| KL divergence to the target (nats) | 0.0000 |" in card
    assert "| total variation to the target | 0.0000 |" in card
