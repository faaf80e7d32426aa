"""Pools that grow, and the tiles that have room for more, against measuring anew and slow twins."""

from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.arrays import Int64Array
from kdos.density import Neighbourhood, Space, fit_space
from kdos.density.lists import Lists, one_each, one_shelf, shelve, together
from kdos.density.neighbours import nearest_among_cells, nearest_flat
from kdos.density.sifting import reached_by
from kdos.density.tiles import Tiles, laid_out, multiply, room_for, with_more
from kdos.errors import UsageError


def cloud(n: int, dim: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def space_of(points: np.ndarray) -> Space:
    return fit_space(points, embedder="test", dim=None, normalize=False)[0]


@settings(deadline=None, max_examples=15)
@given(
    n=st.integers(20, 400),
    parts=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    dim=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_a_small_pool_that_grows_is_exact(n, parts, dim, seed) -> None:
    points = cloud(n + sum(parts), dim, seed=seed)
    pool = Neighbourhood(points[:n], space_of(points[:n]))
    for end in np.cumsum(parts) + n:
        pool.add(points[len(pool) : end])
    exact = nearest_flat(points, points, k=10, among_itself=True)
    np.testing.assert_allclose(pool.distances, exact.distances, rtol=1e-6)
    np.testing.assert_array_equal(pool.points, points)
    np.testing.assert_array_equal(pool.cells, pool.space.assign(points))


def grown(points: np.ndarray, bounds: list[int]) -> Neighbourhood:
    pool = Neighbourhood(points[: bounds[0]], space_of(points[: bounds[0]]))
    for end in bounds[1:]:
        pool.add(points[len(pool) : end])
    return pool


def crowded(n: int, more: int) -> np.ndarray:
    """Points all over, and then more in one corner: cells there run out of room."""
    points = cloud(n + more, 6)
    points[n:] = 0.3 * points[n:] + 1
    return points


def test_a_pool_in_cells_grows_as_if_it_were_measured_anew() -> None:
    points = crowded(20_000, 1500)
    pool = grown(points, [20_000, 20_100, 20_101, 21_000, 21_500])
    anew = Neighbourhood(points, pool.space)
    np.testing.assert_array_equal(pool.cells, anew.cells)
    apart = np.abs(pool.log_density() - anew.log_density())
    assert np.mean(apart > 1e-6) < 0.02
    before = Neighbourhood(points[:20_000], pool.space).log_density()
    ignored = np.abs(before - anew.log_density()[:20_000])
    assert apart[:20_000].mean() < 0.05 * ignored.mean()


def test_a_pool_that_doubles_is_laid_out_anew() -> None:
    points = cloud(9000, 3)
    pool = grown(points, [3000, 6000, 9000])  # from one cell to many
    anew = Neighbourhood(points, pool.space)
    assert np.mean(np.abs(pool.log_density() - anew.log_density()) > 1e-6) < 0.02


def test_a_point_that_is_there_already_is_refused_and_leaves_no_trace() -> None:
    points = cloud(6000, 4)
    pool, other = (grown(points, [5000, 5500]) for _ in range(2))
    before = pool.distances.tobytes()
    with pytest.raises(UsageError, match="Got row 2 twice"):
        pool.add(np.concatenate([points[5500:5502], points[7:8]]))
    with pytest.raises(UsageError, match="Got row 0 twice"):
        pool.add(np.repeat(points[5900:5901], 2, 0))
    assert len(pool) == 5500
    assert pool.distances.tobytes() == before
    for each in (pool, other):
        each.add(points[5500:])
    assert pool.distances.tobytes() == other.distances.tobytes()


def test_growing_is_the_same_for_any_number_of_threads() -> None:
    points, found = crowded(12_000, 500), []
    threads = numba.get_num_threads()
    for wanted in {1, threads}:
        numba.set_num_threads(wanted)
        found.append(grown(points, [12_000, 12_100, 12_500]).distances.tobytes())
    numba.set_num_threads(threads)
    assert len(set(found)) == 1


def held(tiles: Tiles, points: np.ndarray, centroids: np.ndarray) -> list[list[int]]:
    """The rows of each cell, read with a slow look at every number that the tiles hold."""
    dim = points.shape[1]
    for cell in range(len(tiles.begins)):
        for tile in range(tiles.begins[cell], tiles.limits[cell], 256):
            width = min(256, tiles.limits[cell] - tile)
            taken = min(width, tiles.ends[cell] - tile)
            seen = tiles.seen[tile * (dim + 1) : (tile + width) * (dim + 1)].reshape(-1, width)
            apart = points[tiles.rows[tile : tile + max(taken, 0)]] - centroids[cell]
            np.testing.assert_array_equal(seen[:-1, : max(taken, 0)], apart.T)
            half = np.square(apart).sum(1) / 2
            np.testing.assert_allclose(-seen[-1, : max(taken, 0)], half, rtol=1e-5)
            assert (half <= tiles.reach[cell] * (1 + 1e-5)).all()
    return [
        tiles.rows[begin:end].tolist() for begin, end in zip(tiles.begins, tiles.ends, strict=True)
    ]


def rows_from(cells: np.ndarray, start: int, end: int, n_cells: int) -> Lists:
    shelves = shelve(cells[start:end], n_cells)
    return Lists(shelves.offsets, shelves.items + np.int32(start))


@settings(deadline=None, max_examples=40)
@given(
    parts=st.lists(st.integers(0, 400), min_size=1, max_size=5),
    n_cells=st.integers(1, 9),
    skew=st.sampled_from([1, 6]),
    seed=st.integers(0, 99),
)
def test_tiles_hold_what_was_put_there(parts, n_cells, skew, seed) -> None:
    n, rng = sum(parts), np.random.default_rng(seed)
    points, centroids = cloud(n, 3, seed=seed), cloud(n_cells, 3, seed=1)
    cells = (n_cells * rng.random(n) ** skew).astype(np.int32)
    bounds = np.cumsum([0, *parts])
    tiles = room_for(shelve(cells[: bounds[1]], n_cells).sizes, 3)
    for start, end in pairwise(bounds):
        more = with_more(tiles, points, rows_from(cells, start, end, n_cells), centroids)
        expected = [np.flatnonzero(cells[:start] == cell).tolist() for cell in range(n_cells)]
        assert held(tiles, points, centroids) == expected
        if more is None:  # as is allowed where a lot comes at once
            assert end - start > start // 16
            return
        tiles = more
        expected = [np.flatnonzero(cells[:end] == cell).tolist() for cell in range(n_cells)]
        assert held(tiles, points, centroids) == expected


@pytest.mark.parametrize("barred", [0.0, 0.7, 50.0])
def test_links_are_the_places_that_come_up_to_their_bars(barred: float) -> None:
    points, queries, centroids = cloud(900, 4), cloud(300, 4, seed=1), cloud(8, 4, seed=2)
    of_point, of_query = (
        np.square(rows[:, None] - centroids).sum(2).argmin(1).astype(np.int32)
        for rows in (points, queries)
    )
    tiles = laid_out(points, shelve(of_point, 8), centroids)
    radius = barred * np.random.default_rng(0).random(900)
    found = nearest_among_cells(
        queries, shelve(of_query, 8), points, tiles,
        centroids=centroids, blocks=np.array([0, 3, 8]),
        near=Lists(np.array([0, 8, 16]), np.r_[0:8, 0:8]), cells=8, k=3,
        bars=(-np.square(radius[tiles.rows]) / 2).astype(np.float32),
    )  # fmt: skip
    slow = np.sqrt(np.square(queries[:, None].astype(float) - points).sum(2))
    linked = np.zeros_like(slow, bool)
    linked[found.links[:, 0], tiles.rows[found.links[:, 1]]] = True
    assert linked.sum() == len(found.links)
    assert linked[slow < radius * (1 - 1e-6)].all()
    assert not linked[slow > radius * (1 + 1e-4) + 1e-3].any()


@settings(deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200),
    wanted=st.integers(1, 60),
    spare=st.integers(0, 9),
    guess=st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(2.0**-20, 1e6, width=32)),
    less=st.floats(-100, 100, width=32),
)
def test_a_number_that_enough_reach_is_found_from_any_guess(
    values, wanted, spare, guess, less
) -> None:
    row = np.array([values], np.float32)
    state = np.array(guess, np.float32)
    least = reached_by(row, 0, len(values), wanted, wanted + spare, state, np.float32(less))
    reaching = int((row >= least).sum())
    if len(values) <= wanted:
        assert least == -np.inf
    else:
        assert reaching >= wanted
        tied = int((row == row[row >= least].min()).sum())
        assert reaching <= wanted + spare or reaching - tied < wanted
    assert np.isfinite(state).all()
    assert state[1] > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_do_not_keep_the_search_going(bad: float) -> None:
    row = np.full((1, 40), bad, np.float32)
    reached_by(row, 0, 40, 5, 5, np.ones(2, np.float32), np.float32(0))


@pytest.mark.parametrize("n", [1, 31, 32, 33, 200])
def test_products_of_few_rows_are_those_of_many(n: int) -> None:
    left, right = cloud(n, 24), cloud(170, 24, seed=1)
    products = np.empty((n, 170), np.float32)
    multiply(left, right, products, np.empty(32 * (24 + 170), np.float32))
    np.testing.assert_allclose(products, left.astype(float) @ right.T, atol=1e-4)


@given(sizes=st.lists(st.integers(0, 50), max_size=30), most=st.integers(1, 120))
def test_runs_hold_every_part_once_and_are_not_much_too_long(sizes, most) -> None:
    held_by: Int64Array = np.array(sizes, np.int64)
    bounds = together(held_by, most)
    assert bounds[0] == 0
    assert bounds[-1] == len(sizes)
    assert (np.diff(bounds) > 0).all()
    longest = max((held_by[a:b].sum() for a, b in pairwise(bounds)), default=0)
    assert longest <= most + held_by.max(initial=0)


def test_no_queries_find_nothing() -> None:
    points = cloud(30, 3)
    tiles = laid_out(points, one_shelf(30), points[:1])
    found = nearest_among_cells(
        points[:0], one_shelf(0), points, tiles,
        centroids=points[:1], blocks=np.array([0, 1]), near=one_each(1), cells=1, k=2,
    )  # fmt: skip
    assert found.distances.shape == (0, 2)
