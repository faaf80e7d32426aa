"""The experiment: cells of trials around each collapse, every grid placed by those before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.chance import generator
from kdos.scaling import Cell, find_collapses, missing_facts
from kdos.train.ensemble import parameters
from kdos.train.facts import RELATIONS, VALUES
from kdos.train.lab import TOGETHER, Lab, Row
from kdos.train.trials import Trial, run_trials

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

    `presentations` is the budget; `points` counts of facts are tried in each cell, `seeds` times,
    `together` models at once.
    """

    widths: tuple[int, ...]
    presentations: int
    budgets: tuple[int, ...]
    points: int
    seeds: int
    subjects: int
    together: int = TOGETHER


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
        groups = [
            tuple(trials[low : low + design.together])
            for low in range(0, len(trials), design.together)
        ]
        name = f"width-{width}-presentations-{presentations}"
        rows += [row for part in lab.measure(run_trials, groups, name=name) for row in part]
        lacking = missing_facts(cell_of(rows), values=VALUES)
        if lacking is None or lacking > most:
            break
        facts = [lacking]
    return rows


def cells_of(rows: Sequence[Row]) -> list[Cell]:
    """The rows of an experiment as cells, in the order in which they were measured."""
    parts: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        parts.setdefault((row["params"], row["presentations"]), []).append(row)
    return [cell_of(part) for part in parts.values()]


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
