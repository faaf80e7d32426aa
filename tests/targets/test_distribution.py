import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kdos.errors import UsageError
from kdos.targets import (
    TARGET_EXPONENTS,
    demand_target,
    effective_points,
    level_target,
    read_target,
    tempered_target,
    waterfill_target,
)
from kdos.targets.distribution import mean_log_density

CELLS = 12
volumes = arrays(np.float64, CELLS, elements=st.floats(-20, 20))
counts = arrays(np.int64, CELLS, elements=st.integers(0, 10_000))


@given(volumes, counts, st.floats(0, 4))
def test_a_target_is_a_distribution(log_volumes, held, tau):
    log_q = tempered_target(log_volumes, held, tau)
    assert np.exp(log_q).sum() == pytest.approx(1)
    assert np.isfinite(log_q).all()


@given(volumes, counts)
def test_tau_one_follows_the_reference_and_tau_zero_the_volume(log_volumes, held):
    natural = np.exp(tempered_target(log_volumes, held, 1.0))
    uniform = np.exp(tempered_target(log_volumes, held, 0.0))
    assert natural == pytest.approx((held + 0.5) / (held + 0.5).sum())
    volume = np.exp(log_volumes - log_volumes.max())
    assert uniform == pytest.approx(volume / volume.sum())


@given(volumes, counts, st.floats(0, 3), st.floats(0.01, 2))
def test_the_level_rises_with_tau(log_volumes, held, tau, step):
    low = mean_log_density(tempered_target(log_volumes, held, tau), log_volumes, budget=1000)
    high = mean_log_density(tempered_target(log_volumes, held, tau + step), log_volumes, budget=1000)
    assert high >= low - 1e-9


def test_a_level_is_met_by_bisection():
    rng = np.random.default_rng(3)
    log_volumes, held = rng.normal(size=40), rng.integers(1, 500, 40)
    wanted = mean_log_density(tempered_target(log_volumes, held, 0.7), log_volumes, budget=5000)
    log_q = level_target(log_volumes, held, wanted, budget=5000)
    assert mean_log_density(log_q, log_volumes, budget=5000) == pytest.approx(wanted, abs=1e-9)


def test_a_level_out_of_range_names_the_range():
    with pytest.raises(UsageError, match=r"must be in \[.*\].* Got 300"):
        read_target("level:300", log_volumes=np.zeros(4), counts=np.arange(4), budget=100)


@given(volumes, counts, st.integers(1, 100_000))
def test_waterfill_equals_raising_the_level_drop_by_drop(log_volumes, held, budget):
    weight = np.exp(log_volumes - log_volumes.max())
    weight /= weight.sum()
    low, high = 0.0, 1e30
    for _ in range(400):
        level = (low + high) / 2 if high < 1e29 else (low + 1) * 2
        spent = np.maximum(0, level * weight - 1 - held).sum()
        low, high = (low, level) if spent > budget else (level, high)
    slow = np.maximum(0, low * weight - 1 - held)
    log_q = waterfill_target(log_volumes, held, budget=budget)
    assert np.exp(log_q) * (budget + 0.5) == pytest.approx(slow + 0.5 / CELLS, rel=1e-4, abs=1e-3)


def test_demand_is_as_dense_as_its_questions():
    q = np.exp(demand_target(np.array([30, 10, 0, 0])))
    assert q[0] / q[1] == pytest.approx(3, rel=0.01)
    assert 0 < q[2] < 0.01


def test_effective_points_fall_when_few_cells_take_all():
    held = np.array([100, 100, 1])
    even = effective_points(tempered_target(np.log(held), held, 1.0), held)
    outlier = effective_points(np.log([0.005, 0.005, 0.99]), held)
    assert even == pytest.approx(201, rel=0.02)
    assert outlier < 1.1


@pytest.mark.parametrize("name", [*TARGET_EXPONENTS, "waterfill", "tau:0.25", "demand:questions.jsonl"])
def test_every_name_gives_a_distribution(name):
    held = np.array([5, 0, 50])
    log_q = read_target(name, log_volumes=np.log([1, 2, 3.0]), counts=held, budget=100, demand=held)
    assert np.exp(log_q).sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["unifrom", "level:", "level:nan", "tau:x", "demand:no-file"])
def test_an_unknown_target_is_refused(name):
    with pytest.raises(UsageError, match="target"):
        read_target(name, log_volumes=np.zeros(2), counts=np.ones(2, int), budget=10)


def test_uniform_by_volume_is_not_uniform_by_cell():
    log_q = read_target("uniform", log_volumes=np.log([1.0, 3.0]), counts=np.ones(2, int), budget=8)
    assert math.exp(log_q[1]) == pytest.approx(0.75)
