"""The disk: files appear whole or not at all, and one process at a time works in a run."""

import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from kdos.errors import StoreError

UNFINISHED_SUFFIX = ".part"
"""What a file or folder that is still being written ends with."""
LOCK_NAME = ".lock"
"""The file in a run folder that its process holds."""


@contextmanager
def atomic_file(path: Path) -> Generator[BinaryIO]:
    """A file to write to that takes its name only when it is complete and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + UNFINISHED_SUFFIX)
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _fsync_path(path.parent)


@contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """A folder to fill that takes its name only when it is complete; replaces an older one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + UNFINISHED_SUFFIX)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for inside in [*aside.rglob("*"), aside]:
            _fsync_path(inside)
        if path.exists():
            shutil.rmtree(path)
        aside.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _fsync_path(path.parent)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON, two spaces of indent, keys in the order they are given."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    with atomic_file(path) as file:
        file.write(orjson.dumps(value, option=options))


def read_json_file(path: Path) -> dict[str, Any]:
    """The JSON object that `write_json` wrote."""
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise StoreError(f"{path} must be a JSON file of a run. {error}") from error


def write_parquet(path: Path, table: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write a table, or a stream of batches, as one Parquet file; returns its rows."""
    batches = table.to_batches() if isinstance(table, pa.Table) else table
    rows = 0
    with atomic_file(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def open_parquet_writers(folder: Path, schemas: Mapping[str, pa.Schema]) -> Generator[Callable[[str, pa.Table], None]]:
    """Several Parquet files of a folder, written side by side: call with a name and a table."""
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd"))
            for name, schema in schemas.items()
        }
        yield lambda name, table: writers[name].write_table(table)


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A table that `write_parquet` wrote."""
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path} must be a Parquet file of a run. {error}") from error


def write_arrays(folder: Path, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a folder of ``.npy`` arrays with a JSON header, whole or not at all."""
    with atomic_folder(folder) as aside:
        for name, array in arrays.items():
            with atomic_file(aside / f"{name}.npy") as file:
                np.save(file, array, allow_pickle=False)
        write_json(aside / f"{folder.name}.json", header)


def read_arrays(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the arrays that `write_arrays` wrote."""
    header = read_json_file(folder / f"{folder.name}.json")
    names = sorted(path.stem for path in folder.glob("*.npy"))
    return header, {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names}


@contextmanager
def lock_run_folder(folder: Path) -> Generator[None]:
    """Hold a run folder: a second process gets a StoreError instead of a torn run."""
    folder.mkdir(parents=True, exist_ok=True)
    # A link of this name may lead to a file of the user's: it is not followed, and nothing is truncated.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(folder / LOCK_NAME, flags, 0o644)
    except OSError as error:
        raise StoreError(f"{folder} must be a folder that can be written to. {error}. Give another --out.") from error
    with os.fdopen(descriptor, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"{folder} must belong to one process at a time. Another one is working in it; "
                "wait for it, or give another --out."
            ) from error
        yield


def _fsync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
