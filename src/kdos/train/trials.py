"""Trials: a model of some size is shown so many facts so often, and probed for what it kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdos.arrays import Int64Array
from kdos.chance import generator
from kdos.train.ensemble import Ensemble, parameters
from kdos.train.facts import SUBJECTS, World, made_up_world
from kdos.train.lessons import Memory, Pupil, in_epochs, remember, teach

BASE_EXPOSURES = 150
"""How often a base fact is shown before infusion: enough to be held."""
INFUSION_RATE = 0.3
"""The learning rate of continued training, of the peak from scratch; from our pilot."""
Arm = Literal["scratch", "mixed", "continued"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One model to train.

    `presentations` are all that it is shown while the `facts` are taught; `share` of them, in
    [0, 1], show `base` other facts instead, which the arm ``continued`` has learned before.
    """

    width: int
    presentations: int
    facts: int
    random_seed: int
    arm: Arm = "scratch"
    base: int = 0
    share: float = 0.0
    subjects: int = SUBJECTS

    @property
    def key(self) -> tuple[str | int, ...]:
        """Whose chance it has."""
        return ("trial", self.random_seed, self.width, self.presentations, self.facts, self.arm)


def run_trials(trials: Sequence[Trial]) -> list[dict[str, object]]:
    """What each trial measured; they must differ in facts and random seed only."""
    pupils = [pupil_of(trial) for trial in trials]
    rates = (1.0, INFUSION_RATE) if trials[0].arm == "continued" else (1.0,)
    ensemble = teach([pupil for pupil, _, _ in pupils], width=trials[0].width, rates=rates)
    return [
        measured(ensemble, place, trial, pupil, taught=taught, base=base)
        for place, (trial, (pupil, taught, base)) in enumerate(zip(trials, pupils, strict=True))
    ]


def pupil_of(trial: Trial) -> tuple[Pupil, Int64Array, Int64Array]:
    """The pupil of a trial, the facts it is taught, and its base facts."""
    world = made_up_world(trial.random_seed, subjects=trial.subjects)
    rng = generator(0, *trial.key)
    chosen = rng.permutation(len(world.value))[: trial.facts + trial.base]
    taught, base = chosen[: trial.facts], chosen[trial.facts :]
    lesson = mixed(taught, base, trial, rng)
    before = in_epochs(base, trial.base * BASE_EXPOSURES, rng) if trial.arm == "continued" else None
    lessons = (lesson,) if before is None else (before, lesson)
    return Pupil(trial.key, world, lessons), taught, base


def mixed(
    taught: Int64Array, base: Int64Array, trial: Trial, rng: np.random.Generator
) -> Int64Array:
    """The facts of each presentation: the taught ones, and a share of base facts among them."""
    lesson = np.empty(trial.presentations, np.int64)
    replayed = rng.permutation(trial.presentations) < round(trial.share * trial.presentations)
    lesson[~replayed] = in_epochs(taught, int((~replayed).sum()), rng)
    if replayed.any():
        lesson[replayed] = in_epochs(base, int(replayed.sum()), rng)
    return lesson


def measured(
    ensemble: Ensemble,
    place: int,
    trial: Trial,
    pupil: Pupil,
    *,
    taught: Int64Array,
    base: Int64Array,
) -> dict[str, object]:
    """One row of measurements."""
    memory = remember(ensemble, place, pupil, taught)
    exposures = np.bincount(pupil.lessons[-1], minlength=len(pupil.world.value))[taught]
    params = parameters(trial.width)
    row: dict[str, object] = {
        "params": params,
        "presentations": trial.presentations,
        "facts": trial.facts,
        "recall": float(memory.exact.mean()),
        "random_seed": trial.random_seed,
        "paraphrase_recall": float(memory.paraphrase.mean()),
        "choice": float(memory.choice.mean()),
        "bits_per_parameter": bits(memory, pupil.world) / params,
        "exposures_min": int(exposures.min()),
        "exposures_max": int(exposures.max()),
        "arm": trial.arm,
        "share": trial.share,
    }
    kept = remember(ensemble, place, pupil, base).exact if len(base) else None
    return row | {"base_recall": None if kept is None else float(kept.mean())}


def bits(memory: Memory, world: World) -> float:
    """The bits of the values that a model holds: those it saves against guessing."""
    saved = np.log2(world.values) - memory.nats.mean() / np.log(2)
    return float(len(memory.nats) * max(0.0, saved))
