"""Choosing: quotas are met exactly, and nothing could be nearer to the target."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.density import fit_space
from kdos.errors import UsageError
from kdos.select import Candidates
from kdos.select.choose import draw_rows
from kdos.targets import measure_gap, water_filled_quotas

VECTORS = np.random.default_rng(0).standard_normal((900, 4)).astype(np.float32)
SPACE, REFERENCE = fit_space(VECTORS, embedder="test", dim=None, n_cells=30, normalize=False)


def candidates(**options) -> Candidates:
    return Candidates(SPACE, np.arange(900) * 2, REFERENCE.cells, REFERENCE.counts, **options)


@settings(deadline=None, max_examples=40)
@given(budget=st.integers(1, 900), target=st.sampled_from(["uniform", "sqrt", "waterfill"]))
def test_a_selection_meets_its_quotas_and_the_optimum(budget: int, target: str) -> None:
    found = candidates().choose(budget, target)
    assert len(found.rows) == len(set(found.rows.tolist())) == budget
    np.testing.assert_array_equal(np.bincount(found.cells, minlength=30), found.quota)
    np.testing.assert_array_equal(found.cells, REFERENCE.cells[found.rows // 2])
    assert (found.quota <= found.supply).all()
    assert found.kl == pytest.approx(found.kl_optimum)


def test_no_other_choice_is_nearer_to_the_target() -> None:
    log_q = np.log([0.5, 0.3, 0.15, 0.05])
    supply = np.array([3, 2, 9, 1])
    quota = water_filled_quotas(log_q, 8, supply=supply)
    best = min(
        measure_gap(np.array(counts), log_q).kl
        for counts in itertools.product(*(range(s + 1) for s in supply))
        if sum(counts) == 8
    )
    assert measure_gap(quota, log_q).kl == pytest.approx(best, rel=0.05)


def test_another_target_is_met_without_measuring_anew() -> None:
    even = candidates().choose(300, "uniform")
    natural = even.candidates.choose(300, "natural")
    assert natural.candidates is even.candidates
    assert natural.kl < 0.05
    assert not np.array_equal(natural.quota, even.quota)


def test_a_cap_is_kept() -> None:
    assert candidates().choose(200, "natural", cap=8).quota.max() == 8
    with pytest.raises(UsageError, match="must not exceed"):
        candidates().choose(300, "natural", cap=8)


def test_same_random_seed_same_rows_another_seed_others() -> None:
    one = candidates().choose(100, "uniform").rows
    np.testing.assert_array_equal(one, candidates().choose(100, "uniform").rows)
    assert not np.array_equal(one, candidates(random_seed=1).choose(100, "uniform").rows)


def test_weights_decide_inside_a_cell_and_not_between_cells() -> None:
    weights = np.where(np.arange(900) % 3 == 0, 1.0, 0.01)
    plain = candidates().choose(150, "sqrt")
    heavy = candidates(weights=weights).choose(150, "sqrt")
    np.testing.assert_array_equal(plain.quota, heavy.quota)
    assert np.mean(heavy.rows // 2 % 3 == 0) > 0.85
    assert np.mean(plain.rows // 2 % 3 == 0) < 0.5


def test_rows_without_weight_come_last() -> None:
    cells = np.zeros(10, np.int32)
    weights = np.where(np.arange(10) < 4, 1.0, 0.0)
    assert draw_rows(cells, np.array([4]), weights=weights).tolist() == [0, 1, 2, 3]


def test_draws_are_uniform_inside_a_cell() -> None:
    cells = np.repeat(np.arange(4, dtype=np.int32), 25)
    times = np.zeros(100)
    for seed in range(400):
        times[draw_rows(cells, np.array([5, 5, 5, 5]), random_seed=seed)] += 1
    assert times.sum() == 8000
    assert abs(times - 80).max() < 6 * np.sqrt(80)


def test_candidates_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        candidates().random_seed = 3  # type: ignore[misc]
