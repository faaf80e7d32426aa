"""Where everything of a run lies, and whether the folder belongs to this configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kdos.config import Config
from kdos.errors import ConfigError, InputError
from kdos.store import whole_file
from kdos.tasks import json_digest

FREE = (
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
    """The paths of one round of the loop."""

    path: Path

    @property
    def facts(self) -> Path:
        """Its counts, and the pool and its gap after it."""
        return self.path / "round.json"

    @property
    def samples(self) -> Path:
        """What it accepted."""
        return self.path / "samples.parquet"

    @property
    def verdicts(self) -> Path:
        """Every draft with what became of it."""
        return self.path / "verdicts.parquet"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of a run (see ARCHITECTURE.md)."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "run.yaml"

    @property
    def ledger(self) -> Path:
        """Every request and reply."""
        return self.path / "ledger.sqlite"

    @property
    def seed(self) -> Path:
        """Documents, passages and seeds."""
        return self.path / "seed"

    @property
    def documents(self) -> Path:
        """The documents, with their licences."""
        return self.seed / "documents.parquet"

    @property
    def seeds(self) -> Path:
        """The seed questions."""
        return self.seed / "seeds.parquet"

    @property
    def extractions(self) -> Path:
        """What each seed holds."""
        return self.path / "extract" / "extractions.parquet"

    @property
    def knowledge_points(self) -> Path:
        """The reference: every distinct knowledge point of the seeds, with its place."""
        return self.path / "extract" / "knowledge_points.parquet"

    @property
    def embedder(self) -> Path:
        """An embedder that was fitted."""
        return self.path / "embed"

    @property
    def space(self) -> Path:
        """The frozen space."""
        return self.path / "space"

    @property
    def reference(self) -> Path:
        """The reference's points, row by row as in `knowledge_points`."""
        return self.path / "extract" / "reference"

    @property
    def target(self) -> Path:
        """The wanted share and quota of each cell."""
        return self.path / "target.parquet"

    def round(self, number: int) -> Path:
        """One turn of the loop."""
        return self.path / "synthesize" / f"round-{number:04d}"

    def complete_rounds(self) -> list[RoundFolder]:
        """The rounds so far, in order; one that is still being written has another name."""
        found = self.path.glob("synthesize/round-*[0-9]/round.json")
        return [RoundFolder(path.parent) for path in sorted(found)]

    @property
    def pool_points(self) -> Path:
        """The pool's knowledge points, with their exposures."""
        return self.path / "synthesize" / "knowledge_points.parquet"

    @property
    def dataset(self) -> Path:
        """The dataset."""
        return self.path / "dataset"

    def dataset_shards(self) -> list[Path]:
        """The Parquet files of the dataset in the order of their rows; none before it is there."""
        return sorted(self.dataset.glob("train-*.parquet"))

    @property
    def decontamination(self) -> Path:
        """The benchmarks that were kept out, and the drafts that were theirs."""
        return self.path / "decontamination.json"

    @property
    def summary(self) -> Path:
        """What the run came to; there once it has ended."""
        return self.path / "summary.json"

    @property
    def page(self) -> Path:
        """The report; its figures lie beside it."""
        return self.path / "report" / "index.html"

    @property
    def blind(self) -> "RunFolder":
        """The run without steering beside this one."""
        return RunFolder(self.path / "blind")

    def require_config(self) -> Path:
        """The resolved configuration, which every run has.

        Raises:
            InputError: The folder is no run.
        """
        if not self.config.is_file():
            raise InputError(f"RUN must be the folder of a run. {self.path} holds no run.yaml.")
        return self.config

    def claim(self, config: Config) -> bool:
        """Write the configuration into a new folder, or hold it against an old one's.

        Returns whether the folder was claimed before with the same budget.

        Raises:
            ConfigError: The folder belongs to a run with another configuration.
        """
        mine, same = config.to_dict(), False
        if self.config.exists():
            theirs: Any = yaml.safe_load(self.config.read_text("utf-8"))
            same = theirs["budget"] == mine["budget"]
            changed = _differences(_shaping(theirs), _shaping(mine))
            if changed:
                raise ConfigError(
                    f"{self.path} holds a run with another configuration: {'; '.join(changed)}. "
                    "Give another --out, or the configuration it was begun with."
                )
        text = yaml.safe_dump(mine | {"fingerprint": fingerprint(config)}, sort_keys=False)
        with whole_file(self.config) as file:
            file.write(text.encode())
        return same


def fingerprint(config: Config) -> str:
    """16 hexadecimal digits of everything in a configuration that shapes samples."""
    return json_digest(_shaping(config.to_dict()))[:16]


def _shaping(value: dict[str, Any], at: str = "") -> dict[str, Any]:
    """The keys, dotted, that shape samples."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{at}{key}"
        if name in FREE or name == "fingerprint":
            continue
        flat |= _shaping(item, f"{name}.") if isinstance(item, dict) else {name: item}
    return flat


def _differences(theirs: dict[str, Any], mine: dict[str, Any]) -> list[str]:
    names = sorted(theirs.keys() | mine.keys())
    return [
        f"`{name}` is {theirs.get(name)!r} there and {mine.get(name)!r} here"
        for name in names
        if theirs.get(name) != mine.get(name)
    ]
