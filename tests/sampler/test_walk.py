"""Walks as a picker: the same picks as steering makes, with partners from along a path."""

from itertools import islice

import numpy as np

from kdos.pool import Pool
from kdos.sampler import Order, PointYields, build_seed_graph, link_seeds, measure_deficit, steer_picks, walk_picks

N_CELLS, N_POINTS = 4, 24
CELLS = (np.arange(N_POINTS) % N_CELLS).astype(np.int32)
ALONE = np.arange(N_POINTS, dtype=np.int32)
SEEDS = [np.array([k, (k + 1) % N_POINTS, (k + 5) % N_POINTS]) for k in range(N_POINTS)]
LINKS = link_seeds(SEEDS, cells=CELLS, keys=ALONE.astype(np.uint64), documents=ALONE, passages=ALONE)
SEED_GRAPH = build_seed_graph(LINKS)


def wants(held):
    counts = np.bincount(CELLS, weights=held, minlength=N_CELLS).astype(np.int64)
    order = Order(np.log(np.full(N_CELLS, 1 / N_CELLS)), 1, np.ones(N_POINTS, bool))
    return measure_deficit(Pool(6, counts, held, held * 0), order, np.zeros(N_POINTS, bool), LINKS)


HALF = np.where(CELLS < 2, 0, 1)
GIVEN = {"in_flight": (), "drafts": 1, "random_seed": 3, "part": 2}
NOTHING_ASKED = PointYields.nothing_asked(N_POINTS)


def walked(held=HALF, **changes):
    return list(islice(walk_picks(wants(held), NOTHING_ASKED, LINKS, SEED_GRAPH, **GIVEN | changes), 8))


def test_a_pick_is_a_path_of_linked_seeds_from_a_point_that_is_missing():
    picks = walked()
    assert len(picks) == 8
    for pick in picks:
        (group,) = pick.use
        assert pick.cell == CELLS[group[0]]
        assert len(set(group)) == len(group) <= 5
        assert not set(group) & set(pick.avoid)
        linked = np.unique(np.concatenate([SEEDS[s] for s in pick.seeds]))
        assert set(group) <= set(linked.tolist())
    assert np.mean([CELLS[pick.use[0][0]] < 2 for pick in picks]) == 1
    assert max(len(pick.seeds) for pick in picks) > 1
    assert picks == walked()


def test_a_walk_from_steer_begins_where_steering_would():
    (steered,) = islice(steer_picks(wants(HALF), NOTHING_ASKED, LINKS, **GIVEN), 1)
    picks = walked(from_steer=True)
    assert all(CELLS[pick.use[0][0]] < 2 for pick in picks), "where the deficit is"
    assert picks != walked()
    assert picks[0].cell == CELLS[picks[0].use[0][0]]
    assert steered.cell in {pick.cell for pick in picks}


def test_where_nothing_is_missing_nothing_is_picked():
    assert walked(np.ones(N_POINTS, np.int64)) == []
