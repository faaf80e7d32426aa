"""The target of a run: what it wants of each cell, and what it has still to get."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float64Array, Int64Array, IntegerArray, UInt64Array
from kdos.artifacts import RunFolder
from kdos.config import Config
from kdos.embed import embed_in_blocks
from kdos.errors import InputError
from kdos.pool import column_values
from kdos.pool.wording import fact_key, fact_number
from kdos.rows import Rows, find_table_fields, list_table_fields, read_table_rows
from kdos.run.prepare import LoopInputs
from kdos.sampler import POINTS_PER_SAMPLE, Deficit, Order, SeedLinks, discipline_target, plan_disciplines
from kdos.store import read_parquet, write_parquet
from kdos.synthesize import SynthesisContext
from kdos.targets import (
    Gap,
    choose_facts,
    count_filled,
    demand_file,
    effective_points,
    measure_gap,
    read_target,
    spread_quotas,
)
from kdos.terminal import print_status

LOSS_FIELD, CORRECT_FIELD = "loss", "correct"

FEWEST_EFFECTIVE = 0.2
"""The share of the reference that a target must rest on, or we say so (our design)."""


@dataclass(frozen=True, slots=True)
class MissingPoint:
    """A knowledge point that the pool still lacks, and the passages of the source that state it.

    `held` is how many samples hold it; one that is not `reachable` was asked for in vain.
    """

    text: str
    passages: tuple[str, ...]
    held: int
    reachable: bool


@dataclass(frozen=True, slots=True)
class CellDeficit:
    """One cell: its share of the target, the exposures it is to hold, holds of these and still wants.

    `picks` have been aimed at it; `examples` are knowledge points of the source that are missing in it.
    """

    cell: int
    share: float
    quota: int
    held: int
    missing: int
    picks: int
    reachable: bool
    examples: tuple[MissingPoint, ...]


@dataclass(frozen=True, slots=True)
class RunDeficit:
    """A run against its target: what it covers, the gap so far, and the cells with a deficit, largest first.

    `wanted` is the cap on samples, None where the content alone says how many. `distinct` of the source's
    `knowledge_points` are held, and `filled` of the `order`, in exposures; the order leaves out the
    `unreachable_points`, which were asked for in vain. `unreachable` names them, as many of each cell as `examples`.
    """

    samples: int
    wanted: int | None
    knowledge_points: int
    distinct: int
    order: int
    filled: int
    gap: Gap
    unreachable_mass: float
    unreachable_points: int
    unreachable: tuple[MissingPoint, ...]
    cells: tuple[CellDeficit, ...]

    @property
    def coverage(self) -> float:
        """The share of the source's knowledge points that are held at least once."""
        return self.distinct / max(self.knowledge_points, 1)


def plan_order(config: Config, inputs: LoopInputs, links: SeedLinks) -> Order:
    """What the configuration wants of cells and of knowledge points."""
    log_q, wanted = cell_target(config, inputs, links), None
    if config.disciplines:
        wanted = plan_disciplines(config.disciplines, log_q=log_q, links=links)
        log_q = discipline_target(log_q, wanted, links)
    facts, n_points = config.facts, len(links.cells)
    if facts is not None and facts > n_points:
        print_status(f"`facts` asks for {facts:,} knowledge points; the source holds {n_points:,}: all are taken")
    keys = passage_keys(links)
    chosen = choose_facts(log_q, links.cells, facts=n_points if facts is None else facts, keys=keys)
    return Order(log_q, config.exposures, chosen, config.budget.samples, wanted)


def passage_keys(links: SeedLinks) -> UInt64Array:
    """Keys that choose whole passages, as far as the cells allow, shape (n_points,); by texts alone, as `links.keys`.

    A draft links points of one passage. Where few of them are chosen, each draft brings others along: of 120 points
    with `facts` 40, 59 to 91 were in the pool.
    """
    first = links.keys.copy()
    for points in links.points_in_passage:
        if len(points):
            first[points] = np.minimum(first[points], links.keys[points].min())
    keys = np.empty(len(first), np.uint64)
    keys[np.lexsort((links.keys, first))] = np.arange(len(first), dtype=np.uint64)
    return keys


def cell_target(config: Config, inputs: LoopInputs, links: SeedLinks) -> Float64Array:
    """The target over cells that the configuration asks for, shape (n_cells,), nats; disciplines are apart."""
    space = inputs.space
    everything = len(links.cells) * config.exposures
    samples = config.budget.samples
    return read_target(
        config.target,
        log_volumes=space.log_volumes,
        counts=np.bincount(links.cells, minlength=space.n_cells),
        budget=everything if samples is None else min(everything, math.ceil(samples * POINTS_PER_SAMPLE)),
        demand=_read_demand(config.target, inputs),
    )


def write_target_tables(folder: RunFolder, context: SynthesisContext, deficit: Deficit) -> None:
    """What is wanted of every cell and of every knowledge point, and whether it can be reached."""
    cells = context.links.cells
    n_cells = len(context.order.log_q)
    open_points = np.bincount(cells[context.order.chosen & ~deficit.unreachable], minlength=n_cells)
    by_cell = pa.table(
        {
            "cell": pa.array(np.arange(n_cells), pa.int32()),
            "q": pa.array(np.exp(context.order.log_q)),
            "attainable": pa.array(np.exp(deficit.cells.log_q)),
            "quota": pa.array(deficit.cells.quotas),
            "reachable": pa.array(open_points > 0),
        }
    )
    write_parquet(folder.target, by_cell, by_cell.schema, seal=folder.seal)
    by_point = pa.table(
        {
            "wanted": pa.array(deficit.points.wanted),
            "chosen": pa.array(context.order.chosen),
            "unreachable": pa.array(deficit.unreachable),
        }
    )
    write_parquet(folder.target_points, by_point, by_point.schema, seal=folder.seal)


def warn_of_few_points(context: SynthesisContext) -> None:
    """Say so where the target rests on so few knowledge points that outliers would take it over."""
    counts = np.bincount(context.links.cells, minlength=context.space.n_cells)
    effective, points = effective_points(context.order.log_q, counts), int(counts.sum())
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
    found = find_table_fields(path, ("question", "text"))
    field = found.get("question") or found.get("text")
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


def read_run_deficit(path: Path, *, examples: int | None) -> RunDeficit:
    """What the run in `path` still wants; it may be finished, or going on. `examples` of each cell are named, or all.

    Raises:
        InputError: There is no run, or it has not come to its loop yet.
    """
    folder = RunFolder(path)
    folder.require_intact()
    if not folder.target.is_file():
        raise InputError(f"{folder.path} has no target yet: the run has not come to its loop.")
    table, points = read_parquet(folder.target), read_parquet(folder.knowledge_points)
    cells, n_cells = points["cell"].to_numpy().astype(np.int32), table.num_rows
    samples, counts, held, picks = _count_pool(folder, points, n_cells)
    quota, state = table["quota"].to_numpy(), read_parquet(folder.target_points)
    eligible = _bools(state, "chosen") & ~_bools(state, "unreachable")
    keys = np.array([fact_number(text) for text in column_values(points, "text")], np.uint64)
    quotas = spread_quotas(quota, cells, held=held, keys=keys, eligible=eligible)
    filled = count_filled(held, quotas.most, cells, n_cells=n_cells)
    with np.errstate(divide="ignore"):
        attainable: Float64Array = np.log(table["attainable"].to_numpy())
    reachable = _bools(table, "reachable")
    # Cells that want most first; equals as they are numbered.
    wanting = np.flatnonzero((quota > filled) | ~reachable)
    order = wanting[np.argsort((filled - quota)[wanting], kind="stable")]
    unreachable = _bools(state, "unreachable")
    name_points = _point_reader(folder, points, held, unreachable)
    missing = _rows_by_cell((held < quotas.wanted) | unreachable, cells, last=unreachable)
    in_vain = _rows_by_cell(unreachable, cells, last=unreachable)
    q = table["q"].to_numpy()
    return RunDeficit(
        samples=samples,
        wanted=folder.read_config().budget.samples,
        knowledge_points=len(cells),
        distinct=int(np.count_nonzero(held)),
        order=int(quota.sum()),
        filled=int(filled.sum()),
        gap=measure_gap(counts, attainable),
        unreachable_mass=_given_up_share(state),
        unreachable_points=int(unreachable.sum()),
        unreachable=name_points(chain.from_iterable(rows[:examples] for rows in in_vain.values())),
        cells=tuple(
            CellDeficit(
                cell=int(cell),
                share=float(q[cell]),
                quota=int(quota[cell]),
                held=int(filled[cell]),
                missing=int(quota[cell] - filled[cell]),
                picks=int(picks[cell]),
                reachable=bool(reachable[cell]),
                examples=name_points(missing.get(int(cell), [])[:examples]),
            )
            for cell in order
        ),
    )


def _bools(table: pa.Table, column: str) -> BoolArray:
    return table[column].to_numpy(zero_copy_only=False).astype(bool)


def _given_up_share(points: pa.Table) -> float:
    """The share of the chosen knowledge points that were asked for in vain."""
    chosen = _bools(points, "chosen")
    return float(_bools(points, "unreachable").sum() / max(int(chosen.sum()), 1))


def _rows_by_cell(marked: BoolArray, cells: IntegerArray, *, last: BoolArray) -> dict[int, list[int]]:
    """The knowledge points of each cell that are `marked`, those of `last` after the others."""
    by_cell = dict[int, list[int]]()
    rows = np.flatnonzero(marked)
    for row in rows[np.argsort(last[rows], kind="stable")].tolist():
        by_cell.setdefault(int(cells[row]), []).append(row)
    return by_cell


def _point_reader(
    folder: RunFolder, points: pa.Table, held: Int64Array, unreachable: BoolArray
) -> Callable[[Iterable[int]], tuple[MissingPoint, ...]]:
    """What names knowledge points, given their rows, with their passages."""
    seeds = read_parquet(folder.seeds, ["id", "passage"])
    passages = dict(zip(column_values(seeds, "id"), column_values(seeds, "passage"), strict=True))

    def name_point(row: int) -> MissingPoint:
        point = points.slice(row, 1).to_pylist()[0]
        named = dict.fromkeys(name for seed in point["seeds"] if (name := passages.get(seed)))
        return MissingPoint(point["text"], tuple(named), int(held[row]), not unreachable[row])

    return lambda rows: tuple(map(name_point, rows))


def _count_pool(folder: RunFolder, points: pa.Table, n_cells: int) -> tuple[int, Int64Array, Int64Array, Int64Array]:
    """Samples; exposures by cell, and of each knowledge point of the reference; picks by cell."""
    samples = 0
    wordings = zip(column_values(points, "text"), column_values(points, "wordings"), strict=True)
    rows = {fact_key(text): row for row, (first, others) in enumerate(wordings) for text in (first, *others)}
    held = np.zeros(points.num_rows, np.int64)
    counts, picks = np.zeros(n_cells, np.int64), np.zeros(n_cells, np.int64)
    for table in folder.read_parts("samples", ["knowledge_points", "cells"]):
        samples += table.num_rows
        counts += _count_by_cell(chain.from_iterable(column_values(table, "cells")), n_cells)
        found = (rows.get(fact_key(text)) for texts in column_values(table, "knowledge_points") for text in texts)
        np.add.at(held, [row for row in found if row is not None], 1)
    for table in folder.read_parts("picks", ["cell"]):
        picks += _count_by_cell(column_values(table, "cell"), n_cells)
    return samples, counts, held, picks


def _count_by_cell(cells: Iterable[int], n_cells: int) -> Int64Array:
    return np.bincount(np.fromiter(cells, np.int64), minlength=n_cells)
