from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdos.errors import UsageError
from kdos.scaling import FittedForm, IntervalEstimate, Law, plan_infusion

LAW = Law(
    (
        FittedForm(
            "power",
            parameters=np.array([7.1, 0.6, 0.65]),
            draws=np.array([[7.1, 0.6, 0.65], [7.2, 0.61, 0.64], [7.0, 0.59, 0.66]]),
            averaged=True,
        ),
    ),
    spread=0.05,
    residual=0.1,
    freedom=8,
    values=64,
    bits_per_fact=6,
    measured_bits=0.5,
    fewest_exposures=80,
    peak_ratio=IntervalEstimate(0.73, 0.68, 0.79),
    sizes=(6144, 24_576),
    budgets=(96_000, 384_000),
    errors={"power": 0.1, "softmin": 0.2},
)
BIG = {"params": 1e5, "tokens": 1e8}


@settings(max_examples=50)
@given(st.floats(1e4, 1e10), st.floats(1e5, 1e11), st.floats(1, 100), st.integers(1, 10**7))
def test_more_budget_and_more_size_never_teach_less(params: float, tokens: float, more: float, available: int) -> None:
    plan = plan_infusion(LAW, params=params, tokens=tokens)
    assert plan_infusion(LAW, params=params * more, tokens=tokens).taught >= plan.taught
    assert plan_infusion(LAW, params=params, tokens=tokens * more).taught >= plan.taught

    bounded = plan_infusion(LAW, params=params, tokens=tokens, available=available)
    assert bounded.taught == min(available, plan.taught)
    assert bounded.tokens <= tokens * (1 + 1e-9)
    assert bounded.exposures >= bounded.least_exposures * (1 - 1e-9)


def test_the_figures_of_a_plan_fit_together() -> None:
    plan = plan_infusion(LAW, **BIG)

    assert plan.facts.low < plan.taught <= plan.facts.value < plan.facts.high
    assert plan.exposures > plan.least_exposures == 50
    assert not plan.bounded_by_exposures
    assert plan.facts.value < plan.prediction.k50.value
    assert plan.taught * plan.exposures * 26 / 0.9 == pytest.approx(1e8)
    assert plan.epochs * plan.dataset_exposures == pytest.approx(plan.exposures)
    assert plan.samples * 4 == pytest.approx(plan.taught * plan.dataset_exposures, rel=0.01)


def test_a_small_corpus_needs_fewer_tokens_to_be_at_its_peak() -> None:
    whole = plan_infusion(LAW, **BIG)
    few = plan_infusion(LAW, **BIG, available=whole.taught // 4)

    assert few.tokens < whole.tokens / 4
    again = plan_infusion(LAW, params=1e5, tokens=few.tokens)
    assert again.taught == pytest.approx(few.taught, rel=0.01)


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="Give more tokens"):
        plan_infusion(LAW, params=1e6, tokens=10)


def test_no_fact_is_shown_less_often_than_the_least() -> None:
    plan = plan_infusion(LAW, params=1e9, tokens=1e8)

    assert plan.bounded_by_exposures
    assert plan.exposures == pytest.approx(50, rel=1e-3)
    assert plan.taught == int(1e8 * 0.9 / 26 / 50)
    assert plan.facts.high == plan.facts.value
    assert plan.facts.low < plan.facts.value / 3, "a bound is not a point"
    assert plan_infusion(LAW, params=1e9, tokens=1e8, least_exposures=10).exposures == pytest.approx(10, rel=1e-3)
    seen = plan_infusion(replace(LAW, fewest_exposures=20), params=1e9, tokens=1e8)
    assert seen.least_exposures == 20, "a law whose own cells had fewer knows what they do"


def test_one_random_seed_plans_without_an_interval() -> None:
    plan = plan_infusion(replace(LAW, freedom=0, peak_ratio=IntervalEstimate(0.73, None, None)), **BIG)

    assert (plan.facts.low, plan.facts.high) == (None, None)
    assert plan.taught == plan_infusion(LAW, **BIG).taught


def test_one_budget_spends_all_of_it_on_a_small_corpus() -> None:
    law = replace(LAW, budgets=(3_461_538, 3_461_538))
    assert plan_infusion(law, **BIG, available=100).tokens == pytest.approx(1e8)
