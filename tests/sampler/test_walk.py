"""Walks as a picker: the same signature, partners from along a path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.sampler import CellYields, SeedLinks, steer_picks
from kdos.sampler.walk import build_seed_graph, point_deficits, walk_picks

N_CELLS, N_POINTS = 4, 24
CELLS = (np.arange(N_POINTS) % N_CELLS).astype(np.int32)
SEEDS = [np.array([k, (k + 1) % N_POINTS, (k + 5) % N_POINTS]) for k in range(N_POINTS)]
LINKS = SeedLinks(
    cells=CELLS,
    documents=np.arange(N_POINTS, dtype=np.int32),
    passages=np.arange(N_POINTS, dtype=np.int32),
    points_of_seed=SEEDS,
    seeds_of_point=[np.array([s for s, held in enumerate(SEEDS) if k in held]) for k in range(N_POINTS)],
    points_in_cell=[np.flatnonzero(c == CELLS) for c in range(N_CELLS)],
    points_in_passage=SEEDS,
    seeds_in_document=[np.array([s]) for s in range(N_POINTS)],
)
SEED_GRAPH = build_seed_graph(LINKS)
DEFICIT = np.array([40, 20, 0, -5])


def turn(**changes):
    return {
        "exposures": np.zeros(N_POINTS, np.int64),
        "picks": 12,
        "drafts": 1,
        "random_seed": 3,
        "round_number": 2,
    } | changes


def nothing_asked():
    return CellYields.nothing_asked(n_cells=N_CELLS, n_points=N_POINTS)


def walked(deficit=DEFICIT, **changes):
    return walk_picks(deficit, nothing_asked(), LINKS, SEED_GRAPH, **turn(**changes))


def test_a_pick_is_a_path_of_linked_seeds_through_what_lacks():
    picks = walked()
    assert len(picks) == 12
    for pick in picks:
        assert pick.cell == CELLS[pick.use[0]]
        assert all(DEFICIT[CELLS[k]] > 0 for k in pick.use)
        assert not set(pick.use) & set(pick.avoid)
        linked = np.unique(np.concatenate([SEEDS[s] for s in pick.seeds]))
        assert set(pick.use) <= set(linked.tolist())
        for one, other in zip(pick.seeds, pick.seeds[1:], strict=False):
            assert set(SEEDS[one]) & set(SEEDS[other]), "neighbours on a path share a point"
    assert max(len(pick.seeds) for pick in picks) > 1
    assert picks == walked()


def test_a_walk_from_steer_begins_where_steering_would():
    steered = steer_picks(DEFICIT, nothing_asked(), LINKS, **turn())
    picks = walked(steered=steered)
    assert [pick.use[0] for pick in picks] == [pick.use[0] for pick in steered]


def test_what_comes_by_itself_is_not_asked_for():
    picks = walked(reserved=np.array([0.0, 20.0, 0.0, 0.0]))
    assert {int(CELLS[k]) for pick in picks for k in pick.use} == {0}


def test_where_nothing_lacks_nothing_is_picked():
    assert walked(np.zeros(N_CELLS, np.int64)) == []


@given(
    st.lists(st.floats(0, 100), min_size=N_CELLS, max_size=N_CELLS),
    st.lists(st.integers(0, 50), min_size=N_POINTS, max_size=N_POINTS),
)
def test_what_points_lack_sums_to_what_their_cells_lack(lack, exposures):
    found = point_deficits(np.array(lack), CELLS, np.array(exposures))
    assert np.bincount(CELLS, weights=found) == pytest.approx(np.array(lack))
    order = np.argsort(np.array(exposures)[CELLS == 0])
    assert (np.diff(found[CELLS == 0][order]) <= 1e-9).all()
