"""A Hugging Face data set, streamed: by its name on the hub, or from a folder."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kdos.errors import InputError
from kdos.rows.fields import names_in
from kdos.rows.records import Record
from kdos.rows.table import BATCH_ROWS, PEEK, Rows, batches


def read_hub(
    path: str,
    *,
    name: str = "",
    split: str = "train",
    columns: Sequence[str] | None = None,
    batch_size: int = BATCH_ROWS,
) -> Iterator[Rows]:
    """The rows of one split; `name` is the data set's configuration where it has several."""
    where = f"{path} ({', '.join(filter(None, (name, split)))})"
    records = hub_records(path, name=name, split=split)
    return batches(records, path=where, columns=columns, batch_size=batch_size, unit="row")


def hub_field_names(path: str, *, name: str = "", split: str = "train") -> list[str]:
    """The fields of a data set's first rows, as dotted paths."""
    records = islice(hub_records(path, name=name, split=split), PEEK)
    return names_in(record.row for record in records)


def hub_records(path: str, *, name: str = "", split: str = "train") -> Iterator[Record]:
    """One record a row; every way in which the data set cannot be had is an `InputError`."""
    datasets = _library(path)
    try:
        for place, row in enumerate(_opened(datasets, path, name=name, split=split), start=1):
            yield Record(place, sum(len(v) for v in row.values() if isinstance(v, str)), row)
    except Exception as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"must be a data set that can be reached, with a split {split!r}. Got: {detail}"
        raise InputError.at(path, message) from error


def _library(path: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        message = "a Hugging Face data set needs the package `datasets`: pip install 'kdos[seed]'"
        raise InputError.at(path, message) from error
    return datasets


def _opened(datasets: Any, path: str, *, name: str, split: str) -> Any:
    if (Path(path) / "dataset_dict.json").exists():
        return datasets.load_from_disk(path)[split]
    if (Path(path) / "state.json").exists():
        return datasets.load_from_disk(path)
    return datasets.load_dataset(path, name or None, split=split, streaming=True)
