"""The disk: files appear whole or not at all, and one process at a time works in a run."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from kdos.errors import DamageError, StoreError, UsageError

UNFINISHED_SUFFIX = ".kdos-part"
"""What the name of a file or folder that is still being written ends with; it begins with a dot."""
LOCK_NAME = ".lock"
"""The file in a run folder that its process holds."""
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What the system says where a disk takes no more: full, over a quota or limit, broken, read-only by now."""


PARQUET_OPTIONS: Mapping[str, Any] = {"compression": "zstd", "write_page_checksum": True}
"""How all our Parquet is written: each page with its CRC-32, which `read_parquet` and `open_parquet` check."""
Seal = Callable[[Path, Path], None]
"""Called with what is complete and lies aside, and with the path that it is about to take."""


@contextmanager
def atomic_file(path: Path, *, seal: Seal | None = None) -> Generator[BinaryIO]:
    """A file to write to that takes its name only when it is complete and on disk.

    Where the name is a link, what it leads to is written. A file that is there keeps its permissions.

    Raises:
        StoreError: The disk takes no more.
    """
    target = Path(os.path.realpath(path))
    with _explain_disk_faults(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = _unfinished_path(target)
        try:
            # A name of its own, made anew: nobody's file is opened, and two who write one file do not mix.
            with aside.open("xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
                file.flush()
                os.fsync(file.fileno())
            if seal:
                seal(aside, path)
            if target.is_file():
                shutil.copymode(target, aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        _fsync_path(target.parent)


@contextmanager
def atomic_folder(
    path: Path, *, seal: Seal | None = None, is_ours: Callable[[str], bool] | None = None
) -> Generator[Path]:
    """A folder to fill that takes its name only when it is complete; replaces an older one.

    What the older one holds under names that are not `is_ours` goes along into the new one, for it is the user's; by
    default that is all that the new one does not have.

    Raises:
        StoreError: The disk takes no more.
    """
    target = Path(os.path.realpath(path))
    with _explain_disk_faults(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = _unfinished_path(target)
        aside.mkdir()
        try:
            yield aside
            for inside in [*aside.rglob("*"), aside]:
                _fsync_path(inside)
            if seal:
                seal(aside, path)
            if target.exists():
                _copy_foreign(target, aside, is_ours)
                # What is replaced goes only once the new folder has its name.
                older = target.rename(_unfinished_path(target))
                aside.replace(target)
                shutil.rmtree(older, ignore_errors=True)
            else:
                aside.replace(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        _fsync_path(target.parent)


def _copy_foreign(older: Path, newer: Path, is_ours: Callable[[str], bool] | None) -> None:
    """Copy what is not ours, and what the newer folder has no file of the same name for."""
    for one in older.iterdir():
        if (is_ours is not None and is_ours(one.name)) or (newer / one.name).exists():
            continue
        if one.is_dir() and not one.is_symlink():
            shutil.copytree(one, newer / one.name, symlinks=True)
        else:
            shutil.copy2(one, newer / one.name, follow_symlinks=False)


def _unfinished_path(target: Path) -> Path:
    """A path beside `target` that is nobody's; not made of its name, which may be as long as names can be."""
    return target.with_name(f".{secrets.token_hex(8)}{UNFINISHED_SUFFIX}")


@contextmanager
def _explain_disk_faults(path: Path) -> Generator[None]:
    """A disk that takes no more as an error of ours, whichever library met it."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        raise StoreError(
            f"{path} must find room on its disk. {os.strerror(error.errno)}. Make room and run the same command again."
        ) from error


def remove_unfinished(paths: Iterable[Path]) -> None:
    """Remove what a killed process left unfinished beside and below some paths; the caller holds their folder.

    A file that another process is writing now, as `kdos report` may, is left to it.
    """
    own = list(paths)
    folders = {path.parent for path in own if path.parent.is_dir()}
    folders |= {Path(at) for path in own if path.is_dir() and not path.is_symlink() for at, _, _ in os.walk(path)}
    for left in sorted(found for folder in folders for found in folder.glob(f".*{UNFINISHED_SUFFIX}")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif not _is_being_written(left):
            left.unlink(missing_ok=True)


def _is_being_written(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def write_json(path: Path, value: Mapping[str, Any], *, seal: Seal | None = None) -> None:
    """Write JSON, two spaces of indent, keys in the order they are given."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
    with atomic_file(path, seal=seal) as file:
        file.write(orjson.dumps(value, option=options))


def read_json_file(path: Path) -> dict[str, Any]:
    """The JSON object that `write_json` wrote.

    Raises:
        DamageError: It holds something else.
        StoreError: It cannot be read.
    """
    with _explained_damage(path, "a JSON object"):
        value = orjson.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError(f"Got {value!s:.40}")
        return value


def write_parquet(
    path: Path, table: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema, *, seal: Seal | None = None
) -> int:
    """Write a table, or a stream of batches, as one Parquet file; returns its rows."""
    batches = table.to_batches() if isinstance(table, pa.Table) else table
    rows = 0
    with atomic_file(path, seal=seal) as file, pq.ParquetWriter(file, schema, **PARQUET_OPTIONS) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def open_parquet_writers(folder: Path, schemas: Mapping[str, pa.Schema]) -> Generator[Callable[[str, pa.Table], None]]:
    """Several Parquet files of a folder, written side by side: call with a name and a table."""
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(pq.ParquetWriter(folder / f"{name}.parquet", schema, **PARQUET_OPTIONS))
            for name, schema in schemas.items()
        }
        yield lambda name, table: writers[name].write_table(table)


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A table that `write_parquet` wrote.

    Raises:
        DamageError: It is not a whole Parquet file, or a page of it has changed.
        StoreError: It cannot be read.
    """
    with _explained_damage(path, "a Parquet file"):
        return pq.read_table(path, columns=columns, page_checksum_verification=True)


@contextmanager
def open_parquet(path: Path) -> Generator[pq.ParquetFile]:
    """The same, to be read batch by batch."""
    with _explained_damage(path, "a Parquet file"), pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield file


def write_arrays(
    folder: Path, header: Mapping[str, Any], arrays: Mapping[str, Any], *, seal: Seal | None = None
) -> None:
    """Write a folder of ``.npy`` arrays with a JSON header, whole or not at all."""
    with atomic_folder(folder, seal=seal) as aside:
        for name, array in arrays.items():
            with (aside / f"{name}.npy").open("xb") as file:
                # By its `write` alone: into a file that it knows as one, NumPy writes by itself, and where the disk
                # is full it does not say so (its OSError has no number).
                np.save(cast("BinaryIO", SimpleNamespace(write=file.write)), array, allow_pickle=False)
        write_json(aside / f"{folder.name}.json", header)


def read_arrays(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the arrays that `write_arrays` wrote.

    Raises:
        DamageError: A file is not what was written.
        StoreError: A file cannot be read.
    """
    header = read_json_file(folder / f"{folder.name}.json")
    arrays: dict[str, Any] = {}
    for path in sorted(folder.glob("*.npy")):
        with _explained_damage(path, "a NumPy array"):
            arrays[path.stem] = np.load(path, allow_pickle=False)
    return header, arrays


@contextmanager
def _explained_damage(path: Path, kind: str) -> Generator[None]:
    """Whatever a library says of a file that it cannot read becomes one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"{path} must be {kind} of a run. It is missing.") from error
    except (OSError, EOFError, ValueError, pa.ArrowException) as error:
        raise DamageError(
            f"{path} must be {kind} of a run, as it was written. {' '.join(str(error).split())}"
        ) from error


@contextmanager
def lock_run_folder(folder: Path) -> Generator[None]:
    """Hold a run folder: a second process gets a StoreError instead of a torn run.

    Raises:
        UsageError: It cannot be made, or not be written to.
        StoreError: Another process holds it.
    """
    # A link of this name may lead to a file of the user's: it is not followed, and nothing is truncated.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, flags, 0o644)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UsageError(f"{folder} must be a folder that can be written to. {reason}. Give another --out.") from error
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
