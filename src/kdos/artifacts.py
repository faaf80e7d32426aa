"""Where everything of a run lies on disk: the only module that composes a path inside a run."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from kdos.arrays import Float32Array
from kdos.checksums import JOURNAL_NAME, ChecksumJournal, Damage
from kdos.config import Config, read_config
from kdos.density import Space
from kdos.errors import ConfigError, DamageError, InputError
from kdos.outputs import is_run_folder
from kdos.store import (
    Seal,
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
    "engine.urls",
    "engine.embed_url",
    "engine.key_env",
    "engine.concurrency",
    "engine.timeout",
    "engine.prices",
    "engine.batch",
    "engine.form",
    "engine.omit",
    "engine.max_tokens_field",
    "engine.key_header",
    "engine.headers",
    "engine.query",
    "budget",
)
"""Keys that shape no sample, or that a user may raise to go on: they may change between calls."""
NOTED_KEYS = ("fingerprint", "made_from")
"""What stands in a run's configuration beside it."""
MadeFrom = Mapping[str, str]
"""What a run reads beside its configuration: by name, what it is, as a line that can be compared and shown."""

FORMER_DEFAULTS = {"embed": "lexical"}
"""Defaults that have changed since: a run begun with one goes on with it where a configuration leaves the key out."""


_PART_NAME = re.compile(r"part-\d+")


class _PathInside:
    """An attribute of a folder: the path of something that lies inside it."""

    def __init__(self, inside: str) -> None:
        self.inside = inside

    def __get__(self, folder: "PartFolder | RunFolder", owner: type) -> Path:
        return folder.path / self.inside


@dataclass(frozen=True, slots=True)
class PartFolder:
    """The files of one part of the loop; the folder appears whole or not at all."""

    path: Path

    facts = _PathInside("part.json")
    """Its counts, and the pool and its gap after it, JSON."""
    samples = _PathInside("samples.parquet")
    """The samples that it accepted."""
    verdicts = _PathInside("verdicts.parquet")
    """Every draft with what became of it."""

    def table(self, name: str) -> Path:
        """One of its tables: samples, verdicts, picks or new_knowledge_points."""
        return self.path / f"{name}.parquet"

    def write(self, facts: Mapping[str, Any], tables: Mapping[str, pa.Table], *, seal: Seal) -> None:
        """Write the part, whole or not at all: its tables by name, and its facts."""
        with atomic_folder(self.path, seal=seal) as aside:
            inside = PartFolder(aside)
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
    """The resolved configuration with its fingerprint, and what the run is made from, YAML."""
    checksums = _PathInside(JOURNAL_NAME)
    """What every file of the run was written as."""
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
    target_points = _PathInside("target_points.parquet")
    """How often each knowledge point of the reference is wanted, row by row as in `knowledge_points`."""
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

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.path.resolve().name

    @property
    def blind(self) -> "RunFolder":
        """The run without feedback that this one is compared with."""
        return RunFolder(self.path / "blind")

    def part_folder(self, number: int) -> PartFolder:
        """One part of the loop, counted from 1."""
        return PartFolder(self.path / "synthesize" / f"part-{number:05d}")

    def complete_parts(self) -> list[PartFolder]:
        """The parts so far, in order; one that is still being written has another name."""
        return [each for each in map(PartFolder, self._part_paths()) if each.facts.exists()]

    def drop_parts_after(self, number: int) -> None:
        """Remove the parts after one: such as the budget had cut short, where another one did not come to them."""
        for part in self.complete_parts():
            # A folder of that name without a part in it is not ours, nor is one that a link leads to.
            if int(part.path.name[5:]) > number and not part.path.is_symlink():
                shutil.rmtree(part.path)

    def _part_paths(self) -> list[Path]:
        found = [path for path in self.path.glob("synthesize/*") if _PART_NAME.fullmatch(path.name)]
        return sorted(found, key=lambda path: int(path.name[5:]))

    def dataset_shards(self) -> list[Path]:
        """The Parquet files of the finished dataset, in order; none before the run has ended."""
        return sorted(self.dataset.glob("train-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].parquet"))

    def read_part_facts(self) -> list[dict[str, Any]]:
        """What each part so far came to (``part.json``), in order."""
        return [read_json_file(folder.facts) for folder in self.complete_parts()]

    def read_parts(self, name: str, columns: list[str] | None = None) -> list[pa.Table]:
        """One table of each part so far (see `PartFolder.table`), read whole."""
        return [read_parquet(folder.table(name), columns) for folder in self.complete_parts()]

    def read_samples(self) -> pa.Table:
        """The samples of a finished run, in the order of the pool.

        Raises:
            InputError: There is no run, or it is not finished.
        """
        self.require_intact()
        if not (shards := self.dataset_shards()):
            raise InputError(f"RUN must be finished. {self.path} holds no dataset yet. Run the same `kdos run` again.")
        if not self.summary.is_file():
            raise InputError(f"RUN must be finished. {self.summary} is missing. Run the same `kdos run` again.")
        if self.current_summary() is None:
            raise InputError(
                f"RUN must be finished. {self.path} was to go on with another budget, and its dataset is still that "
                "of the old one. Run the same `kdos run` again."
            )
        return pa.concat_tables([read_parquet(shard) for shard in shards])

    def read_summary(self) -> dict[str, Any]:
        """What a finished run came to."""
        return read_json_file(self.summary)

    def read_space(self) -> Space:
        """The frozen space."""
        return Space.from_arrays(*read_arrays(self.space))

    def read_space_health(self) -> dict[str, Any] | None:
        """What `SpaceHealth.as_json` said of the space; None where it was not measured, or there is no space yet."""
        header = self.space / f"{self.space.name}.json"
        return read_json_file(header).get("health") if header.is_file() else None

    def read_reference_points(self) -> Float32Array:
        """The places of the reference's knowledge points in the space, shape (n_points, dim)."""
        return read_arrays(self.reference)[1]["points"]

    def read_config(self) -> Config:
        """The configuration that the run was begun with.

        Raises:
            DamageError: It cannot be read.
        """
        value = self._read_saved_config()
        try:
            return read_config({key: value[key] for key in value if key not in NOTED_KEYS})
        except ConfigError as error:
            raise DamageError(f"{self.config} must be a run's configuration. {error}") from error

    def read_made_from(self) -> MadeFrom:
        """What the run was made from beside its configuration; nothing in a run of an older kdos."""
        return self._read_saved_config().get("made_from", {})

    def _read_saved_config(self) -> dict[str, Any]:
        """The configuration as it lies there, with what is noted beside it."""
        try:
            value: Any = yaml.safe_load(self.config.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            found = " ".join(str(error).split())
            raise DamageError(f"{self.config} must be a run's configuration. {found}") from error
        if not isinstance(value, dict):
            raise DamageError(f"{self.config} must be a run's configuration. It holds {type(value).__name__}.")
        return value

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
        if not is_run_folder(self.path):
            return dict(given)
        recorded = self.read_config().to_dict()
        kept = {key: former for key, former in FORMER_DEFAULTS.items() if recorded[key] == former}
        return kept | dict(given)

    def settle_window(self, config: Config) -> Config:
        """The configuration with the window that the run was begun with, where it leaves it out.

        The default follows the concurrency, which may change between calls; what a run makes follows the window.
        """
        begun = is_run_folder(self.path) and config.synthesize.window is None
        window = self.read_config().window if begun else config.window
        return replace(config, synthesize=replace(config.synthesize, window=window))

    def write_config(self, config: Config, made_from: MadeFrom) -> None:
        """Write the configuration into a new folder, or hold it against an old one's.

        Raises:
            ConfigError: The folder belongs to a run of another configuration, or one made from something else.
        """
        ours = config.to_dict()
        self.refuse_other_run(config, made_from)
        # 16 hexadecimal digits of everything that shapes samples.
        fingerprint = json_digest(_shaping_keys(ours))[:16]
        noted = {"fingerprint": fingerprint, "made_from": dict(made_from)}
        text = yaml.safe_dump(ours | noted, sort_keys=False, allow_unicode=True).encode()
        if not self.config.exists() or self.config.read_bytes() != text:
            with atomic_file(self.config, seal=self.seal) as file:
                file.write(text)

    def refuse_other_run(self, config: Config, made_from: MadeFrom) -> None:
        """Raise a ConfigError where there is a run of another configuration, or one made from something else."""
        if not self.config.exists():
            return
        ours, theirs = config.to_dict(), self._read_saved_config()
        if changed := _name_differences(_shaping_keys(theirs), _shaping_keys(ours)):
            raise ConfigError(
                f"{self.path} holds a run with another configuration: {'; '.join(changed)}. "
                "Give another --out, or the configuration it was begun with."
            )
        if any(self.path.glob("synthesize/round-*")) or "made_from" not in theirs:
            raise ConfigError(f"{self.path} holds a run of an older kdos, which cannot go on. Give another --out.")
        wanted, held = (
            ours["budget"]["samples"],
            max((facts["samples"] for facts in self.read_part_facts()), default=0),
        )
        if wanted is not None and wanted < held:
            raise ConfigError(
                f"`budget.samples` must not be less than what {self.path} holds already, {held:,} samples. "
                f"Got {wanted:,}. Give {held:,} or more, or another --out."
            )
        # Until there are seeds, nothing is made from the source: it may still be mended.
        if self.seed.exists() and (changed := _name_differences(theirs["made_from"], made_from)):
            raise ConfigError(
                f"{self.path} holds a run that was made from something else: {'; '.join(changed)}. "
                "Give another --out, or what it was begun with."
            )

    def provenance(self, config: Config, made_from: MadeFrom) -> dict[str, Any]:
        """What a result is made from: the configuration, with its budget, and all that it reads."""
        ours = config.to_dict()
        fingerprint = json_digest(_shaping_keys(ours))[:16]
        return {"configuration": fingerprint, "budget": ours["budget"], **made_from}

    def finished_summary(self, provenance: Mapping[str, Any]) -> dict[str, Any] | None:
        """The summary, if the run has ended and everything is made from just this; else None."""
        written = ChecksumJournal(self.path).read_states()
        if not self.summary.is_file():
            return None
        if any(self._name_of(path) in written and not path.exists() for path in self._result_paths()):
            return None
        summary = self.read_summary()
        return summary if summary.get("made_from") == provenance else None

    def current_summary(self) -> dict[str, Any] | None:
        """The summary, if the run has ended; None where it goes on, or was to go on with another budget."""
        if not self.summary.is_file():
            return None
        summary = self.read_summary()
        made_from = summary.get("made_from")
        stale = made_from is not None and made_from["budget"] != self._read_saved_config().get("budget")
        return None if stale else summary

    def note_ledger(self) -> None:
        """Note that there is a ledger, which grows and has checksums of its own."""
        journal = ChecksumJournal(self.path)
        if self._name_of(self.ledger) not in journal.read_states():
            journal.record_files(self.ledger, {})

    def refuse_lost_ledger(self) -> None:
        """Raise a DamageError where the ledger is gone, or empty: its replies would be paid for again."""
        log = self.ledger.with_name(self.ledger.name + "-wal")
        held = sum(path.stat().st_size for path in (self.ledger, log) if path.is_file())
        if not held and self._name_of(self.ledger) in ChecksumJournal(self.path).read_states():
            raise DamageError(
                f"{self.ledger} must hold the replies so far. It is missing or empty. Restore it from a backup, or "
                "give another --out: without it every reply is asked and paid for again."
            )

    @property
    def seal(self) -> Seal:
        """Notes the checksums of what is about to take its name; every file of the run is written with it."""
        return ChecksumJournal(self.path).record_written

    def require_intact(self) -> Path:
        """The resolved configuration of a run of which every file is as it was written.

        Raises:
            InputError: The folder is no run.
            DamageError: A file of the run is not as it was written.
        """
        config = self.require_config()
        self.refuse_damage()
        return config

    def refuse_damage(self) -> None:
        """Raise a DamageError where a file of the run, or of the blind run beside it, has changed."""
        if found := self.find_damage():
            first, more = found[0], len(found) - 1
            also = f" So it is with {more} more: `kdos doctor {self.path}` names them." if more else ""
            raise DamageError(
                f"{first.path} must be as the run wrote it, but {first.found}. {self.advise(first)}{also}"
            )

    def find_damage(self) -> list[Damage]:
        """Every file of the run, and of the blind run beside it, that is not as it was written.

        Raises:
            DamageError: The checksums themselves are damaged.
        """
        # Twice before it is said: a run that is going on may have replaced a file between two looks.
        own = self._find_own_damage() and self._find_own_damage()
        return own + (self.blind.find_damage() if self.blind.config.exists() else [])

    def _find_own_damage(self) -> list[Damage]:
        if not self.checksums.exists():
            if self.config.is_file() and b"\nmade_from:" in self.config.read_bytes():
                return [Damage(self.checksums, "it is missing")]
            return []  # a run of an older kdos, or no run yet
        journal = ChecksumJournal(self.path)
        return journal.find_damage([self.config, *self._chain(), *self._result_paths()]) + self._find_gaps(journal)

    def _find_gaps(self, journal: ChecksumJournal) -> list[Damage]:
        """What was written and is gone, while something that was made of it is there."""
        states = journal.read_states()
        chain = [path for path in self._written_chain(states) if path.exists() or self._name_of(path) in states]
        last = max((place for place, path in enumerate(chain) if path.exists()), default=-1)
        return [Damage(path, "it is missing") for path in chain[:last] if not path.exists()]

    def _name_of(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _chain(self) -> list[Path]:
        """What is made once, each of what stands before it."""
        return [*self._prepared(), *self._part_paths()]

    def _prepared(self) -> list[Path]:
        """What comes before the loop."""
        extracted = [self.extractions, self.extraction_tally]
        return [self.seed, *extracted, self.embedder, self.space, self.reference, self.knowledge_points]

    def copy_prepared(self, other: "RunFolder") -> None:
        """Take over what comes before the loop from a run of which it is all the same; what is there stays."""
        for theirs, ours in zip(other._prepared(), self._prepared(), strict=True):
            if ours.exists() or not theirs.exists():
                continue
            if theirs.is_dir():
                with atomic_folder(ours, seal=self.seal) as aside:
                    shutil.copytree(theirs, aside, dirs_exist_ok=True)
            else:
                ours.parent.mkdir(exist_ok=True)
                with atomic_file(ours, seal=self.seal) as file, theirs.open("rb") as source:
                    shutil.copyfileobj(source, file)

    def _written_chain(self, states: Mapping[str, Any]) -> list[Path]:
        """The chain with the parts that were written, be they there or not."""
        parts = [self.path / name for name in states if _PART_NAME.fullmatch(Path(name).name)]
        prepared = [path for path in self._chain() if not _PART_NAME.fullmatch(path.name)]
        return [*prepared, *sorted(parts, key=lambda path: int(path.name[5:]))]

    def _result_paths(self) -> list[Path]:
        """What is made anew of the parts at the end of each call."""
        targets, pool = [self.target, self.target_points], [self.pool_points, self.decontamination]
        return [*targets, *pool, self.dataset, self.summary]

    def lost_results(self) -> list[Path]:
        """What the run left at its end and is gone."""
        written = ChecksumJournal(self.path).read_states()
        return [path for path in self._result_paths() if self._written(path, written) and not path.exists()]

    def _written(self, path: Path, states: Mapping[str, Any]) -> bool:
        name = self._name_of(path)
        return name in states or any(each.startswith(f"{name}/") for each in states)

    def find_report_damage(self) -> list[Damage]:
        """What of the report is not as it was written last; nothing is made of it, so that it ends no run."""
        journal = ChecksumJournal(self.path)
        written = [self.path / name for name in journal.read_states() if name.startswith(f"{self.page.parent.name}/")]
        gone = [Damage(path, "it is missing") for path in written if not path.exists()]
        return gone + journal.find_damage(written)

    def advise(self, damage: Damage) -> str:
        """What to do about a damaged file."""
        inside = damage.path.relative_to(self.path)
        if inside.parts[0] == self.blind.path.name:
            return self.blind.advise(damage)
        if damage.path == self.config or damage.path == self.checksums:
            return "Restore it from a backup, or give another --out."
        for path in self._result_paths():
            if path == damage.path or path in damage.path.parents:
                what = f"what kdos made in {path}" if path == self.dataset else f"{path}"
                return (
                    f"Move {what} to another folder and run the same `kdos run` again: it is made anew of the parts."
                )
        if inside.parts[0] == "synthesize":
            return (
                f"Move {self.path.joinpath(*inside.parts[:2])} and all later parts to another folder, and run the "
                f"same `kdos run` again: they are made anew from the replies in {self.ledger}, and none is paid again."
            )
        return (
            f"Restore it from a backup, or run into another --out with --cache {self.ledger}: no reply is paid twice."
        )


def _shaping_keys(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The keys, dotted, that shape samples, with their values."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if name in FREE_KEYS or name in NOTED_KEYS:
            continue
        flat |= _shaping_keys(item, f"{name}.") if isinstance(item, dict) else {name: item}
    return flat


def _show_value(value: Any) -> str:
    return "missing" if value is None else repr(value)


def _name_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    names = sorted(theirs.keys() | ours.keys())
    return [
        f"`{name}` is {_show_value(theirs.get(name))} there and {_show_value(ours.get(name))} here"
        for name in names
        if theirs.get(name) != ours.get(name)
    ]
