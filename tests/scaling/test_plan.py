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
        ),
    ),
    spread=0.05,
    residual=0.1,
    freedom=8,
    values=64,
    peak_ratio=IntervalEstimate(0.73, 0.68, 0.79),
    sizes=(6144, 24_576),
    budgets=(96_000, 384_000),
    errors={"power": 0.1, "softmin": 0.2},
)
BIG = {"params": 1e6, "tokens": 1e8}


@settings(max_examples=50)
@given(st.floats(1e4, 1e10), st.floats(1e6, 1e11), st.floats(1, 100), st.integers(1, 10**7))
def test_more_budget_and_more_size_never_teach_less(params: float, tokens: float, more: float, available: int) -> None:
    plan = plan_infusion(LAW, params=params, tokens=tokens)
    assert plan_infusion(LAW, params=params * more, tokens=tokens).taught >= plan.taught
    assert plan_infusion(LAW, params=params, tokens=tokens * more).taught >= plan.taught

    bounded = plan_infusion(LAW, params=params, tokens=tokens, available=available)
    assert bounded.taught == min(available, plan.taught)
    assert bounded.tokens <= tokens * (1 + 1e-9)
    assert bounded.exposures >= 1 - 1e-9


def test_the_figures_of_a_plan_fit_together() -> None:
    plan = plan_infusion(LAW, **BIG)

    assert plan.facts.low < plan.taught <= plan.facts.value < plan.facts.high
    assert plan.facts.value < plan.prediction.k50.value
    assert plan.taught * plan.exposures * 26 / 0.9 == pytest.approx(1e8)
    assert plan.epochs * plan.wordings == pytest.approx(plan.exposures)
    assert plan.samples * 4 == pytest.approx(plan.taught * plan.wordings, rel=0.01)


def test_a_small_corpus_needs_fewer_tokens_to_be_at_its_peak() -> None:
    whole = plan_infusion(LAW, **BIG)
    few = plan_infusion(LAW, **BIG, available=whole.taught // 4)

    assert few.tokens < whole.tokens / 4
    again = plan_infusion(LAW, params=1e6, tokens=few.tokens)
    assert again.taught == pytest.approx(few.taught, rel=0.01)


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="Give more tokens"):
        plan_infusion(LAW, params=1e6, tokens=10)
