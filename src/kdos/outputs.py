"""Where a command may write: the one place that decides it, before any work is done.

Refused in one line, with nothing touched: what is an input of the same call (by another name, a link or a folder that
holds it), what is somebody else's, what lies inside a folder that kdos made, and what cannot be written to. A folder
that kdos made bears a mark; only in such a folder, or in one that a call finds new or empty, is anything replaced or
removed.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from kdos.errors import UsageError
from kdos.store import LOCK_NAME, UNFINISHED_SUFFIX, atomic_file, lock_run_folder, remove_unfinished

RUN_CONFIG = "run.yaml"
MARK_NAME = ".kdos"
"""The file that says of which kind a folder is. That of a run tells by its configuration too."""
MARK_BYTES = 1 << 16
"""Bytes of a mark that are read."""
LEDGER_NAMES = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.sqlite-journal")
TABLE_SUFFIXES = (".parquet", ".jsonl", ".csv")
"""What rows of values are written as."""
PICTURE_SUFFIXES = (".png", ".svg")
PathLike = str | Path
# What a run notes in its configuration. Users call their own configurations run.yaml too.
_FINGERPRINT = re.compile(rb"^fingerprint: \S", re.MULTILINE)


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that a command makes: its name with its article, and what stands at its top by name.

    `runs` is the one of these in which runs lie, where there is one.
    """

    name: str
    made: frozenset[str]
    runs: str = ""

    def marks(self, folder: Path) -> bool:
        """Whether the folder bears this kind's mark."""
        return self.is_named_in(folder) or (self is RUN and is_run_folder(folder))

    def is_named_in(self, folder: Path) -> bool:
        """Whether the folder's `MARK_NAME` is what kdos writes there."""
        return _read_start(folder / MARK_NAME) == self.mark

    @property
    def mark(self) -> bytes:
        """What `MARK_NAME` holds in a folder of this kind."""
        return self.name.encode() + b"\n"


def _kind(name: str, *made: str, runs: str = "") -> FolderKind:
    return FolderKind(name, frozenset({*made, LOCK_NAME, MARK_NAME}), runs)


RUN = _kind(
    "a run",
    *(RUN_CONFIG, "checksums.jsonl", *LEDGER_NAMES, "seed", "extract", "embed", "space"),
    *("target.parquet", "target_points.parquet", "synthesize", "dataset"),
    *("decontamination.json", "summary.json", "report", "blind"),
)
EVALUATION = _kind("an evaluation", "scores.jsonl", "summary.json", "cells.parquet", *LEDGER_NAMES)
VERIFICATION = _kind("a verification", "verdicts.parquet", "summary.json", *LEDGER_NAMES)
TRAINING = _kind("a training", "cells", "measurements.csv", "model", "memory.json")
SWEEP = _kind(
    "a sweep",
    *("pools", "exposures", "models", "sweep.json", "sweep.png", "sweep-words.json", "sweep-words.png"),
    *("reading", "sweep-model.json"),
    runs="pools",
)
FOLDER_KINDS = (RUN, EVALUATION, VERIFICATION, TRAINING, SWEEP)


def is_run_folder(folder: Path) -> bool:
    """Whether a run wrote the configuration that lies in the folder; a user's of the same name says nothing."""
    return bool(_FINGERPRINT.search(_read_start(folder / RUN_CONFIG)))


def is_unfinished(path: Path) -> bool:
    """Whether a file is what a process that was killed left of its first moments in a folder."""
    if path.is_symlink() or not path.is_file():
        return False
    return path.name.endswith(UNFINISHED_SUFFIX) or (path.name == LOCK_NAME and not path.stat().st_size)


def names_made_in(folder: Path) -> frozenset[str]:
    """What stands at the top of a folder that kdos made, by name; nothing for any other folder."""
    return next((kind.made for kind in FOLDER_KINDS if kind.marks(folder)), frozenset[str]())


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MARK_BYTES)
    except (OSError, ValueError):
        return b""


def expand_path(path: PathLike, option: str) -> Path:
    """A path to write to as it was given, its ``~`` expanded; empty ones and ``-`` are refused.

    Raises:
        UsageError: It is no path.
    """
    text = os.fspath(path)
    if not text or "\0" in text:
        raise UsageError(f"{option} must be a path. Got {text!r}.")
    if text == "-":
        raise UsageError(f"{option} must be a path. `-` is none: nothing is written to stdout. Name a file.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{option} must be a path. {text} begins with the home of no user. Write ./{text}."
        ) from error


def check_output_file(
    path: PathLike,
    option: str,
    suffixes: Sequence[str] = (),
    *,
    inputs: Iterable[PathLike | None] = (),
    is_shared: bool = False,
    is_new: bool = False,
) -> Path:
    """The path of a file that may be written; `suffixes` are the kinds it may be of (any where there are none).

    A link is followed: what it leads to is written, and the link stays. The file that is there is replaced, but for
    one that must be `is_new`. One that `is_shared`, as a ledger that several runs add to, may lie inside a folder that
    kdos made.

    Raises:
        UsageError: It may not be written, and why.
    """
    shown = expand_path(path, option)
    if suffixes and shown.suffix.lower() not in suffixes:
        known = ", ".join(suffixes)
        raise UsageError(f"{option} must end in one of {known}: the kinds that are written. Got {shown}.")
    with _explain_unusable(option, shown):
        real = _follow_links(shown)
        if real.is_dir():
            raise UsageError(f"{option} must be a file. {shown} is a folder. Name a file in it.")
        if real.exists() and not real.is_file():
            raise UsageError(f"{option} must be a regular file. {shown} is a device, a pipe or a socket.")
        if not real.parent.is_dir():
            raise UsageError(f"{option} must lie in a folder that exists. There is no {shown.parent}. Make it first.")
        _refuse_inputs(real, shown, option, _existing(inputs))
        if is_new and real.exists():
            raise UsageError(f"{option} must be a new file. {shown} is there. Move it away, or name another.")
        if not is_shared:
            _refuse_inside_made(real, shown, option)
        _try_writing(real, shown, option)
    return shown


@contextmanager
def _explain_unusable(option: str, shown: Path) -> Generator[None]:
    """Whatever the system has against a path, as a line: too long, a loop of links, under a file, not permitted."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{option} must be a path that can be written. {shown}: {reason}. Name another.") from error


def _follow_links(path: Path) -> Path:
    """Where the path leads, there or not; raises OSError for a loop of links, or a file taken for a folder."""
    real = Path(os.path.realpath(path))
    with suppress(FileNotFoundError):
        real.stat()
    return real


def _existing(paths: Iterable[PathLike | None]) -> list[Path]:
    """Those that lie on this disk: a name of a hub's data set does not."""
    found: list[Path] = []
    for path in paths:
        try:
            if path is not None and os.fspath(path) and Path(path).exists():
                found.append(Path(path))
        except (OSError, ValueError):
            continue
    return found


def _refuse_inputs(real: Path, shown: Path, option: str, inputs: Sequence[Path]) -> None:
    """Refuse to write what is read: by this or another name, or into a folder whose tables are read."""
    for one in inputs:
        if real.exists() and real.samefile(one):
            raise UsageError(f"{option} must not be an input of the same call. {shown} is read here. Name another.")
        if one.is_dir() and real.suffix.lower() in TABLE_SUFFIXES and real.is_relative_to(one.resolve()):
            raise UsageError(
                f"{option} must lie outside the folders that are read. {shown} is in {one}. Name another."
            )


def _refuse_inside_made(real: Path, shown: Path, option: str) -> None:
    """Refuse a place inside the folder of a run, or inside another that kdos made, under whatever name."""
    for folder in real.parents:
        kind = next((kind for kind in FOLDER_KINDS if kind.marks(folder)), None)
        if kind and not (kind.runs and real.parent == folder / kind.runs):
            raise UsageError(f"{option} must not lie inside {kind.name}. {shown} is in {folder}. Name another.")


def _try_writing(real: Path, shown: Path, option: str) -> None:
    """Refuse a place that takes no file, and a file that is protected."""
    if real.exists() and not os.access(real, os.W_OK):
        raise UsageError(f"{option} must be a file that can be written. {shown} is protected. Name another.")
    with TemporaryFile(dir=real.parent):
        pass


def check_output_folder(path: PathLike, option: str = "--out") -> Path:
    """The path of a folder that may be made or filled, as far as its place goes.

    Raises:
        UsageError: It is a file, lies under one, or inside a folder that kdos made.
    """
    shown = expand_path(path, option)
    with _explain_unusable(option, shown):
        real = _follow_links(shown)
        if real.exists() and not real.is_dir():
            raise UsageError(f"{option} must be a folder. {shown} is a file. Give another {option}.")
        if shown.is_symlink() and not real.exists():
            raise UsageError(
                f"{option} must be a folder. {shown} is a link that leads nowhere. Give another {option}."
            )
        _refuse_inside_made(real, shown, option)
    return shown


def check_new_folder(path: PathLike, option: str = "--out") -> Path:
    """The path of a folder that is new or empty, and that is going to be put there whole.

    Raises:
        UsageError: It is neither, or is the working folder, which cannot be put in another's place.
    """
    shown = check_output_folder(path, option)
    with _explain_unusable(option, shown):
        if shown.exists() and any(shown.iterdir()):
            raise UsageError(f"{option} must be a new or empty folder. {shown} holds something. Name another.")
        if shown.exists() and shown.samefile(Path.cwd()):
            raise UsageError(f"{option} must not be the folder that you are in: it appears whole. Name one inside it.")
        _try_making(shown)
    return shown


def _try_making(shown: Path) -> None:
    """Raise OSError where the nearest folder that exists takes no file, or none of a name as long as one below it."""
    real = shown.resolve()
    there = next(folder for folder in real.parents if folder.exists())
    most = os.pathconf(there, "PC_NAME_MAX")
    if any(len(os.fsencode(name)) > most for name in real.relative_to(there).parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    with TemporaryFile(dir=there):
        pass


def check_folder_of_kind(
    path: PathLike, kind: FolderKind, *, inputs: Iterable[PathLike | None] = (), option: str = "--out"
) -> Path:
    """The path of a folder that a command may fill: it is of this kind, or holds nothing but `inputs` of the call.

    Raises:
        UsageError: It is somebody else's, or its parts are.
    """
    folder = check_output_folder(path, option)
    with _explain_unusable(option, folder):
        known = _existing(inputs)
        if folder.exists() and any(folder.samefile(one) for one in known):
            raise UsageError(f"{option} must not be an input of the same call. {folder} is read here. Name another.")
        (_refuse_links if kind.marks(folder) else _refuse_foreign_folder)(folder, kind, known, option)
    return folder


@contextmanager
def claim_folder(
    path: PathLike,
    kind: FolderKind,
    *,
    inputs: Iterable[PathLike | None] = (),
    is_kept: Callable[[], bool] = lambda: False,
    option: str = "--out",
) -> Generator[Path]:
    """Hold the folder of a run, or of another kind, that a command fills; gives its path.

    Where it is new or holds nothing but `inputs` of the call, wrong use removes again what the call made there, unless
    `is_kept` says that something in it was paid for.

    Raises:
        UsageError: It is somebody else's, or cannot be written to.
        StoreError: Another process is working in it.
    """
    folder = check_folder_of_kind(path, kind, inputs=inputs, option=option)
    with _explain_unusable(option, folder):
        is_ours = kind.marks(folder)
        before = {one.name for one in folder.iterdir()} if folder.exists() else set[str]()
        absent = [one for one in (folder, *folder.absolute().parents) if not one.exists()]
    is_held = False
    try:
        with lock_run_folder(folder):
            is_held = True
            remove_unfinished(folder / name for name in kind.made)
            if not kind.is_named_in(folder):
                with _explain_unusable(option, folder / MARK_NAME), atomic_file(folder / MARK_NAME) as file:
                    file.write(kind.mark)
            yield folder
    except UsageError:
        if not is_ours and not (is_held and is_kept()):
            _remove_made(folder, kind.made - before, absent)
        raise


def _refuse_links(folder: Path, kind: FolderKind, inputs: Sequence[Path], option: str) -> None:
    """A part that is a link leads to something that is not ours to replace."""
    for name in sorted(kind.made):
        if (folder / name).is_symlink():
            raise UsageError(
                f"{option} must hold its parts itself. {folder / name} is a link. Put what it leads to there."
            )
        if any((folder / name).exists() and (folder / name).samefile(one) for one in inputs if one.is_file()):
            raise UsageError(
                f"{option} must not hold an input among its parts. {folder / name} is read here. Move it."
            )


def _refuse_foreign_folder(folder: Path, kind: FolderKind, inputs: Sequence[Path], option: str) -> None:
    """Refuse a folder with anything in it but inputs of the call, and inputs by the names of what is made."""
    for one in sorted(folder.iterdir()) if folder.exists() else ():
        if not is_unfinished(one) and (one.name in kind.made or not _holds_only(one, inputs)):
            raise UsageError(
                f"{option} must be a new or empty folder, or that of {kind.name}. {folder} holds {one.name}, which "
                f"kdos did not make. Give another {option}."
            )


def _holds_only(path: Path, inputs: Sequence[Path]) -> bool:
    """Whether the path is one of some inputs, or a folder that holds nothing else."""
    if any(path.exists() and path.samefile(one) for one in inputs):
        return True
    if path.is_symlink() or not path.is_dir():
        return False
    below = list(path.iterdir())
    return bool(below) and all(_holds_only(one, inputs) for one in below)


def _remove_made(folder: Path, names: Iterable[str], absent: Sequence[Path]) -> None:
    """Remove what a call made, by name and nothing else, and the folders that it made if they are empty then."""
    # Asked of `os.path`, to which a name that is too long is one that is not there.
    for path in (folder / name for name in names if os.path.isdir(folder)):  # noqa: PTH112
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for one in absent:
        if os.path.isdir(one) and not os.listdir(one):  # noqa: PTH112, PTH208
            one.rmdir()
