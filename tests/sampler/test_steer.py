"""Where drafts start and what they are to rest on, by the deficit of knowledge points."""

from dataclasses import replace
from functools import cache
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.pool import Pool
from kdos.sampler import (
    Order,
    PointYields,
    link_seeds,
    measure_deficit,
    points_to_ask,
    scatter_picks,
    steer_picks,
    unreachable_points,
)

N_CELLS, N_SEEDS, N_POINTS = 5, 60, 40


@cache
def links():
    rng = np.random.default_rng(0)
    # Point k lies in document k // 8 and is named by seeds of that document alone.
    points_of = [np.sort(rng.choice(8, 3, replace=False) + 8 * (s % 5)) for s in range(N_SEEDS)]
    points_of[:5] = [np.arange(8) + 8 * document for document in range(5)]
    return link_seeds(
        points_of,
        cells=rng.integers(0, N_CELLS - 1, N_POINTS).astype(np.int32),  # the last cell is empty
        keys=np.arange(N_POINTS, dtype=np.uint64),
        documents=(np.arange(N_SEEDS) % 5).astype(np.int32),
        passages=np.arange(N_SEEDS, dtype=np.int32),
        entities_of_point=[np.array([k // 8, 5 + k // 8 * 4 + k % 4]) for k in range(N_POINTS)],
    )


def wants(held=None, *, exposures=1, samples=None, unreachable=()):
    held = np.zeros(N_POINTS, np.int64) if held is None else np.array(held)
    counts = np.bincount(links().cells, weights=held, minlength=N_CELLS).astype(np.int64)
    order = Order(np.log(np.full(N_CELLS, 1 / N_CELLS)), exposures, np.ones(N_POINTS, bool), samples)
    given_up = np.isin(np.arange(N_POINTS), list(unreachable))
    return measure_deficit(Pool(int(held.sum()) // 4, counts, held, held * 0), order, given_up, links())


def steered(deficit, *, picks=40, drafts=1, random_seed=1, yields=None, in_flight=()):
    made = steer_picks(
        deficit,
        yields or PointYields.nothing_asked(N_POINTS),
        links(),
        in_flight=in_flight,
        drafts=drafts,
        random_seed=random_seed,
        part=3,
    )
    return list(islice(made, picks))


held_points = st.lists(st.integers(0, 2), min_size=N_POINTS, max_size=N_POINTS)


@given(held_points, st.integers(1, 2), st.integers(1, 3), st.integers(0, 2**32))
def test_no_draft_is_about_a_point_without_deficit_while_one_has_it(held, exposures, drafts, random_seed):
    deficit = wants(held, exposures=exposures)
    every = links()
    asked = np.zeros(N_POINTS, int)
    for pick in steered(deficit, drafts=drafts, random_seed=random_seed):
        assert every.cells[pick.use[0][0]] == pick.cell
        assert pick.use[0][0] in every.points_of_seed[pick.seeds[0]]
        assert 1 <= len(pick.use) <= drafts
        assert len({int(every.documents[s]) for s in pick.seeds}) == 1
        assert len(pick.seeds) == len(set(pick.seeds)) <= 3
        shown = {int(k) for s in pick.seeds for k in every.points_in_passage[int(every.passages[s])]}
        used = [point for group in pick.use for point in group]
        assert set(used) | set(pick.avoid) <= shown
        assert not set(used) & set(pick.avoid)
        for group in pick.use:
            assert len(set(group)) == len(group) <= 5
            # What it is about is wanted; the others are, or there were too few of these.
            assert asked[group[0]] < deficit.missing[group[0]]
            spare = [k for k in group if asked[k] >= deficit.missing[k]]
            assert not spare or len(group) <= 3
        np.add.at(asked, list(set(used)), 1)


def test_what_a_pick_uses_counts_as_held_for_the_next():
    picks = steered(wants(), picks=500)
    about = [group[0] for pick in picks for group in pick.use]
    assert len(about) == len(set(about))
    used = np.bincount([k for pick in picks for group in pick.use for k in group], minlength=N_POINTS)
    assert used.min() == 1, "every point is asked for"


def test_no_cell_is_asked_for_more_than_should_fill_its_room():
    deficit = wants(samples=3)
    used = [k for pick in steered(deficit, picks=500) for group in pick.use for k in group if len(group) > 3]
    asked = np.bincount(links().cells[used], minlength=N_CELLS)
    # Three of four points that are asked for are taken to come, before any was seen.
    assert (asked <= np.ceil(deficit.cells.quotas / 0.75)).all()
    seen = PointYields(np.full(N_POINTS, 100), np.zeros(N_POINTS, np.int64), np.full(N_POINTS, 100))
    used = [
        k for pick in steered(deficit, picks=500, yields=seen) for group in pick.use for k in group if len(group) > 3
    ]
    assert (np.bincount(links().cells[used], minlength=N_CELLS) <= np.ceil(deficit.cells.quotas / 0.99)).all()


def test_points_that_share_an_entity_are_joined_the_rarest_first():
    every = links()
    for pick in steered(wants(), picks=4):
        first, *others = pick.use[0]
        assert all(set(every.entities_of_point[first]) & set(every.entities_of_point[k]) for k in others)


def test_a_point_asked_for_in_vain_comes_later():
    yields = PointYields.nothing_asked(N_POINTS)
    tried = np.arange(N_POINTS) % 2 == 0
    yields = PointYields(yields.asked + 3 * tried, yields.started, yields.gained)
    starts = [
        pick.use[0][0]
        for random_seed in range(40)
        for pick in steered(wants(), picks=4, yields=yields, random_seed=random_seed)
    ]
    assert np.mean(tried[starts]) < 0.25


def test_what_is_unreachable_is_not_asked_for():
    picks = steered(wants(unreachable=range(0, N_POINTS, 2)), picks=500)
    assert picks
    assert all(pick.use[0][0] % 2 for pick in picks)


def test_where_nothing_is_missing_nothing_is_picked():
    assert steered(wants([1] * N_POINTS)) == []


def test_same_key_same_picks_and_variants_count_drafts_about_a_point():
    assert steered(wants()) == steered(wants())
    yields = PointYields.nothing_asked(N_POINTS).extend([[(3, 4, 5)], [(3, 6), (4, 5)]], [(3, 4, 9)], [0])
    assert yields.picks == 2
    assert yields.asked[[3, 4, 5, 6, 9]].tolist() == [2, 2, 2, 1, 0]
    assert yields.started[[3, 4, 5]].tolist() == [2, 1, 0]
    assert yields.gained[[3, 4, 5, 9]].tolist() == [1, 1, 0, 0]
    variants: dict[int, list[int]] = {3: [], 4: []}
    for random_seed in range(20):
        picks = steered(wants(exposures=3), yields=yields, picks=200, random_seed=random_seed)
        for point, found in variants.items():
            found += [pick.variant for pick in picks if pick.use[0][0] == point][:1]
    assert (set(variants[3]), set(variants[4])) == ({2}, {1})


def test_scatter_is_even_over_seeds_and_heeds_nothing():
    yields = PointYields.nothing_asked(N_POINTS)
    given = {"n_cells": N_CELLS, "in_flight": (), "drafts": 1, "random_seed": 1, "part": 1}
    picks = list(islice(scatter_picks(links(), yields, **given), 6000))
    shares = np.bincount([pick.seeds[0] for pick in picks], minlength=N_SEEDS) / 6000
    assert shares == pytest.approx(1 / N_SEEDS, abs=0.01)
    assert all(not pick.avoid for pick in picks)


def test_unreachable_is_a_point_that_never_came_though_asked_for():
    asked, started, gained = np.array([6, 3, 5, 4, 0]), np.array([0, 3, 0, 3, 0]), np.array([0, 0, 0, 1, 0])
    assert unreachable_points(PointYields(asked, started, gained)).tolist() == [True, True, False, False, False]


def test_a_document_makes_up_what_a_passage_has_too_little_of():
    alone = np.arange(8)
    apart = link_seeds(
        [alone[[i]] for i in alone], cells=np.zeros(8, np.int32), keys=alone.astype(np.uint64),
        documents=np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int32), passages=alone.astype(np.int32),
    )  # fmt: skip
    order = Order(np.zeros(1), 1, np.ones(8, bool), None)
    nothing = np.zeros(8, bool)
    deficit = measure_deficit(Pool.empty(n_cells=1, n_points=8), order, nothing, apart)
    yields = PointYields.nothing_asked(8)
    picks = steer_picks(deficit, yields, apart, in_flight=(), drafts=1, points=5, random_seed=1, part=1)
    used = [set(pick.use[0]) for pick in picks]
    assert max(map(len, used)) == 3, "a group shows three passages"
    assert all(group <= set(range(6)) or group <= {6, 7} for group in used)


def test_a_draft_rests_on_more_points_where_the_samples_left_could_not_hold_all():
    pool, deficit = Pool.empty(n_cells=N_CELLS, n_points=N_POINTS), wants()
    nothing = PointYields.nothing_asked(N_POINTS)
    assert points_to_ask(pool, deficit, nothing, most=None) == 4
    assert points_to_ask(pool, deficit, nothing, most=N_POINTS) == 4
    assert points_to_ask(pool, deficit, nothing, most=N_POINTS // 4) == 5, (
        "a draft may not hold all that it is asked to"
    )
    assert points_to_ask(pool, deficit, nothing, most=N_POINTS // 5) == 5


def test_what_is_in_flight_counts_as_held_and_numbers_go_on():
    before = steered(wants(), picks=5)
    after = steered(wants(), picks=500, in_flight=before)
    used = [{point for pick in picks for group in pick.use for point in group[:1]} for picks in (before, after)]
    assert not used[0] & used[1]
    assert [int(pick.id) for pick in before + after] == list(range(len(before) + len(after)))


def test_a_pick_is_short_where_those_in_flight_use_what_it_would_join():
    assert not any(pick.is_short for pick in steered(wants(), picks=3))
    every = list(range(0, N_POINTS, 8))
    in_flight = [replace(steered(wants(), picks=1)[0], use=(tuple(k + i for i in range(7)),)) for k in every]
    left = steered(wants(), picks=500, in_flight=in_flight)
    assert len(left) == len(every)
    assert all(pick.is_short for pick in left)
    # Held for good, they will not come back: nothing is gained by waiting.
    held = [int(k % 8 < 7) for k in range(N_POINTS)]
    assert not any(pick.is_short for pick in steered(wants(held), picks=1))


def world_of(passages, cells):
    n_points = sum(map(len, passages))
    return link_seeds(
        passages,
        cells=np.array(cells, np.int32),
        keys=np.arange(n_points, dtype=np.uint64),
        documents=np.arange(len(passages), dtype=np.int32),
        passages=np.arange(len(passages), dtype=np.int32),
        entities_of_point=[np.array([k]) for k in range(n_points)],
    )


def picks_from(world, held, room):
    order = Order(np.log(np.full(len(room), 1 / len(room))), 3, np.ones(len(held), bool), None)
    counts = np.bincount(world.cells, weights=held, minlength=len(room)).astype(np.int64)
    pool = Pool(int(sum(held)) // 4, counts, np.array(held), np.zeros(len(held), np.int64))
    deficit = measure_deficit(pool, order, np.zeros(len(held), bool), world)
    nothing = PointYields.nothing_asked(len(held))
    deficit = replace(deficit, room=np.array(room))
    return list(steer_picks(deficit, nothing, world, in_flight=(), drafts=1, random_seed=1, part=1))


def test_a_group_is_not_filled_up_with_what_would_crowd_its_cell():
    # Points 2 to 5 lie in a cell that is full, and only 4 and 5 are held.
    picks = picks_from(world_of([np.arange(6)], [0, 0, 1, 1, 1, 1]), [0, 0, 0, 0, 3, 3], room=[6, 0])
    assert set(picks[0].use[0]) in ({0, 1, 4}, {0, 1, 5})


def test_points_that_no_draft_could_rest_on_are_started_from_last():
    # Points 0 to 3 share a passage; 4 and 5 have one each to themselves.
    world = world_of([np.arange(4), np.array([4]), np.array([5])], [0] * 6)
    starts = [pick.use[0][0] for pick in picks_from(world, [0] * 6, room=[18])]
    assert {4, 5} <= set(starts)
    alone = [start >= 4 for start in starts]
    assert alone == sorted(alone)
