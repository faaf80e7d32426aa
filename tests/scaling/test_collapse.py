import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.scaling import ExperimentCell, find_collapses, fit_reduced_curve, next_fact_count
from kdos.scaling.collapse import recall_curve

VALUES = 64


def cell(
    k50: float,
    *,
    grid: np.ndarray,
    width: float = 0.25,
    seeds: int = 3,
    noise: float = 0.0,
    floor: float = 1 / VALUES,
    presentations: int = 192_000,
) -> ExperimentCell:
    rng = np.random.default_rng(int(k50))
    facts = np.repeat(np.round(grid), seeds).astype(np.int64)
    shift = rng.normal(0, noise, len(facts)) if noise else 0.0
    recall = recall_curve(np.log(facts), np.log(k50) + shift, np.array(width), floor=floor)
    return ExperimentCell(6144, presentations, facts, recall, np.tile(np.arange(seeds), len(grid)))


GRID = 500 * 2 ** (np.arange(8) / 2)


def collapse(one: ExperimentCell, *, floor: float | None = None):
    return find_collapses([one], values=VALUES, rng=np.random.default_rng(0), draws=50, floor=floor)[0]


def with_recall(one: ExperimentCell, recall: np.ndarray) -> ExperimentCell:
    return ExperimentCell(one.params, one.presentations, one.facts, recall, one.random_seed)


@settings(max_examples=20)
@given(st.floats(900, 3500), st.floats(0.12, 0.4))
def test_a_clean_curve_gives_its_own_k50_and_width(k50: float, width: float) -> None:
    found = collapse(cell(k50, grid=GRID, width=width))

    assert found.k50.value == pytest.approx(k50, rel=0.01)
    assert found.width == pytest.approx(width, rel=0.05)
    assert found.k50.low is not None
    assert found.k50.low <= found.k50.value <= found.k50.highest


@pytest.mark.parametrize("width", [0.15, 0.25, 0.4])
def test_the_peak_is_where_most_facts_are_recalled(width: float) -> None:
    one = cell(2000, grid=GRID, width=width)
    fine = np.linspace(500, 6000, 5000)
    held = fine * recall_curve(np.log(fine), np.log(2000), np.array(width), floor=0)

    assert collapse(one).peak.value == pytest.approx(fine[held.argmax()], rel=0.02)


@pytest.mark.parametrize("width", [0.5, 0.8, 1.5])
def test_the_peak_is_never_above_k50(width: float) -> None:
    found = collapse(cell(2000, grid=GRID[0] / 100 * 2 ** np.arange(16), width=width))

    assert found.peak.value <= found.k50.value


def test_outliers_bend_neither_the_curve_nor_the_peak() -> None:
    one = cell(2000, grid=GRID)
    recall = one.recall.copy()
    recall[[1, 20, 23]] = [0.1, 0.9, 1.0]

    found = collapse(with_recall(one, recall))
    assert found.k50.value == pytest.approx(2000, rel=0.05)
    assert found.peak.value == pytest.approx(0.76 * 2000, rel=0.05)


@pytest.mark.parametrize("floor", [0.2, 0.3, 0.5])
def test_facts_known_before_are_not_taken_for_taught_ones(floor: float) -> None:
    one = cell(2000, grid=GRID, floor=floor)

    assert next_fact_count(one, values=VALUES) is None
    found = collapse(one)
    assert found.floor == pytest.approx(floor, abs=0.01)
    assert found.k50.value == pytest.approx(2000, rel=0.02)
    assert found.peak.value == pytest.approx(0.76 * 2000, rel=0.03)


def test_a_floor_that_was_measured_needs_no_tail() -> None:
    one = cell(2000, grid=GRID[:-2], floor=0.3)

    assert collapse(one).floor == 1 / VALUES
    assert collapse(one).k50.value > 2200
    assert collapse(one, floor=0.3).k50.value == pytest.approx(2000, rel=0.02)


def test_one_random_seed_gives_no_interval() -> None:
    found = collapse(cell(2000, grid=GRID, seeds=1, noise=0.1))

    assert found.k50.value == pytest.approx(2000, rel=0.2)
    assert (found.k50.low, found.k50.high, found.peak.low, found.peak.high) == (None,) * 4


def test_cells_of_one_seed_do_not_narrow_the_intervals_of_the_others() -> None:
    single = cell(1500, grid=GRID, seeds=1)
    one, other = cell(2000, grid=GRID, noise=0.1), cell(2500, grid=GRID, noise=0.1)
    rng = np.random.default_rng
    alone = find_collapses([one, other], values=VALUES, rng=rng(0), draws=50)
    beside = find_collapses([one, other, single], values=VALUES, rng=rng(0), draws=50)

    assert beside[0].k50 == alone[0].k50
    assert beside[2].k50.low is not None


def test_nothing_collapses_beyond_one_exposure_of_each_fact() -> None:
    found = collapse(cell(2000, grid=GRID, noise=0.2, presentations=2000))

    assert found.k50.value <= 2000
    assert found.k50.highest <= 2000


def test_a_break_is_found_where_the_count_falls_and_not_where_it_grows_on() -> None:
    assert collapse(cell(2000, grid=GRID, width=0.2)).onset == pytest.approx(1600, rel=0.25)
    slow = ExperimentCell(1, 9_999, GRID.astype(np.int64), np.full(8, 0.9), np.zeros(8, np.int64))
    assert collapse(slow).onset is None


def test_a_cell_says_what_to_measure_next() -> None:
    assert next_fact_count(cell(2000, grid=GRID), values=VALUES) is None
    assert next_fact_count(cell(2000, grid=GRID[:3]), values=VALUES) == 2000
    assert next_fact_count(cell(400, grid=GRID[2:]), values=VALUES) == 500
    assert next_fact_count(cell(2000, grid=GRID[[0, -1]]), values=VALUES) == 1682


def test_cells_fall_on_one_curve_in_reduced_facts() -> None:
    cells = [
        cell(k50, grid=k50 / 3 * 2 ** (np.arange(8) / 2), floor=floor) for k50, floor in ((1000, 0.3), (4000, 1 / 64))
    ]
    found = find_collapses(cells, values=VALUES, rng=np.random.default_rng(0), draws=20)

    assert fit_reduced_curve(cells, found)[0] > 0.999
    shuffled = [cells[0], with_recall(cells[1], cells[1].recall[::-1])]
    assert fit_reduced_curve(shuffled, found)[0] < 0.5
