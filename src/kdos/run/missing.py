"""What a run still lacks, cell by cell, read from what it has left on disk so far."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.errors import InputError
from kdos.pool import values
from kdos.pool.grouping import fact_key
from kdos.store import read_parquet
from kdos.synthesize import POINTS_PER_SAMPLE
from kdos.targets import Gap, measure_gap, water_filled_quotas


@dataclass(frozen=True, slots=True)
class CellDeficit:
    """One cell: its share of the target, what it is to hold, holds and still lacks.

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
    """A run against its target: the gap so far, and the cells that lack something, most first."""

    samples: int
    wanted: int
    gap: Gap
    unreachable_mass: float
    cells: tuple[CellDeficit, ...]


def read_run_deficit(path: Path, *, examples: int) -> RunDeficit:
    """What the run in `path` lacks; it may be finished, or going on.

    Raises:
        InputError: There is no run, or it has not come to its loop yet.
    """
    folder = RunFolder(path)
    folder.require_config()
    if not folder.target.is_file():
        raise InputError(f"{folder.path} has no target yet: the run has not come to its loop.")
    config = folder.read_config()
    table = read_parquet(folder.target)
    n_cells = table.num_rows
    samples, held, picks, known = count_pool(folder, n_cells)
    each = int(held.sum()) / samples if samples else POINTS_PER_SAMPLE
    q, reachable = table["q"].to_numpy(), table["reachable"].to_numpy(zero_copy_only=False)
    budget = math.ceil(config.budget.samples * each)
    gap, quota = measure_reachable(held, q, reachable, budget=budget)
    lacking = np.flatnonzero((quota > held) | ~reachable)
    order = lacking[np.lexsort((lacking, -(quota - held)[lacking]))]
    points = read_parquet(folder.knowledge_points, ["text", "cell"])
    by_cell = texts_by_cell(values(points, "text"), values(points, "cell"), n_cells)
    cells = tuple(
        CellDeficit(
            cell=int(cell),
            share=float(q[cell]),
            quota=int(quota[cell]),
            held=int(held[cell]),
            missing=max(int(quota[cell] - held[cell]), 0),
            picks=int(picks[cell]),
            reachable=bool(reachable[cell]),
            examples=least_exposed(by_cell[cell], known, examples),
        )
        for cell in order
    )
    return RunDeficit(samples, config.budget.samples, gap, float(q[~reachable].sum()), cells)


def measure_reachable(
    held: Int64Array, q: Float64Array, reachable: BoolArray, *, budget: int
) -> tuple[Gap, Int64Array]:
    """The gap over cells that can be reached, and every cell's quota of the budget."""
    with np.errstate(divide="ignore"):
        log_q: Float64Array = np.log(q)
    quota = water_filled_quotas(log_q, budget)
    if not reachable.any():
        return measure_gap(held, log_q, quota), quota
    rest: Float64Array = np.where(reachable, log_q - np.log(q[reachable].sum()), -np.inf)
    return measure_gap(held, rest, quota), np.where(
        reachable, water_filled_quotas(rest, budget), quota
    )


def count_pool(folder: RunFolder, n_cells: int) -> tuple[int, Int64Array, Int64Array, Counter[str]]:
    """Samples, knowledge points and picks by cell, and how often each knowledge point is held."""
    samples = 0
    cells: list[int] = []
    known: Counter[str] = Counter()
    for held in folder.read_rounds("samples", ["knowledge_points", "cells"]):
        samples += held.num_rows
        cells += [cell for row in values(held, "cells") for cell in row]
        known.update(fact_key(text) for row in values(held, "knowledge_points") for text in row)
    aimed = [c for picks in folder.read_rounds("picks", ["cell"]) for c in values(picks, "cell")]
    by_cell = [np.bincount(np.array(each, np.int64), minlength=n_cells) for each in (cells, aimed)]
    return samples, by_cell[0], by_cell[1], known


def texts_by_cell(texts: Sequence[str], cells: Sequence[int], n_cells: int) -> list[list[str]]:
    """The knowledge points of each cell."""
    found: list[list[str]] = [[] for _ in range(n_cells)]
    for text, cell in zip(texts, cells, strict=True):
        found[cell].append(text)
    return found


def least_exposed(texts: Sequence[str], known: Counter[str], count: int) -> tuple[str, ...]:
    """The first `count` of the knowledge points that samples hold least."""
    return tuple(sorted(texts, key=lambda text: known[fact_key(text)])[:count])
