"""The experiment: cells of trials around each collapse, every grid placed by those before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.chance import generator
from kdos.scaling import ExperimentCell, find_collapses, next_fact_count
from kdos.train.ensemble import count_parameters
from kdos.train.facts import RELATIONS, VALUES
from kdos.train.lab import MODELS_PER_GROUP, Lab, MeasuredRow
from kdos.train.trials import Trial, run_trials

FIRST_GUESS = (6144, 48_000, 800.0)
"""Parameters and presentations of a cell, and its K50 as first measured."""
GUESS_EXPONENTS = (0.62, 0.66)
"""How K50 grows with parameters and with presentations; from our pilot."""
GRID_STEP = 2**0.5
MOST_GRID_EXTENSIONS = 4
"""How often a cell's grid is extended where it does not show the whole fall."""


@dataclass(frozen=True, slots=True)
class ExperimentDesign:
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
    together: int = MODELS_PER_GROUP


def run_design(design: ExperimentDesign, lab: Lab) -> list[MeasuredRow]:
    """The rows of every cell, each around the collapse that the cells before let expect."""
    rows: list[MeasuredRow] = []
    known = FIRST_GUESS
    cells = [(design.widths[0], budget) for budget in (design.presentations, *design.budgets)]
    cells += [(width, design.presentations) for width in design.widths[1:]]
    for width, presentations in cells:
        expected = extrapolate_k50(known, width, presentations)
        found = measure_cell(design, lab, width, presentations, expected=expected)
        known = (count_parameters(width), presentations, estimate_k50(found))
        rows += found
    return rows


def extrapolate_k50(known: tuple[int, int, float], width: int, presentations: int) -> float:
    """The K50 to expect of a cell from that of another."""
    size = count_parameters(width) / known[0]
    return known[2] * size ** GUESS_EXPONENTS[0] * (presentations / known[1]) ** GUESS_EXPONENTS[1]


def measure_cell(
    design: ExperimentDesign, lab: Lab, width: int, presentations: int, *, expected: float
) -> list[MeasuredRow]:
    """The rows of one cell, on a grid of facts that is extended until it shows the whole fall."""
    first = expected * GRID_STEP ** (-(design.points - 1) / 2)
    facts = [round(first * GRID_STEP**step) for step in range(design.points)]
    rows: list[MeasuredRow] = []
    for _ in range(MOST_GRID_EXTENSIONS):
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
        rows += [row for part in lab.measure_groups(run_trials, groups, name=name) for row in part]
        lacking = next_fact_count(cell_from_rows(rows), values=VALUES)
        if lacking is None or lacking > most:
            break
        facts = [lacking]
    return rows


def cells_from_rows(rows: Sequence[MeasuredRow]) -> list[ExperimentCell]:
    """The rows of an experiment as cells, in the order in which they were measured."""
    parts: dict[tuple[int, int], list[MeasuredRow]] = {}
    for row in rows:
        parts.setdefault((row["params"], row["presentations"]), []).append(row)
    return [cell_from_rows(part) for part in parts.values()]


def cell_from_rows(rows: Sequence[MeasuredRow]) -> ExperimentCell:
    """The rows of one size and budget as a cell."""
    facts, recall, seeds = (
        np.array([row[name] for row in rows]) for name in ("facts", "recall", "random_seed")
    )
    return ExperimentCell(rows[0]["params"], rows[0]["presentations"], facts, recall, seeds)


def estimate_k50(rows: Sequence[MeasuredRow]) -> float:
    """The K50 of a cell's rows; where the fall is not whole, the middle of the grid."""
    cell = cell_from_rows(rows)
    if next_fact_count(cell, values=VALUES) is not None:
        return float(np.sqrt(float(cell.facts.min() * cell.facts.max())))
    rng = generator(0, "guess")
    return find_collapses([cell], values=VALUES, rng=rng, draws=2)[0].k50.value
