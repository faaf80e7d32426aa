"""Pools as a proxy model meets them: how often each shows every fact of a universe (our design).

A universe is a sample of the facts that a run's source states. A pool is what a run made, cut where the runs that it
is compared with had asked as often for drafts; or what a simpler rule makes of a blind run's drafts; or dealt by hand.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.errors import InputError
from kdos.pool import column_values
from kdos.pool.duplicates import find_near_duplicates
from kdos.rules import read_fact
from kdos.store import read_parquet
from kdos.train.facts import Triple, with_one_answer

LEAST_FACTS = 32
"""Facts that a universe must have: recall of fewer says nothing."""


@dataclass(frozen=True, slots=True)
class Universe:
    """Facts that models are asked for; row i of every array, shape (n_facts,), is fact i.

    `log10_density` is that of the fact's knowledge point in the run's space. `source_points` are all knowledge points
    of the source; `left_out` says how many of them are not in the universe, by reason.
    """

    triples: tuple[Triple, ...]
    log10_density: Float64Array
    source_points: int
    left_out: dict[str, int]


def read_universe(run: Path, *, most: int, random_seed: int) -> Universe:
    """`most` facts of a run's source, drawn at random among those that have one answer that can be asked for.

    Raises:
        InputError: It is no run that has its space, or too few of its knowledge points can be asked for.
    """
    folder = RunFolder(run)
    if not folder.knowledge_points.is_file():
        raise InputError(f"RUN must be the folder of a finished run. {run} is none.")
    folder.refuse_damage()
    table = read_parquet(folder.knowledge_points, ["text", "log10_density"])
    read = [askable_triple(text) for text in column_values(table, "text")]
    rows = {triple: row for row, triple in reversed(list(enumerate(read))) if triple}
    usable = with_one_answer(list(rows))
    if len(usable) < LEAST_FACTS:
        raise InputError(
            f"RUN must state facts that can be asked for, {LEAST_FACTS} at least. {run} has {len(usable)}: take a run "
            "on the documentation of Python (source kind pydocs)."
        )
    order = keyed_generator(random_seed, "knowledge").permutation(sorted(rows[triple] for triple in usable))
    kept = np.sort(order[:most])
    return Universe(
        tuple(triple for triple in (read[row] for row in kept) if triple),
        log10_density=table["log10_density"].to_numpy()[kept],
        source_points=len(read),
        left_out={
            "not_askable": sum(triple is None for triple in read),
            "stated_before": sum(triple is not None for triple in read) - len(rows),
            "several_answers": len(rows) - len(usable),
            "past_the_number_wanted": len(usable) - len(kept),
        },
    )


def askable_triple(text: str) -> Triple | None:
    """The fact that a sentence states, by its first slot that may be asked for."""
    fact = read_fact(text)
    if fact is None or not fact.askable:
        return None
    slot = fact.askable[0]
    others = [part for name, part in fact.slots.items() if name != slot and part in fact.content]
    return Triple(" ".join(others), f"{fact.relation.name}: {slot}", fact.slots[slot])


@dataclass(frozen=True, slots=True)
class PoolSamples:
    """The samples of a run in their order; `calls` for drafts had been made up to each, shape (n_samples,)."""

    questions: list[str]
    answers: list[str]
    points: list[list[str]]
    calls: Int64Array

    def keep(self, rows: Iterable[int]) -> "PoolSamples":
        """Some of the samples, in this order."""
        chosen = list(rows)
        return PoolSamples(
            [self.questions[row] for row in chosen],
            answers=[self.answers[row] for row in chosen],
            points=[self.points[row] for row in chosen],
            calls=self.calls[chosen],
        )

    def cut_at(self, calls: int) -> "PoolSamples":
        """The samples that were there when so many calls for drafts had been made."""
        return self.keep(np.flatnonzero(self.calls <= calls).tolist())


def read_pool(run: Path) -> PoolSamples:
    """What a run made."""
    folder = RunFolder(run)
    samples = pa.concat_tables(folder.read_parts("samples", ["id", "question", "answer", "knowledge_points"]))
    picks = pa.concat_tables(folder.read_parts("picks", ["id"]))
    verdicts = pa.concat_tables(folder.read_parts("verdicts", ["draft", "again"]))
    place = {name: number for number, name in enumerate(column_values(picks, "id"))}
    # A call for each pick in its turn, and one more for each draft that was asked for again.
    asked = np.ones(len(place), np.int64)
    for draft, again in zip(column_values(verdicts, "draft"), column_values(verdicts, "again"), strict=True):
        asked[place[_pick_of(draft)]] += again
    calls = np.cumsum(asked)[[place[_pick_of(name)] for name in column_values(samples, "id")]]
    questions, answers, points = (column_values(samples, name) for name in ("question", "answer", "knowledge_points"))
    return PoolSamples(questions, answers, points, calls)


def _pick_of(draft: str) -> str:
    return draft.partition("/")[0]


def without_repeats(pool: PoolSamples) -> PoolSamples:
    """The samples whose question is no repeat of an earlier one, nearly word for word."""
    return pool.keep(find_near_duplicates(pool.questions).kept_rows.tolist())


def cover_greedily(pool: PoolSamples, samples: int) -> PoolSamples:
    """So many samples, chosen one after the other for the knowledge points that those chosen do not hold yet.

    The strongest simple rival of feedback: it makes twice the drafts and keeps the better half.
    """
    points = [frozenset(each) for each in pool.points]
    held: set[str] = set()
    # A sample's gain only falls as others are chosen: one whose gain is still what it was is the best (lazy greedy).
    heap = [(-len(each), row) for row, each in enumerate(points)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < samples:
        gain, row = heapq.heappop(heap)
        now = -len(points[row] - held)
        if now == gain:
            chosen.append(row)
            held |= points[row]
        else:
            heapq.heappush(heap, (now, row))
    return pool.keep(chosen)


def count_exposures(universe: Universe, pool: PoolSamples) -> Int64Array:
    """How often a pool shows each fact of a universe, shape (n_facts,)."""
    times = Counter(text for points in pool.points for text in points)
    row = {triple: number for number, triple in enumerate(universe.triples)}
    counts = np.zeros(len(row), np.int64)
    for text, shown in times.items():
        triple = askable_triple(text)
        if triple and triple in row:
            counts[row[triple]] += shown
    return counts


def deal_without_repeats(exposures: Int64Array, rng: np.random.Generator) -> Int64Array:
    """As many exposures, of random facts each shown equally often: what no choice of pool could better."""
    facts = len(exposures)
    rounds, rest = divmod(int(exposures.sum()), facts)
    return rounds + (rng.permutation(facts) < rest)


@dataclass(frozen=True, slots=True)
class DealtPool:
    """A pool dealt by hand: it shows `coverage` of the universe's facts once, drawn where `level` says."""

    level: str
    coverage: float
    shown: BoolArray


COVERAGES = (0.04, 0.2, 0.45)
"""Shares of the facts that dealt pools show: only so few can be two decades of density apart in the demo's source."""
DENSITY_LEVELS = ("thin", "any", "dense")
DEALT_AMONG = 1.1
"""From the densest or thinnest facts, so many times as many as are wanted, those of a pool are drawn: pools differ."""


def deal_by_density(universe: Universe, rng: np.random.Generator) -> list[DealtPool]:
    """Pools of equal coverage and different density, and the other way round: one of each kind."""
    facts = len(universe.triples)
    # Facts equally dense are in random order.
    turn = rng.permutation(facts)
    rising = turn[np.argsort(universe.log10_density[turn], kind="stable")]
    orders = {"thin": rising, "any": rng.permutation(facts), "dense": rising[::-1]}
    dealt: list[DealtPool] = []
    for coverage in COVERAGES:
        wanted = round(coverage * facts)
        for level in DENSITY_LEVELS:
            among = orders[level][: round(DEALT_AMONG * wanted)]
            shown = np.zeros(facts, bool)
            shown[rng.permutation(among)[:wanted]] = True
            dealt.append(DealtPool(level, coverage, shown))
    return dealt


def mean_log10_density(universe: Universe, exposures: Int64Array) -> float:
    """The mean log10 density of the facts that a pool shows, repeats counted; NaN where it shows none."""
    total = exposures.sum()
    return float(exposures @ universe.log10_density / total) if total else float("nan")
