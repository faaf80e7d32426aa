from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from kdos.errors import InputError
from kdos.train.facts import Triple
from kdos.train.pools import (
    COVERAGES,
    DENSITY_LEVELS,
    PoolSamples,
    Universe,
    askable_triple,
    count_exposures,
    cover_greedily,
    deal_by_density,
    deal_without_repeats,
    mean_log10_density,
    read_universe,
    without_repeats,
)

N_FACTS = 400
WORDS = ("red", "blue", "green", "black", "white")


def sentence(number: int) -> str:
    return f"The parameter `p{number}` of `m{number % 7}.f{number}` has the default value `{WORDS[number % 5]}`."


def triple(number: int) -> Triple:
    found = askable_triple(sentence(number))
    assert found is not None
    return found


def universe() -> Universe:
    facts = tuple(triple(number) for number in range(N_FACTS))
    return Universe(facts, np.linspace(-1, 2, N_FACTS), source_points=N_FACTS, left_out={})


def pool(*points: list[int]) -> PoolSamples:
    return PoolSamples(
        [f"What about {' and '.join(map(str, each))}?" for each in points],
        answers=["that"] * len(points),
        points=[[sentence(number) for number in each] for each in points],
        calls=np.arange(1, len(points) + 1),
    )


def test_a_sentence_is_read_as_a_fact() -> None:
    assert triple(3) == Triple("p3 m3.f3", triple(4).relation, "black")
    assert askable_triple("Nobody knows.") is None


def test_a_pool_shows_what_its_samples_hold_and_what_no_fact_says_counts_for_nothing() -> None:
    shown = pool([1, 2, 3], [3, 4], [900])
    shown.points[1].append("Nobody knows.")
    counts = count_exposures(universe(), shown)
    assert {row: int(counts[row]) for row in np.flatnonzero(counts)} == {1: 1, 2: 1, 3: 2, 4: 1}


def test_pools_are_cut_at_equal_calls() -> None:
    assert pool([1], [2], [3]).cut_at(2).points == [[sentence(1)], [sentence(2)]]
    assert pool([1], [2]).cut_at(0).questions == []


def test_the_greedy_cover_takes_what_holds_most_that_is_new() -> None:
    drafts = pool([1, 2], [1, 2, 3, 4], [3, 4], [5, 6, 7], [1, 5, 6, 8])
    chosen = cover_greedily(drafts, 3)
    assert [set(each) for each in chosen.points] == [
        {sentence(n) for n in group} for group in ([1, 2, 3, 4], [5, 6, 7], [1, 5, 6, 8])
    ]
    assert len(cover_greedily(drafts, 9).points) == 5


def test_repeated_questions_are_dropped_and_the_first_stays() -> None:
    drafts = pool([1, 2], [3, 4], [1, 2])
    assert without_repeats(drafts).calls.tolist() == [1, 2]


def test_an_oracle_shows_as_much_without_a_repeat_that_can_be_helped() -> None:
    exposures = np.array([5, 0, 0, 0, 1, 0])
    dealt = deal_without_repeats(exposures, np.random.default_rng(0))
    assert dealt.tolist() == [1] * 6
    dealt = deal_without_repeats(np.array([3, 0, 0, 0, 0, 0]), np.random.default_rng(0))
    assert sorted(dealt.tolist()) == [0, 0, 0, 1, 1, 1]


def test_dealt_pools_differ_in_density_at_equal_coverage_and_the_other_way_round() -> None:
    known = universe()
    dealt = {(one.level, one.coverage): one.shown for one in deal_by_density(known, np.random.default_rng(0))}
    assert len(dealt) == len(COVERAGES) * len(DENSITY_LEVELS)
    for coverage in COVERAGES:
        shown = [dealt[level, coverage] for level in ("thin", "any", "dense")]
        assert {each.sum() for each in shown} == {round(coverage * N_FACTS)}
        levels = [mean_log10_density(known, each.astype(np.int64)) for each in shown]
        assert levels == sorted(levels)
        assert levels[-1] - levels[0] > 1.5
    assert np.isnan(mean_log10_density(known, np.zeros(N_FACTS, np.int64)))


def test_a_folder_without_a_run_has_no_universe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be the folder of a finished run"):
        read_universe(tmp_path, most=10, random_seed=0)
