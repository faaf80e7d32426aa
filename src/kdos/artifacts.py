"""Where everything of a run lies on disk: the only module that composes a path inside a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from kdos.arrays import Float32Array
from kdos.config import Config, read_config
from kdos.density import Space
from kdos.errors import ConfigError, InputError, StoreError
from kdos.store import (
    atomic_file,
    atomic_folder,
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


@dataclass(frozen=True, slots=True)
class RoundFolder:
    """The files of one round of the loop; the folder appears whole or not at all."""

    path: Path

    @property
    def facts(self) -> Path:
        """Its counts, and the pool and its gap after it, JSON."""
        return self.path / "round.json"

    @property
    def samples(self) -> Path:
        """The samples that it accepted."""
        return self.table("samples")

    @property
    def verdicts(self) -> Path:
        """Every draft with what became of it."""
        return self.table("verdicts")

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

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.path.resolve().name

    @property
    def config(self) -> Path:
        """The resolved configuration with its fingerprint, YAML."""
        return self.path / "run.yaml"

    @property
    def ledger(self) -> Path:
        """Every request to a model and its reply, SQLite."""
        return self.path / "ledger.sqlite"

    @property
    def seed(self) -> Path:
        """Documents, passages and seeds as tables, and how many of each were refused."""
        return self.path / "seed"

    @property
    def documents(self) -> Path:
        """The source's documents, without their text."""
        return self.seed / "documents.parquet"

    @property
    def passages(self) -> Path:
        """The passages that documents were cut into."""
        return self.seed / "passages.parquet"

    @property
    def seeds(self) -> Path:
        """The seed questions."""
        return self.seed / "seeds.parquet"

    @property
    def seed_tallies(self) -> Path:
        """How many documents and seeds came in, went out and were refused, JSON."""
        return self.seed / "stages.json"

    @property
    def extractions(self) -> Path:
        """The knowledge points and the logic of each seed."""
        return self.path / "extract" / "extractions.parquet"

    @property
    def extraction_tally(self) -> Path:
        """How many seeds have knowledge points and how many were refused, JSON."""
        return self.path / "extract" / "extractions.json"

    @property
    def knowledge_points(self) -> Path:
        """The reference: every distinct knowledge point of the seeds, with its place."""
        return self.path / "extract" / "knowledge_points.parquet"

    @property
    def reference(self) -> Path:
        """The reference's points in the space, row by row as in `knowledge_points`."""
        return self.path / "extract" / "reference"

    @property
    def embedder(self) -> Path:
        """An embedder that was fitted to the run's texts."""
        return self.path / "embed"

    @property
    def space(self) -> Path:
        """The frozen space."""
        return self.path / "space"

    @property
    def target(self) -> Path:
        """The wanted share and quota of each cell."""
        return self.path / "target.parquet"

    def round_folder(self, number: int) -> RoundFolder:
        """One round of the loop, counted from 1."""
        return RoundFolder(self.path / "synthesize" / f"round-{number:04d}")

    def complete_rounds(self) -> list[RoundFolder]:
        """The rounds so far, in order; one that is still being written has another name."""
        found = self.path.glob("synthesize/round-*[0-9]/round.json")
        return [RoundFolder(path.parent) for path in sorted(found)]

    @property
    def pool_points(self) -> Path:
        """The pool's knowledge points with their exposures."""
        return self.path / "synthesize" / "knowledge_points.parquet"

    @property
    def dataset(self) -> Path:
        """The dataset as `datasets.load_dataset` reads it, with its card."""
        return self.path / "dataset"

    @property
    def decontamination(self) -> Path:
        """The benchmarks that were kept out and the drafts that were theirs, JSON."""
        return self.path / "decontamination.json"

    @property
    def summary(self) -> Path:
        """What the run came to, JSON; there once it has ended."""
        return self.path / "summary.json"

    @property
    def page(self) -> Path:
        """The report; its figures lie beside it."""
        return self.path / "report" / "index.html"

    @property
    def blind(self) -> "RunFolder":
        """The run without feedback that this one is compared with."""
        return RunFolder(self.path / "blind")

    def dataset_shards(self) -> list[Path]:
        """The Parquet files of the finished dataset, in order; none before the run has ended."""
        return sorted(self.dataset.glob("train-*.parquet"))

    def read_round_facts(self) -> list[dict[str, Any]]:
        """What each round so far came to (``round.json``), in order."""
        return [read_json_file(folder.facts) for folder in self.complete_rounds()]

    def read_rounds(self, name: str, columns: Sequence[str] | None = None) -> list[pa.Table]:
        """One table of each round so far (see `RoundFolder.table`), read whole."""
        wanted = None if columns is None else list(columns)
        return [read_parquet(folder.table(name), wanted) for folder in self.complete_rounds()]

    def read_samples(self) -> pa.Table:
        """The samples of a finished run, in the order of the pool.

        Raises:
            InputError: There is no run, or it is not finished.
        """
        self.require_config()
        if not (shards := self.dataset_shards()):
            raise InputError(
                f"RUN must be finished. {self.path} holds no dataset yet. "
                "Run the same `kdos run` again."
            )
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
        text = yaml.safe_dump(ours | {"fingerprint": config_fingerprint(config)}, sort_keys=False)
        with atomic_file(self.config) as file:
            file.write(text.encode())
        return same_budget


def config_fingerprint(config: Config) -> str:
    """16 hexadecimal digits of everything in a configuration that shapes samples."""
    return json_digest(_shaping_keys(config.to_dict()))[:16]


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
