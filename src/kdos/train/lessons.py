"""Pupils, what each of them is shown and when, and what they remember of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.chance import generator
from kdos.train.ensemble import Ensemble
from kdos.train.facts import WORDINGS, World, held_out, tokens

FACTS_A_STEP = 128
"""Facts that one step shows a model; from our pilot."""
CHOICES = 4
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Pupil:
    """A model to be: whose chance it has, the world it lives in, and what it is shown.

    `lessons` has a row of facts for each phase, in the order of showing, shape (presentations,).
    """

    key: Key
    world: World
    lessons: tuple[Int64Array, ...]


@dataclass(frozen=True, slots=True)
class Memory:
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


def teach(pupils: Sequence[Pupil], *, width: int, rates: Sequence[float] = (1.0,)) -> Ensemble:
    """Train a model of one width for each pupil, all at once; a phase of lessons for each rate."""
    texts = np.stack([tokens(pupil.world) for pupil in pupils])
    ensemble = Ensemble(
        [pupil.key for pupil in pupils],
        width=width,
        vocabulary=pupils[0].world.vocabulary,
        length=texts.shape[-1],
    )
    for phase, rate in enumerate(rates):
        facts = np.stack([pupil.lessons[phase] for pupil in pupils])
        wordings = np.stack([shown_wordings(pupil, phase) for pupil in pupils])
        ensemble.train(texts, facts, wordings, batch=FACTS_A_STEP, rate=rate)
    return ensemble


def shown_wordings(pupil: Pupil, phase: int) -> Int64Array:
    """The wording of each presentation: one of the three that its fact is shown in."""
    facts = pupil.lessons[phase]
    turn = generator(0, *pupil.key, "wordings", phase).integers(1, len(WORDINGS), len(facts))
    return (held_out(len(pupil.world.value))[facts] + turn) % len(WORDINGS)


def in_epochs(facts: Int64Array, presentations: int, rng: np.random.Generator) -> Int64Array:
    """Facts in a new random order each time round, so that exposures differ by one at most."""
    rounds = -(-presentations // len(facts))
    return np.concatenate([rng.permutation(facts) for _ in range(rounds)])[:presentations]


def remember(ensemble: Ensemble, model: int, pupil: Pupil, facts: Int64Array) -> Memory:
    """What one model of the ensemble knows of some facts of its pupil's world."""
    table = tokens(pupil.world)[facts]
    value = pupil.world.value[facts]
    unseen = held_out(len(pupil.world.value))[facts]
    rows = np.arange(len(facts))
    shown = table[rows, (unseen + 1) % len(WORDINGS)]
    seen = ensemble.score(model, shown, values=pupil.world.values)
    other = ensemble.score(model, table[rows, unseen], values=pupil.world.values)
    rng = generator(0, *pupil.key, "choices")
    step = rng.integers(1, pupil.world.values, (len(facts), CHOICES - 1))
    rivals = np.take_along_axis(seen, (value[:, None] + step) % pupil.world.values, axis=1)
    return Memory(
        exact=seen.argmax(axis=1) == value,
        paraphrase=other.argmax(axis=1) == value,
        choice=seen[rows, value] > rivals.max(axis=1),
        nats=-seen[rows, value].astype(np.float64),
        paraphrase_nats=-other[rows, value].astype(np.float64),
    )
