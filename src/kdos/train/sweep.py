"""The density sweep: the same knowledge at several densities, equal tokens, several sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.chance import generator
from kdos.scoring import compare, mean_interval
from kdos.train.ensemble import count_parameters
from kdos.train.facts import world_from_triples
from kdos.train.knowledge import (
    BLIND_ARM,
    RunKnowledge,
    log10_density,
    pool_for_arm,
    read_knowledge,
)
from kdos.train.lab import MODELS_PER_GROUP, Lab, MeasuredRow
from kdos.train.lessons import TrainingSpec, evaluate_proxy, shuffled_epochs, train_proxies

KEPT_PROBES = ("exact", "paraphrase", "paraphrase_nats")
"""What is kept of each fact: asked in a wording it was shown in, in one it was not, and how
unexpected the value was there."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is compared: pools drawn for each of `arms`, at `presentations` each, for each width."""

    run: Path
    arms: tuple[str, ...]
    widths: tuple[int, ...]
    presentations: int
    seeds: int
    facts: int
    random_seed: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """Models of one width to train: an arm and a random seed each."""

    sweep: Sweep
    width: int
    models: tuple[tuple[str, int], ...]


def run_sweep(sweep: Sweep, lab: Lab) -> dict[str, Any]:
    """Train every model of the sweep; a table for each size, and whether one arm is best in all.

    Raises:
        UsageError: The run is none, or an arm is neither blind nor a target; nothing is trained.
    """
    knowledge = read_knowledge(sweep.run, most=sweep.facts, random_seed=sweep.random_seed)
    for arm in sweep.arms:
        pool_for_arm(knowledge, arm, rng=generator(sweep.random_seed, "sweep", arm))
    models = [(arm, seed) for arm in sweep.arms for seed in range(sweep.seeds)]
    lessons = [
        Lesson(sweep, width, tuple(models[low : low + MODELS_PER_GROUP]))
        for width in sweep.widths
        for low in range(0, len(models), MODELS_PER_GROUP)
    ]
    rows = [row for part in lab.measure_groups(train_group, lessons, name="sweep") for row in part]
    final = final_split(len(knowledge.triples), sweep.random_seed)
    sizes = [size_table(rows, width, sweep, knowledge, final) for width in sweep.widths]
    best = [size["best"] for size in sizes]
    return {
        "facts": len(knowledge.triples),
        "left_out": knowledge.left_out,
        "presentations": sweep.presentations,
        "pool": int(knowledge.blind.sum()),
        "seeds": sweep.seeds,
        "recall_of_the_commonest_answer": commonest_value_recall(knowledge),
        "sizes": sizes,
        "best_is_stable": len(set(best)) == 1,
    }


def train_group(lesson: Lesson) -> list[MeasuredRow]:
    """What every model of a lesson knows of every fact of the universe."""
    sweep = lesson.sweep
    knowledge = read_knowledge(sweep.run, most=sweep.facts, random_seed=sweep.random_seed)
    world, everything = world_from_triples(knowledge.triples), np.arange(len(knowledge.triples))
    pupils = [
        TrainingSpec(
            ("sweep", seed, arm, lesson.width), world, (pool_schedule(sweep, knowledge, arm, seed),)
        )
        for arm, seed in lesson.models
    ]
    ensemble = train_proxies(pupils, width=lesson.width)
    rows: list[MeasuredRow] = []
    for place, (pupil, (arm, seed)) in enumerate(zip(pupils, lesson.models, strict=True)):
        memory = evaluate_proxy(ensemble, place, pupil, everything)
        row: MeasuredRow = {"width": lesson.width, "arm": arm, "seed": seed}
        rows.append(
            row | {name: getattr(memory, name).astype(float).round(4) for name in KEPT_PROBES}
        )
    return rows


def pool_schedule(sweep: Sweep, knowledge: RunKnowledge, arm: str, seed: int) -> Int64Array:
    """The facts that a model is shown: a pool, over and over, until the presentations are spent."""
    rng = generator(sweep.random_seed, "sweep", arm, seed)
    pool = pool_for_arm(knowledge, arm, rng=rng)
    return shuffled_epochs(np.repeat(np.arange(len(pool)), pool), sweep.presentations, rng)


def final_split(facts: int, random_seed: int) -> BoolArray:
    """Which facts the figures are of, shape (n_facts,); the best arm is chosen on the others."""
    return generator(random_seed, "final split").random(facts) < 0.5


def size_table(
    rows: Sequence[MeasuredRow],
    width: int,
    sweep: Sweep,
    knowledge: RunKnowledge,
    final: BoolArray,
) -> dict[str, Any]:
    """One size: a row for each arm, and the arm that was best on the facts set apart to search."""
    by_arm = {
        arm: {name: probe_by_seed(rows, width, arm, name) for name in KEPT_PROBES}
        for arm in sweep.arms
    }
    recall = {arm: known["paraphrase"].mean(axis=0) for arm, known in by_arm.items()}
    return {
        "params": count_parameters(width),
        "width": width,
        "best": max(sweep.arms, key=lambda arm: float(recall[arm][~final].mean())),
        "arms": [arm_figures(arm, by_arm, sweep, knowledge, final) for arm in sweep.arms],
    }


def probe_by_seed(rows: Sequence[MeasuredRow], width: int, arm: str, name: str) -> Float64Array:
    """One probe of one arm and size, shape (n_seeds, n_facts)."""
    return np.array([row[name] for row in rows if (row["width"], row["arm"]) == (width, arm)])


def arm_figures(
    arm: str,
    by_arm: dict[str, dict[str, Float64Array]],
    sweep: Sweep,
    knowledge: RunKnowledge,
    final: BoolArray,
) -> dict[str, Any]:
    """An arm in numbers, over the facts of the final split: shown or not, all count."""
    rng = generator(sweep.random_seed, "sweep table", arm)
    pool = pool_for_arm(knowledge, arm, rng=rng)
    known = {name: values[:, final].mean(axis=0) for name, values in by_arm[arm].items()}
    recall = mean_interval(known["paraphrase"], rng)
    row = {
        "arm": arm,
        "log10_density": log10_density(knowledge, pool),
        "shown_share": float((pool > 0).mean()),
        "exact_recall": float(known["exact"].mean()),
        "paraphrase_recall": recall.mean,
        "interval": [recall.low, recall.high],
        "seeds": by_arm[arm]["paraphrase"][:, final].mean(axis=1).tolist(),
        "loss": float(known["paraphrase_nats"].mean()),
    }
    if arm == BLIND_ARM or BLIND_ARM not in by_arm:
        return row
    blind = by_arm[BLIND_ARM]["paraphrase"][:, final].mean(axis=0)
    against = compare(known["paraphrase"], blind, rng)
    difference = against.difference
    return row | {
        "against_blind": difference.mean,
        "against_blind_interval": [difference.low, difference.high],
        "p_value": against.p_value,
    }


def commonest_value_recall(knowledge: RunKnowledge) -> float:
    """The recall of a model that knows no fact but each relation's most frequent value."""
    world = world_from_triples(knowledge.triples)
    counts = np.zeros((world.relations, world.values))
    np.add.at(counts, (world.relation, world.value), 1)
    return float(counts.max(axis=1).sum() / len(world.value))
