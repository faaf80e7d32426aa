"""Standard input as a file: rows are read more than once, so what comes once is kept for the length of the command."""

import atexit
import shutil
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from kdos.errors import UsageError

# What the first bytes say of a file; anything else is text.
_STARTS = {
    b"PAR1": "stdin.parquet",
    b"ARROW1": "stdin.arrow",
    b"\x1f\x8b": "stdin.jsonl.gz",
    b"\x28\xb5\x2f\xfd": "stdin.jsonl.zst",
    b"BZh": "stdin.jsonl.bz2",
    b"\xfd7zXZ": "stdin.jsonl.xz",
}


@cache
def spool_standard_input() -> Path:
    """A file with all of standard input, gone when the process ends; it is read once.

    Raises:
        UsageError: It is a terminal, or empty.
    """
    stream = sys.stdin.buffer
    if stream.isatty():
        raise UsageError("- must have rows on standard input. It is a terminal. Pipe a file into it.")
    folder = Path(mkdtemp(prefix="kdos-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    whole = folder / "stdin"
    with whole.open("wb") as file:
        shutil.copyfileobj(stream, file)
    with whole.open("rb") as file:
        start = file.read(4096)
    if not start.strip():
        raise UsageError("- must have rows on standard input. It is empty.")
    return whole.rename(folder / _name_by_start(start))


def _name_by_start(start: bytes) -> str:
    """A name whose suffix says what the bytes hold: JSON by its bracket, else cells between tabs or commas."""
    for magic, name in _STARTS.items():
        if start.startswith(magic):
            return name
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in {b"{", b"["}:
        return "stdin.json"
    return "stdin.tsv" if b"\t" in text.partition(b"\n")[0] else "stdin.csv"
