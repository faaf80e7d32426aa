import sys

import pytest

from kdos.errors import InputError
from kdos.rows import list_hub_fields, read_hub_rows

datasets = pytest.importorskip("datasets")

ROWS = [{"id": n, "text": f"Text {n}.", "meta": {"k": "v"}} for n in range(4)]


@pytest.fixture(params=["folder", "saved", "saved_dict"])
def where(request, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "data"
    data = datasets.Dataset.from_list(ROWS)
    if request.param == "folder":
        folder.mkdir()
        data.to_parquet(folder / "train.parquet")
    elif request.param == "saved":
        data.save_to_disk(folder)
    else:
        datasets.DatasetDict(train=data).save_to_disk(folder)
    return str(folder)


def test_a_local_data_set_streams(where):
    parts = list(read_hub_rows(where, columns=["text", "meta.k"], batch_size=3))
    assert [part.text_column("text").to_pylist() for part in parts] == [["Text 0.", "Text 1.", "Text 2."], ["Text 3."]]
    assert parts[0].text_column("meta.k").to_pylist() == ["v"] * 3
    assert list_hub_fields(where) == ["id", "text", "meta.k"]
    with pytest.raises(InputError, match=r"field words: no such field\. There are: id, text"):
        list(read_hub_rows(where, columns=["words"]))


def test_what_cannot_be_reached_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"must be a data set that can be reached") as caught:
        list(read_hub_rows("somebody/something"))
    assert "\n" not in str(caught.value)


def test_the_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"pip install 'kdos\[seed\]'"):
        list(read_hub_rows("somebody/something"))
