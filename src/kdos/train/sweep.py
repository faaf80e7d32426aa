"""The sweep: what small models know after pools that were really made, at equal presentations (our design).

The pool is the unit: each arm has several, drawn with random seeds of their own, and a model for each width and budget
is trained on every one of them. All facts of the universe are asked for, in the wording that was held out, whether the
pool shows them or not. Comparisons are named before anything is trained and corrected together (Holm 1979).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.chance import keyed_generator
from kdos.scoring import compare_pools, holm_levels
from kdos.scoring.intervals import LEVEL, RESAMPLES
from kdos.store import read_arrays, write_arrays
from kdos.train.ensemble import count_parameters
from kdos.train.facts import FactWorld, Naming, world_from_triples
from kdos.train.pools import COVERAGES, Universe, deal_by_density, mean_log10_density, read_universe
from kdos.train.proxies import Lab, MeasuredRow, TrainingSpec, evaluate_proxy, shuffled_epochs, train_proxies

LOOP_ARM, FACTS_ARM, PLACEBO_ARM, ORACLE_ARM = "loop", "loop-facts", "placebo", "oracle"
BLIND_ARM, DEDUP_ARM, COVER_ARM = "blind", "blind-dedup", "greedy-cover"
COMPARISONS = ((LOOP_ARM, BLIND_ARM), (LOOP_ARM, COVER_ARM), (LOOP_ARM, PLACEBO_ARM), (FACTS_ARM, BLIND_ARM))
"""What is compared, in this order; a pair of which an arm is not there is left out."""
MODELS_OF_COMPARED = 2
"""Models for each pool of an arm that is compared, and one for those of others: two models of one pool differ."""


class Setting(NamedTuple):
    """A model's width and how many facts it is shown, repeats counted."""

    width: int
    presentations: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is trained: models of every width at every budget, on each pool; their universe is `facts` of `run`'s."""

    run: Path
    widths: tuple[int, ...]
    presentations: tuple[int, ...]
    facts: int
    names: Naming
    random_seed: int

    @property
    def settings(self) -> list[Setting]:
        """Every width at every budget."""
        return [Setting(*each) for each in product(self.widths, self.presentations)]


@dataclass(frozen=True, slots=True)
class Arm:
    """Pools of one kind: how often each shows every fact, shape (n_pools, n_facts).

    `only` is the setting that it was made for; None where it is trained at all of them.
    """

    name: str
    exposures: Int64Array
    only: Setting | None = None

    @property
    def key(self) -> str:
        """What tells it from all others; within a setting the name does."""
        return self.name if self.only is None else f"{self.name} {self.only.width} {self.only.presentations}"


@dataclass(frozen=True, slots=True)
class TrainingGroup:
    """Models of one arm at one setting: number `model` of each pool's; `digest` is of what the pools hold.

    Its ``repr`` names what it measures: nothing in it depends on what else a sweep trains.
    """

    run: Path
    facts: int
    names: Naming
    random_seed: int
    setting: Setting
    arm: str
    model: int
    digest: str
    folder: Path


@dataclass(frozen=True, slots=True)
class DealtArm:
    """Pools dealt by hand that show `coverage` of the facts once, drawn where `level` says."""

    level: str
    coverage: float
    arm: Arm


def deal_arms(universe: Universe, *, pools: int, random_seed: int) -> list[DealtArm]:
    """So many pools for each level of density and each coverage."""
    dealt = [deal_by_density(universe, keyed_generator(random_seed, "dealt", number)) for number in range(pools)]
    return [
        DealtArm(
            one[0].level,
            one[0].coverage,
            Arm(f"{one[0].level} {one[0].coverage:.0%}", np.array([each.shown for each in one]).astype(np.int64)),
        )
        for one in zip(*dealt, strict=True)
    ]


Known = Mapping[tuple[Setting, str], Float64Array]
"""What the models of an arm know at a setting: the share of a pool's that recall a fact, shape (n_pools, n_facts)."""


def run_sweep(sweep: Sweep, universe: Universe, arms: Sequence[Arm], lab: Lab, *, folder: Path) -> dict[str, Any]:
    """Train a model for every pool and setting; a row for each arm and setting, and the comparisons.

    Pools dealt by density are trained at the richest budget beside them. `folder` takes what every pool shows.
    """
    dealt = deal_arms(universe, pools=len(arms[0].exposures), random_seed=sweep.random_seed)
    richest = [setting for setting in sweep.settings if setting.presentations == max(sweep.presentations)]
    compared = [(setting, arm) for setting in sweep.settings for arm in arms if arm.only in (None, setting)]
    jobs = [*compared, *((setting, one.arm) for setting in richest for one in dealt)]
    known = _train_models(sweep, jobs, lab, folder=folder)
    return {
        "facts": len(universe.triples),
        "names": sweep.names,
        "source_points": universe.source_points,
        "left_out": universe.left_out,
        "recall_of_the_commonest_answer": _commonest_value_recall(universe),
        "arms": [_arm_row(sweep, universe, arm, setting, known) for setting, arm in compared],
        "comparisons": _compare_arms(sweep, known),
        "density": [_density_table(sweep, universe, dealt, setting, known) for setting in richest],
    }


def _train_models(sweep: Sweep, jobs: Sequence[tuple[Setting, Arm]], lab: Lab, *, folder: Path) -> Known:
    """A model for each pool of each job; what they know by setting and arm."""
    pools = {arm.key: arm.exposures for _, arm in jobs}
    write_arrays(folder, {"arms": list(pools)}, {f"arm-{place}": each for place, each in enumerate(pools.values())})
    compared = {name for pair in COMPARISONS for name in pair}
    numbered = [
        (setting, arm, model)
        for setting, arm in jobs
        for model in range(MODELS_OF_COMPARED if arm.name in compared else 1)
    ]
    groups = [
        TrainingGroup(
            sweep.run,
            sweep.facts,
            sweep.names,
            sweep.random_seed,
            setting,
            arm.key,
            model,
            digest=hashlib.sha256(arm.exposures.tobytes()).hexdigest(),
            folder=folder,
        )
        for setting, arm, model in numbered
    ]
    parts = lab.measure_groups(_train_group, groups, name=f"sweep-{sweep.names}")
    found: dict[tuple[Setting, str], list[Float64Array]] = {}
    for (setting, arm, _), part in zip(numbered, parts, strict=True):
        found.setdefault((setting, arm.name), []).append(np.array([row["known"] for row in part], np.float64))
    return {key: np.mean(models, axis=0) for key, models in found.items()}


def _train_group(group: TrainingGroup) -> list[MeasuredRow]:
    setting = group.setting
    world = _read_world(group.run, group.facts, group.names, group.random_seed)
    header, arrays = read_arrays(group.folder)
    specs: list[TrainingSpec] = []
    for number, exposures in enumerate(arrays[f"arm-{header['arms'].index(group.arm)}"]):
        key = ("sweep", group.random_seed, group.arm, number, *setting, *([group.model] if group.model else []))
        shown = np.repeat(np.arange(len(exposures)), exposures)
        schedule = shuffled_epochs(shown, setting.presentations, keyed_generator(0, *key, "schedule"))
        specs.append(TrainingSpec(key, world, (schedule,)))
    ensemble = train_proxies(specs, width=setting.width)
    everything = np.arange(len(world.value))
    known = [evaluate_proxy(ensemble, place, spec, everything).paraphrase for place, spec in enumerate(specs)]
    return [{"pool": number, "known": each.astype(int)} for number, each in enumerate(known)]


@cache
def _read_world(run: Path, facts: int, names: Naming, random_seed: int) -> FactWorld:
    """The world of a universe, which a process reads once for all its groups: a second or two each."""
    return world_from_triples(read_universe(run, most=facts, random_seed=random_seed).triples, names=names)


def _arm_row(sweep: Sweep, universe: Universe, arm: Arm, setting: Setting, known: Known) -> dict[str, Any]:
    """What an arm shows and what its models know at one setting, with 95 % intervals where there are two pools."""
    rng = keyed_generator(sweep.random_seed, "sweep row", arm.name, *setting)
    recall = known[setting, arm.name]
    row: dict[str, Any] = {
        "arm": arm.name,
        "params": count_parameters(setting.width),
        **setting._asdict(),
        "pools": len(recall),
        "coverage": float((arm.exposures > 0).mean()),
        "exposures": float(arm.exposures.sum(axis=1).mean()),
        "log10_density": float(np.mean([mean_log10_density(universe, pool) for pool in arm.exposures])),
        "recall": float(recall.mean()),
        "recall_of_shown": _recall_where(recall, arm.exposures > 0),
        "recall_ci": recall_interval(recall, None, rng),
        "by_pool": recall.mean(axis=1).tolist(),
    }
    if arm.name != BLIND_ARM and (blind := known.get((setting, BLIND_ARM))) is not None:
        row["minus_blind"] = float(recall.mean() - blind.mean())
        row["minus_blind_ci"] = recall_interval(recall, blind, rng)
    return row


def recall_interval(ours: Float64Array, theirs: Float64Array | None, rng: np.random.Generator) -> list[float] | None:
    """The 95 % interval of a mean or a difference; None of a single pool, which says nothing of others."""
    if len(ours) < 2 or (theirs is not None and len(theirs) < 2):
        return None
    return list(compare_pools(ours, theirs, rng).interval_at(LEVEL))


def _compare_arms(sweep: Sweep, known: Known) -> list[dict[str, Any]]:
    """The comparisons named beforehand, corrected together at each setting.

    Of what is claimed of every setting at once no further correction is needed: each of them has to show it.
    """
    return [
        {"params": count_parameters(setting.width), **setting._asdict(), **row}
        for setting in sweep.settings
        for row in compare_named_arms(
            {arm: recall for (where, arm), recall in known.items() if where == setting},
            lambda ours, theirs, at=setting: keyed_generator(sweep.random_seed, "comparison", ours, theirs, *at),
        )
    ]


def compare_named_arms(
    recalls: Mapping[str, Float64Array], make_rng: Callable[[str, str], np.random.Generator]
) -> list[dict[str, Any]]:
    """The comparisons named beforehand of which both arms have two pools, corrected together (Holm 1979).

    `recalls` has shape (n_pools, n_facts) for each arm; `make_rng` gives the generator of a pair.
    """
    named = [pair for pair in COMPARISONS if all(len(recalls.get(arm, ())) > 1 for arm in pair)]
    found = [compare_pools(recalls[ours], recalls[theirs], make_rng(ours, theirs)) for ours, theirs in named]
    adjusted, levels = holm_levels([one.p_value for one in found])
    return [
        {
            "comparison": f"{ours} - {theirs}",
            "difference": one.difference,
            "interval": list(one.interval_at(LEVEL)),
            "p_value": one.p_value,
            "holm_p_value": holm_p,
            "holm_interval": list(one.interval_at(level)),
        }
        for (ours, theirs), one, holm_p, level in zip(named, found, adjusted, levels, strict=True)
    ]


def _density_table(
    sweep: Sweep, universe: Universe, dealt: Sequence[DealtArm], setting: Setting, known: Known
) -> dict[str, Any]:
    """What density explains at equal coverage, and coverage at equal density, over pools dealt by hand."""
    rng = keyed_generator(sweep.random_seed, "density factor", *setting)
    recalls = {(one.coverage, one.level): known[setting, one.arm.name] for one in dealt}
    rows = [
        {
            "level": one.level,
            "coverage": one.coverage,
            "log10_density": float(np.mean([mean_log10_density(universe, pool) for pool in one.arm.exposures])),
            "recall": float(recalls[one.coverage, one.level].mean()),
            "recall_of_shown": _recall_where(recalls[one.coverage, one.level], one.arm.exposures > 0),
            "by_pool": recalls[one.coverage, one.level].mean(axis=1).tolist(),
        }
        for one in dealt
    ]
    dense_minus_thin = [
        {
            "coverage": coverage,
            "difference": float(recalls[coverage, "dense"].mean() - recalls[coverage, "thin"].mean()),
            "interval": recall_interval(recalls[coverage, "dense"], recalls[coverage, "thin"], rng),
        }
        for coverage in COVERAGES
    ]
    pools = [(one, pool) for one in dealt for pool in one.arm.exposures]
    coverage = np.array([(pool > 0).mean() for _, pool in pools])
    density = np.array([mean_log10_density(universe, pool) for _, pool in pools])
    recall = np.concatenate([known[setting, one.arm.name].mean(axis=1) for one in dealt])
    return {
        "params": count_parameters(setting.width),
        **setting._asdict(),
        "pools": rows,
        "dense_minus_thin": dense_minus_thin,
        "decades": float(density.max() - density.min()),
        "explained": explain_recall(recall, coverage, density, rng),
    }


def _recall_where(known: Float64Array, shown: BoolArray) -> float:
    return float((known * shown).sum() / shown.sum())


def explain_recall(
    recall: Float64Array, coverage: Float64Array, log10_density: Float64Array, rng: np.random.Generator
) -> dict[str, list[float]]:
    """How much of pools' recall coverage and log10 density explain, each shape (n_pools,).

    Of a linear model of both: their slopes, and R² of each alone and of both; what one adds is the difference. Each is
    a list of the estimate and the bounds of its 95 % interval over pools drawn again.
    """
    factors = np.stack([coverage, log10_density], axis=1)

    def fit(rows: Int64Array) -> list[float]:
        both, slopes = _least_squares(factors[rows], recall[rows])
        alone = [_least_squares(factors[rows, place, None], recall[rows])[0] for place in range(2)]
        return [*slopes, *alone, both]

    n = len(recall)
    draws = np.array([fit(rng.integers(0, n, n)) for _ in range(RESAMPLES)])
    bounds = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    names = ("slope_coverage", "slope_log10_density", "r2_coverage", "r2_log10_density", "r2_both")
    estimates = fit(np.arange(n))
    return {name: [value, *map(float, bound)] for name, value, bound in zip(names, estimates, bounds.T, strict=True)}


def _least_squares(factors: Float64Array, recall: Float64Array) -> tuple[float, list[float]]:
    """R² and the slopes of a linear model with a constant, `factors` of shape (n, p)."""
    off = recall - recall.mean()
    centred = factors - factors.mean(axis=0)
    slopes = np.linalg.lstsq(centred, off, rcond=None)[0]
    left = off - centred @ slopes
    return 1 - float(left @ left) / max(float(off @ off), 1e-12), slopes.tolist()


def _commonest_value_recall(universe: Universe) -> float:
    """The recall of a model that knows no fact but each relation's most frequent answer."""
    world = world_from_triples(universe.triples)
    counts = np.zeros((world.relations, world.values))
    np.add.at(counts, (world.relation, world.value), 1)
    return float(counts.max(axis=1).sum() / len(world.value))
