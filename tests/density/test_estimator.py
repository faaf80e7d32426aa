"""Properties of the density: units, invariances, known distributions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma as scipy_digamma
from scipy.special import gammaln
from scipy.stats import spearmanr

from kdos.density import cell_log_density, fit_space, measure_density
from kdos.density.cells import build_profile, effective_cells, gini, measure_pool_level, sampled_cell_log_density
from kdos.density.estimator import digamma, log_ball_volume, log_density_from_radius
from kdos.density.fit import two_nn_dimension
from kdos.density.neighbours.search import search_all_points
from kdos.density.picture import plane_density, project_to_plane


def cloud(n: int = 600, dim: int = 5, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def fitted(vectors, **options):
    return fit_space(vectors, embedder="test", **({"dim": None, "normalize": False} | options))


def mixture(n: int, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Points of an 8-d Gaussian mixture laid into 64 dimensions, and their true log density."""
    rng = np.random.default_rng(seed)
    centres, widths = rng.standard_normal((100, 8)) * 4, np.exp(0.3 * rng.standard_normal(100))
    which = rng.integers(0, 100, n)
    flat = centres[which] + widths[which, None] * rng.standard_normal((n, 8))
    square = np.square(flat[:, None] - centres).sum(2) / widths**2
    parts = -square / 2 - 8 * np.log(widths) - 4 * math.log(2 * math.pi) - math.log(100)
    truth = np.log(np.exp(parts).sum(1)) + math.log(n)
    turn = np.linalg.qr(rng.standard_normal((64, 8)))[0]
    return (flat @ turn.T).astype(np.float32), truth


@pytest.mark.slow
def test_a_known_mixture_is_ranked_and_levelled() -> None:
    vectors, truth = mixture(20_000)
    space, reference = fitted(vectors)
    assert space.intrinsic_dim == pytest.approx(8, rel=0.1)
    assert spearmanr(truth, reference.log_density)[0] >= 0.95
    assert abs((reference.log_density - truth).mean()) / math.log(10) < 0.3
    held = reference.counts >= 12
    per_cell = np.bincount(reference.cells, truth, minlength=space.n_cells) / np.maximum(reference.counts, 1)
    sampled = sampled_cell_log_density(reference.points, reference.cells, space, rng=np.random.default_rng(0))
    measured = np.bincount(reference.cells, reference.log_density) / reference.counts
    assert spearmanr(per_cell[held], measured[held])[0] >= 0.98
    assert spearmanr(per_cell[held], sampled[held])[0] >= 0.97


def test_rotation_changes_nothing() -> None:
    vectors = cloud()
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0].astype(np.float32)
    space, reference = fitted(vectors)
    turned, also = fitted(vectors @ turn)
    np.testing.assert_allclose(also.log_density, reference.log_density, atol=2e-3)
    assert turned.intrinsic_dim == pytest.approx(space.intrinsic_dim, rel=1e-4)


@settings(deadline=None, max_examples=10)
@given(power=st.integers(-8, 8))
def test_scaling_shifts_the_level_by_dimension_times_log_scale(power: int) -> None:
    vectors, scale = cloud(200), np.float32(2.0**power)
    space, reference = fitted(vectors)
    scaled_space, scaled = fitted(vectors * scale)
    shift = -space.intrinsic_dim * math.log(scale)
    np.testing.assert_allclose(scaled.log_density, reference.log_density + shift, atol=1e-9)
    np.testing.assert_allclose(scaled_space.log_volumes, space.log_volumes - shift, atol=1e-9)


def test_repeats_change_exposure_not_coverage() -> None:
    vectors = cloud(300)
    space, reference = fitted(vectors)
    points = np.concatenate([space.project(vectors)] * 3)
    found = measure_density(points, space)
    np.testing.assert_allclose(found.log_density[300:600], reference.log_density, atol=1e-12)
    distinct = np.arange(300)
    repeated = build_profile(found.cells, space, distinct=distinct)
    np.testing.assert_array_equal(repeated.counts, reference.counts)
    np.testing.assert_array_equal(repeated.exposures, 3 * reference.counts)


@settings(deadline=None, max_examples=30)
@given(parts=st.lists(st.lists(st.integers(0, 49), max_size=20), min_size=3, max_size=3))
def test_profiles_are_a_commutative_monoid(parts) -> None:
    space, _ = SPACE
    rng = np.random.default_rng(len(str(parts)))
    a, b, c = (
        build_profile(np.array(p, np.int32), space, log_density=rng.standard_normal(len(p)) * 50) for p in parts
    )
    for left, right in [(a + b, b + a), ((a + b) + c, a + (b + c)), (a, a + NOTHING)]:
        assert left.space == right.space
        for name in ("counts", "exposures", "log_density"):
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert (cell_log_density((a + b).counts, space.log_volumes) >= cell_log_density(a.counts, space.log_volumes)).all()


SPACE = fitted(cloud(400))
NOTHING = build_profile(np.zeros(0, np.int32), SPACE[0])


@pytest.mark.parametrize("dim", [1, 2, 64, 500, 4096])
def test_no_number_overflows(dim: int) -> None:
    vectors = cloud(80, dim)
    space, reference = fitted(vectors, n_cells=8)
    assert np.isfinite(reference.log_density).all()
    assert np.isfinite(space.log_volumes).all()
    assert math.isfinite(log_ball_volume(dim))


def test_a_subsample_measures_the_whole() -> None:
    vectors = cloud(8000, 3)
    space, reference = fitted(vectors)
    part = np.random.default_rng(0).permutation(8000)[:2000]
    sub = measure_density(space.project(vectors[part]), space, rate=0.25).log_density
    assert abs((sub - reference.log_density[part]).mean()) / math.log(10) < 0.05
    assert spearmanr(sub, reference.log_density[part])[0] > 0.9


def test_points_measured_among_others_leave_their_own_copy_out() -> None:
    vectors = cloud(500)
    space, reference = fitted(vectors)
    points = space.project(vectors)
    found = measure_density(points[:50], space, among=points)
    np.testing.assert_allclose(found.log_density, reference.log_density[:50], atol=1e-12)


def test_far_points_are_novel() -> None:
    space, _ = SPACE
    far = measure_density(cloud(5) + 40, space, among=cloud(400))
    assert (far.radius > space.novel_radius).all()
    assert np.isfinite(far.log_density).all()


def test_near_copies_are_held_at_the_least_radius() -> None:
    vectors = cloud(200)
    vectors[:15] = vectors[0] + 1e-6 * cloud(15, seed=3)
    space, reference = fitted(vectors)
    highest = log_density_from_radius(np.array([space.r_min]), space.intrinsic_dim, k=space.k, r_min=space.r_min)
    assert reference.log_density.max() == pytest.approx(highest[0])


@pytest.mark.parametrize("dim", [2, 5, 9])
def test_dimension_of_a_cube_is_found(dim: int) -> None:
    points = np.random.default_rng(0).random((6000, dim)).astype(np.float32)
    distances = search_all_points(points, points, k=10, exclude_self=True).distances
    assert two_nn_dimension(distances) == pytest.approx(dim, rel=0.12)


def test_formula_against_scipy() -> None:
    radius = np.array([0.5, 2.0])
    expected = scipy_digamma(7) - (3 / 2 * math.log(math.pi) - gammaln(2.5)) - 3 * np.log(radius)
    np.testing.assert_allclose(log_density_from_radius(radius, 3.0, k=7, r_min=0.0), expected)
    assert digamma(1) == pytest.approx(scipy_digamma(1))


def test_volumes_add_up_to_one_over_density() -> None:
    space, reference = SPACE
    for cell in range(0, space.n_cells, 9):
        rows = reference.cells == cell
        low, high = np.quantile(reference.log_density, [0.005, 0.995])
        slow = np.exp(-np.clip(reference.log_density[rows], low, high)).sum()
        assert space.log_volumes[cell] == pytest.approx(math.log(slow))


def test_summary_numbers_on_counts_known_by_hand() -> None:
    assert effective_cells([5, 5, 5, 5]) == pytest.approx(4)
    assert effective_cells([7, 0, 0]) == pytest.approx(1)
    assert gini([3, 3, 3]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)


def test_interval_of_the_mean_has_the_known_width() -> None:
    space, _ = SPACE
    values = np.random.default_rng(0).standard_normal(4000) * math.log(10)
    level = measure_pool_level(build_profile(np.zeros(4000, np.int32), space), values)
    low, high = level.log10_density_ci
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(4000), rel=0.1)


def test_picture_grid_holds_every_point_once() -> None:
    flat = project_to_plane(cloud(3000, 6))
    grid, (left, right, bottom, top) = plane_density(flat, cells=128)
    steps = np.array([(right - left) / 127, (top - bottom) / 127])
    assert (10**grid).sum() * steps.prod() == pytest.approx(3000, rel=0.01)
    width = flat.std(0) * 3000 ** (-1 / 6)
    at = flat[:5]
    z = np.square((at[:, None] - flat) / width).sum(2)
    slow = np.exp(-z / 2).sum(1) / (2 * math.pi * width.prod())
    place = np.rint((at - [left, bottom]) / steps).astype(int)
    np.testing.assert_allclose(grid[place[:, 0], place[:, 1]], np.log10(slow), atol=0.05)
