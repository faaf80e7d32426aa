"""Which level of difficulty to ask for, so that the levels that come are those that are wanted.

LinkSyn controls "difficulty distributions" (abstract); how is not public, and this is our design. What a model writes
is easier than what it was asked for, now and then harder, so the level that came is measured
(`kdos.logic.measure_difficulty`), and requests are made by what came of those before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kdos.arrays import Float64Array, Int64Array
from kdos.graph import rake_table, realised_matrix, request_mix
from kdos.logic import LEVELS

N_LEVELS = len(LEVELS)
PRIOR_SAMPLES = 8.0
"""Samples' worth of faith that a discipline is like all together, before it was tried."""
PRIOR_YIELD = 0.8
"""Samples that a draft is taken to bring, before any came."""
LEAST_REACH = 0.1
"""The share of samples, asked for at the best level for it, from which a level counts as reached in a discipline;
below that, other disciplines take over what is wanted of it."""


LEVEL_SLACK = 0.005
"""Share of all samples by which a level may go beyond its own, where they are numbered: the mix comes no nearer."""


class Levelled(NamedTuple):
    """A sample by its discipline's number, the level that was asked for and the one that came, from 0."""

    discipline: int
    asked: int
    came: int


class LevelRequest(NamedTuple):
    """So many drafts of a discipline, by its number, that were asked for at a level, from 0."""

    discipline: int
    level: int
    drafts: int


@dataclass(frozen=True, slots=True)
class LevelRecord:
    """What was asked for and what came of it.

    `asked`, shape (n_disciplines, n_levels), counts drafts by the level asked for; `came`, shape (n_disciplines,
    n_levels, n_levels), samples by the level asked for and the level found.
    """

    asked: Int64Array
    came: Int64Array

    @classmethod
    def empty(cls, n_disciplines: int) -> "LevelRecord":
        """Nothing asked yet."""
        return cls(
            np.zeros((n_disciplines, N_LEVELS), np.int64), np.zeros((n_disciplines, N_LEVELS, N_LEVELS), np.int64)
        )

    def extend(self, requests: Sequence[LevelRequest], samples: Sequence[Levelled]) -> "LevelRecord":
        """The record with some more requests, and the samples that came of any."""
        asked, came = self.asked.copy(), self.came.copy()
        for discipline, level, drafts in requests:
            asked[discipline, level] += drafts
        for sample in samples:
            came[sample] += 1
        return LevelRecord(asked, came)

    @property
    def held(self) -> Int64Array:
        """Samples by the level that came, shape (n_disciplines, n_levels)."""
        return self.came.sum(axis=1)

    def matrices(self) -> Float64Array:
        """How what was asked for comes out, by discipline: shape of `came`, rows of sum 1."""
        together = realised_matrix(self.came.sum(axis=0))
        counts = self.came + PRIOR_SAMPLES * together
        return counts / counts.sum(axis=2, keepdims=True)

    def discipline_yields(self) -> Float64Array:
        """Samples that a draft of each discipline brings, shape (n_disciplines,), above 0."""
        whole = (self.came.sum() + PRIOR_SAMPLES * PRIOR_YIELD) / (self.asked.sum() + PRIOR_SAMPLES)
        return (self.came.sum(axis=(1, 2)) + PRIOR_SAMPLES * whole) / (self.asked.sum(axis=1) + PRIOR_SAMPLES)

    def yields(self) -> Float64Array:
        """Samples that a draft asked for at each level brings, shape (n_disciplines, n_levels), above 0."""
        whole = (self.came.sum() + PRIOR_SAMPLES * PRIOR_YIELD) / (self.asked.sum() + PRIOR_SAMPLES)
        return (self.came.sum(axis=2) + PRIOR_SAMPLES * whole) / (self.asked + PRIOR_SAMPLES)


@dataclass(slots=True)
class LevelPlan:
    """The requests of a part: `shares` by level, shape (n_disciplines, n_levels), rows of sum 1.

    `missing`, of that shape, are samples still wanted of each level once what is in flight has come. `room`, shape
    (n_levels,), is how many more samples of each level the pool may hold.
    """

    shares: Float64Array
    missing: Float64Array
    room: Float64Array
    _chosen: Int64Array = field(init=False)

    def __post_init__(self) -> None:
        self._chosen = np.zeros(self.shares.shape, np.int64)

    def next_level(self, discipline: int) -> int:
        """The level, from 0, for the next pick of a discipline: the one whose share is furthest behind."""
        shares, chosen = self.shares[discipline], self._chosen[discipline]
        level = int(np.argmax(shares * (chosen.sum() + 1) - chosen))
        chosen[level] += 1
        return level

    def should_rewrite(self, discipline: int, *, asked: int, came: int) -> bool:
        """Whether a sample that came out easier than it was asked for is worth writing again, one level up.

        That is where its own level is full and the next one is short.
        """
        missing = self.missing[discipline]
        return bool(came < asked and missing[came] <= 0 < missing[came + 1])


def plan_levels(
    record: LevelRecord,
    wanted: Float64Array,
    *,
    in_flight: Sequence[LevelRequest],
    samples: float,
    most: int | None = None,
) -> LevelPlan:
    """The requests with which a pool of so many `samples` will hold the levels in the `wanted` shares, (n_levels,).

    Each discipline is to have them in the same shares; where one cannot reach a level, the others take over what is
    wanted of it. Requests still in flight count as what they are expected to bring. Where the pool will hold `most`
    samples, a level has no room beyond its share and a slack, as long as others that are short can be reached.
    """
    matrices, yields, held = record.matrices(), record.yields(), record.held.astype(np.float64)
    for discipline, level, drafts in in_flight:
        held[discipline] += drafts * yields[discipline, level] * matrices[discipline, level]
    # The pool is taken to be made up of disciplines as it is by now.
    each = held.sum(axis=1) + 1 / len(held)
    table = max(samples, held.sum()) * rake_table(
        wanted * np.minimum(matrices.max(axis=1) / LEAST_REACH, 1.0), rows=each, columns=wanted
    )
    missing = np.maximum(table - held, 0.0)
    aims = np.where(missing.sum(axis=1, keepdims=True) > 0, missing, wanted)
    requests = np.array([request_mix(matrix, aim).requests for matrix, aim in zip(matrices, aims, strict=True)])
    requests /= yields
    shares = requests / requests.sum(axis=1, keepdims=True)
    return LevelPlan(shares, table - held, _room_of_levels(record, wanted, most))


def _room_of_levels(record: LevelRecord, wanted: Float64Array, most: int | None) -> Float64Array:
    """How many more samples of each level a pool of `most` may hold, shape (n_levels,); infinite without a cap."""
    if most is None:
        return np.full(N_LEVELS, np.inf)
    held = record.held.sum(axis=0)
    is_short = held < wanted * most
    reached = realised_matrix(record.came.sum(axis=0)).max(axis=0) >= LEAST_REACH
    # To refuse what comes instead of a level that never comes would only leave the pool smaller.
    if not (is_short & reached).any():
        return np.full(N_LEVELS, np.inf)
    room: Float64Array = (wanted + LEVEL_SLACK) * most - held
    return room
