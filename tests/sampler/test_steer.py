from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.sampler import CellYields, SeedLinks, scatter_picks, steer_picks, unreachable_cells

N_CELLS, N_SEEDS, N_POINTS = 5, 30, 40


@cache
def links():
    rng = np.random.default_rng(0)
    cells = rng.integers(0, N_CELLS - 1, N_POINTS).astype(np.int32)  # the last cell is empty
    points_of = [np.sort(rng.choice(N_POINTS, 4, replace=False)) for _ in range(N_SEEDS)]
    points_of[0] = np.arange(N_POINTS)
    documents = (np.arange(N_SEEDS) // 6).astype(np.int32)
    return SeedLinks(
        cells=cells,
        documents=documents,
        passages=np.arange(N_SEEDS, dtype=np.int32),
        points_of_seed=points_of,
        points_in_passage=points_of,
        seeds_of_point=[np.array([s for s in range(N_SEEDS) if k in points_of[s]]) for k in range(N_POINTS)],
        points_in_cell=[np.flatnonzero(cells == c) for c in range(N_CELLS)],
        seeds_in_document=[np.flatnonzero(documents == d) for d in range(5)],
    )


def steered(deficit, *, picks=40, random_seed=1, yields=None, exposures=None):
    return steer_picks(
        np.array(deficit),
        yields or CellYields.nothing_asked(n_cells=N_CELLS, n_points=N_POINTS),
        links(),
        exposures=np.zeros(N_POINTS, int) if exposures is None else exposures,
        picks=picks,
        drafts=1,
        random_seed=random_seed,
        round_number=3,
    )


def test_cells_get_picks_in_proportion_to_what_they_lack():
    picks = steered([300, 100, 0, -50, 900], picks=40)
    shares = np.bincount([pick.cell for pick in picks], minlength=N_CELLS)
    assert shares[:2] == pytest.approx([30, 10], abs=1)
    assert shares[2:].sum() == 0


def test_a_batch_never_asks_for_more_than_is_missing():
    assert len(steered([3, 2, 0, 0, 0], picks=500)) <= 6


def test_a_cell_that_yields_badly_is_asked_more():
    poor = CellYields(
        tries=np.array([100, 100, 0, 0, 0]),
        gains=np.array([25, 100, 0, 0, 0]),
        off_target=np.zeros(N_CELLS, int),
        asked=np.zeros(N_POINTS, int),
    )
    picks = steered([1000, 1000, 0, 0, 0], picks=200, yields=poor)
    shares = np.bincount([pick.cell for pick in picks], minlength=N_CELLS)
    assert shares[0] / shares[1] == pytest.approx(102 / 27, rel=0.1)


@given(st.integers(0, 2**32), st.lists(st.integers(-5, 60), min_size=5, max_size=5))
def test_a_pick_is_about_its_cell_and_uses_only_what_is_thin(random_seed, deficit):
    every = links()
    for pick in steered(deficit, random_seed=random_seed):
        assert every.cells[pick.use[0]] == pick.cell
        assert pick.use[0] in every.points_of_seed[pick.seeds[0]]
        assert len(set(pick.use)) == len(pick.use) <= 5
        assert not set(pick.use) & set(pick.avoid)
        assert all(deficit[every.cells[k]] > 0 for k in pick.use)
        assert len({int(every.documents[s]) for s in pick.seeds}) == 1


def test_what_a_pick_uses_counts_as_filled_for_the_next():
    first, *later = steered([0, 0, 0, 4, 0], picks=4)
    assert len(first.use) > 1
    assert all(len(pick.use) == 1 for pick in later)
    assert all(links().cells[k] != 3 for k in first.avoid)


def test_the_least_exposed_points_come_first():
    exposures = np.full(N_POINTS, 7)
    rare = links().points_in_cell[0][:2]
    exposures[rare] = 0
    picks = steered([2, 0, 0, 0, 0], exposures=exposures)
    assert {pick.use[0] for pick in picks} <= set(rare.tolist())


def test_same_key_same_picks_and_variants_count_up():
    first, again = steered([50, 20, 5, 0, 0]), steered([50, 20, 5, 0, 0])
    assert first == again
    by_point: dict[int, list[int]] = {}
    for pick in first:
        by_point.setdefault(pick.use[0], []).append(pick.variant)
    assert all(variants == list(range(len(variants))) for variants in by_point.values())


def test_scatter_is_even_over_seeds():
    picks = scatter_picks(links(), picks=6000, random_seed=1, round_number=1, asked=np.zeros(N_POINTS, int))
    shares = np.bincount([pick.seeds[0] for pick in picks], minlength=N_SEEDS) / 6000
    documents = np.bincount([links().documents[pick.seeds[0]] for pick in picks]) / 6000
    assert shares == pytest.approx(1 / N_SEEDS, abs=0.01)
    assert documents == pytest.approx(0.2, abs=0.02)


def test_unreachable_is_a_cell_that_never_yields_or_has_nothing_to_start_from():
    yields = CellYields(
        tries=np.array([20, 20, 19, 0, 0]),
        gains=np.array([0, 2, 0, 0, 0]),
        off_target=np.zeros(N_CELLS, int),
        asked=np.zeros(N_POINTS, int),
    )
    assert unreachable_cells(yields, links(), drafts=1).tolist() == [True, False, False, False, True]
