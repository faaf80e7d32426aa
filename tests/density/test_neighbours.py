"""The compiled join against the obvious one, and what it promises about order and threads."""

from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.arrays import Int64Array
from kdos.density.codebook import Codebook, drop_empty_cells, order_by_proximity, self_and_nearest, train_codebook
from kdos.density.estimator import PointSet, build_index, find_copies, find_neighbours
from kdos.density.neighbours.nearest import nearest_in_groups, nearest_of_all
from kdos.density.neighbours.search import search_all_points, search_cells
from kdos.density.neighbours.tiles import (
    CsrLists,
    Tiles,
    all_in_one_group,
    batch_parts,
    build_tiles,
    group_rows_by_cell,
    multiply_rows,
    one_group_each,
)
from kdos.density.neighbours.top_k import find_threshold


def cloud(n: int, dim: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def all_distances(queries: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """The slow twin: every distance, in double precision, by subtraction."""
    apart = queries[:, None].astype(np.float64) - pool[None].astype(np.float64)
    return np.sqrt(np.square(apart).sum(2))


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 300),
    m=st.integers(12, 1500),
    dim=st.integers(1, 70),
    k=st.integers(1, 11),
    seed=st.integers(0, 99),
)
def test_flat_search_finds_what_the_slow_twin_finds(n, m, dim, k, seed) -> None:
    queries, pool = cloud(n, dim, seed=seed), cloud(m, dim, seed=seed + 100)
    found = search_all_points(queries, pool, k=k)
    slow = all_distances(queries, pool)
    np.testing.assert_allclose(found.distances, np.sort(slow, axis=1)[:, :k], rtol=1e-9)
    np.testing.assert_allclose(found.distances, np.take_along_axis(slow, found.rows, axis=1))


def test_none_is_its_own_neighbour() -> None:
    points = cloud(500, 5)
    found = search_all_points(points, points, k=3, exclude_self=True)
    slow = all_distances(points, points)
    np.fill_diagonal(slow, np.inf)
    np.testing.assert_allclose(found.distances, np.sort(slow, axis=1)[:, :3], rtol=1e-9)
    assert (found.rows != np.arange(500)[:, None]).all()


def test_a_group_with_too_few_says_so_with_infinity() -> None:
    points = cloud(4, 3)
    found = search_all_points(points, points, k=5)
    assert np.isinf(found.distances[:, 4]).all()
    assert (found.rows[:, 4] == -1).all()


def test_only_cells_that_are_near_are_searched() -> None:
    points = cloud(400, 4)
    cells = (np.arange(400) % 7).astype(np.int32)
    by_cell = group_rows_by_cell(cells, 7)
    itself, centroids = CsrLists(np.arange(8), np.arange(7)), cloud(7, 4)
    found = search_cells(
        points, by_cell, points, build_tiles(points, by_cell, centroids),
        centroids=centroids, blocks=np.arange(8), near_cells=itself, cells_per_query=1, k=2,
        exclude_self=True,
    )  # fmt: skip
    slow = all_distances(points, points)
    slow[cells[:, None] != cells] = np.inf
    np.fill_diagonal(slow, np.inf)
    np.testing.assert_allclose(found.distances, np.sort(slow, axis=1)[:, :2], rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(n=st.integers(30, 400), cells=st.integers(1, 6), k=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_query_looks_into_the_cells_it_is_nearest_to(n, cells, k, seed) -> None:
    queries, pool, centroids = cloud(50, 3, seed=seed), cloud(n, 3, seed=seed + 1), cloud(12, 3)
    of_query, of_pool = (all_distances(rows, centroids).argmin(1) for rows in (queries, pool))
    blocks = np.array([0, 5, 6, 12])
    near = CsrLists(np.array([0, 7, 9, 21]), np.r_[0:7, 5, 11, 0:12])
    found = search_cells(
        queries, group_rows_by_cell(of_query, 12), pool,
        build_tiles(pool, group_rows_by_cell(of_pool, 12), centroids),
        centroids=centroids, blocks=blocks, near_cells=near, cells_per_query=cells, k=k,
    )  # fmt: skip
    slow = all_distances(queries, pool)
    for query, cell in enumerate(of_query):
        block = np.searchsorted(blocks, cell, side="right") - 1
        listed = near.items[near.offsets[block] : near.offsets[block + 1]]
        order = listed[all_distances(queries[[query]], centroids[listed])[0].argsort()]
        held = np.isin(of_pool, order[:cells])
        if held.sum() < k + 1:
            held = np.isin(of_pool, listed)
        slow[query, ~held] = np.inf
    expected = np.full((50, k), np.inf)
    expected[:, : min(k, n)] = np.sort(slow, axis=1)[:, :k]
    np.testing.assert_allclose(found.distances, expected, rtol=1e-9)


def test_ranks_are_columns_of_all() -> None:
    points = np.concatenate([cloud(300, 4), cloud(300, 4)[:50]])  # ties
    whole = search_all_points(points, points, k=6, exclude_self=True)
    some = search_all_points(points, points, k=6, exclude_self=True, ranks=(2, 6))
    np.testing.assert_array_equal(some.distances, whole.distances[:, [1, 5]])
    np.testing.assert_array_equal(some.rows, whole.rows[:, [1, 5]])


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 200),
    m=st.integers(1, 300),
    dim=st.integers(1, 40),
    away=st.sampled_from([0, 3000]),
    seed=st.integers(0, 99),
)
def test_the_nearest_is_the_slow_twins_nearest(n, m, dim, away, seed) -> None:
    queries, pool = cloud(n, dim, seed=seed) + away, cloud(m, dim, seed=seed + 1) + away
    queries, pool = queries.astype(np.float32), np.tile(pool, (2, 1)).astype(np.float32)
    slow = all_distances(queries, pool)
    found = nearest_of_all(queries, pool)
    np.testing.assert_allclose(slow[np.arange(n), found], slow.min(1), rtol=1e-12)
    assert (found < m).all()  # of equals the lower


def test_the_nearest_is_looked_for_in_near_groups_only() -> None:
    points, centroids = cloud(100, 4), cloud(9, 4, seed=1)
    groups = group_rows_by_cell(np.arange(9) // 3, 4)  # the last group is empty
    found = nearest_in_groups(
        points, group_rows_by_cell(np.arange(100) % 2, 2), centroids, groups,
        near_groups=CsrLists(np.array([0, 2, 3]), np.array([0, 2, 3])), origins=cloud(2, 4),
    )  # fmt: skip
    slow = all_distances(points, centroids)
    slow[:, 3:6] = np.inf
    even = np.arange(0, 100, 2)
    np.testing.assert_array_equal(found[even], slow[even].argmin(1))
    assert (found[1::2] == -1).all()


def test_far_from_the_origin_distances_stay_exact() -> None:
    points = (cloud(600, 8) + 3000).astype(np.float32)
    found = search_all_points(points, points, k=1, exclude_self=True)
    slow = all_distances(points, points)
    np.fill_diagonal(slow, np.inf)
    np.testing.assert_allclose(found.distances[:, 0], slow.min(1), rtol=1e-9)


def test_probing_every_cell_is_exact_and_fewer_only_look_less() -> None:
    points = cloud(3000, 6)
    rng = np.random.default_rng(0)
    book = train_codebook(points, 100, rng=rng, normalize=False)
    pool = PointSet(points, book.assign_cells(points))
    exact = search_all_points(points, points, k=10, exclude_self=True).distances[:, -1]
    before = None
    for probes in (3, 7, 15, 99):
        index = build_index(pool, book, probes=probes)
        radius = find_neighbours(pool, index, k=10, ranks=(10,)).distances[:, 0]
        assert (radius >= exact * (1 - 1e-12)).all()
        assert before is None or (radius <= before * (1 + 1e-12)).all()
        before = radius
    np.testing.assert_allclose(before, exact)


def test_sparse_pools_reach_far_enough() -> None:
    points = cloud(5000, 3)
    book = train_codebook(points, 1500, rng=np.random.default_rng(0), normalize=False)
    few = PointSet(points[:30], book.assign_cells(points[:30]))
    found = find_neighbours(few, build_index(few, book, probes=0), k=10)
    assert np.isfinite(found.distances).all()


def test_a_pool_sparse_for_its_codebook_is_joined_group_by_group() -> None:
    points = cloud(90_000, 3)
    book = train_codebook(points, 9000, rng=np.random.default_rng(0), normalize=False)
    sparse = PointSet(points[:5000], book.assign_cells(points[:5000]))
    found = find_neighbours(sparse, build_index(sparse, book), k=10, ranks=(10,)).distances[:, 0]
    exact = search_all_points(points[:5000], points[:5000], k=10, exclude_self=True, ranks=(10,))
    assert np.mean(found <= exact.distances[:, 0] * (1 + 1e-9)) > 0.99


@pytest.mark.parametrize("n_cells", [50, 1100])
def test_codebook_is_the_same_for_any_number_of_threads(n_cells: int) -> None:
    points = cloud(6000, 12)
    found = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        rng = np.random.default_rng(5)
        book = train_codebook(points, n_cells, rng=rng, normalize=True)
        pool = PointSet(points, book.assign_cells(points))
        found.append((book, pool, find_neighbours(pool, build_index(pool, book), k=10)))
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    (one, in_one, near), (two, in_two, also_near) = found
    np.testing.assert_array_equal(one.centroids, two.centroids)
    np.testing.assert_array_equal(in_one.cells, in_two.cells)
    np.testing.assert_array_equal(near.distances, also_near.distances)


def test_flat_codebook_gives_the_nearest_centroid() -> None:
    points = cloud(2000, 9)
    book = train_codebook(points, 64, rng=np.random.default_rng(1), normalize=False)
    slow = all_distances(points, book.centroids).argmin(1)
    np.testing.assert_array_equal(book.assign_cells(points), slow)


def test_two_level_codebook_nearly_gives_the_nearest_centroid() -> None:
    points = cloud(20_000, 6)
    book = train_codebook(points, 2000, rng=np.random.default_rng(1), normalize=False)
    assert len(book) == 2000
    assert len(book.groups) > 2
    cells = book.assign_cells(points)
    exact = search_all_points(points, book.centroids, k=1)
    assert np.mean(cells == exact.rows[:, 0]) > 0.9
    reached = np.linalg.norm(points - book.centroids[cells], axis=1)
    assert reached.mean() < 1.02 * exact.distances.mean()


def test_a_cell_does_not_depend_on_the_company_a_point_is_in() -> None:
    points = cloud(4000, 16)
    book = train_codebook(points, 1200, rng=np.random.default_rng(1), normalize=False)
    together = book.assign_cells(points)
    alone = np.concatenate([book.assign_cells(points[start : start + 37]) for start in range(0, 4000, 37)])
    np.testing.assert_array_equal(together, alone)


def test_empty_cells_are_dropped_and_the_rest_renumbered() -> None:
    book = Codebook(np.eye(4, dtype=np.float32), np.array([0, 2, 4]))
    smaller, cells = drop_empty_cells(book, np.array([3, 0, 3], np.int32))
    np.testing.assert_array_equal(smaller.centroids, np.eye(4)[[0, 3]])
    np.testing.assert_array_equal(cells, [1, 0, 1])
    np.testing.assert_array_equal(smaller.groups, [0, 1, 2])


def test_rows_side_by_side_are_close_by() -> None:
    points = cloud(1000, 3)
    order = order_by_proximity(points)
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    apart = np.linalg.norm(np.diff(points[order], axis=0), axis=1).mean()
    assert apart < 0.5 * np.linalg.norm(np.diff(points, axis=0), axis=1).mean()
    np.testing.assert_array_equal(np.sort(order_by_proximity(np.ones((50, 3), np.float32))), range(50))


def test_a_block_chooses_from_its_cells_and_those_next_to_them() -> None:
    book = Codebook(cloud(100, 4), np.array([0, 30, 100]))
    each = self_and_nearest(book.centroids, 5)
    np.testing.assert_array_equal(book.blocks, [0, 16, 30, 46, 62, 78, 94, 100])
    near = book.near_cells(5)
    for block, (start, end) in enumerate(pairwise(book.blocks)):
        listed = near.items[near.offsets[block] : near.offsets[block + 1]]
        np.testing.assert_array_equal(listed, np.unique(each.items.reshape(100, 6)[start:end]))


def test_cells_near_a_block_are_found_through_the_groups() -> None:
    points = cloud(20_000, 6)
    book = train_codebook(points, 2000, rng=np.random.default_rng(1), normalize=False)
    exact = Codebook(book.centroids, np.array([0, len(book)]))
    through, whole = (book.near_cells(20), self_and_nearest(exact.centroids, 20).items.reshape(2000, 21))
    found = 0
    for block, (start, end) in enumerate(pairwise(book.blocks)):
        listed = through.items[through.offsets[block] : through.offsets[block + 1]]
        assert np.isin(np.arange(start, end), listed).all()
        found += np.isin(whole[start:end], listed).sum()
    assert found > 0.99 * whole.size


def test_near_cells_begin_with_the_cell_itself() -> None:
    near = self_and_nearest(cloud(30, 4), 5)
    table = near.items.reshape(30, 6)
    np.testing.assert_array_equal(table[:, 0], np.arange(30))
    assert all(len(set(row)) == 6 for row in table.tolist())


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=60))
def test_copies_are_those_that_numpy_finds(rows) -> None:
    points = np.array(rows, np.float32).reshape(-1, 2)
    copies = find_copies(points)
    for row, group in enumerate(copies.group):
        np.testing.assert_array_equal(points[row], points[copies.first[group]])
    assert len(copies.first) == len(set(rows))
    assert (np.diff(copies.first) > 0).all()
    assert len(copies.group) == len(rows)


def test_minus_zero_is_zero() -> None:
    points = np.array([[0.0, 1.0], [-0.0, 1.0]], np.float32)
    assert len(find_copies(points).first) == 1


def rows_by_cell(tiles: Tiles, points: np.ndarray, centroids: np.ndarray) -> list[list[int]]:
    """The rows of each cell, read with a slow look at every number that the tiles hold."""
    dim, offsets = points.shape[1], tiles.offsets
    for cell in range(len(centroids)):
        for tile in range(offsets[cell], offsets[cell + 1], 256):
            width = min(256, offsets[cell + 1] - tile)
            seen = tiles.coordinates[tile * (dim + 1) : (tile + width) * (dim + 1)].reshape(-1, width)
            apart = points[tiles.rows[tile : tile + width]] - centroids[cell]
            np.testing.assert_array_equal(seen[:-1], apart.T)
            half = np.square(apart).sum(1) / 2
            np.testing.assert_allclose(-seen[-1], half, rtol=1e-5)
            assert (half <= tiles.max_half_square[cell] * (1 + 1e-5)).all()
    return [tiles.rows[begin:end].tolist() for begin, end in pairwise(offsets)]


@settings(deadline=None, max_examples=40)
@given(n=st.integers(0, 1500), n_cells=st.integers(1, 9), skew=st.sampled_from([1, 6]), seed=st.integers(0, 99))
def test_tiles_hold_what_was_put_there(n, n_cells, skew, seed) -> None:
    points, centroids = cloud(n, 3, seed=seed), cloud(n_cells, 3, seed=1)
    cells = (n_cells * np.random.default_rng(seed).random(n) ** skew).astype(np.int32)
    tiles = build_tiles(points, group_rows_by_cell(cells, n_cells), centroids)
    expected = [np.flatnonzero(cells == cell).tolist() for cell in range(n_cells)]
    assert rows_by_cell(tiles, points, centroids) == expected


@settings(deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200),
    wanted=st.integers(1, 60),
    spare=st.integers(0, 9),
    guess=st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(2.0**-20, 1e6, width=32)),
    less=st.floats(-100, 100, width=32),
)
def test_a_number_that_enough_reach_is_found_from_any_guess(values, wanted, spare, guess, less) -> None:
    row = np.array([values], np.float32)
    state = np.array(guess, np.float32)
    least = find_threshold(row, 0, len(values), wanted, wanted + spare, state, np.float32(less))
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
    find_threshold(row, 0, 40, 5, 5, np.ones(2, np.float32), np.float32(0))


@pytest.mark.parametrize("n", [1, 31, 32, 33, 200])
def test_products_of_few_rows_are_those_of_many(n: int) -> None:
    left, right = cloud(n, 24), cloud(170, 24, seed=1)
    products = np.empty((n, 170), np.float32)
    multiply_rows(left, right, products, np.empty(32 * (24 + 170), np.float32))
    np.testing.assert_allclose(products, left.astype(float) @ right.T, atol=1e-4)


@given(sizes=st.lists(st.integers(0, 50), max_size=30), most=st.integers(1, 120))
def test_runs_hold_every_part_once_and_are_not_much_too_long(sizes, most) -> None:
    held_by: Int64Array = np.array(sizes, np.int64)
    bounds = batch_parts(held_by, most)
    assert bounds[0] == 0
    assert bounds[-1] == len(sizes)
    assert (np.diff(bounds) > 0).all()
    longest = max((held_by[a:b].sum() for a, b in pairwise(bounds)), default=0)
    assert longest <= most + held_by.max(initial=0)


def test_no_queries_find_nothing() -> None:
    points = cloud(30, 3)
    tiles = build_tiles(points, all_in_one_group(30), points[:1])
    found = search_cells(
        points[:0], all_in_one_group(0), points, tiles,
        centroids=points[:1], blocks=np.array([0, 1]), near_cells=one_group_each(1),
        cells_per_query=1, k=2,
    )  # fmt: skip
    assert found.distances.shape == (0, 2)
