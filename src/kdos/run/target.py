"""The target of a run: what it wants of each cell, and what it has still to get."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.config import Config
from kdos.embed import embed_in_blocks
from kdos.errors import InputError
from kdos.pool import column_values
from kdos.pool.wording import fact_key
from kdos.rows import Rows, list_table_fields, read_table_rows, resolve_field
from kdos.run.prepare import LoopInputs
from kdos.sampler import POINTS_PER_SAMPLE, Deficit, SeedLinks, discipline_target
from kdos.store import read_parquet, write_parquet
from kdos.synthesize import SynthesisContext
from kdos.targets import Gap, demand_file, effective_points, measure_gap, read_target, water_filled_quotas
from kdos.terminal import print_status

LOSS_FIELD, CORRECT_FIELD = "loss", "correct"

FEWEST_EFFECTIVE = 0.2
"""The share of the reference that a target must rest on, or we say so (our design)."""


@dataclass(frozen=True, slots=True)
class CellDeficit:
    """One cell: its share of the target, what it is to hold, holds and still wants.

    `picks` have been aimed at it; `examples` are knowledge points of the source that lie in it,
    those that samples hold least first.
    """

    cell: int
    share: float
    quota: int
    held: int
    missing: int
    picks: int
    reachable: bool
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDeficit:
    """A run against its target: the gap so far, and the cells with a deficit, largest first."""

    samples: int
    wanted: int
    gap: Gap
    unreachable_mass: float
    cells: tuple[CellDeficit, ...]


def cell_target(config: Config, inputs: LoopInputs, links: SeedLinks) -> Float64Array:
    """The target over cells that the configuration asks for, shape (n_cells,), nats."""
    space = inputs.space
    log_q = read_target(
        config.target,
        log_volumes=space.log_volumes,
        counts=np.bincount(links.cells, minlength=space.n_cells),
        budget=math.ceil(config.budget.samples * POINTS_PER_SAMPLE),
        demand=_read_demand(config.target, inputs),
    )
    if not config.disciplines:
        return log_q
    domains = column_values(inputs.library.seeds, "domain")
    return discipline_target(log_q, config.disciplines, domains=domains, links=links)


def write_target_table(
    folder: RunFolder, context: SynthesisContext, deficit: Deficit, *, knowledge_points: int
) -> None:
    """The wanted share of every cell, its quota of so many points, and whether it is reachable."""
    table = pa.table(
        {
            "cell": pa.array(np.arange(len(context.log_q)), pa.int32()),
            "q": pa.array(np.exp(context.log_q)),
            "quota": pa.array(water_filled_quotas(context.log_q, knowledge_points)),
            "reachable": pa.array(~deficit.unreachable),
        }
    )
    write_parquet(folder.target, table, table.schema, seal=folder.seal)


def warn_of_few_points(context: SynthesisContext) -> None:
    """Say so where the target rests on so few knowledge points that outliers would take it over."""
    counts = np.bincount(context.links.cells, minlength=context.space.n_cells)
    effective, points = effective_points(context.log_q, counts), int(counts.sum())
    if effective < FEWEST_EFFECTIVE * points:
        print_status(
            f"the target rests on {effective:.0f} of {points} knowledge points; "
            "a flatter one (sqrt, natural) would rest on more"
        )


def _read_demand(target: str, inputs: LoopInputs) -> Float64Array | None:
    """The demand for each cell under a ``demand:FILE`` target, shape (n_cells,); None otherwise."""
    path = demand_file(target)
    if path is None:
        return None
    texts, weights = zip(*read_weighted_questions(Path(path)), strict=True)
    space = inputs.space
    cells = space.assign_cells(space.project(embed_in_blocks(inputs.embedder, texts)))
    return np.bincount(cells, weights=weights, minlength=space.n_cells).astype(np.float64)


def read_weighted_questions(path: Path) -> list[tuple[str, float]]:
    """The questions of a demand file that count, each with how much.

    One with a number `loss` (nats) counts as much as that; of those with a truth value `correct`
    only the wrong ones count; others count once each.

    Raises:
        InputError: There is no such file, no field holds questions, or none of them counts.
    """
    found = [pair for pair in _iterate_weighted(path) if pair[1] > 0]
    if not found:
        raise InputError.at(path, "must hold at least one question that counts. Got none")
    return found


def _iterate_weighted(path: Path) -> Iterator[tuple[str, float]]:
    """Each question with what it counts; rows without a text are passed over."""
    names = list_table_fields(path)
    field = resolve_field("question", names) or resolve_field("text", names)
    if not field:
        raise InputError.at(path, f"must have a field `question`. It has {', '.join(names)}")
    weight = next((name for name in (LOSS_FIELD, CORRECT_FIELD) if name in names), None)
    for rows in read_table_rows(path, columns=[field, *([weight] if weight else [])]):
        found = rows.text_column(field).to_pylist()
        values = rows.batch.column(weight).to_pylist() if weight else [None] * len(found)
        for row, (text, value) in enumerate(zip(found, values, strict=True)):
            if text is not None:
                yield text, _question_weight(value, weight, rows, row)


def _question_weight(value: Any, weight: str | None, rows: Rows, row: int) -> float:
    if value is None:
        return 1.0
    if weight == CORRECT_FIELD and isinstance(value, bool):
        return float(not value)
    if weight == LOSS_FIELD and isinstance(value, int | float) and 0 <= value < math.inf:
        return float(value)
    wanted = "a number of at least 0" if weight == LOSS_FIELD else "true or false"
    raise rows.row_error(row, f"must be {wanted}. Got {value!r:.60}", field=weight)


def read_run_deficit(path: Path, *, examples: int) -> RunDeficit:
    """What the run in `path` still wants; it may be finished, or going on.

    Raises:
        InputError: There is no run, or it has not come to its loop yet.
    """
    folder = RunFolder(path)
    folder.require_intact()
    if not folder.target.is_file():
        raise InputError(f"{folder.path} has no target yet: the run has not come to its loop.")
    wanted, table = folder.read_config().budget.samples, read_parquet(folder.target)
    q, reachable = table["q"].to_numpy(), table["reachable"].to_numpy(zero_copy_only=False)
    samples, held, picks, exposures = _count_pool(folder, len(q))
    each = int(held.sum()) / samples if samples else POINTS_PER_SAMPLE
    gap, quota = _measure_reachable(held, q, reachable, budget=math.ceil(wanted * each))
    texts_of: list[list[str]] = [[] for _ in q]
    for point in read_parquet(folder.knowledge_points, ["text", "cell"]).to_pylist():
        texts_of[point["cell"]].append(point["text"])

    def exposures_of(text: str) -> int:
        return exposures[fact_key(text)]

    wanting = np.flatnonzero((quota > held) | ~reachable)
    order = wanting[np.argsort((held - quota)[wanting], kind="stable")]
    cells = tuple(
        CellDeficit(
            cell=int(cell),
            share=float(q[cell]),
            quota=int(quota[cell]),
            held=int(held[cell]),
            missing=max(int(quota[cell] - held[cell]), 0),
            picks=int(picks[cell]),
            reachable=bool(reachable[cell]),
            examples=tuple(sorted(texts_of[cell], key=exposures_of)[:examples]),
        )
        for cell in order
    )
    return RunDeficit(samples, wanted, gap, float(q[~reachable].sum()), cells)


def _measure_reachable(
    held: Int64Array, q: Float64Array, reachable: BoolArray, *, budget: int
) -> tuple[Gap, Int64Array]:
    """The gap over cells that can be reached, and every cell's quota of the budget."""
    with np.errstate(divide="ignore"):
        log_q: Float64Array = np.log(q)
    quota = water_filled_quotas(log_q, budget)
    if not reachable.any():
        return measure_gap(held, log_q), quota
    rest: Float64Array = np.where(reachable, log_q - np.log(q[reachable].sum()), -np.inf)
    return measure_gap(held, rest), np.where(reachable, water_filled_quotas(rest, budget), quota)


def _count_pool(folder: RunFolder, n_cells: int) -> tuple[int, Int64Array, Int64Array, Counter[str]]:
    """Samples, knowledge points and picks by cell, and exposures by `fact_key`."""
    samples = 0
    held, picks = np.zeros(n_cells, np.int64), np.zeros(n_cells, np.int64)
    exposures: Counter[str] = Counter()
    for table in folder.read_rounds("samples", ["knowledge_points", "cells"]):
        samples += table.num_rows
        held += _count_by_cell(chain.from_iterable(column_values(table, "cells")), n_cells)
        texts = chain.from_iterable(column_values(table, "knowledge_points"))
        exposures.update(map(fact_key, texts))
    for table in folder.read_rounds("picks", ["cell"]):
        picks += _count_by_cell(column_values(table, "cell"), n_cells)
    return samples, held, picks, exposures


def _count_by_cell(cells: Iterable[int], n_cells: int) -> Int64Array:
    return np.bincount(np.fromiter(cells, np.int64), minlength=n_cells)
