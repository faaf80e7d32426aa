"""Folders as users have them at their worst, made from a random seed, and whether a byte of one changed."""

import os
import random
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

WORDS = ("thesis", "notes", "dataset", "report", "seed", "summary", "index", "ledger", "data", "übung", "日本", "a b")
SUFFIXES = (".txt", ".md", ".json", ".jsonl", ".parquet", ".csv", ".html", ".sqlite", ".yaml", ".part", ".lock", "")
HOSTILE_NAMES = ("-", "~", "--out", "[red]x[blink]", "tab\there", "line\nend", "\x1b]52;c;eHg=\x07", "‮evil", "\udcff")
"""Names that say something to a command line, a shell, a terminal or a decoder."""
OWN_NAMES = ("run.yaml", "summary.json", "scores.jsonl", "dataset/rows.txt", "report/index.html", "seed/notes.md")
"""Names that kdos gives to what it makes."""


def build_hostile_folder(root: Path, random_seed: int, *, entries: int = 12) -> Path:
    """Fill `root` with files, folders and links, some named as kdos names its own; the same for the same seed."""
    rng = random.Random(random_seed)
    root.mkdir(parents=True, exist_ok=True)
    (root / "thesis.txt").write_text("thesis")
    for _ in range(entries):
        _add_entry(rng.choice([root, *(path for path in sorted(root.iterdir()) if _is_plain_folder(path))]), root, rng)
    for name in rng.sample(OWN_NAMES, 2):
        path = root / name
        if not os.path.lexists(path) and (path.parent == root or not os.path.lexists(path.parent)):
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"mine {rng.random()}")
    return root


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _add_entry(folder: Path, root: Path, rng: random.Random) -> None:
    named = rng.choice(WORDS) + rng.choice(SUFFIXES)
    path = folder / (rng.choice(HOSTILE_NAMES) if rng.random() < 0.2 else named)
    if os.path.lexists(path):
        return
    kind = rng.choice(("file", "file", "empty", "folder", "link", "dangling", "loop", "hard link"))
    if kind == "file":
        path.write_bytes(rng.randbytes(rng.randrange(1, 200)))
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to((root / "thesis.txt").resolve())
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        path.hardlink_to(root / "thesis.txt")


def snapshot_tree(root: Path) -> dict[str, str]:
    """What each name below `root` is: the digest of a file, where a link leads, or that it is a folder."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = blake2b(path.read_bytes(), digest_size=16).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "other"
    return found


def compare_trees(before: dict[str, str], after: dict[str, str], *, allowed_new: Sequence[str] = ()) -> list[str]:
    """What changed, each as a line: gone, changed, or new and below none of the names in `allowed_new`."""
    lines = [f"gone: {name!r}" for name in before if name not in after]
    lines += [f"changed: {name!r}" for name in before if name in after and before[name] != after[name]]
    new = [name for name in after if name not in before]
    return lines + [
        f"new: {name!r}" for name in new if not any(name == one or name.startswith(f"{one}/") for one in allowed_new)
    ]
