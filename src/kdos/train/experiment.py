"""The experiment: cells of trials around each collapse, every grid placed by those before it.

Its arms: ``scratch`` learns facts alone; ``mixed`` learns them from scratch between base facts, and ``continued`` once
it has learned the base.
"""

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
    FACTS_PER_STEP,
    MODELS_PER_GROUP,
    ChanceKey,
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
TrialArm = Literal["scratch", "mixed", "continued"]
TRIAL_ARMS: tuple[TrialArm, ...] = ("scratch", "mixed", "continued")
REPLAY_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
# Facts infused, and base facts, of K50. The base is far below collapse, so that it is held before;
# the infused facts go up to the count that a plan teaches (K* is about 0.7 of K50).
INFUSED_FACTS = (1 / 12, 1 / 4, 3 / 4)
BASE_FACTS = 1 / 8


@dataclass(frozen=True, slots=True)
class ExperimentDesign:
    """What is measured: a cell for each width, and for the first one at other budgets too.

    `presentations` is the budget; `points` counts of facts are tried in each cell, `seeds` times,
    `together` models at once. The `arms` with a base are measured at each of the replay `shares`.
    """

    widths: tuple[int, ...]
    presentations: int
    budgets: tuple[int, ...]
    points: int
    seeds: int
    subjects: int
    together: int = MODELS_PER_GROUP
    arms: tuple[TrialArm, ...] = ("scratch",)
    shares: tuple[float, ...] = REPLAY_SHARES
    random_seed: int = 0

    @property
    def trial_seeds(self) -> range:
        """The random seeds of the runs: of another experiment, others."""
        return range(self.random_seed * self.seeds, (self.random_seed + 1) * self.seeds)


def run_design(design: ExperimentDesign, lab: Lab) -> list[MeasuredRow]:
    """The rows of every arm: first the collapses from scratch, then what is kept of a base."""
    rows = _measure_collapses(design, lab) if "scratch" in design.arms else []
    measured = {cell.params: _estimate_k50(cell) for cell in cells_from_rows(rows, design.presentations)}
    for width in design.widths:
        guess = _extrapolate_k50(FIRST_GUESS, width, design.presentations)
        k50 = measured.get(count_parameters(width), guess)
        for arm in design.arms:
            if arm != "scratch":
                rows += _measure_retention(design, lab, width, arm, k50=k50)
    return rows


def _measure_collapses(design: ExperimentDesign, lab: Lab) -> list[MeasuredRow]:
    """The rows of every cell, each around the collapse that the cells before let expect."""
    rows: list[MeasuredRow] = []
    known = FIRST_GUESS
    cells = [(design.widths[0], budget) for budget in (design.presentations, *design.budgets)]
    cells += [(width, design.presentations) for width in design.widths[1:]]
    for width, presentations in cells:
        expected = _extrapolate_k50(known, width, presentations)
        found = _measure_cell(design, lab, width, presentations, expected=expected)
        known = (count_parameters(width), presentations, _estimate_k50(_cell_from_rows(found)))
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
            for seed in design.trial_seeds
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


def _measure_retention(
    design: ExperimentDesign, lab: Lab, width: int, arm: TrialArm, *, k50: float
) -> list[MeasuredRow]:
    """The rows of one arm with a base: every count of facts with every share, a group for each random seed."""
    base = max(1, round(BASE_FACTS * k50))
    most = design.subjects * RELATIONS - base
    facts = sorted({min(max(1, round(part * k50)), most) for part in INFUSED_FACTS})
    # A base that a model from scratch is never shown needs no measurement.
    shares = [share for share in design.shares if share or arm == "continued"]
    groups = [
        tuple(
            Trial(width, design.presentations, count, seed, arm, base, share, design.subjects)
            for count in facts
            for share in shares
        )
        for seed in design.trial_seeds
    ]
    name = f"{arm}-width-{width}-presentations-{design.presentations}"
    return [row for part in lab.measure_groups(run_trials, groups, name=name) for row in part]


def cells_from_rows(rows: Sequence[MeasuredRow], presentations: int | None = None) -> list[ExperimentCell]:
    """The rows from scratch as cells, in the order in which they were measured; of one budget, if it is given."""
    parts: dict[tuple[int, int], list[MeasuredRow]] = {}
    for row in rows:
        if row["arm"] == "scratch" and presentations in (None, row["presentations"]):
            parts.setdefault((row["params"], row["presentations"]), []).append(row)
    return [_cell_from_rows(part) for part in parts.values()]


def _cell_from_rows(rows: Sequence[MeasuredRow]) -> ExperimentCell:
    names = ("facts", "recall", "random_seed")
    columns = (np.array([row[name] for row in rows]) for name in names)
    return ExperimentCell(rows[0]["params"], rows[0]["presentations"], *columns)


def _estimate_k50(cell: ExperimentCell) -> float:
    """The K50 of a cell; where the fall is not whole, the middle of the grid."""
    if next_fact_count(cell, values=VALUES) is not None:
        return float(np.sqrt(float(cell.facts.min() * cell.facts.max())))
    rng = keyed_generator(0, "guess")
    return find_collapses([cell], values=VALUES, rng=rng, draws=2)[0].k50.value


# How often a base fact is shown before infusion: enough to be held, if there are steps enough to learn anything.
BASE_EXPOSURES = 150
LEAST_BASE_PRESENTATIONS = 100 * FACTS_PER_STEP
# The learning rate of continued training, of the peak from scratch; from our pilot.
INFUSION_RATE = 0.3


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
        """Whose chance it has: beside a base, one for all counts of facts and all shares, so that these pair off."""
        last = (self.facts, self.arm) if self.arm == "scratch" else (self.base, self.arm)
        return ("trial", self.random_seed, self.width, self.presentations, *last)


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """What a trial is trained on, the facts it is taught and its base facts, shapes (facts,) and (base,).

    `alone` is the spec of a model that is shown the base and nothing else, None without a base: that
    which is taught then, or, where both are learned from scratch, another with the same budget.
    """

    training: TrainingSpec
    taught: Int64Array
    base: Int64Array
    alone: TrainingSpec | None


def run_trials(trials: Sequence[Trial]) -> list[MeasuredRow]:
    """What each trial measured; they must be of one arm, width, budget and size of base."""
    specs = [plan_trial(trial) for trial in trials]
    width = trials[0].width
    before = _recall_base_alone(specs, width=width)
    rates = (1.0, INFUSION_RATE) if trials[0].arm == "continued" else (1.0,)
    ensemble = train_proxies([spec.training for spec in specs], width=width, rates=rates)
    rows = [
        _measure_trial(ensemble, place, trial, spec)
        for place, (trial, spec) in enumerate(zip(trials, specs, strict=True))
    ]
    for row, trial in zip(rows, trials, strict=True):
        if trial.base:
            row |= {"base": trial.base, "base_recall_before": before[trial.key]}
    return rows


def plan_trial(trial: Trial) -> TrialSpec:
    """The spec of a trial."""
    world = made_up_world(trial.random_seed, subjects=trial.subjects)
    rng = keyed_generator(0, *trial.key)
    chosen = rng.permutation(len(world.value))[: trial.base + trial.facts]
    base, taught = chosen[: trial.base], chosen[trial.base :]
    before: tuple[Int64Array, ...] = ()
    if trial.arm == "continued":
        shown = max(trial.base * BASE_EXPOSURES, LEAST_BASE_PRESENTATIONS)
        before = (shuffled_epochs(base, shown, rng),)
    alone = before or ((shuffled_epochs(base, trial.presentations, rng),) if trial.base else ())
    replays = round(trial.share * trial.presentations)
    presented, _ = mix_in_replay(taught, base, trial.presentations, replays, rng)
    training = TrainingSpec(trial.key, world, (*before, presented))
    return TrialSpec(training, taught, base, TrainingSpec(trial.key, world, alone) if alone else None)


def _recall_base_alone(specs: Sequence[TrialSpec], *, width: int) -> dict[ChanceKey, float]:
    """The share of the base that a model recalls which was shown nothing else, for each key of chance."""
    found = {spec.training.key: (spec.alone, spec.base) for spec in specs if spec.alone}
    alone = list(found.values())
    if not alone:
        return {}
    ensemble = train_proxies([spec for spec, _ in alone], width=width)
    return {
        spec.key: float(evaluate_proxy(ensemble, place, spec, base).exact.mean())
        for place, (spec, base) in enumerate(alone)
    }


def _measure_trial(ensemble: Ensemble, place: int, trial: Trial, planned: TrialSpec) -> MeasuredRow:
    spec, taught, base = planned.training, planned.taught, planned.base
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
