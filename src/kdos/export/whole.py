"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(path: Path) -> Generator[Path, None, None]:
    """A folder to fill, which becomes `path` once the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    yield aside
    for file in aside.iterdir():
        settle(file)
    settle(aside)
    if path.exists():
        shutil.rmtree(path)
    aside.rename(path)
    settle(path.parent)


def settle(path: Path) -> None:
    """Wait until what was written under `path` is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
