"""The plan: how many facts to teach a model of some size with so many tokens, and how often each.

Facts up to the peak K* are taught; past it, every fact more costs more than it brings (our
design). Where a corpus holds fewer, the fewest presentations whose peak they are will do.
"""

import math
from dataclasses import dataclass

import numpy as np

from kdos.errors import UsageError
from kdos.scaling.collapse import IntervalEstimate, interval_around
from kdos.scaling.law import Law, Prediction, predict_collapse

REPLAY_SHARE = 0.1
"""Share of tokens for what the model knew: 0.1 restored it in our pilot, 0.02 did not."""
TOKENS_PER_FACT = 26
"""Tokens that show one fact once: questions and answers of the demo have 88, and 3.4 facts."""
FACTS_PER_SAMPLE = 4
"""Facts that a sample links: it has three to five knowledge points."""
# Samples that a fact stands in, at most: our proxies are shown three wordings of each.
MOST_WORDINGS = 3
BISECTION_STEPS = 60


@dataclass(frozen=True, slots=True)
class InfusionPlan:
    """What to train a model on.

    `facts` are distinct facts, the best count with its interval; `available`, if it is known and
    less, is taken instead, and `taught` is the one that counts. Each is shown `exposures` times:
    the dataset's `samples` hold it in `wordings` samples, for `epochs` epochs. `tokens` are those of the training,
    `replay_share` of them, in [0, 1], of what the model knew before. `prediction` is the collapse point behind it.
    """

    facts: IntervalEstimate
    available: int | None
    taught: int
    exposures: float
    tokens: float
    replay_share: float
    samples: int
    wordings: int
    epochs: float
    prediction: Prediction


def plan_infusion(
    law: Law,
    *,
    params: float,
    tokens: float,
    available: int | None = None,
    tokens_per_fact: float = TOKENS_PER_FACT,
    facts_per_sample: float = FACTS_PER_SAMPLE,
    replay_share: float = REPLAY_SHARE,
) -> InfusionPlan:
    """The plan for a model of `params` parameters and a budget of `tokens`.

    Raises:
        UsageError: The budget does not show a single fact once.
    """
    most = tokens * (1 - replay_share) / tokens_per_fact
    if most < 1:
        raise UsageError(
            f"The budget must show at least one fact. {tokens:,.0f} tokens do not: one takes "
            f"{tokens_per_fact / (1 - replay_share):,.1f}. Give more tokens."
        )
    best = _best_fact_count(law, params, most)
    taught, presentations = max(1, math.floor(best.value)), most
    if available is not None and available < taught:
        taught, presentations = available, _fewest_presentations(law, params, available, most)
    exposures = presentations / taught
    wordings = max(1, min(MOST_WORDINGS, math.floor(exposures)))
    return InfusionPlan(
        facts=best,
        available=available,
        taught=taught,
        exposures=exposures,
        tokens=presentations * tokens_per_fact / (1 - replay_share),
        replay_share=replay_share,
        samples=math.ceil(taught * wordings / facts_per_sample),
        wordings=wordings,
        epochs=exposures / wordings,
        prediction=predict_collapse(law, params=params, presentations=presentations),
    )


def _best_fact_count(law: Law, params: float, presentations: float) -> IntervalEstimate:
    """The peak K*: K50 times the ratio of the two, and the spreads of both."""
    k50 = predict_collapse(law, params=params, presentations=presentations).k50
    reach = np.hypot(*(np.log(one.high / one.low) / 2 for one in (k50, law.peak_ratio)))
    most = min(k50.value * law.peak_ratio.value, presentations)
    return interval_around(float(np.log(most)), float(reach))


def _fewest_presentations(law: Law, params: float, facts: int, most: float) -> float:
    """The fewest presentations whose peak holds `facts`, to be found up to `most`."""
    low, high = math.log(facts), math.log(max(most, facts))
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        held = _best_fact_count(law, params, math.exp(middle)).value
        low, high = (middle, high) if held < facts else (low, middle)
    return math.exp(high)
