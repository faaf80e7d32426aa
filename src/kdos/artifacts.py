"""Where everything of a run lies on disk: the only module that composes a path inside a run."""

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from kdos.arrays import Float32Array
from kdos.config import Config, read_config
from kdos.density import Space
from kdos.errors import ConfigError, InputError, StoreError, UsageError
from kdos.store import (
    LOCK_NAME,
    atomic_file,
    atomic_folder,
    lock_run_folder,
    read_arrays,
    read_json_file,
    read_parquet,
    write_json,
    write_parquet,
)
from kdos.tasks import json_digest

FREE_KEYS = (
    "workers",
    "engine.url",
    "engine.embed_url",
    "engine.key_env",
    "engine.concurrency",
    "engine.timeout",
    "engine.prices",
    "engine.batch",
    "budget",
)
"""Keys that shape no sample, or that a user may raise to go on: they may change between calls."""

FORMER_DEFAULTS = {"embed": "lexical"}
"""Defaults that have changed since: a run begun with one goes on with it where a configuration leaves the key out."""


class _PathInside:
    """An attribute of a folder: the path of something that lies inside it."""

    def __init__(self, inside: str) -> None:
        self.inside = inside

    def __get__(self, folder: "RoundFolder | RunFolder", owner: type) -> Path:
        return folder.path / self.inside


@dataclass(frozen=True, slots=True)
class RoundFolder:
    """The files of one round of the loop; the folder appears whole or not at all."""

    path: Path

    facts = _PathInside("round.json")
    """Its counts, and the pool and its gap after it, JSON."""
    samples = _PathInside("samples.parquet")
    """The samples that it accepted."""
    verdicts = _PathInside("verdicts.parquet")
    """Every draft with what became of it."""

    def table(self, name: str) -> Path:
        """One of its tables: samples, verdicts, picks or new_knowledge_points."""
        return self.path / f"{name}.parquet"

    def write(self, facts: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> None:
        """Write the round, whole or not at all: its tables by name, and its facts."""
        with atomic_folder(self.path) as aside:
            inside = RoundFolder(aside)
            for name, table in tables.items():
                write_parquet(inside.table(name), table, table.schema)
            write_json(inside.facts, facts)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of a run under `path`; what a run has not come to yet does not exist.

    A run without feedback lies in a run folder inside the one that it is compared with (`blind`).
    """

    path: Path

    config = _PathInside("run.yaml")
    """The resolved configuration with its fingerprint, YAML."""
    ledger = _PathInside("ledger.sqlite")
    """Every request to a model and its reply, SQLite."""
    seed = _PathInside("seed")
    """Documents, passages and seeds as tables, and how many of each were refused."""
    documents = _PathInside("seed/documents.parquet")
    """The source's documents, without their text."""
    passages = _PathInside("seed/passages.parquet")
    """The passages that documents were cut into."""
    seeds = _PathInside("seed/seeds.parquet")
    """The seed questions."""
    seed_tallies = _PathInside("seed/stages.json")
    """How many documents and seeds came in, went out and were refused, JSON."""
    extractions = _PathInside("extract/extractions.parquet")
    """The knowledge points and the logic of each seed."""
    extraction_tally = _PathInside("extract/extractions.json")
    """How many seeds have knowledge points and how many were refused, JSON."""
    knowledge_points = _PathInside("extract/knowledge_points.parquet")
    """The reference: every distinct knowledge point of the seeds, with its place."""
    reference = _PathInside("extract/reference")
    """The reference's points in the space, row by row as in `knowledge_points`."""
    embedder = _PathInside("embed")
    """An embedder that was fitted to the run's texts."""
    space = _PathInside("space")
    """The frozen space."""
    target = _PathInside("target.parquet")
    """The wanted share and quota of each cell."""
    pool_points = _PathInside("synthesize/knowledge_points.parquet")
    """The pool's knowledge points with their exposures."""
    dataset = _PathInside("dataset")
    """The dataset as `datasets.load_dataset` reads it, with its card."""
    decontamination = _PathInside("decontamination.json")
    """The benchmarks that were kept out and the drafts that were theirs, JSON."""
    summary = _PathInside("summary.json")
    """What the run came to, JSON; there once it has ended."""
    page = _PathInside("report/index.html")
    """The report; its figures lie beside it."""

    @contextmanager
    def claim(self) -> Generator[None]:
        """Hold the folder; where use was wrong and nothing was paid for yet, leave it as it was.

        Raises:
            InputError: The folder holds something of the names that a run makes, and is no run's.
            StoreError: Another process is working in it.
        """
        existed, is_new = self.path.exists(), not self.config.exists()
        self._refuse_foreign_folder()
        try:
            with lock_run_folder(self.path):
                yield
        except UsageError:
            if is_new and not self.seed.exists():
                self._remove_own(with_folder=not existed)
            raise

    def _refuse_foreign_folder(self) -> None:
        if not self.path.exists() or self.config.is_file():
            return
        if not self.path.is_dir():
            raise InputError(f"--out must be a folder. {self.path} is a file. Give another --out.")
        # A configuration or a source may lie there too: what has no name of ours is never touched.
        if foreign := {one.name for one in self.path.iterdir()} & self._own_names() - {LOCK_NAME}:
            raise InputError(
                f"--out must be a new or empty folder, or that of a run. {self.path} holds {min(foreign)} and no "
                f"{self.config.name}. Give another --out."
            )

    def _remove_own(self, *, with_folder: bool) -> None:
        """Remove what a run makes, by name and nothing else; the folder too, if it is empty then."""
        for path in (self.path / name for name in self._own_names()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if with_folder and not any(self.path.iterdir()):
            self.path.rmdir()

    def _own_names(self) -> set[str]:
        made = {Path(part.inside).parts[0] for part in vars(RunFolder).values() if isinstance(part, _PathInside)}
        return {*made, LOCK_NAME, self.blind.path.name}

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.path.resolve().name

    @property
    def blind(self) -> "RunFolder":
        """The run without feedback that this one is compared with."""
        return RunFolder(self.path / "blind")

    def round_folder(self, number: int) -> RoundFolder:
        """One round of the loop, counted from 1."""
        return RoundFolder(self.path / "synthesize" / f"round-{number:04d}")

    def complete_rounds(self) -> list[RoundFolder]:
        """The rounds so far, in order; one that is still being written has another name."""
        found = self.path.glob("synthesize/round-*[0-9]/round.json")
        return sorted((RoundFolder(path.parent) for path in found), key=lambda each: int(each.path.name[6:]))

    def dataset_shards(self) -> list[Path]:
        """The Parquet files of the finished dataset, in order; none before the run has ended."""
        return sorted(self.dataset.glob("train-*.parquet"))

    def read_round_facts(self) -> list[dict[str, Any]]:
        """What each round so far came to (``round.json``), in order."""
        return [read_json_file(folder.facts) for folder in self.complete_rounds()]

    def read_rounds(self, name: str, columns: list[str] | None = None) -> list[pa.Table]:
        """One table of each round so far (see `RoundFolder.table`), read whole."""
        return [read_parquet(folder.table(name), columns) for folder in self.complete_rounds()]

    def read_samples(self) -> pa.Table:
        """The samples of a finished run, in the order of the pool.

        Raises:
            InputError: There is no run, or it is not finished.
        """
        self.require_config()
        if not (shards := self.dataset_shards()):
            raise InputError(f"RUN must be finished. {self.path} holds no dataset yet. Run the same `kdos run` again.")
        return pa.concat_tables([read_parquet(shard) for shard in shards])

    def read_summary(self) -> dict[str, Any]:
        """What a finished run came to."""
        return read_json_file(self.summary)

    def read_space(self) -> Space:
        """The frozen space."""
        return Space.from_arrays(*read_arrays(self.space))

    def read_reference_points(self) -> Float32Array:
        """The places of the reference's knowledge points in the space, shape (n_points, dim)."""
        return read_arrays(self.reference)[1]["points"]

    def read_config(self) -> Config:
        """The configuration that the run was begun with.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            value: Any = yaml.safe_load(self.config.read_text("utf-8"))
            return read_config({key: value[key] for key in value if key != "fingerprint"})
        except (OSError, yaml.YAMLError, TypeError, ConfigError) as error:
            message = f"{self.config} must be a run's configuration. {error}"
            raise StoreError(message) from error

    def require_config(self) -> Path:
        """The resolved configuration, which every run has.

        Raises:
            InputError: The folder is no run.
        """
        if not self.config.is_file():
            raise InputError(f"RUN must be the folder of a run. {self.path} holds no run.yaml.")
        return self.config

    def keep_former_defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of a configuration, and of those it leaves out the ones whose default the run was begun with."""
        if not self.config.is_file():
            return dict(given)
        recorded = self.read_config().to_dict()
        kept = {key: former for key, former in FORMER_DEFAULTS.items() if recorded[key] == former}
        return kept | dict(given)

    def write_config(self, config: Config) -> bool:
        """Write the configuration into a new folder, or hold it against an old one's.

        Returns whether the folder had this configuration, with the same budget, before.

        Raises:
            ConfigError: The folder belongs to a run with another configuration.
        """
        ours, same_budget = config.to_dict(), False
        if self.config.exists():
            theirs: Any = yaml.safe_load(self.config.read_text("utf-8"))
            same_budget = theirs["budget"] == ours["budget"]
            changed = _name_differences(_shaping_keys(theirs), _shaping_keys(ours))
            if changed:
                raise ConfigError(
                    f"{self.path} holds a run with another configuration: {'; '.join(changed)}. "
                    "Give another --out, or the configuration it was begun with."
                )
        # 16 hexadecimal digits of everything that shapes samples.
        fingerprint = json_digest(_shaping_keys(ours))[:16]
        text = yaml.safe_dump(ours | {"fingerprint": fingerprint}, sort_keys=False)
        with atomic_file(self.config) as file:
            file.write(text.encode())
        return same_budget


def _shaping_keys(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The keys, dotted, that shape samples, with their values."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if name in FREE_KEYS or name == "fingerprint":
            continue
        flat |= _shaping_keys(item, f"{name}.") if isinstance(item, dict) else {name: item}
    return flat


def _name_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    names = sorted(theirs.keys() | ours.keys())
    return [
        f"`{name}` is {theirs.get(name)!r} there and {ours.get(name)!r} here"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]
