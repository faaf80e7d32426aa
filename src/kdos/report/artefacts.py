"""What a run has left on disk so far, bounded in memory whatever the run's size."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kdos.arrays import Int64Array
from kdos.chance import generator
from kdos.errors import InputError, StoreError
from kdos.pool import values
from kdos.pool.grouping import fact_key
from kdos.store import read_json_file, read_parquet

MOST_POINTS = 100_000
"""Rows of one kind that the page shows; of more, this many are drawn at random."""

EXAMPLES = 6
"""Samples shown in full."""

POINT_COLUMNS = ["text", "cell", "log10_density", "x", "y"]
DRAFT_COLUMNS = ["question", "accepted", "reason", "error_class", "cells", "domain"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows drawn at random from `total` in some files, in their order; `file` is each row's."""

    table: pa.Table
    total: int
    file: Int64Array


@dataclass(slots=True)
class Taught:
    """How often accepted samples hold a knowledge point, and the round that brought it first."""

    times: int
    first_round: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop's rounds and what they made.

    `rounds` holds each round.json; `fates` counts drafts by (reason, error class), ("", "") where
    accepted; `held` counts knowledge points by cell, shape (n_cells,); `taught` says how often and
    when, by its `fact_key`.
    """

    rounds: Sequence[Mapping[str, Any]]
    fates: Counter[tuple[str, str]]
    held: Int64Array
    taught: Mapping[str, Taught]
    points: Drawn | None
    drafts: Drawn | None


@dataclass(frozen=True, slots=True)
class Artefacts:
    """All that the page is made of. None, or empty, is what the run has not come to yet."""

    name: str
    config: str
    summary: Mapping[str, Any] | None
    source: Drawn | None
    target: pa.Table | None
    loop: Loop
    examples: Sequence[Mapping[str, Any]]
    blind: Loop | None


def read_run(run: Path) -> Artefacts:
    """Read a run's folder; one that is still going gives what is there."""
    config = run / "run.yaml"
    if not config.is_file():
        raise InputError(f"RUN must be the folder of a run. {run} holds no run.yaml.")
    target = run / "target.parquet"
    wanted = read_parquet(target) if target.is_file() else None
    n_cells = wanted.num_rows if wanted else 0
    blind = run / "blind"
    return Artefacts(
        name=run.resolve().name,
        config=config.read_text(encoding="utf-8", errors="replace"),
        summary=read_if_there(run / "summary.json"),
        source=with_domains(
            draw(run / "extract" / "knowledge_points.parquet", [*POINT_COLUMNS, "seeds"]),
            run / "seed" / "seeds.parquet",
        ),
        target=wanted,
        loop=read_loop(run / "synthesize", n_cells),
        examples=read_examples(run / "synthesize"),
        blind=read_loop(blind / "synthesize", n_cells) if blind.is_dir() else None,
    )


def read_loop(folder: Path, n_cells: int) -> Loop:
    """Read the rounds that are complete."""
    rounds = finished_rounds(folder)
    verdicts = [path.with_name("verdicts.parquet") for path in rounds]
    samples = [path.with_name("samples.parquet") for path in rounds]
    held, taught = tally(samples, n_cells)
    return Loop(
        rounds=[read_json_file(path) for path in rounds],
        fates=count_fates(verdicts),
        held=held,
        taught=taught,
        points=draw(folder / "knowledge_points.parquet", [*POINT_COLUMNS, "exposures"]),
        drafts=draw_from(verdicts, DRAFT_COLUMNS),
    )


def finished_rounds(folder: Path) -> list[Path]:
    """The round.json of each round; a folder that is still being written ends otherwise."""
    return sorted(folder.glob("round-*[0-9]/round.json"))


def tally(samples: Sequence[Path], n_cells: int) -> tuple[Int64Array, dict[str, Taught]]:
    """What each cell holds, and how each knowledge point was taught.

    New knowledge points are noted up to `MOST_POINTS` of them.
    """
    held = np.zeros(n_cells, np.int64)
    taught: dict[str, Taught] = {}
    for number, path in enumerate(samples, 1):
        for batch in batches(path, ["cells", "knowledge_points"]):
            cells = pc.list_flatten(batch["cells"]).to_numpy()
            held += np.bincount(cells[cells < n_cells], minlength=n_cells)
            texts: list[Any] = pc.list_flatten(batch["knowledge_points"]).to_pylist()
            for text in texts:
                key = fact_key(text)
                if key in taught:
                    taught[key].times += 1
                elif len(taught) < MOST_POINTS:
                    taught[key] = Taught(1, number)
    return held, taught


def count_fates(verdicts: Sequence[Path]) -> Counter[tuple[str, str]]:
    """Drafts by reason and error class."""
    keys = ["reason", "error_class"]
    fates: Counter[tuple[str, str]] = Counter()
    for path in verdicts:
        for batch in batches(path, keys):
            groups = pa.Table.from_batches([batch]).group_by(keys).aggregate([([], "count_all")])
            for row in groups.to_pylist():
                fates[row["reason"] or "", row["error_class"] or ""] += row["count_all"]
    return fates


def read_examples(folder: Path) -> list[dict[str, Any]]:
    """A few samples from rounds spread over the run, one of each."""
    files = [path.with_name("samples.parquet") for path in finished_rounds(folder)]
    filled = [path for path in files if file_rows(path)]
    spread = np.unique(np.linspace(0, len(filled) - 1, EXAMPLES).round().astype(int))
    chosen = [filled[i] for i in spread] if filled else []
    examples: list[dict[str, Any]] = []
    for number in range(EXAMPLES if chosen else 0):
        path = chosen[number % len(chosen)]
        row = int(generator(0, "example", number).integers(file_rows(path)))
        examples += rows_at([path], None, np.array([row])).to_pylist()
    return list({example["id"]: example for example in examples}.values())


def with_domains(points: Drawn | None, seeds: Path) -> Drawn | None:
    """Knowledge points with the domain of the first seed that holds them."""
    if points is None:
        return None
    firsts = [names[0] if names else "" for names in values(points.table, "seeds")]
    domains = dict.fromkeys(firsts, "")
    if seeds.is_file():
        for batch in batches(seeds, ["id", "domain"]):
            for name, domain in zip(
                batch["id"].to_pylist(), batch["domain"].to_pylist(), strict=True
            ):
                if name in domains:
                    domains[name] = domain or ""
    column = pa.array([domains[name] for name in firsts], pa.string())
    table = points.table.drop_columns(["seeds"]).append_column("domain", column)
    return replace(points, table=table)


def draw(path: Path, columns: Sequence[str]) -> Drawn | None:
    """At most `MOST_POINTS` rows of one file, if it is there."""
    return draw_from([path], columns) if path.is_file() else None


def draw_from(paths: Sequence[Path], columns: Sequence[str]) -> Drawn | None:
    """At most `MOST_POINTS` rows of some files taken together."""
    ends = np.cumsum([file_rows(path) for path in paths], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    if not total:
        return None
    rows = np.arange(total)
    if total > MOST_POINTS:
        rows = np.sort(generator(0, "report", total).choice(total, MOST_POINTS, replace=False))
    return Drawn(rows_at(paths, columns, rows), total, np.searchsorted(ends, rows, side="right"))


def rows_at(paths: Sequence[Path], columns: Sequence[str] | None, rows: Int64Array) -> pa.Table:
    """The rows at ascending places of files laid end to end, batch by batch."""
    start = 0
    parts: list[pa.RecordBatch] = []
    for path in paths:
        for batch in batches(path, columns):
            inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
            parts.append(batch.take(pa.array(inside - start, pa.int64())))
            start += len(batch)
    return pa.Table.from_batches(parts)


def batches(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """A Parquet file of the run, batch by batch."""
    try:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path} must be a Parquet file of a run. {error}") from error


def file_rows(path: Path) -> int:
    """How many rows a Parquet file of the run has."""
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path} must be a Parquet file of a run. {error}") from error


def read_if_there(path: Path) -> dict[str, Any] | None:
    """A JSON file of the run, or None before it is written."""
    return read_json_file(path) if path.is_file() else None
