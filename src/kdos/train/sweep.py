"""The density sweep: the same knowledge at several densities, equal tokens, several sizes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.errors import InputError
from kdos.pool import column_values
from kdos.rules import read_fact
from kdos.scoring import bootstrap_mean, compare_paired_scores
from kdos.store import read_parquet
from kdos.targets import read_target, water_filled_quotas
from kdos.train.ensemble import count_parameters
from kdos.train.facts import Triple, with_common_values, world_from_triples
from kdos.train.proxies import (
    MODELS_PER_GROUP,
    Lab,
    MeasuredRow,
    TrainingSpec,
    evaluate_proxy,
    shuffled_epochs,
    train_proxies,
)

# What is kept of each fact: asked in a wording it was shown in, in one it was not, and how
# unexpected the value was there.
KEPT_PROBES = ("exact", "paraphrase", "paraphrase_nats")
# Answers that the models know; facts with a rarer one are left out and counted.
MOST_VALUES = 256
# The arm that is the pool of a run without feedback.
BLIND_ARM = "blind"


@dataclass(frozen=True, slots=True)
class RunKnowledge:
    """Every fact of a universe; row i of every array, shape (n_facts,), is fact i.

    `cell` is where it lies and `log_volumes`, shape (n_cells,), how much room each cell has, in
    nats. `blind` counts how often a run without feedback drew it. `left_out` says how many
    knowledge points are not in the universe, by reason.
    """

    triples: list[Triple]
    cell: Int64Array
    log_volumes: Float64Array
    blind: Int64Array
    left_out: dict[str, int]


def read_knowledge(run: Path, *, most: int, random_seed: int) -> RunKnowledge:
    """The facts of a run that has a blind run beside it, as `kdos demo` leaves them.

    Knowledge points of which no relation can be asked for are left out, and so are rare answers,
    and at random those past `most`.
    """
    folder = RunFolder(run)
    samples = [one.samples for one in folder.blind.complete_parts()]
    if not folder.knowledge_points.is_file() or not samples:
        raise InputError(f"RUN must be the folder of a finished `kdos demo`. {run} is none.")
    folder.refuse_damage()
    table = read_parquet(folder.knowledge_points, ["text", "cell"])
    texts: list[str] = column_values(table, "text")
    read = [askable_triple(text) for text in texts]
    common = set(with_common_values([one for one in read if one], MOST_VALUES))
    usable = np.array([row for row, one in enumerate(read) if one in common])
    kept = np.sort(keyed_generator(random_seed, "knowledge").permutation(usable)[:most])
    drawn = Counter(kp for path in samples for kp in _sample_sentences(path))
    unread = sum(one is None for one in read)
    return RunKnowledge(
        [one for one in (read[row] for row in kept) if one],
        cell=table["cell"].to_numpy()[kept].astype(np.int64),
        log_volumes=folder.read_space().log_volumes,
        blind=np.array([drawn[texts[row]] for row in kept]),
        left_out={
            "not_askable": unread,
            "rare_answer": len(read) - unread - len(usable),
            "past_the_number_wanted": len(usable) - len(kept),
        },
    )


def _sample_sentences(path: Path) -> Iterable[str]:
    table = read_parquet(path, ["knowledge_points"])
    return chain.from_iterable(column_values(table, "knowledge_points"))


def askable_triple(text: str) -> Triple | None:
    """The fact that a sentence states, by its first slot that may be asked for."""
    fact = read_fact(text)
    if fact is None or not fact.askable:
        return None
    slot = fact.askable[0]
    value = fact.slots[slot]
    others = [part for name, part in fact.slots.items() if name != slot and part in fact.content]
    return Triple(" ".join(others), f"{fact.relation.name}: {slot}", value)


def pool_for_arm(knowledge: RunKnowledge, arm: str, *, rng: np.random.Generator) -> Int64Array:
    """How often a pool as large as the blind one holds each fact, shape (n_facts,).

    `arm` is ``blind`` or the name of a target; a cell's quota is dealt out to its facts in turn.
    """
    if arm == BLIND_ARM:
        return knowledge.blind
    cells = len(knowledge.log_volumes)
    counts = np.bincount(knowledge.cell, minlength=cells)
    budget = int(knowledge.blind.sum())
    log_q = read_target(arm, log_volumes=knowledge.log_volumes, counts=counts, budget=budget)
    quota = water_filled_quotas(np.where(counts > 0, log_q, -np.inf), budget)
    # A fact's turn in its cell, from 0, is in the order of a permutation of all facts.
    place = np.argsort(rng.permutation(len(knowledge.cell)))
    order = np.lexsort((place, knowledge.cell))
    ordered = knowledge.cell[order]
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    share, rest = np.divmod(quota[knowledge.cell], counts[knowledge.cell])
    return share + (turn < rest)


def log10_density(knowledge: RunKnowledge, pool: Int64Array) -> float:
    """The mean log10 density of a pool's knowledge points, repeats counted."""
    counts = np.bincount(knowledge.cell, pool, minlength=len(knowledge.log_volumes))
    held = counts > 0
    level = np.log(counts[held] + 0.5) - knowledge.log_volumes[held]
    return float((counts[held] * level).sum() / counts.sum() / np.log(10))


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
class TrainingGroup:
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
        pool_for_arm(knowledge, arm, rng=keyed_generator(sweep.random_seed, "sweep", arm))
    models = [(arm, seed) for arm in sweep.arms for seed in range(sweep.seeds)]
    groups = [
        TrainingGroup(sweep, width, tuple(models[low : low + MODELS_PER_GROUP]))
        for width in sweep.widths
        for low in range(0, len(models), MODELS_PER_GROUP)
    ]
    rows = [row for part in lab.measure_groups(_train_group, groups, name="sweep") for row in part]
    # Figures are of the facts of the final split; the best arm is chosen on the others.
    final = keyed_generator(sweep.random_seed, "final split").random(len(knowledge.triples)) < 0.5
    sizes = [_size_table(rows, width, sweep, knowledge, final) for width in sweep.widths]
    best = [size["best"] for size in sizes]
    return {
        "facts": len(knowledge.triples),
        "left_out": knowledge.left_out,
        "presentations": sweep.presentations,
        "pool": int(knowledge.blind.sum()),
        "seeds": sweep.seeds,
        "recall_of_the_commonest_answer": _commonest_value_recall(knowledge),
        "sizes": sizes,
        "best_is_stable": len(set(best)) == 1,
    }


def _train_group(group: TrainingGroup) -> list[MeasuredRow]:
    sweep = group.sweep
    knowledge = read_knowledge(sweep.run, most=sweep.facts, random_seed=sweep.random_seed)
    world, everything = world_from_triples(knowledge.triples), np.arange(len(knowledge.triples))
    specs = [
        TrainingSpec(("sweep", seed, arm, group.width), world, (_pool_schedule(sweep, knowledge, arm, seed),))
        for arm, seed in group.models
    ]
    ensemble = train_proxies(specs, width=group.width)
    rows: list[MeasuredRow] = []
    for place, (spec, (arm, seed)) in enumerate(zip(specs, group.models, strict=True)):
        memory = evaluate_proxy(ensemble, place, spec, everything)
        row: MeasuredRow = {"width": group.width, "arm": arm, "seed": seed}
        row |= {name: getattr(memory, name).astype(float).round(4) for name in KEPT_PROBES}
        rows.append(row)
    return rows


def _pool_schedule(sweep: Sweep, knowledge: RunKnowledge, arm: str, seed: int) -> Int64Array:
    """The facts that a model is shown: a pool, over and over, until the presentations are spent."""
    rng = keyed_generator(sweep.random_seed, "sweep", arm, seed)
    pool = pool_for_arm(knowledge, arm, rng=rng)
    return shuffled_epochs(np.repeat(np.arange(len(pool)), pool), sweep.presentations, rng)


def _size_table(
    rows: Sequence[MeasuredRow], width: int, sweep: Sweep, knowledge: RunKnowledge, final: BoolArray
) -> dict[str, Any]:
    """One size: a row for each arm, and the arm that was best on the facts set apart to search."""
    by_arm: dict[str, dict[str, Float64Array]] = {}
    for arm in sweep.arms:
        runs = [row for row in rows if (row["width"], row["arm"]) == (width, arm)]
        # Each probe has shape (n_seeds, n_facts).
        by_arm[arm] = {name: np.array([row[name] for row in runs]) for name in KEPT_PROBES}
    recall = {arm: known["paraphrase"].mean(axis=0) for arm, known in by_arm.items()}
    return {
        "params": count_parameters(width),
        "width": width,
        "best": max(sweep.arms, key=lambda arm: float(recall[arm][~final].mean())),
        "arms": [_arm_figures(arm, by_arm, sweep, knowledge, final) for arm in sweep.arms],
    }


def _arm_figures(
    arm: str, by_arm: dict[str, dict[str, Float64Array]], sweep: Sweep, knowledge: RunKnowledge, final: BoolArray
) -> dict[str, Any]:
    """An arm in numbers, over the facts of the final split: shown or not, all count."""
    rng = keyed_generator(sweep.random_seed, "sweep table", arm)
    pool = pool_for_arm(knowledge, arm, rng=rng)
    known = {name: values[:, final].mean(axis=0) for name, values in by_arm[arm].items()}
    recall = bootstrap_mean(known["paraphrase"], rng)
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
    against = compare_paired_scores(known["paraphrase"], blind, rng)
    difference = against.difference
    return row | {
        "against_blind": difference.mean,
        "against_blind_interval": [difference.low, difference.high],
        "p_value": against.p_value,
    }


def _commonest_value_recall(knowledge: RunKnowledge) -> float:
    """The recall of a model that knows no fact but each relation's most frequent value."""
    world = world_from_triples(knowledge.triples)
    counts = np.zeros((world.relations, world.values))
    np.add.at(counts, (world.relation, world.value), 1)
    return float(counts.max(axis=1).sum() / len(world.value))
