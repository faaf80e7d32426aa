"""A Hugging Face data set, streamed: by its name on the hub, or from a folder."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kdos.errors import InputError
from kdos.rows.fields import list_field_paths
from kdos.rows.records import Record
from kdos.rows.table import BATCH_ROWS, SAMPLED_ROWS, Rows, batch_records


def read_hub_rows(
    path: str,
    *,
    name: str = "",
    split: str = "train",
    columns: Sequence[str] | None = None,
    batch_size: int = BATCH_ROWS,
) -> Iterator[Rows]:
    """The rows of one split; `name` is the data set's configuration where it has several."""
    where = f"{path} ({', '.join(filter(None, (name, split)))})"
    records = read_hub_records(path, name=name, split=split)
    return batch_records(records, path=where, columns=columns, batch_size=batch_size, unit="row")


def list_hub_fields(path: str, *, name: str = "", split: str = "train") -> list[str]:
    """The fields of a data set's first rows, as dotted paths."""
    records = islice(read_hub_records(path, name=name, split=split), SAMPLED_ROWS)
    return list_field_paths(record.row for record in records)


def read_hub_records(path: str, *, name: str = "", split: str = "train") -> Iterator[Record]:
    """One record a row; every way in which the data set cannot be had is an `InputError`."""
    datasets = _import_datasets(path)
    try:
        for place, row in enumerate(_open_split(datasets, path, name=name, split=split), start=1):
            yield Record(place, sum(len(v) for v in row.values() if isinstance(v, str)), row)
    except Exception as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"must be a data set that can be reached, with a split {split!r}. Got: {detail}"
        raise InputError.at(path, message) from error


def _import_datasets(path: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        message = "a Hugging Face data set needs the package `datasets`: pip install 'kdos[seed]'"
        raise InputError.at(path, message) from error
    return datasets


def _open_split(datasets: Any, path: str, *, name: str, split: str) -> Any:
    if (Path(path) / "dataset_dict.json").exists():
        return datasets.load_from_disk(path)[split]
    if (Path(path) / "state.json").exists():
        return datasets.load_from_disk(path)
    return datasets.load_dataset(path, name or None, split=split, streaming=True)
