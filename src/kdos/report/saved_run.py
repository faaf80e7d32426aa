"""What a run has left on disk so far, bounded in memory whatever the run's size."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kdos.arrays import Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.pool import column_values
from kdos.pool.wording import fact_key
from kdos.store import open_parquet, read_json_file, read_parquet

MAX_POINTS_SHOWN = 100_000
"""Rows of one kind that the page shows; of more, this many are drawn at random."""
SAMPLES_SHOWN = 6
"""Samples shown in full."""

POINT_COLUMNS = ["text", "cell", "log10_density", "x", "y"]
DRAFT_COLUMNS = ["question", "accepted", "reason", "error_class", "cells", "domain"]


@dataclass(frozen=True, slots=True)
class RandomRows:
    """Rows drawn at random of `total` in some files, in order; `file_index` is each one's file."""

    table: pa.Table
    total: int
    file_index: Int64Array


@dataclass(slots=True)
class TaughtPoint:
    """How often accepted samples hold a knowledge point, and the part that brought it first."""

    exposures: int
    first_part: int


@dataclass(frozen=True, slots=True)
class LoopRecord:
    """A loop's parts and what they made.

    `parts` holds the facts of each part; `verdict_counts` counts drafts by (reason, error class),
    ("", "") where accepted; `points_by_cell` counts knowledge points, shape (n_cells,);
    `taught_points` says how often and since when, by `fact_key`.
    """

    parts: Sequence[Mapping[str, Any]]
    verdict_counts: Counter[tuple[str, str]]
    points_by_cell: Int64Array
    taught_points: Mapping[str, TaughtPoint]
    pool_points: RandomRows | None
    drafts: RandomRows | None


@dataclass(frozen=True, slots=True)
class SavedRun:
    """All that the page is made of. None, or empty, is what the run has not come to yet."""

    name: str
    config: str
    summary: Mapping[str, Any] | None
    source: RandomRows | None
    health: Mapping[str, Any] | None
    target: pa.Table | None
    loop: LoopRecord
    examples: Sequence[Mapping[str, Any]]
    blind: LoopRecord | None


def read_saved_run(run: Path) -> SavedRun:
    """Read a run's folder; one that is still going gives what is there.

    Raises:
        InputError: The folder is no run.
        StoreError: A file of the run is damaged; it is named.
    """
    folder = RunFolder(run)
    config = folder.require_config().read_text(encoding="utf-8", errors="replace")
    wanted = read_parquet(folder.target) if folder.target.is_file() else None
    n_cells = wanted.num_rows if wanted else 0
    source = _read_rows_if_written(folder.knowledge_points, [*POINT_COLUMNS, "seeds"])
    return SavedRun(
        name=run.resolve().name,
        config=config,
        summary=folder.current_summary(),
        source=_add_seed_domains(source, folder.seeds),
        health=folder.read_space_health(),
        target=wanted,
        loop=_read_loop_record(folder, n_cells),
        examples=_read_spread_samples(folder),
        blind=_read_loop_record(folder.blind, n_cells) if folder.blind.path.is_dir() else None,
    )


def _read_loop_record(folder: RunFolder, n_cells: int) -> LoopRecord:
    parts = folder.complete_parts()
    verdicts = [one.verdicts for one in parts]
    held, taught = _count_taught_points([one.samples for one in parts], n_cells)
    return LoopRecord(
        parts=[read_json_file(one.facts) for one in parts],
        verdict_counts=_count_verdicts(verdicts),
        points_by_cell=held,
        taught_points=taught,
        pool_points=_read_rows_if_written(folder.pool_points, [*POINT_COLUMNS, "exposures"]),
        drafts=read_random_rows(verdicts, DRAFT_COLUMNS),
    )


def _count_taught_points(samples: Sequence[Path], n_cells: int) -> tuple[Int64Array, dict[str, TaughtPoint]]:
    """What each cell holds, and how each knowledge point was taught.

    New knowledge points are noted up to `MAX_POINTS_SHOWN` of them.
    """
    held = np.zeros(n_cells, np.int64)
    taught: dict[str, TaughtPoint] = {}
    for number, path in enumerate(samples, 1):
        for batch in _read_batches(path, ["cells", "knowledge_points"]):
            cells = pc.list_flatten(batch["cells"]).to_numpy()
            held += np.bincount(cells[cells < n_cells], minlength=n_cells)
            texts: list[Any] = pc.list_flatten(batch["knowledge_points"]).to_pylist()
            for text in texts:
                key = fact_key(text)
                if key in taught:
                    taught[key].exposures += 1
                elif len(taught) < MAX_POINTS_SHOWN:
                    taught[key] = TaughtPoint(1, number)
    return held, taught


def _count_verdicts(verdicts: Sequence[Path]) -> Counter[tuple[str, str]]:
    keys = ["reason", "error_class"]
    counts: Counter[tuple[str, str]] = Counter()
    for path in verdicts:
        for batch in _read_batches(path, keys):
            groups = pa.Table.from_batches([batch]).group_by(keys).aggregate([([], "count_all")])
            for row in groups.to_pylist():
                counts[row["reason"] or "", row["error_class"] or ""] += row["count_all"]
    return counts


def _read_spread_samples(folder: RunFolder) -> list[dict[str, Any]]:
    """A few samples from parts spread over the run, one of each."""
    filled = [one.samples for one in folder.complete_parts() if _count_file_rows(one.samples)]
    spread = np.unique(np.linspace(0, len(filled) - 1, SAMPLES_SHOWN).round().astype(int))
    chosen = [filled[i] for i in spread] if filled else []
    examples: list[dict[str, Any]] = []
    for number in range(SAMPLES_SHOWN if chosen else 0):
        path = chosen[number % len(chosen)]
        row = int(keyed_generator(0, "example", number).integers(_count_file_rows(path)))
        examples += _take_rows([path], None, np.array([row])).to_pylist()
    return list({example["id"]: example for example in examples}.values())


def _add_seed_domains(points: RandomRows | None, seeds: Path) -> RandomRows | None:
    """Knowledge points with the domain of the first seed that holds them."""
    if points is None:
        return None
    firsts = [names[0] if names else "" for names in column_values(points.table, "seeds")]
    domains = dict.fromkeys(firsts, "")
    if seeds.is_file():
        for batch in _read_batches(seeds, ["id", "domain"]):
            names, found = batch["id"].to_pylist(), batch["domain"].to_pylist()
            for name, domain in zip(names, found, strict=True):
                if name in domains:
                    domains[name] = domain or ""
    column = pa.array([domains[name] for name in firsts], pa.string())
    table = points.table.drop_columns(["seeds"]).append_column("domain", column)
    return replace(points, table=table)


def _read_rows_if_written(path: Path, columns: Sequence[str]) -> RandomRows | None:
    return read_random_rows([path], columns) if path.is_file() else None


def read_random_rows(paths: Sequence[Path], columns: Sequence[str]) -> RandomRows | None:
    """At most `MAX_POINTS_SHOWN` rows of some files taken together."""
    # Row numbers run over the files laid end to end; `ends` holds where each file stops.
    ends = np.cumsum([_count_file_rows(path) for path in paths], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    if not total:
        return None
    rows = np.arange(total)
    if total > MAX_POINTS_SHOWN:
        rng = keyed_generator(0, "report", total)
        rows = np.sort(rng.choice(total, MAX_POINTS_SHOWN, replace=False))
    file_index = np.searchsorted(ends, rows, side="right")
    return RandomRows(_take_rows(paths, columns, rows), total, file_index)


def _take_rows(paths: Sequence[Path], columns: Sequence[str] | None, rows: Int64Array) -> pa.Table:
    """The rows at ascending places of files laid end to end, batch by batch."""
    # One pass over the batches, so that memory is bounded by a batch and by the rows taken.
    start = 0
    parts: list[pa.RecordBatch] = []
    for path in paths:
        for batch in _read_batches(path, columns):
            inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
            parts.append(batch.take(pa.array(inside - start, pa.int64())))
            start += len(batch)
    return pa.Table.from_batches(parts)


def _read_batches(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    with open_parquet(path) as file:
        yield from file.iter_batches(columns=None if columns is None else list(columns))


def _count_file_rows(path: Path) -> int:
    with open_parquet(path) as file:
        return file.metadata.num_rows


def principal_coordinates(points: RandomRows) -> tuple[Float64Array, Float64Array]:
    """The two principal coordinates, shape (n_points,) each."""
    x, y = (points.table[name].to_numpy().astype(np.float64) for name in ("x", "y"))
    return x, y
