import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from kdos.arrays import Float64Array
from kdos.scaling import RetentionRuns, ShareRelation, measure_retention, predict_replay_share
from kdos.scaling.retention import find_crossings, fit_isotonic

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
SIZES = (6144, 13_824, 24_576, 55_296)
LOADS = (1 / 12, 1 / 4, 3 / 4)
BUDGET = 48_000


def k50_of(params: int) -> float:
    return 1200 * (params / 6144) ** 0.4


def planted_runs(
    params: int,
    needed: dict[int, float],
    *,
    rng: np.random.Generator,
    shares: tuple[float, ...] = SHARES,
    seeds: int = 4,
    base: int = 200,
    noise: float = 1.0,
) -> RetentionRuns:
    """Runs whose retention rises with the log odds of the share and is 0.95 at `needed`, by facts."""
    rows = []
    for seed in range(seeds):
        shift = noise * rng.normal(0, 0.15)
        for facts, share in needed.items():
            for tried in shares:
                off = logit(tried) - logit(share) + shift + noise * rng.normal(0, 0.1) if tried else -4.0
                rows.append((facts, tried, rng.binomial(base, expit(2 * off + logit(0.95))) / base, seed))
    facts, tried, kept, seed = map(np.array, zip(*rows, strict=True))
    return RetentionRuns("continued", params, BUDGET, base, facts, tried, np.ones(len(kept)), kept, seed)


def law_share(load: float, params: int, *, facts: float = 0.9, size: float = -0.2) -> float:
    return float(expit(-1.2 + facts * np.log(load) + size * np.log(params / 1e4)))


def lawful_runs(sizes: tuple[int, ...], *, rng: np.random.Generator, **law: float) -> list[RetentionRuns]:
    runs = []
    for params in sizes:
        needed = {round(load * k50_of(params)): law_share(load, params, **law) for load in LOADS}
        runs.append(planted_runs(params, needed, rng=rng, noise=0.5))
    return runs


K50 = {(params, BUDGET): k50_of(params) for params in SIZES}


@given(st.lists(st.floats(0, 2), min_size=1, max_size=7))
def test_isotonic_curves_are_those_of_pooling_adjacent_violators(values: list[float]) -> None:
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    slow = [float(np.mean(block)) for block in blocks for _ in block]

    np.testing.assert_allclose(fit_isotonic(np.array([values]))[0], slow, atol=1e-9)


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        ((0.1, 0.5, 0.90, 0.975), 2.0 + (logit(0.95) - logit(0.9)) / (logit(0.975) - logit(0.9))),
        ((0.1, 0.5, 0.90, 0.949), np.inf),
        ((0.95, 0.97, 0.99, 1.0), -np.inf),
        ((0.96, 0.5, 0.9, 0.949), np.inf),
        ((0.1, 0.97, 0.92, 1.02), 1.0),
    ],
)
def test_a_crossing_lies_between_levels_or_nowhere(kept: tuple[float, ...], wanted: float) -> None:
    # In the last row 0.97 and 0.92 are pooled to 0.945, so the crossing lies after them.
    (found,) = find_crossings(np.arange(4.0), np.array([kept]))
    if wanted == 1.0:
        assert 2 < found < 3
    else:
        assert found == pytest.approx(wanted)


def test_a_share_between_none_and_the_least_is_not_looked_up() -> None:
    (found,) = find_crossings(np.array([-np.inf, -4.0, -3.0]), np.array([[0.5, 0.98, 1.0]]))
    assert found == -np.inf


def test_intervals_hold_the_planted_share() -> None:
    inside, misses = [], []
    for draw in range(100):
        rng = np.random.default_rng(draw)
        share = float(expit(rng.uniform(logit(0.05), logit(0.2))))
        runs = planted_runs(6144, {100: share}, rng=rng)
        found = measure_retention([runs], k50={}, rng=rng, draws=200).needed[0].share
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        inside.append(found.low <= share <= found.high)
        misses.append(logit(found.value) - logit(share))

    assert 0.82 <= np.mean(inside) <= 0.98
    assert abs(np.mean(misses)) < 0.05


def test_what_lies_beyond_the_shares_measured_is_told_as_a_bound() -> None:
    rng = np.random.default_rng(0)
    runs = planted_runs(6144, {100: 0.002, 300: 0.1, 900: 0.8}, rng=rng, noise=0.0)
    below, between, above = (one.share for one in measure_retention([runs], k50={}, rng=rng).needed)

    assert (below.value, below.beyond, below.least) == (None, "below", 0.02)
    assert (above.value, above.beyond, above.most) == (None, "above", 0.4)
    assert between.value == pytest.approx(0.1, rel=0.1)


def test_the_onset_of_loss_moves_up_with_the_share() -> None:
    rng = np.random.default_rng(1)
    counts = (50, 100, 200, 400, 800)
    runs = planted_runs(6144, {count: law_share(count / 1200, 6144) for count in counts}, rng=rng, noise=0.0)
    onsets = {one.share: one.facts for one in measure_retention([runs], k50=K50, rng=rng).onsets}

    assert onsets[0.0].beyond == "below"
    found = [onsets[share].value for share in (0.05, 0.1)]
    assert None not in found
    assert found == sorted(found)
    for share, onset in zip((0.05, 0.1), found, strict=True):
        assert law_share(onset / 1200, 6144) == pytest.approx(share, rel=0.2)


def test_one_random_seed_gives_no_interval() -> None:
    rng = np.random.default_rng(0)
    found = measure_retention([planted_runs(6144, {100: 0.1}, rng=rng, seeds=1)], k50={}, rng=rng).needed[0]

    assert found.seeds == 1
    assert found.share.value is not None
    assert (found.share.low, found.share.high) == (None, None)


def test_a_planted_relation_is_found_and_foretells_the_largest_size() -> None:
    rng = np.random.default_rng(2)
    found = measure_retention(lawful_runs(SIZES, rng=rng), k50=K50, rng=rng)

    assert found.relation is not None
    np.testing.assert_allclose(found.relation.parameters, (-1.2, 0.9, -0.2), atol=0.2)
    assert found.relation.residual < found.one_share_error
    assert len(found.held_out) == 3
    assert all(one.inside for one in found.held_out)
    share = predict_replay_share(found.relation, params=30_000, load=0.7)
    assert share.low < law_share(0.7, 30_000) < share.high
    assert (share.size_factor, share.load_factor) == (1, 1)


def test_a_share_that_is_the_same_everywhere_carries_no_relation() -> None:
    rng = np.random.default_rng(3)
    found = measure_retention(lawful_runs(SIZES, rng=rng, facts=0.0, size=0.0), k50=K50, rng=rng)

    assert found.relation is None
    assert found.reason is not None
    assert "one share for all" in found.reason


@pytest.mark.parametrize(
    ("sizes", "k50", "reason"),
    [(SIZES[:2], K50, "3 sizes are needed, and there are 2"), (SIZES, {}, "K50 was not measured from scratch")],
)
def test_what_is_lacking_for_a_relation_is_named(
    sizes: tuple[int, ...], k50: dict[tuple[int, int], float], reason: str
) -> None:
    rng = np.random.default_rng(4)
    found = measure_retention(lawful_runs(sizes, rng=rng), k50=k50, rng=rng)

    assert found.relation is None
    assert found.held_out_error is None
    assert reason in str(found.reason)


RELATION = ShareRelation(
    (-1.2, 0.9, -0.2),
    ((0.01, 0.0, 0.0), (0.0, 0.01, 0.0), (0.0, 0.0, 0.01)),
    0.2,
    9,
    (6144, 55_296),
    (0.08, 0.75),
    (0.1, 0.2),
)


@pytest.mark.parametrize(("params", "nearest"), [(7e9, 55_296), (55_296, 55_296), (1000, 1000)])
def test_beyond_the_sizes_measured_a_share_does_not_fall(params: float, nearest: int) -> None:
    share = predict_replay_share(RELATION, params=params, load=0.7)

    assert share.value == pytest.approx(law_share(0.7, nearest))
    assert 0 < share.low <= law_share(0.7, int(params)) <= share.value < share.high < 1
    assert share.size_factor == pytest.approx(max(1, params / 55_296, 6144 / params))


def test_a_load_beyond_those_measured_is_told() -> None:
    assert predict_replay_share(RELATION, params=1e4, load=1.5).load_factor == 2


def test_a_base_that_was_never_held_is_known() -> None:
    rng = np.random.default_rng(0)
    runs = planted_runs(6144, {100: 0.1}, rng=rng)
    unknown: Float64Array = np.full(len(runs.before), 0.5)

    assert runs.was_held
    assert not RetentionRuns(
        "continued", 6144, BUDGET, 200, runs.facts, runs.share, unknown, runs.after, runs.random_seed
    ).was_held
