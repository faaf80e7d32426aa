"""Pupils, what each of them is shown and when, and what they remember of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.chance import generator
from kdos.train.ensemble import Ensemble
from kdos.train.facts import WORDINGS, FactWorld, fact_tokens, held_out_wordings

FACTS_PER_STEP = 128
"""Facts that one step shows a model; from our pilot."""
CHOICE_OPTIONS = 4
ChanceKey = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """A model to be: whose chance it has, the world it lives in, and what it is shown.

    `lessons` has a row of facts for each phase, in the order of showing, shape (presentations,).
    """

    key: ChanceKey
    world: FactWorld
    schedule: tuple[Int64Array, ...]


@dataclass(frozen=True, slots=True)
class FactRecall:
    """What a model knows of some facts; row i of every array, shape (n_facts,), is fact i.

    `exact` and `paraphrase`: its first choice is the value, asked in a wording that it was shown
    and in the one that it was not. `choice`: it prefers the value to three others, in the shown
    wording. `nats` and `paraphrase_nats` are how unexpected the value is.
    """

    exact: BoolArray
    paraphrase: BoolArray
    choice: BoolArray
    nats: Float64Array
    paraphrase_nats: Float64Array


def train_proxies(
    pupils: Sequence[TrainingSpec], *, width: int, rates: Sequence[float] = (1.0,)
) -> Ensemble:
    """Train a model of one width for each pupil, all at once; a phase of lessons for each rate."""
    texts = np.stack([fact_tokens(pupil.world) for pupil in pupils])
    ensemble = Ensemble(
        [pupil.key for pupil in pupils],
        width=width,
        vocabulary=pupils[0].world.vocabulary,
        length=texts.shape[-1],
    )
    for phase, rate in enumerate(rates):
        facts = np.stack([pupil.schedule[phase] for pupil in pupils])
        wordings = np.stack([scheduled_wordings(pupil, phase) for pupil in pupils])
        ensemble.train_models(texts, facts, wordings, batch=FACTS_PER_STEP, rate=rate)
    return ensemble


def scheduled_wordings(pupil: TrainingSpec, phase: int) -> Int64Array:
    """The wording of each presentation: one of the three that its fact is shown in."""
    facts = pupil.schedule[phase]
    turn = generator(0, *pupil.key, "wordings", phase).integers(1, len(WORDINGS), len(facts))
    return (held_out_wordings(len(pupil.world.value))[facts] + turn) % len(WORDINGS)


def shuffled_epochs(facts: Int64Array, presentations: int, rng: np.random.Generator) -> Int64Array:
    """Facts in a new random order each time round, so that exposures differ by one at most."""
    rounds = -(-presentations // len(facts))
    return np.concatenate([rng.permutation(facts) for _ in range(rounds)])[:presentations]


def evaluate_proxy(
    ensemble: Ensemble, model: int, pupil: TrainingSpec, facts: Int64Array
) -> FactRecall:
    """What one model of the ensemble knows of some facts of its pupil's world."""
    table = fact_tokens(pupil.world)[facts]
    value = pupil.world.value[facts]
    unseen = held_out_wordings(len(pupil.world.value))[facts]
    rows = np.arange(len(facts))
    shown = table[rows, (unseen + 1) % len(WORDINGS)]
    seen = ensemble.value_log_probs(model, shown, values=pupil.world.values)
    other = ensemble.value_log_probs(model, table[rows, unseen], values=pupil.world.values)
    rng = generator(0, *pupil.key, "choices")
    step = rng.integers(1, pupil.world.values, (len(facts), CHOICE_OPTIONS - 1))
    rivals = np.take_along_axis(seen, (value[:, None] + step) % pupil.world.values, axis=1)
    return FactRecall(
        exact=seen.argmax(axis=1) == value,
        paraphrase=other.argmax(axis=1) == value,
        choice=seen[rows, value] > rivals.max(axis=1),
        nats=-seen[rows, value].astype(np.float64),
        paraphrase_nats=-other[rows, value].astype(np.float64),
    )
