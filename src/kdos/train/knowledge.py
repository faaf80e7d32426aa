"""The knowledge of a run as facts that a model can be asked for, and pools drawn from it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from kdos.arrays import Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.chance import generator
from kdos.errors import InputError
from kdos.pool import values
from kdos.rules import read_fact
from kdos.store import read_parquet
from kdos.targets import quotas, read_target
from kdos.train.facts import Triple, with_common_values

MOST_VALUES = 256
"""Answers that the models know; facts with a rarer one are left out and counted."""
BLIND_ARM = "blind"
"""The arm that is the pool of a run without feedback."""


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
    samples = [one.samples for one in folder.blind.complete_rounds()]
    if not folder.knowledge_points.is_file() or not samples:
        raise InputError(f"RUN must be the folder of a finished `kdos demo`. {run} is none.")
    table = read_parquet(folder.knowledge_points, ["text", "cell"])
    texts: list[str] = values(table, "text")
    read = [askable_triple(text) for text in texts]
    common = set(with_common_values([one for one in read if one], MOST_VALUES))
    usable = np.array([row for row, one in enumerate(read) if one in common])
    kept = np.sort(generator(random_seed, "knowledge").permutation(usable)[:most])
    drawn = Counter(kp for path in samples for kp in sample_sentences(path))
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


def sample_sentences(path: Path) -> Iterable[str]:
    """The knowledge points of the samples of one round, repeats included."""
    table = read_parquet(path, ["knowledge_points"])
    return chain.from_iterable(values(table, "knowledge_points"))


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
    quota = quotas(np.where(counts > 0, log_q, -np.inf), budget)
    order = rng.permutation(len(knowledge.cell))
    turn = np.empty(len(order), np.int64)
    turn[order] = rank_in_cell(knowledge.cell[order])
    share, rest = np.divmod(quota[knowledge.cell], counts[knowledge.cell])
    return share + (turn < rest)


def rank_in_cell(cells: Int64Array) -> Int64Array:
    """Which of its cell each row is, from 0, shape (n,)."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    found = np.empty(len(cells), np.int64)
    found[order] = np.arange(len(cells)) - np.searchsorted(ordered, ordered)
    return found


def log10_density(knowledge: RunKnowledge, pool: Int64Array) -> float:
    """The mean log10 density of a pool's knowledge points, repeats counted."""
    counts = np.bincount(knowledge.cell, pool, minlength=len(knowledge.log_volumes))
    held = counts > 0
    level = np.log(counts[held] + 0.5) - knowledge.log_volumes[held]
    return float((counts[held] * level).sum() / counts.sum() / np.log(10))
