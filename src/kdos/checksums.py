"""A run's checksums: what it wrote, so that a file which has changed since is found before it is used.

`JOURNAL_NAME` has a line for every file and folder that the run wrote, in the order of writing: its path, and the
SHA-256 of each file. A line is on disk before what it tells of takes its name, and lines are only added. So whatever
moment a process is killed at, each file is one that a line tells of; a later line of the same path adds to the
states that it may be in. The line itself begins with its CRC-32.
"""

import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kdos.errors import DamageError

JOURNAL_NAME = "checksums.jsonl"
READ_SUFFIXES = frozenset({".npy", ".parquet"})
"""A file of these in one of our folders is read with the rest: one that we did not write is damage."""
_CRC_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not as the run wrote it: `found` says in what."""

    path: Path
    found: str


@dataclass(frozen=True, slots=True)
class ChecksumJournal:
    """The checksums of the run in the folder `root`."""

    root: Path

    @property
    def path(self) -> Path:
        """The file of the journal."""
        return self.root / JOURNAL_NAME

    def record_written(self, aside: Path, path: Path) -> None:
        """Note what lies in `aside`, a file or a folder, and is about to become `path`."""
        self.record_files(path, _hash_files(aside))

    def record_files(self, path: Path, files: Mapping[str, str]) -> None:
        """Note the files, by their path in it, that make up `path`, each with its SHA-256."""
        text = orjson.dumps({"path": path.relative_to(self.root).as_posix(), "files": files})
        with self.path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # `kdos report` may write while the run goes on
            self._drop_torn_line(file.fileno())
            file.write(b"%08x %s\n" % (zlib.crc32(text), text))
            file.flush()
            os.fsync(file.fileno())

    def _drop_torn_line(self, descriptor: int) -> None:
        """Cut off what a process that was killed while it wrote a line has left of it."""
        size = os.fstat(descriptor).st_size
        with self.path.open("rb") as file:
            file.seek(max(size - 1, 0))
            if file.read(1) in (b"", b"\n"):
                return
            file.seek(0)
            os.ftruncate(descriptor, file.read().rfind(b"\n") + 1)

    def read_states(self) -> dict[str, list[Mapping[str, str]]]:
        """For each path that was written, in the order of the first time, the files of its states, the newest last.

        Raises:
            DamageError: A line is not what was written.
        """
        states: dict[str, list[Mapping[str, str]]] = {}
        for line in self._read_lines():
            states.setdefault(line["path"], []).append(line["files"])
        return states

    def _read_lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.is_file():
            return
        *whole, _torn = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(whole, 1):
            crc, text = line[:_CRC_DIGITS], line[_CRC_DIGITS + 1 :]
            if b"%08x " % zlib.crc32(text) != crc + line[_CRC_DIGITS : _CRC_DIGITS + 1]:
                raise DamageError(f"{self.path}, line {number}: must be as the run wrote it. Its checksum differs.")
            yield orjson.loads(text)

    def find_damage(self, paths: Sequence[Path]) -> list[Damage]:
        """What is wrong with those of the paths that are there.

        Raises:
            DamageError: The journal itself is damaged.
        """
        states = self.read_states()
        found: list[Damage] = []
        for path in paths:
            if path.exists():
                known = states.get(path.relative_to(self.root).as_posix(), [])
                found += _compare_with_states(path, known)
        return found


def _hash_files(path: Path) -> dict[str, str]:
    """The SHA-256 of a file under the empty name, or of each file below a folder under its path in it."""
    if not path.is_dir():
        return {"": hash_file(path)}
    below = sorted(file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): hash_file(file) for file in below}


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare_with_states(path: Path, states: Sequence[Mapping[str, str]]) -> list[Damage]:
    """What differs from the newest state, if what is there is none of the states."""
    if not states:
        return [Damage(path, f"it has no checksum in {JOURNAL_NAME}")]
    there = _hash_files(path)
    # A folder of ours may hold a file of the user's: it is none of the run's business, unless we would read it.
    ours = {name for state in states for name in state}
    there = {name: digest for name, digest in there.items() if name in ours or Path(name).suffix in READ_SUFFIXES}
    if any(there == state for state in states):
        return []
    newest = states[-1]
    names = sorted(name for name in there.keys() | newest.keys() if there.get(name) != newest.get(name))
    return [Damage(path / name, _name_difference(name, there, newest)) for name in names]


def _name_difference(name: str, there: Mapping[str, str], state: Mapping[str, str]) -> str:
    if name not in there:
        return "it is missing"
    return f"its content is not what {JOURNAL_NAME} says" if name in state else "the run did not write it"
