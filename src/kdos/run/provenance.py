"""What a run reads beside its configuration, each as a line that changes when it does."""

import hashlib
import platform
from collections.abc import Iterator
from pathlib import Path

from kdos.checksums import hash_file
from kdos.config import Config
from kdos.documents import document_kind
from kdos.rows import common_folder, list_input_files, list_input_paths, uncompressed_suffix
from kdos.rows.files import TABLE_SUFFIXES
from kdos.run.prompts import prompt_paths
from kdos.run.taxonomy import taxonomy_file
from kdos.seed.sources import DUMP_SUFFIXES
from kdos.targets import demand_file
from kdos.tasks.prompt_set import PromptSet
from kdos.version import __version__

_READ_SUFFIXES = frozenset((*TABLE_SUFFIXES, *DUMP_SUFFIXES, ".safetensors"))
SHOWN_DIGITS = 16
"""Hexadecimal digits of a fingerprint."""


def describe_inputs(config: Config) -> dict[str, str]:
    """The versions of code and prompts, and the content of every file that a run reads, by name.

    Files are known by their content, not by their dates: one that was only copied or touched has not changed. What
    lies on somebody else's server (`hf:` data sets, models) has no fingerprint here.
    """
    # Our own wording: a user's files have lines of their own, by which a changed one is named.
    found = {"kdos": __version__, "prompts": PromptSet.resolve().hash}
    if config.source.kind == "pydocs":
        found["python"] = platform.python_version()
    return found | describe_input_files(config)


def name_input_paths(config: Config) -> dict[str, str]:
    """What a run reads that may lie on this disk, by the name that an account of it goes by."""
    paths = config.source.path
    named = {"source.path": paths} if isinstance(paths, str) else {f"source.path: {path}": path for path in paths}
    named |= {f"benchmarks: {name}": name for name in config.benchmarks}
    if (demand := demand_file(config.target)) is not None:
        named["target"] = demand
    if ":" in config.embed:
        named["embed"] = config.embed.partition(":")[2]
    if config.prompts:
        named |= {f"prompts: {path.name}": str(path) for path in prompt_paths(Path(config.prompts))}
    named |= {"examples": config.examples or "", "seeds": config.seeds or "", "taxonomy": taxonomy_file(config) or ""}
    return {name: path for name, path in named.items() if path}


def describe_input_files(config: Config) -> dict[str, str]:
    """The content of each of them that is there."""
    found: dict[str, str] = {}
    for name, path in name_input_paths(config).items():
        if files := list(_list_input_files(path)):
            found[name] = describe_files(files)
    return found


def _list_input_files(path: str) -> Iterator[tuple[str, Path]]:
    """The files that can be read at `path`, each with its path below it; as `kdos.rows` walks."""
    if Path(path).is_file():
        yield "", Path(path)
        return
    if not list_input_paths(path):
        return
    base = common_folder(path)
    for file in list_input_files(path):
        suffix = uncompressed_suffix(file)
        if (suffix in _READ_SUFFIXES or document_kind(file, suffix)) and file.is_file():
            yield file.relative_to(base).as_posix(), file


def describe_files(files: list[tuple[str, Path]]) -> str:
    """How many files, of how many bytes, and a fingerprint of their names and content."""
    digest, size = hashlib.sha256(), 0
    for name, file in files:
        digest.update(f"{name}\0{hash_file(file)}\n".encode(errors="surrogatepass"))
        size += file.stat().st_size
    count = f"{len(files):,} files, " if len(files) > 1 else ""
    return f"{count}{size:,} bytes, SHA-256 {digest.hexdigest()[:SHOWN_DIGITS]}"
