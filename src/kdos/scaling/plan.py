"""The plan: how many facts to teach a model of some size with so many tokens, and how often each.

Facts up to the peak K* are taught; past it, every fact more costs more than it brings (our design). None is shown less
often than the facts of any model that we measured: where the law promises more facts, fewer are taught. Where a
corpus holds fewer, the fewest presentations whose peak they are will do.
"""

import math
from dataclasses import dataclass

import numpy as np

from kdos.errors import UsageError
from kdos.scaling.collapse import IntervalEstimate, interval_between
from kdos.scaling.law import SAME_FACTOR, Law, Prediction, predict_collapse

REPLAY_SHARE = 0.1
"""Share of tokens for what the model knew: 0.1 restored it in our pilot, 0.02 did not."""
TOKENS_PER_FACT = 26
"""Tokens that show one fact once: questions and answers of the demo have 88, and 3.4 facts."""
FACTS_PER_SAMPLE = 4
"""Facts that a sample links: it has three to five knowledge points."""
LEAST_EXPOSURES = 50
"""Exposures in training that no fact goes beneath: at their K*, the cells of the standard experiment show each 51 to
159 times and those of our pilot 71 to 221 times, fewer the larger the model. That fewer do was not seen."""
# Times that a fact stands in the dataset, at most: our proxies are shown three wordings of each. Epochs do the rest.
MOST_DATASET_EXPOSURES = 3
BISECTION_STEPS = 60


@dataclass(frozen=True, slots=True)
class InfusionPlan:
    """What to train a model on.

    `facts` are distinct facts, the best count with its interval; `available`, if it is known and less, is taken
    instead, and `taught` is the one that counts. Each is shown `exposures` times in training: it stands in the dataset
    `dataset_exposures` times (a run's `exposures`), of `samples` in all, for `epochs` epochs. `least_exposures` is
    what none goes beneath; `bounded_by_exposures` says that the law promised more facts than can be shown so often.
    `tokens` are those of the training, `replay_share` of them, in [0, 1], of what the model knew before. `prediction`
    is the collapse point behind it.
    """

    facts: IntervalEstimate
    available: int | None
    taught: int
    exposures: float
    least_exposures: float
    bounded_by_exposures: bool
    tokens: float
    replay_share: float
    samples: int
    dataset_exposures: int
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
    least_exposures: float = LEAST_EXPOSURES,
) -> InfusionPlan:
    """The plan for a model of `params` parameters and a budget of `tokens`.

    A law whose own cells show their facts less often than `least_exposures` at their K* lowers it to what they do.

    Raises:
        UsageError: The budget does not show a single fact `least_exposures` times; or the law does not reach so far.
    """
    least = min(least_exposures, law.fewest_exposures)
    most = tokens * (1 - replay_share) / tokens_per_fact
    if most < least:
        raise UsageError(
            f"The budget must show at least one fact {least:,.0f} times. {tokens:,.0f} tokens do not: that takes "
            f"{least * tokens_per_fact / (1 - replay_share):,.0f}. Give more tokens."
        )
    prediction = predict_collapse(law, params=params, presentations=most)
    best = _best_fact_count(law, prediction, most / least)
    taught, presentations = max(1, math.floor(best.value)), most
    if available is not None and available < taught:
        taught, presentations = available, _fewest_presentations(law, params, available, most, least)
    exposures = presentations / taught
    dataset_exposures = max(1, min(MOST_DATASET_EXPOSURES, math.floor(exposures)))
    return InfusionPlan(
        facts=best,
        available=available,
        taught=taught,
        exposures=exposures,
        least_exposures=least,
        bounded_by_exposures=prediction.k50.value * law.peak_ratio.value > most / least,
        tokens=presentations * tokens_per_fact / (1 - replay_share),
        replay_share=replay_share,
        samples=math.ceil(taught * dataset_exposures / facts_per_sample),
        dataset_exposures=dataset_exposures,
        epochs=exposures / dataset_exposures,
        prediction=prediction,
    )


def _best_fact_count(law: Law, prediction: Prediction, most: float) -> IntervalEstimate:
    """The peak K*, at most `most`: K50 times the ratio of the two, and the spreads of both."""
    k50, ratio = prediction.k50, law.peak_ratio
    log_facts = float(np.log(k50.value * ratio.value))
    if k50.low is None or k50.high is None or ratio.low is None or ratio.high is None:
        return interval_between(log_facts, None, most=most)
    below = np.hypot(np.log(k50.value / k50.low), np.log(ratio.value / ratio.low))
    above = np.hypot(np.log(k50.high / k50.value), np.log(ratio.high / ratio.value))
    return interval_between(log_facts, (log_facts - float(below), log_facts + float(above)), most=most)


def _fewest_presentations(law: Law, params: float, facts: int, most: float, least: float) -> float:
    """The fewest presentations whose peak holds `facts`, each shown `least` times, to be found up to `most`."""
    if law.budgets[1] <= law.budgets[0] * SAME_FACTOR:
        return most
    low, high = math.log(facts * least), math.log(most)
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        presentations = math.exp(middle)
        prediction = predict_collapse(law, params=params, presentations=presentations)
        held = _best_fact_count(law, prediction, presentations / least).value
        low, high = (middle, high) if held < facts else (low, middle)
    return math.exp(high)
