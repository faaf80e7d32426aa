"""The space: fitting, freezing, and what it says to input it cannot use."""

import dataclasses

import numpy as np
import pytest

from kdos.density import Space, cell_log_density, fit_space, measure_density, note_small_pool
from kdos.density.cells import UNITS_PER_NAT, build_profile, measure_pool_level
from kdos.errors import SpaceMismatchError, UsageError


def cloud(n: int = 400, dim: int = 6, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def fitted(vectors, **options):
    return fit_space(vectors, embedder="test", **({"dim": None, "normalize": False} | options))


def test_space_survives_being_taken_apart() -> None:
    space, _ = fitted(cloud(), dim=4, normalize=True)
    again = Space.from_arrays(*space.to_arrays())
    assert again.fingerprint == space.fingerprint
    assert again.n_features == 6
    assert again.dim == 4


@pytest.mark.parametrize("name", ["intrinsic_dim", "r_min", "novel_radius", "k", "embedder"])
def test_fingerprint_changes_with_every_number(name: str) -> None:
    space, _ = fitted(cloud())
    changed = dataclasses.replace(space, **{name: getattr(space, name) * 2})
    assert changed.fingerprint != space.fingerprint


def test_reference_is_measured_as_any_pool_is() -> None:
    vectors = cloud()
    space, reference = fitted(vectors)
    found = measure_density(space.project(vectors), space)
    np.testing.assert_array_equal(found.cells, reference.cells)
    np.testing.assert_allclose(found.log_density, reference.log_density, atol=1e-9)
    np.testing.assert_array_equal(np.bincount(found.cells, minlength=space.n_cells), reference.counts)


def test_same_random_seed_same_space() -> None:
    assert fitted(cloud())[0].fingerprint == fitted(cloud())[0].fingerprint


def test_copies_count_once_in_the_reference() -> None:
    vectors = cloud(200)
    twice = np.concatenate([vectors, vectors[:50]])
    _, once = fitted(vectors)
    _, copied = fitted(twice)
    np.testing.assert_allclose(copied.log_density[:200], once.log_density)
    np.testing.assert_allclose(copied.log_density[200:], once.log_density[:50])
    np.testing.assert_array_equal(copied.counts, once.counts)


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (np.zeros((0, 4)), {}, "must differ. Got none"),
        (np.ones((1, 4)), {}, "must differ. Got one"),
        (np.ones((50, 4)), {}, "must differ. Got 50 that are all alike"),
        (cloud(50), {"k": 0}, "at least 1. Got 0"),
        (cloud(50), {"n_cells": 0}, "at least 1. Got 10 and 0"),
        (np.zeros(7), {}, "shape"),
        (np.array([["a"]]), {}, "real numbers"),
        (np.where(np.arange(50)[:, None] == 17, np.nan, cloud(50)), {}, "row 17"),
        (cloud(50), {"dim": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_fitted_is_said(vectors, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        fitted(vectors, **options)


def test_small_pools_have_an_answer() -> None:
    for n, dim in [(2, 3), (3, 3), (4, 1), (12, 3), (12, 40), (70, 64), (100, 2)]:
        space, reference = fitted(cloud(n, dim), dim=64, normalize=True)
        assert np.isfinite(reference.log_density).all()
        assert np.isfinite(space.log_volumes).all()
        assert np.isfinite(cell_log_density(reference.counts, space.log_volumes)).all()
        assert space.k == min(10, reference.counts.sum() - 1)
        level = measure_pool_level(build_profile(reference.cells, space), reference.log_density)
        assert np.isfinite([level.log10_density, *level.log10_density_ci, level.gini]).all()


@pytest.mark.parametrize(("n", "asked", "cells"), [(50, None, 6), (50, 51, 6), (50, 5, 5), (7, 3, 1), (600, None, 64)])
def test_a_cell_holds_eight_points_on_the_mean_whatever_was_asked(n, asked, cells) -> None:
    space, reference = fitted(cloud(n), n_cells=asked)
    assert space.n_cells == cells
    assert (note_small_pool(reference, k=3, n_cells=asked) is not None) == (asked is not None and asked > cells)


def test_what_a_small_pool_does_not_get_is_said_in_one_line() -> None:
    _, reference = fitted(cloud(86), n_cells=12)
    assert note_small_pool(reference, k=10, n_cells=12) == (
        "there are 10 cells, not 12: of 86 distinct points a cell holds 8 or more on the mean"
    )
    _, few = fitted(np.repeat(cloud(4), 5, axis=0))
    assert note_small_pool(few, k=10, n_cells=None) == "k is 3, not 10: 4 distinct points have no more neighbours"


def test_vectors_of_another_width_are_refused() -> None:
    space, _ = fitted(cloud())
    with pytest.raises(SpaceMismatchError, match="6 features"):
        space.project(cloud(20, 7))


def test_a_subsample_is_corrected_for_its_rate() -> None:
    vectors = cloud(4000, 3)
    space, reference = fitted(vectors)
    part = measure_density(space.project(vectors[::4]), space, rate=0.25).log_density
    assert abs(part.mean() - reference.log_density.mean()) < 0.2


def test_profiles_add_up_over_shards() -> None:
    space, reference = fitted(cloud())
    whole = build_profile(reference.cells, space, log_density=reference.log_density)
    left = build_profile(reference.cells[:150], space, log_density=reference.log_density[:150])
    right = build_profile(reference.cells[150:], space, log_density=reference.log_density[150:])
    for name in ("counts", "exposures", "log_density"):
        np.testing.assert_array_equal(getattr(left + right, name), getattr(whole, name))
    level = measure_pool_level(whole, reference.log_density)
    assert level.n == level.distinct == 400
    assert level.log10_density_ci[0] < level.log10_density < level.log10_density_ci[1]
    mean = whole.log_density.sum() / UNITS_PER_NAT / whole.n_distinct
    assert mean == pytest.approx(reference.log_density.mean(), abs=1e-5)


def test_profiles_of_two_spaces_do_not_add_up() -> None:
    one, other = fitted(cloud())[0], fitted(cloud(seed=1))[0]
    cells = np.zeros(3, np.int32)
    with pytest.raises(SpaceMismatchError, match="one space"):
        _ = build_profile(cells, one) + build_profile(cells, other)
