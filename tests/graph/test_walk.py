"""The compiled walks against a plain twin, their law, and what paths promise on any graph."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from kdos.arrays import Float64Array, Int64Array
from kdos.errors import UsageError
from kdos.graph import (
    PLAIN_WALK,
    Incidence,
    Paths,
    Transitions,
    WalkRules,
    as_target,
    build_transitions,
    incidence_from_lists,
    linked_seeds,
    long_chain,
    popularity_target,
    sample_paths,
    walk,
)
from kdos.graph.kernel import walk_many_paths

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Incidence, Float64Array]:
    """Any graph of up to 12 KPs, disconnected or with a hub in every sample, and a target."""
    n_kps = draw(st.integers(1, 12))
    kp = st.integers(0, n_kps - 1)
    lists = draw(st.lists(st.lists(kp, max_size=5), max_size=15))
    if draw(st.booleans()):
        lists = [[*kps, 0] for kps in lists]
    weights = draw(st.lists(st.integers(0, 9), min_size=n_kps, max_size=n_kps).filter(any))
    return incidence_from_lists(lists, n_kps=n_kps), as_target(weights)


def splitmix64(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Chance:
    """splitmix64 in Python's own integers."""

    def __init__(self, key: int, path: int, attempt: int) -> None:
        own = splitmix64((key + GOLDEN * (path + 1)) & MASK)
        self.state = splitmix64((own + GOLDEN * (attempt + 1)) & MASK)

    def unit(self) -> float:
        self.state = (self.state + GOLDEN) & MASK
        return (splitmix64(self.state) >> 12) / 2**52


def slow_step(
    kps: list[int],
    used: list[int],
    lists: list[list[int]],
    weights: Float64Array | None,
    chance: Chance,
    *,
    value: Float64Array,
    width: int,
) -> tuple[int, int] | None:
    """The sample and KP that a path goes on to."""
    here = kps[-1]
    own = [s for s, held in enumerate(lists) if here in held and len(held) > 1]
    own = own if weights is None else [s for s in own if weights[s] > 0]
    if not own:
        return None
    first, second = ([chance.unit() for _ in range(width)] for _ in range(2))
    found: list[tuple[int, int]] = []
    for one, two in zip(first, second, strict=True):
        sums = list(accumulate(np.ones(len(own)) if weights is None else weights[own]))
        sample = own[next(i for i, total in enumerate(sums) if total > one * sums[-1])]
        held = lists[sample]
        kp = held[int(two * (len(held) - 1))]
        found.append((sample, held[-1] if kp == here else kp))
    new = [kp not in kps and sample not in used for sample, kp in found]
    sums = list(accumulate(value[kp] if n else 0.0 for n, (_, kp) in zip(new, found, strict=True)))
    if sums[-1] == 0:
        return None
    ball = chance.unit() * sums[-1]
    return next(pair for pair, total in zip(found, sums, strict=True) if total > ball)


def slow_path(
    graph: Incidence,
    weights: Float64Array | None,
    value: Float64Array,
    start: int,
    number: int,
    key: int,
    *,
    length: int,
    rules: WalkRules,
) -> tuple[list[int], list[int], float]:
    """The best of the attempts at one path."""
    lists = [part.tolist() for part in np.split(graph.sample_kps, graph.sample_starts[1:-1])]
    ranked: list[tuple[int, float, int, list[int], list[int]]] = []
    for attempt in range(rules.attempts):
        chance, kps, used = Chance(key, number, attempt), [start], list[int]()
        while len(kps) < length and (
            step := slow_step(kps, used, lists, weights, chance, value=value, width=rules.candidates)
        ):
            used.append(step[0])
            kps.append(step[1])
        mean = sum(np.log(value[kps])) / len(kps)
        ranked.append((len(kps), mean, -attempt, kps, used))
    _, mean, _, kps, used = max(ranked)
    return kps, used, mean


def fast_paths(
    transitions: Transitions,
    value: Float64Array,
    starts: Sequence[int],
    *,
    length: int,
    rules: WalkRules,
    key: int = 5,
) -> Paths:
    n = len(starts)
    paths = Paths(np.empty((n, length), np.int32), np.empty((n, length - 1), np.int32), np.empty(n))
    walk_many_paths(
        transitions,
        value,
        np.log(value),
        np.array(starts, np.int32),
        np.uint64(key),
        (0, n),
        3,
        (rules.attempts, rules.candidates),
        paths.kps,
        paths.samples,
        paths.value,
    )
    return paths


def off_target(visits: Int64Array, target: Float64Array) -> float:
    return 0.5 * float(np.abs(visits / visits.sum() - target).sum())


@settings(deadline=None)
@given(
    graphs(),
    st.booleans(),
    st.sampled_from([PLAIN_WALK, WalkRules(1, 3, 1), WalkRules(2, 2, 3)]),
    st.integers(0, MASK),
)
def test_the_compiled_walk_is_the_plain_one(
    case: tuple[Incidence, Float64Array], weighted: bool, rules: WalkRules, key: int
) -> None:
    graph, target = case
    weights = np.arange(graph.n_samples) % 4 * 0.5 if weighted else None
    value = target + 0.01
    fast = fast_paths(
        build_transitions(graph, weights=weights), value, range(graph.n_kps), length=4, rules=rules, key=key
    )
    for row, start in enumerate(range(graph.n_kps)):
        kps, used, mean = slow_path(graph, weights, value, start, row + 3, key, length=4, rules=rules)
        assert [k for k in fast.kps[row].tolist() if k >= 0] == kps
        assert [s for s in fast.samples[row].tolist() if s >= 0] == used
        assert fast.value[row] == pytest.approx(mean)


@settings(deadline=None)
@given(graphs(), st.integers(0, 60), st.integers(1, 5), st.integers(0, 3))
def test_every_quota_is_met_and_every_link_is_witnessed(
    case: tuple[Incidence, Float64Array], count: int, length: int, random_seed: int
) -> None:
    graph, target = case
    paths = sample_paths(build_transitions(graph), target, count=count, length=length, random_seed=random_seed)

    assert (paths.visits(graph.n_kps) >= np.floor(count * target)).all()
    assert paths.visits(graph.n_kps)[target == 0].sum() == 0
    for kps, samples in zip(paths.kps.tolist(), paths.samples.tolist(), strict=True):
        held = [k for k in kps if k >= 0]
        used = [s for s in samples if s >= 0]
        assert kps == held + [-1] * (length - len(held))
        assert samples == used + [-1] * (length - 1 - len(used))
        assert len(held) == len(used) + 1
        assert len(set(held)) == len(held)
        assert len(set(used)) == len(used)
        for (a, b), sample in zip(pairwise(held), used, strict=True):
            row = graph.sample_kps[graph.sample_starts[sample] : graph.sample_starts[sample + 1]]
            assert {a, b} <= set(row.tolist())


@settings(deadline=None)
@given(graphs(), st.integers(0, 60), st.data())
def test_strata_start_their_exact_share(case: tuple[Incidence, Float64Array], count: int, data: st.DataObject) -> None:
    graph, target = case
    labels = st.lists(st.integers(0, 3), min_size=graph.n_kps, max_size=graph.n_kps)
    strata = np.array(data.draw(labels))
    paths = sample_paths(build_transitions(graph), target, count=count, length=2, random_seed=1, strata=strata)
    share = np.bincount(strata, weights=target, minlength=4)

    starts = np.bincount(strata[paths.kps[:, 0]], minlength=4)
    assert (np.abs(starts - count * share) < 1 + 1e-9).all()
    assert (paths.visits(graph.n_kps) >= np.floor(count * target)).all()


def test_threads_change_nothing(topical: Incidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_SERIAL_PATHS", 7)
    target, transitions = popularity_target(topical.popularity), build_transitions(topical)
    most = numba.get_num_threads()
    found: list[Paths] = []
    for threads in range(1, min(most, 3) + 1):
        numba.set_num_threads(threads)
        found.append(sample_paths(transitions, target, count=2000, length=4, random_seed=3))
    numba.set_num_threads(most)
    monkeypatch.setattr(walk, "MOST_SERIAL_PATHS", 10**9)
    found.append(sample_paths(transitions, target, count=2000, length=4, random_seed=3))

    for other in found[1:]:
        assert found[0].kps.tobytes() == other.kps.tobytes()
        assert found[0].samples.tobytes() == other.samples.tobytes()
        assert found[0].value.tobytes() == other.value.tobytes()


def test_seeds_and_numbers_of_paths_change_everything(topical: Incidence) -> None:
    target, transitions = popularity_target(topical.popularity), build_transitions(topical)
    some = [
        sample_paths(transitions, target, count=100, length=3, random_seed=seed, first=first).kps
        for seed, first in ((1, 0), (2, 0), (1, 100))
    ]
    assert all((a == b).all(axis=1).mean() < 0.1 for a, b in ((some[0], some[1]), some[::2]))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_plain_walk_follows_its_law(weighted: bool) -> None:
    lists = [[0, 1], [0, 1, 2], [0, 2, 3, 4], [0, 5], [0, 5], [1, 2], [0]]
    graph = incidence_from_lists(lists, n_kps=6)
    weights = np.array([1.0, 3, 0.5, 2, 0, 7, 1]) if weighted else np.ones(7)
    law = np.zeros(6)
    for kps, w in zip(lists, weights, strict=True):
        if 0 in kps and len(kps) > 1:
            law[[k for k in kps if k]] += w / (len(kps) - 1)
    transitions = build_transitions(graph, weights=weights if weighted else None)
    found = fast_paths(transitions, np.ones(6), [0] * 40_000, length=2, rules=PLAIN_WALK).kps[:, 1]

    observed = np.bincount(found, minlength=6)[law > 0]
    assert chisquare(observed, 40_000 * law[law > 0] / law.sum()).pvalue > 1e-4


def test_paths_come_nearer_to_the_target_than_the_plain_walk(topical: Incidence) -> None:
    transitions, target = build_transitions(topical), popularity_target(topical.popularity)
    popular = topical.popularity / topical.popularity.sum()
    plain = sample_paths(transitions, popular, count=4000, length=4, random_seed=1, rules=PLAIN_WALK)
    paths = sample_paths(transitions, target, count=4000, length=4, random_seed=1)
    before, after = plain.visits(topical.n_kps), paths.visits(topical.n_kps)

    assert off_target(before, target) > 0.2
    assert off_target(after, target) < 0.07
    held = topical.popularity > 0
    assert (before[held] > 0).mean() < 0.95 < 0.99 <= (after[held] > 0).mean()


def test_what_was_seen_before_is_passed_by(topical: Incidence) -> None:
    target = popularity_target(topical.popularity)
    before = np.where(np.arange(topical.n_kps) < 1000, 8 * 2000 * target, 0)
    paths = sample_paths(build_transitions(topical), target, count=2000, length=4, random_seed=1, exposures=before)
    assert paths.visits(topical.n_kps)[:1000].sum() < 0.2 * (paths.kps >= 0).sum()


def exact_law(graph: Incidence, target: Float64Array) -> Float64Array:
    """The stationary law of the chain at alpha = 0, from its transition matrix."""
    n, transitions = graph.n_kps, build_transitions(graph)
    walk = np.zeros((n, n))
    for row in np.split(graph.sample_kps, graph.sample_starts[1:-1]):
        for a in row:
            for b in row[row != a]:
                walk[a, b] += 1 / (len(row) - 1) / transitions.strength[a]
    odds = (target * transitions.strength[:, None]) / (target[:, None] * transitions.strength)
    moves = walk * np.minimum(1, odds.T.T)
    moves += np.diag(1 - moves.sum(axis=1))
    system = np.vstack([moves.T - np.eye(n), np.ones(n)])
    return np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]


def test_the_long_chain_comes_to_its_exact_law_faster_with_alpha() -> None:
    rng = np.random.default_rng(3)
    lists = [[k, k + 1] for k in range(39)] + [rng.integers(0, 40, 4).tolist() for _ in range(60)]
    graph = incidence_from_lists(lists, n_kps=40)
    target = popularity_target(graph.popularity, beta=0.0)
    law = exact_law(graph, target)
    np.testing.assert_allclose(law, target, atol=1e-10)

    tv = [
        np.mean(
            [
                off_target(
                    long_chain(
                        build_transitions(graph), target, steps=20_000, start=0, alpha=alpha, random_seed=seed
                    ).visits,
                    law,
                )
                for seed in range(8)
            ]
        )
        for alpha in (0.0, 1.0, 5.0)
    ]
    assert tv[0] > 1.2 * tv[1] > 1.2 * 1.2 * tv[2]
    assert tv[2] < 0.02


def test_the_long_chain_keeps_count_and_goes_by_weight() -> None:
    graph = incidence_from_lists([[0, 1], [1, 2], [0, 2], [3, 4]], n_kps=5)
    target = as_target([4, 2, 1, 0, 3])
    chain = long_chain(
        build_transitions(graph, weights=np.array([5.0, 1.0, 1.0, 1.0])),
        target,
        steps=30_000,
        start=1,
        alpha=2.0,
        random_seed=2,
    )

    assert chain.visits.sum() == 30_000
    assert 0 < chain.moves < 30_000
    np.testing.assert_allclose(chain.visits[:3] / 30_000, [4 / 7, 2 / 7, 1 / 7], atol=0.01)
    assert chain.visits[3:].sum() == 0


def test_seeds_are_the_witnesses_or_the_lone_ones_own() -> None:
    graph = incidence_from_lists([[0, 1], [2], [2]], n_kps=4)
    paths = sample_paths(build_transitions(graph), as_target([1, 1, 4, 1]), count=40, length=3, random_seed=1)
    seeds = linked_seeds(paths, graph)

    assert len(seeds) == 40
    assert {pick.samples for pick in seeds if pick.kps in {(0, 1), (1, 0)}} == {(0,)}
    assert {pick.samples for pick in seeds if pick.kps == (2,)} == {(1,), (2,)}
    assert {pick.samples for pick in seeds if pick.kps == (3,)} == {()}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"count": -1}, "count"),
        ({"length": 0}, "length"),
        ({"target": np.ones(3)}, "as_target"),
        ({"target": np.ones(2) / 2}, "3 KPs"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, object], says: str) -> None:
    transitions = build_transitions(incidence_from_lists([[0, 1, 2]], n_kps=3))
    given_ = {"target": np.ones(3) / 3, "count": 1, "length": 2, "random_seed": 1, **wrong}
    with pytest.raises(UsageError, match=says):
        sample_paths(transitions, **given_)


def test_wrong_rules_and_starts_are_named() -> None:
    transitions = build_transitions(incidence_from_lists([[0, 1], [2]], n_kps=3))
    for rules in ({"alpha": -1}, {"candidates": 0}, {"attempts": 0}):
        with pytest.raises(UsageError, match="at least 1"):
            WalkRules(**rules)
    with pytest.raises(UsageError, match="`start`"):
        long_chain(transitions, np.ones(3) / 3, steps=1, start=2, alpha=1, random_seed=1)
