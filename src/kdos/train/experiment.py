"""The experiment: cells of trials around each collapse, kept on disk one batch at a time."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from kdos.chance import generator, key_bits
from kdos.scaling import Cell, find_collapses, missing_facts
from kdos.store import read_json_file, write_json
from kdos.terminal import Progress
from kdos.train.ensemble import parameters
from kdos.train.facts import RELATIONS, VALUES
from kdos.train.trials import Trial, run_trials
from kdos.workers import end_with_parent

Row = dict[str, Any]
TOGETHER = 12
"""Trials trained in one program: past that, products on a core's cache gain nothing more."""
FIRST_GUESS = (6144, 48_000, 800.0)
"""Parameters and presentations of a cell, and its K50 as first measured."""
GUESS_EXPONENTS = (0.62, 0.66)
"""How K50 grows with parameters and with presentations; from our pilot."""
GRID_STEP = 2**0.5
EXTENSIONS = 4
"""How often a cell's grid is extended where it does not show the whole fall."""


@dataclass(frozen=True, slots=True)
class Design:
    """What is measured: a cell for each width, and for the first one at other budgets too.

    `presentations` is the budget; `points` counts of facts are tried in each cell, `seeds` times.
    """

    widths: tuple[int, ...]
    presentations: int
    budgets: tuple[int, ...]
    points: int
    seeds: int
    subjects: int


class Lab:
    """Trials spread over processes, one a core; what is done is read back from `folder`.

    `core_seconds` is the processor time behind all that was measured, on whatever day.
    """

    def __init__(self, folder: Path, *, workers: int) -> None:
        self._folder = folder
        self.core_seconds = 0.0
        self._pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=use_one_core
        )
        self._progress = Progress()

    def measure(self, trials: Sequence[Trial], *, name: str) -> list[Row]:
        """The rows of some trials that may be trained together, in their order."""
        groups = [tuple(trials[i : i + TOGETHER]) for i in range(0, len(trials), TOGETHER)]
        paths = [self._folder / f"{name}-{key_bits(0, repr(group)):032x}.json" for group in groups]
        running = {
            self._pool.submit(run_timed, group): path
            for path, group in zip(paths, groups, strict=True)
            if not path.exists()
        }
        with self._progress.stage(name, total=len(groups)):
            for done, future in enumerate(as_completed(running), len(groups) - len(running) + 1):
                write_json(running[future], future.result())
                self._progress.count(done)
        found = [read_json_file(path) for path in paths]
        self.core_seconds += sum(part["core_seconds"] for part in found)
        return [row for part in found for row in part["rows"]]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def run_timed(trials: Sequence[Trial]) -> dict[str, Any]:
    """The rows of some trials, and what they cost."""
    begun = process_time()
    rows = run_trials(trials)
    return {"rows": rows, "core_seconds": process_time() - begun}


def use_one_core() -> None:
    """What a process of the lab does first."""
    end_with_parent()
    torch.set_num_threads(1)


def run_design(design: Design, lab: Lab) -> list[Row]:
    """The rows of every cell, each around the collapse that the cells before let expect."""
    rows: list[Row] = []
    known = FIRST_GUESS
    cells = [(design.widths[0], budget) for budget in (design.presentations, *design.budgets)]
    cells += [(width, design.presentations) for width in design.widths[1:]]
    for width, presentations in cells:
        expected = guess(known, width, presentations)
        found = run_cell(design, lab, width, presentations, expected=expected)
        known = (parameters(width), presentations, k50_of(found))
        rows += found
    return rows


def guess(known: tuple[int, int, float], width: int, presentations: int) -> float:
    """The K50 to expect of a cell from that of another."""
    size = parameters(width) / known[0]
    return known[2] * size ** GUESS_EXPONENTS[0] * (presentations / known[1]) ** GUESS_EXPONENTS[1]


def run_cell(
    design: Design, lab: Lab, width: int, presentations: int, *, expected: float
) -> list[Row]:
    """The rows of one cell, on a grid of facts that is extended until it shows the whole fall."""
    first = expected * GRID_STEP ** (-(design.points - 1) / 2)
    facts = [round(first * GRID_STEP**step) for step in range(design.points)]
    rows: list[Row] = []
    for _ in range(EXTENSIONS):
        most = design.subjects * RELATIONS
        trials = [
            Trial(width, presentations, min(count, most), seed, subjects=design.subjects)
            for count in facts
            for seed in range(design.seeds)
        ]
        rows += lab.measure(trials, name=f"width-{width}-presentations-{presentations}")
        lacking = missing_facts(cell_of(rows), values=VALUES)
        if lacking is None or lacking > most:
            break
        facts = [lacking]
    return rows


def cell_of(rows: Sequence[Row]) -> Cell:
    """The rows of one size and budget as a cell."""
    facts, recall, seeds = (
        np.array([row[name] for row in rows]) for name in ("facts", "recall", "random_seed")
    )
    return Cell(rows[0]["params"], rows[0]["presentations"], facts, recall, seeds)


def k50_of(rows: Sequence[Row]) -> float:
    """The K50 of a cell's rows; where the fall is not whole, the middle of the grid."""
    cell = cell_of(rows)
    if missing_facts(cell, values=VALUES) is not None:
        return float(np.sqrt(float(cell.facts.min() * cell.facts.max())))
    rng = generator(0, "guess")
    return find_collapses([cell], values=VALUES, rng=rng, draws=2)[0].k50.value
