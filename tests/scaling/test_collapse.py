import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.scaling import ExperimentCell, find_collapses, fit_reduced_curve, next_fact_count
from kdos.scaling.collapse import recall_curve

VALUES = 64


def cell(k50: float, *, grid: np.ndarray, width: float = 0.25, seeds: int = 3, noise: float = 0.0) -> ExperimentCell:
    rng = np.random.default_rng(int(k50))
    facts = np.repeat(np.round(grid), seeds).astype(np.int64)
    shift = rng.normal(0, noise, len(facts)) if noise else 0.0
    recall = recall_curve(np.log(facts), np.log(k50) + shift, np.array(width), values=VALUES)
    return ExperimentCell(6144, 192_000, facts, recall, np.tile(np.arange(seeds), len(grid)))


GRID = 500 * 2 ** (np.arange(8) / 2)


def collapse(one: ExperimentCell):
    return find_collapses([one], values=VALUES, rng=np.random.default_rng(0), draws=50)[0]


@settings(max_examples=20)
@given(st.floats(900, 3500), st.floats(0.12, 0.4))
def test_a_clean_curve_gives_its_own_k50_and_width(k50: float, width: float) -> None:
    found = collapse(cell(k50, grid=GRID, width=width))

    assert found.k50.value == pytest.approx(k50, rel=0.01)
    assert found.width == pytest.approx(width, rel=0.05)
    assert found.k50.low <= found.k50.value <= found.k50.high


def test_the_peak_is_where_most_facts_are_recalled() -> None:
    one = cell(2000, grid=GRID)
    fine = np.linspace(500, 6000, 5000)
    held = fine * recall_curve(np.log(fine), np.log(2000), np.array(0.25), values=VALUES)

    assert collapse(one).peak.value == pytest.approx(fine[held.argmax()], rel=0.1)


def test_outliers_do_not_bend_the_curve() -> None:
    one = cell(2000, grid=GRID)
    recall = one.recall.copy()
    recall[[1, 20]] = [0.1, 0.9]

    found = collapse(ExperimentCell(1, 1, one.facts, recall, one.random_seed))
    assert found.k50.value == pytest.approx(2000, rel=0.05)


def test_a_break_is_found_where_the_count_falls_and_not_where_it_grows_on() -> None:
    assert collapse(cell(2000, grid=GRID, width=0.2)).onset == pytest.approx(1600, rel=0.25)
    slow = ExperimentCell(1, 1, GRID.astype(np.int64), np.full(8, 0.9), np.zeros(8, np.int64))
    assert collapse(slow).onset is None


def test_a_cell_says_what_to_measure_next() -> None:
    assert next_fact_count(cell(2000, grid=GRID), values=VALUES) is None
    assert next_fact_count(cell(2000, grid=GRID[:3]), values=VALUES) == 2000
    assert next_fact_count(cell(400, grid=GRID[2:]), values=VALUES) == 500
    assert next_fact_count(cell(2000, grid=GRID[[0, -1]]), values=VALUES) == 1682


def test_cells_fall_on_one_curve_in_reduced_facts() -> None:
    cells = [cell(k50, grid=k50 / 3 * 2 ** (np.arange(8) / 2)) for k50 in (1000, 4000)]
    found = find_collapses(cells, values=VALUES, rng=np.random.default_rng(0), draws=20)

    assert fit_reduced_curve(cells, found, values=VALUES)[0] > 0.999
    shuffled = [cells[0], ExperimentCell(1, 1, cells[1].facts, cells[1].recall[::-1], cells[1].random_seed)]
    assert fit_reduced_curve(shuffled, found, values=VALUES)[0] < 0.5
