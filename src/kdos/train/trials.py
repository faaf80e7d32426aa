"""Trials: a model of some size is shown so many facts so often, and probed for what it kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdos.arrays import Int64Array
from kdos.chance import generator
from kdos.train.ensemble import Ensemble, count_parameters
from kdos.train.facts import SUBJECTS, FactWorld, made_up_world
from kdos.train.lessons import (
    FactRecall,
    TrainingSpec,
    evaluate_proxy,
    shuffled_epochs,
    train_proxies,
)

BASE_EXPOSURES = 150
"""How often a base fact is shown before infusion: enough to be held."""
INFUSION_RATE = 0.3
"""The learning rate of continued training, of the peak from scratch; from our pilot."""
TrialArm = Literal["scratch", "mixed", "continued"]


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
    arm: TrialArm = "scratch"
    base: int = 0
    share: float = 0.0
    subjects: int = SUBJECTS

    @property
    def key(self) -> tuple[str | int, ...]:
        """Whose chance it has."""
        return ("trial", self.random_seed, self.width, self.presentations, self.facts, self.arm)


def run_trials(trials: Sequence[Trial]) -> list[dict[str, object]]:
    """What each trial measured; they must differ in facts and random seed only."""
    pupils = [training_spec(trial) for trial in trials]
    rates = (1.0, INFUSION_RATE) if trials[0].arm == "continued" else (1.0,)
    ensemble = train_proxies([pupil for pupil, _, _ in pupils], width=trials[0].width, rates=rates)
    return [
        measure_trial(ensemble, place, trial, pupil, taught=taught, base=base)
        for place, (trial, (pupil, taught, base)) in enumerate(zip(trials, pupils, strict=True))
    ]


def training_spec(trial: Trial) -> tuple[TrainingSpec, Int64Array, Int64Array]:
    """The pupil of a trial, the facts it is taught, and its base facts."""
    world = made_up_world(trial.random_seed, subjects=trial.subjects)
    rng = generator(0, *trial.key)
    chosen = rng.permutation(len(world.value))[: trial.facts + trial.base]
    taught, base = chosen[: trial.facts], chosen[trial.facts :]
    lesson = mix_in_replay(taught, base, trial, rng)
    before = (
        shuffled_epochs(base, trial.base * BASE_EXPOSURES, rng)
        if trial.arm == "continued"
        else None
    )
    lessons = (lesson,) if before is None else (before, lesson)
    return TrainingSpec(trial.key, world, lessons), taught, base


def mix_in_replay(
    taught: Int64Array, base: Int64Array, trial: Trial, rng: np.random.Generator
) -> Int64Array:
    """The facts of each presentation: the taught ones, and a share of base facts among them."""
    lesson = np.empty(trial.presentations, np.int64)
    replayed = rng.permutation(trial.presentations) < round(trial.share * trial.presentations)
    lesson[~replayed] = shuffled_epochs(taught, int((~replayed).sum()), rng)
    if replayed.any():
        lesson[replayed] = shuffled_epochs(base, int(replayed.sum()), rng)
    return lesson


def measure_trial(
    ensemble: Ensemble,
    place: int,
    trial: Trial,
    pupil: TrainingSpec,
    *,
    taught: Int64Array,
    base: Int64Array,
) -> dict[str, object]:
    """One row of measurements."""
    memory = evaluate_proxy(ensemble, place, pupil, taught)
    exposures = np.bincount(pupil.schedule[-1], minlength=len(pupil.world.value))[taught]
    params = count_parameters(trial.width)
    row: dict[str, object] = {
        "params": params,
        "presentations": trial.presentations,
        "facts": trial.facts,
        "recall": float(memory.exact.mean()),
        "random_seed": trial.random_seed,
        "paraphrase_recall": float(memory.paraphrase.mean()),
        "choice": float(memory.choice.mean()),
        "bits_per_parameter": stored_bits(memory, pupil.world) / params,
        "exposures_min": int(exposures.min()),
        "exposures_max": int(exposures.max()),
        "arm": trial.arm,
        "share": trial.share,
    }
    kept = evaluate_proxy(ensemble, place, pupil, base).exact if len(base) else None
    return row | {"base_recall": None if kept is None else float(kept.mean())}


def stored_bits(memory: FactRecall, world: FactWorld) -> float:
    """The bits of the values that a model holds: those it saves against guessing."""
    saved = np.log2(world.values) - memory.nats.mean() / np.log(2)
    return float(len(memory.nats) * max(0.0, saved))
