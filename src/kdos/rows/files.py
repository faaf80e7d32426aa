"""Which files hold tables, and what is in them: bytes, compressed or not, a line at a time."""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import glob
from io import BufferedReader, RawIOBase
from itertools import takewhile
from pathlib import Path
from typing import IO, NamedTuple, cast

import pyarrow as pa

from kdos.errors import InputError
from kdos.outputs import MARK_NAME, RUN_CONFIG, names_made_in
from kdos.rows.limits import MAX_DOCUMENT_BYTES, MAX_LINE_BYTES

JSON_SUFFIXES = (".jsonl", ".ndjson", ".jsonlines", ".jl", ".json")
DELIMITED_SUFFIXES = (".csv", ".tsv", ".tab")
COLUMNAR_SUFFIXES = (".parquet", ".arrow", ".feather")
TABLE_SUFFIXES = (*JSON_SUFFIXES, *DELIMITED_SUFFIXES, *COLUMNAR_SUFFIXES)
SIDE_FILES = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"))
"""What stands beside the rows in folders that `datasets`, its hub and LLaMA-Factory make."""
PATTERN_SIGNS = frozenset("*?[")
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class SeveralPaths:
    """Several files, folders or patterns that are read as one table, in their order."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.parts)


InputPath = Path | str | SeveralPaths


def list_input_files(path: InputPath) -> list[Path]:
    """Every file at `path`, each once, of whatever kind: itself, those below a folder, those that fit a pattern.

    Raises:
        InputError: Nothing is there.
    """
    return list(
        dict.fromkeys(file for part in _expand(path) for file in ([part] if part.is_file() else walk_files(part)))
    )


def list_input_paths(path: InputPath) -> list[Path]:
    """The files and folders at `path`, its patterns expanded; nothing for a part where nothing is."""
    parts = path.parts if isinstance(path, SeveralPaths) else (path,)
    found = (([Path(part)] if Path(part).exists() else _match_pattern(Path(part))) for part in parts)
    return list(dict.fromkeys(one for several in found for one in several))


def common_folder(path: InputPath) -> Path:
    """The folder below which the files at `path` are named: itself, or what its parts have in common."""
    roots = [_fixed_part(Path(part)) for part in (path.parts if isinstance(path, SeveralPaths) else (path,))]
    if len(roots) == 1:
        return roots[0]
    return Path(os.path.commonpath([root.absolute() for root in roots]))


def _expand(path: InputPath) -> Iterator[Path]:
    for part in path.parts if isinstance(path, SeveralPaths) else (path,):
        if not (found := list_input_paths(part)):
            raise InputError.at(part, "no such file or directory. Check the path")
        yield from found


def _fixed_part(path: Path) -> Path:
    """The folder itself, a file's folder, or the folders before the first pattern."""
    if path.exists():
        return path if path.is_dir() else path.parent
    parts = list(takewhile(lambda part: not set(part) & PATTERN_SIGNS, path.parts))
    return Path(*parts) if len(parts) < len(path.parts) else path.parent


def list_table_files(path: InputPath) -> list[Path]:
    """The table files at `path`, each once: the file itself, or those below a folder or that fit a pattern, sorted."""
    parts = path.parts if isinstance(path, SeveralPaths) else (path,)
    return list(dict.fromkeys(file for part in parts for file in list_files(Path(part), TABLE_SUFFIXES)))


def list_file_states(path: InputPath) -> list[tuple[str, int, int, int, int]]:
    """Each table file at `path` with its inode, bytes and times: another list where one was written to meanwhile."""
    stats = [(str(file), file.stat()) for file in list_table_files(path)]
    return [(name, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for name, one in stats]


def list_files(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """The file at `path`, or those below it with one of the suffixes, sorted; no hidden ones, and none of a run's own.

    A compression's suffix may follow. `path` may be a pattern of files and folders: ``data/**/*.jsonl``.
    """
    if not path.exists():
        if matches := _match_pattern(path):
            return list(dict.fromkeys(file for match in matches for file in list_files(match, suffixes)))
        raise InputError.at(path, "no such file or directory. Check the path")
    single = path.is_file()
    below = [path] if single else walk_files(path)
    shown = [file for file in below if file.is_file() and uncompressed_suffix(file) in suffixes]
    shown = shown if single else [file for file in shown if file.name not in SIDE_FILES]
    if not shown:
        what = "must be a file" if single else "the directory must hold a file"
        known = f"{', '.join(suffixes)} (also {', '.join(COMPRESSIONS)})"
        got = f"Got {path.suffix or 'no suffix'}" if single else "Got none"
        raise InputError.at(path, f"{what} of a kind we read: {known}. {got}")
    return shown


def _match_pattern(path: Path) -> list[Path]:
    """What fits a path with ``*``, ``?`` or ``[…]`` in it, sorted; nothing for any other path."""
    pattern = str(path)
    if not set(pattern) & PATTERN_SIGNS:
        return []
    return sorted(map(Path, glob(pattern, recursive=True)))  # noqa: PTH207


def walk_files(folder: Path) -> list[Path]:
    """Every file below a folder, sorted; no hidden ones, and none that kdos made in a folder of its own."""
    return sorted(file for walked in _walk_folders(folder) for file in walked.files)


def list_folders_left_out(path: InputPath) -> list[Path]:
    """The folders at and below `path` that kdos made, whose files are left out wherever files are listed."""
    roots = [root for root in list_input_paths(path) if root.is_dir()]
    return [folder.path for root in roots for folder in _walk_folders(root) if folder.is_made]


class _WalkedFolder(NamedTuple):
    path: Path
    files: list[Path]
    is_made: bool


def _walk_folders(root: Path) -> Iterator[_WalkedFolder]:
    """A folder and those below it with their files; nothing hidden, and nothing that kdos made in a folder of its own.

    So a source may hold the folder of the run that reads it, and reads the same whatever the run has written.
    """
    for at, folders, files in os.walk(root, onerror=_raise_unreadable):
        path = Path(at)
        if (revision := _current_revision(path)) is not None:
            folders.clear()
            yield from _walk_folders(revision)
            continue
        made = names_made_in(path) if {RUN_CONFIG, MARK_NAME} & set(files) else frozenset[str]()
        folders[:] = [name for name in folders if not name.startswith(".") and name not in made]
        shown = [path / name for name in files if not name.startswith(".") and name not in made]
        yield _WalkedFolder(path, shown, bool(made))


def _current_revision(folder: Path) -> Path | None:
    """Of a data set in the hub's cache the revision that is current: other ones hold the same rows, older."""
    main = folder / "refs" / "main"
    if not (main.is_file() and (folder / "snapshots").is_dir()):
        return None
    revision = folder / "snapshots" / main.read_text(errors="replace").strip()
    return revision if revision.is_dir() else None


def _raise_unreadable(error: OSError) -> None:
    message = f"must be a folder that can be read. Got: {error.strerror}. Change its permissions"
    raise InputError.at(error.filename, message) from error


def uncompressed_suffix(path: Path) -> str:
    """The suffix that says what a file holds, its compression left off: ``.jsonl``."""
    name = path.name.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return Path(name).suffix


@contextmanager
def open_decompressed(path: Path) -> Generator[IO[bytes]]:
    """The file's bytes, decompressed; whatever is wrong with them becomes an `InputError`."""
    try:
        with _open_stream(path) as stream:
            yield stream
    except _DAMAGE as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"must be a whole, readable file. Got: {detail}. Fetch it again"
        raise InputError.at(path, message) from error


def _open_stream(path: Path) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return cast(IO[bytes], gzip.open(path))
        case ".bz2":
            return cast(IO[bytes], bz2.open(path))
        case ".xz":
            return cast(IO[bytes], lzma.open(path))
        case ".zst":
            return BufferedReader(cast(RawIOBase, pa.input_stream(path, compression="zstd")))
        case _:
            return path.open("rb")


def read_numbered_lines(path: Path) -> Generator[tuple[int, bytes]]:
    """Every line that is not blank, with its number from 1; a byte order mark is dropped."""
    for number, line in read_raw_lines(path):
        if kept := line.strip():
            yield number, kept


def read_raw_lines(path: Path) -> Generator[tuple[int, bytes]]:
    """Every line with its end, numbered from 1; a byte order mark is dropped. A line has `MAX_LINE_BYTES` at most."""
    with open_decompressed(path) as stream:
        lines = iter(partial(stream.readline, MAX_LINE_BYTES + 1), b"")
        for number, line in enumerate(lines, start=1):
            if len(line) > MAX_LINE_BYTES:
                message = f"must have lines of at most {MAX_LINE_BYTES >> 20} MiB. Got a longer one. Break it up"
                raise InputError.at(path, message, line=number)
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def read_whole_file(path: Path) -> bytes:
    """All bytes of a file, decompressed: `MAX_DOCUMENT_BYTES` at most."""
    with open_decompressed(path) as stream:
        data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        message = f"must hold at most {MAX_DOCUMENT_BYTES >> 20} MiB, unpacked. Got more. Make it JSONL, a row a line"
        raise InputError.at(path, message)
    return data


def decode_utf8(data: bytes, path: Path, *, line: int | None = None) -> str:
    """UTF-8 bytes as text; `line` is where they start, or None to count it from the bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        at = data.count(b"\n", 0, error.start) + 1 if line is None else line
        message = f"must be UTF-8 text. Got the byte 0x{data[error.start]:02x}. Convert the file"
        raise InputError.at(path, message, line=at) from error
