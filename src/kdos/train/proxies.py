"""Proxy models: what each is shown, their training, what they recall, and the lab that measures.

The lab spreads groups of models over processes and keeps what they measured on disk.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import Any, TypeVar

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.chance import key_bits, keyed_generator
from kdos.errors import KdosError
from kdos.runner import exit_with_parent
from kdos.store import read_json_file, write_json
from kdos.terminal import Progress
from kdos.train.ensemble import Ensemble, torch
from kdos.train.facts import WORDINGS, FactWorld, fact_tokens, held_out_wordings

FACTS_PER_STEP = 128
"""Facts that one step shows a model; from our pilot."""
CHOICE_OPTIONS = 4
"""A choice is between a fact's value and three others."""
ChanceKey = tuple[str | int, ...]
MeasuredRow = dict[str, Any]
ModelGroup = TypeVar("ModelGroup")
MODELS_PER_GROUP = 12
"""Models that a process measures before it writes down what they did; a GPU trains them at once."""


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """What one proxy model is trained on: the key of its chance, its world, and its schedule.

    `schedule` has a row of facts for each phase, in the order of showing, shape (presentations,).
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


def train_proxies(specs: Sequence[TrainingSpec], *, width: int, rates: Sequence[float] = (1.0,)) -> Ensemble:
    """Train a model of one width for each spec, all at once; a phase for each rate."""
    texts = np.stack([fact_tokens(spec.world) for spec in specs])
    tokens = specs[0].world.answer_tokens
    ensemble = Ensemble(
        [spec.key for spec in specs], width=width, vocabulary=specs[0].world.vocabulary, length=texts.shape[-1]
    )
    for phase, rate in enumerate(rates):
        facts = np.stack([spec.schedule[phase] for spec in specs]).repeat(tokens, axis=1)
        shown = np.stack([_scheduled_texts(spec, phase) for spec in specs])
        ensemble.train_models(texts, facts, shown, batch=FACTS_PER_STEP * tokens, rate=rate)
    return ensemble


def scheduled_wordings(spec: TrainingSpec, phase: int) -> Int64Array:
    """The wording of each presentation: one of the three that its fact is shown in."""
    facts = spec.schedule[phase]
    turn = keyed_generator(0, *spec.key, "wordings", phase).integers(1, len(WORDINGS), len(facts))
    return (held_out_wordings(len(spec.world.value))[facts] + turn) % len(WORDINGS)


def _scheduled_texts(spec: TrainingSpec, phase: int) -> Int64Array:
    """The texts of each presentation by their place among the fact's: one for each token of the answer."""
    tokens = spec.world.answer_tokens
    return (tokens * scheduled_wordings(spec, phase)[:, None] + np.arange(tokens)).ravel()


def shuffled_epochs(facts: Int64Array, presentations: int, rng: np.random.Generator) -> Int64Array:
    """Facts in a new random order each time round, so that exposures differ by one at most."""
    rounds = -(-presentations // len(facts))
    return np.concatenate([rng.permutation(facts) for _ in range(rounds)])[:presentations]


def mix_in_replay(
    taught: Int64Array, base: Int64Array, presentations: int, replays: int, rng: np.random.Generator
) -> tuple[Int64Array, BoolArray]:
    """The fact of each presentation and whether it is of the base, `replays` of them at random."""
    replayed = rng.permutation(presentations) < replays
    presented = np.empty(presentations, np.int64)
    presented[~replayed] = shuffled_epochs(taught, int((~replayed).sum()), rng)
    if replayed.any():
        presented[replayed] = shuffled_epochs(base, int(replayed.sum()), rng)
    return presented, replayed


def evaluate_proxy(ensemble: Ensemble, model: int, spec: TrainingSpec, facts: Int64Array) -> FactRecall:
    """What one model of the ensemble knows of some facts of its world."""
    # Fact i is never shown in wording i mod 4; (i + 1) mod 4 stands for those it was shown in.
    world = spec.world
    value, unseen = world.value[facts], held_out_wordings(len(world.value))[facts]
    shown = (unseen + 1) % len(WORDINGS)
    exact, nats = _probe_answers(ensemble, model, world, facts, shown)
    paraphrase, paraphrase_nats = _probe_answers(ensemble, model, world, facts, unseen)
    rng = keyed_generator(0, *spec.key, "choices")
    # Distractors are other values at random: an offset from 1 to n - 1, modulo n, is never 0.
    step = rng.integers(1, world.values, (len(facts), CHOICE_OPTIONS - 1))
    best = np.full(len(facts), np.inf)
    for rival in ((value[:, None] + step) % world.values).T:
        values = world.value.copy()
        values[facts] = rival
        best = np.minimum(best, _probe_answers(ensemble, model, replace(world, value=values), facts, shown)[1])
    return FactRecall(exact, paraphrase, nats < best, nats, paraphrase_nats)


def _probe_answers(
    ensemble: Ensemble, model: int, world: FactWorld, facts: Int64Array, wordings: Int64Array
) -> tuple[BoolArray, Float64Array]:
    """Whether a model's first choice is each token of the answer, and how unexpected the answer is, in nats.

    Each token is asked for after the right ones before it: where all are first choices, so is the answer.
    """
    table, rows = fact_tokens(world)[facts], np.arange(len(facts))
    right, nats = np.ones(len(facts), bool), np.zeros(len(facts))
    for place in range(world.answer_tokens):
        texts = table[rows, world.answer_tokens * wordings + place]
        known = ensemble.value_log_probs(model, texts, values=world.answer_vocabulary)
        right &= known.argmax(axis=1) == texts[:, -1]
        nats -= known[rows, texts[:, -1]]
    return right, nats


class Lab:
    """Groups of models spread over processes, one a core; what is done is read from `folder`.

    `core_seconds` is the processor time behind all that was measured, on whatever day.
    """

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.core_seconds = 0.0
        self._folder = folder
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
        self._progress = Progress()

    def measure_groups(
        self, work: Callable[[ModelGroup], list[MeasuredRow]], groups: Sequence[ModelGroup], *, name: str
    ) -> list[list[MeasuredRow]]:
        """The rows that `work` gives for each group, in the order of the groups.

        A group is known again by its ``repr``, which must hold all that shapes its rows.

        Raises:
            KdosError: A process was ended from outside.
        """
        paths = [self._folder / f"{name}-{key_bits(0, repr(group)):032x}.json" for group in groups]
        running = {
            self._pool.submit(_run_timed, work, group): path
            for path, group in zip(paths, groups, strict=True)
            if not path.exists()
        }
        with self._progress.stage(name, total=len(groups)):
            for done, future in enumerate(as_completed(running), len(groups) - len(running) + 1):
                try:
                    write_json(running[future], future.result())
                except BrokenProcessPool as error:
                    raise KdosError(
                        "a process that trained was ended from outside, as by a system without memory left. What was "
                        "done is kept: the same command goes on, if need be with fewer --workers."
                    ) from error
                self._progress.update(done)
        found = [read_json_file(path) for path in paths]
        self.core_seconds += sum(part["core_seconds"] for part in found)
        return [part["rows"] for part in found]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def _run_timed(work: Callable[[ModelGroup], list[MeasuredRow]], group: ModelGroup) -> dict[str, Any]:
    begun = process_time()
    rows = work(group)
    return {"rows": rows, "core_seconds": process_time() - begun}


def _start_worker() -> None:
    exit_with_parent()
    torch.set_num_threads(1)
