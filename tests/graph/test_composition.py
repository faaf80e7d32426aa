import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.errors import UsageError
from kdos.graph import (
    Incidence,
    build_transitions,
    discipline_memberships,
    incidence_from_lists,
    popularity_target,
    quota_target,
    rake_samples,
    rake_table,
    realised_matrix,
    request_mix,
    sample_paths,
)

WANTED = np.array([0.1, 0.2, 0.3, 0.25, 0.15])


def too_easy(requested: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A drafter whose questions come out one level too easy 40 % of the time."""
    return np.maximum(requested - (rng.random(len(requested)) < 0.4), 0)


def count_pairs(asked: np.ndarray, came: np.ndarray, *, n_levels: int) -> np.ndarray:
    counts = np.zeros((n_levels, n_levels), np.int64)
    np.add.at(counts, (asked, came), 1)
    return counts


def test_the_realised_mix_comes_to_the_target() -> None:
    rng = np.random.default_rng(1)
    asked = rng.integers(0, 5, 1000)
    matrix = realised_matrix(count_pairs(asked, too_easy(asked, rng), n_levels=5))
    mix = request_mix(matrix, WANTED)
    came = too_easy(rng.choice(5, 20_000, p=mix.requests), rng)
    realised = np.bincount(came, minlength=5) / 20_000
    naive = np.bincount(too_easy(rng.choice(5, 20_000, p=WANTED), rng), minlength=5) / 20_000

    assert 0.5 * np.abs(realised - WANTED).sum() <= 0.03
    assert 0.5 * np.abs(naive - WANTED).sum() > 0.05
    assert mix.tv < 0.01


def test_a_mix_that_cannot_be_reached_says_so() -> None:
    never_hard = np.array([[1.0, 0], [1, 0]])
    mix = request_mix(never_hard, [0.5, 0.5])

    assert mix.tv == pytest.approx(0.5)
    assert mix.expected.tolist() == pytest.approx([1, 0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_rows_of_the_matrix_are_shares(pairs: list[tuple[int, int]]) -> None:
    asked, came = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    matrix = realised_matrix(count_pairs(asked, came, n_levels=4))

    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert (np.diag(matrix) > 0).all()
    np.testing.assert_allclose(realised_matrix(np.zeros((4, 4), np.int64)), np.eye(4))


def test_a_table_is_raked_to_its_margins_and_keeps_its_zeros() -> None:
    table = rake_table(np.array([[1.0, 1, 0], [1, 1, 1]]), rows=[3, 1], columns=[0.5, 0.3, 0.2])

    np.testing.assert_allclose(table.sum(axis=0), [0.5, 0.3, 0.2], atol=1e-6)
    np.testing.assert_allclose(table.sum(axis=1), [0.75, 0.25], atol=1e-6)
    assert table[0, 2] == 0


def test_membership_is_the_share_of_samples() -> None:
    graph = incidence_from_lists([[0, 1], [0], [0, 1], [2]], n_kps=4)
    found = discipline_memberships(graph, np.array([0, 0, 1, 1]), n_disciplines=2)

    np.testing.assert_allclose(found, [[2 / 3, 1 / 3], [0.5, 0.5], [0, 1], [0.5, 0.5]])


def test_quotas_hold_and_proportions_inside_a_discipline_stay() -> None:
    target = np.array([0.1, 0.3, 0.6])
    membership = np.array([[1.0, 0], [1, 0], [0, 1]])

    assert quota_target(target, membership, [1, 1]).tolist() == pytest.approx([0.125, 0.375, 0.5])


def test_a_quota_for_an_empty_discipline_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\[1\] hold none"):
        quota_target(np.ones(2) / 2, np.array([[1.0, 0], [1, 0]]), [1, 1])


def test_visits_keep_discipline_quotas_within_five_percent(topical: Incidence) -> None:
    labels = np.arange(topical.n_kps) // 100
    quotas = np.where(np.arange(20) < 5, 2.0, 1.0) / 25
    target = quota_target(popularity_target(topical.popularity), np.eye(20)[labels], quotas)
    paths = sample_paths(build_transitions(topical), target, count=20_000, length=4, random_seed=1, strata=labels)
    visits = np.bincount(labels, weights=paths.visits(topical.n_kps))
    starts = np.bincount(labels[paths.kps[:, 0]])

    np.testing.assert_allclose(visits / visits.sum(), quotas, rtol=0.05)
    assert starts.tolist() == (20_000 * quotas).round().astype(int).tolist()


@settings(deadline=None)
@given(st.lists(st.floats(0.5, 2), min_size=3, max_size=3), st.integers(0, 99))
def test_raking_meets_both_margins(shares: list[float], random_seed: int) -> None:
    rng = np.random.default_rng(random_seed)
    rows = np.concatenate([np.repeat(np.arange(3), 2), rng.integers(0, 3, 200)])
    columns = np.concatenate([np.tile(np.arange(2), 3), rng.integers(0, 2, 200)])
    found = rake_samples(rows, columns, discipline_shares=shares, level_shares=[2, 1], cap=1e9)

    assert found.error < 1e-9
    assert found.weights.mean() == pytest.approx(1)
    by_row = np.bincount(rows, weights=found.weights) / found.weights.sum()
    np.testing.assert_allclose(by_row, np.array(shares) / sum(shares), atol=1e-9)
    by_column = np.bincount(columns, weights=found.weights) / found.weights.sum()
    np.testing.assert_allclose(by_column, [2 / 3, 1 / 3], atol=1e-9)
    assert 0 < found.effective <= 1


def test_a_cap_binds_and_says_what_is_left() -> None:
    rows, columns = np.array([0] * 99 + [1]), np.array([0, 1] * 50)
    found = rake_samples(rows, columns, discipline_shares=[1, 1], level_shares=[1, 1], cap=10.0)

    assert found.weights.max() <= 10 + 1e-6
    assert 0.3 < found.error < 0.5


def test_weights_of_raking_steer_the_walk() -> None:
    graph = incidence_from_lists([[0, 1], [0, 2]], n_kps=3)
    weights = rake_samples(np.array([0, 1]), np.array([0, 0]), discipline_shares=[9, 1], level_shares=[1]).weights

    assert build_transitions(graph, weights=weights).strength.tolist() == pytest.approx([2, 1.8, 0.2])
