"""The experiment: cells of trials around each collapse, every grid placed by those before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdos.arrays import Int64Array
from kdos.chance import keyed_generator
from kdos.scaling import ExperimentCell, find_collapses, next_fact_count
from kdos.train.ensemble import Ensemble, count_parameters
from kdos.train.facts import RELATIONS, SUBJECTS, VALUES, FactWorld, made_up_world
from kdos.train.proxies import (
    MODELS_PER_GROUP,
    FactRecall,
    Lab,
    MeasuredRow,
    TrainingSpec,
    evaluate_proxy,
    mix_in_replay,
    shuffled_epochs,
    train_proxies,
)

# Parameters and presentations of a cell, and its K50 as first measured.
FIRST_GUESS = (6144, 48_000, 800.0)
# How K50 grows with parameters and with presentations; from our pilot.
GUESS_EXPONENTS = (0.62, 0.66)
GRID_STEP = 2**0.5
# How often a cell's grid is extended where it does not show the whole fall.
MOST_GRID_EXTENSIONS = 4


@dataclass(frozen=True, slots=True)
class ExperimentDesign:
    """What is measured: a cell for each width, and for the first one at other budgets too.

    `presentations` is the budget; `points` counts of facts are tried in each cell, `seeds` times,
    `together` models at once.
    """

    widths: tuple[int, ...]
    presentations: int
    budgets: tuple[int, ...]
    points: int
    seeds: int
    subjects: int
    together: int = MODELS_PER_GROUP


def run_design(design: ExperimentDesign, lab: Lab) -> list[MeasuredRow]:
    """The rows of every cell, each around the collapse that the cells before let expect."""
    rows: list[MeasuredRow] = []
    known = FIRST_GUESS
    cells = [(design.widths[0], budget) for budget in (design.presentations, *design.budgets)]
    cells += [(width, design.presentations) for width in design.widths[1:]]
    for width, presentations in cells:
        expected = _extrapolate_k50(known, width, presentations)
        found = _measure_cell(design, lab, width, presentations, expected=expected)
        known = (count_parameters(width), presentations, _estimate_k50(found))
        rows += found
    return rows


def _extrapolate_k50(known: tuple[int, int, float], width: int, presentations: int) -> float:
    size = count_parameters(width) / known[0]
    return known[2] * size ** GUESS_EXPONENTS[0] * (presentations / known[1]) ** GUESS_EXPONENTS[1]


def _measure_cell(
    design: ExperimentDesign, lab: Lab, width: int, presentations: int, *, expected: float
) -> list[MeasuredRow]:
    """The rows of one cell, on a grid of facts that is extended until it shows the whole fall."""
    first = expected * GRID_STEP ** (-(design.points - 1) / 2)
    facts = [round(first * GRID_STEP**step) for step in range(design.points)]
    rows: list[MeasuredRow] = []
    for _ in range(MOST_GRID_EXTENSIONS):
        most = design.subjects * RELATIONS
        trials = [
            Trial(width, presentations, min(count, most), seed, subjects=design.subjects)
            for count in facts
            for seed in range(design.seeds)
        ]
        starts = range(0, len(trials), design.together)
        groups = [tuple(trials[low : low + design.together]) for low in starts]
        name = f"width-{width}-presentations-{presentations}"
        rows += [row for part in lab.measure_groups(run_trials, groups, name=name) for row in part]
        lacking = next_fact_count(_cell_from_rows(rows), values=VALUES)
        if lacking is None or lacking > most:
            break
        facts = [lacking]
    return rows


def cells_from_rows(rows: Sequence[MeasuredRow]) -> list[ExperimentCell]:
    """The rows of an experiment as cells, in the order in which they were measured."""
    parts: dict[tuple[int, int], list[MeasuredRow]] = {}
    for row in rows:
        parts.setdefault((row["params"], row["presentations"]), []).append(row)
    return [_cell_from_rows(part) for part in parts.values()]


def _cell_from_rows(rows: Sequence[MeasuredRow]) -> ExperimentCell:
    names = ("facts", "recall", "random_seed")
    columns = (np.array([row[name] for row in rows]) for name in names)
    return ExperimentCell(rows[0]["params"], rows[0]["presentations"], *columns)


def _estimate_k50(rows: Sequence[MeasuredRow]) -> float:
    """The K50 of a cell's rows; where the fall is not whole, the middle of the grid."""
    cell = _cell_from_rows(rows)
    if next_fact_count(cell, values=VALUES) is not None:
        return float(np.sqrt(float(cell.facts.min() * cell.facts.max())))
    rng = keyed_generator(0, "guess")
    return find_collapses([cell], values=VALUES, rng=rng, draws=2)[0].k50.value


# How often a base fact is shown before infusion: enough to be held.
BASE_EXPOSURES = 150
# The learning rate of continued training, of the peak from scratch; from our pilot.
INFUSION_RATE = 0.3
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
    specs = [training_spec(trial) for trial in trials]
    rates = (1.0, INFUSION_RATE) if trials[0].arm == "continued" else (1.0,)
    ensemble = train_proxies([spec for spec, _, _ in specs], width=trials[0].width, rates=rates)
    return [
        _measure_trial(ensemble, place, trial, spec, taught=taught, base=base)
        for place, (trial, (spec, taught, base)) in enumerate(zip(trials, specs, strict=True))
    ]


def training_spec(trial: Trial) -> tuple[TrainingSpec, Int64Array, Int64Array]:
    """The spec of a trial, the facts it is taught, and its base facts."""
    world = made_up_world(trial.random_seed, subjects=trial.subjects)
    rng = keyed_generator(0, *trial.key)
    chosen = rng.permutation(len(world.value))[: trial.facts + trial.base]
    taught, base = chosen[: trial.facts], chosen[trial.facts :]
    replays = round(trial.share * trial.presentations)
    presented, _ = mix_in_replay(taught, base, trial.presentations, replays, rng)
    schedule = (presented,)
    if trial.arm == "continued":
        schedule = (shuffled_epochs(base, trial.base * BASE_EXPOSURES, rng), presented)
    return TrainingSpec(trial.key, world, schedule), taught, base


def _measure_trial(
    ensemble: Ensemble, place: int, trial: Trial, spec: TrainingSpec, *, taught: Int64Array, base: Int64Array
) -> dict[str, object]:
    recall = evaluate_proxy(ensemble, place, spec, taught)
    kept = evaluate_proxy(ensemble, place, spec, base).exact if len(base) else None
    exposures = np.bincount(spec.schedule[-1], minlength=len(spec.world.value))[taught]
    params = count_parameters(trial.width)
    return {
        "params": params,
        "presentations": trial.presentations,
        "facts": trial.facts,
        "recall": float(recall.exact.mean()),
        "random_seed": trial.random_seed,
        "paraphrase_recall": float(recall.paraphrase.mean()),
        "choice": float(recall.choice.mean()),
        "bits_per_parameter": _stored_bits(recall, spec.world) / params,
        "exposures_min": int(exposures.min()),
        "exposures_max": int(exposures.max()),
        "arm": trial.arm,
        "share": trial.share,
        "base_recall": None if kept is None else float(kept.mean()),
    }


def _stored_bits(recall: FactRecall, world: FactWorld) -> float:
    """The bits of the values that a model holds: those it saves against guessing."""
    saved = np.log2(world.values) - recall.nats.mean() / np.log(2)
    return float(len(recall.nats) * max(0.0, saved))
