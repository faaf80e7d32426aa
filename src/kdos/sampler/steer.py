"""Where the next drafts start: cells by what they lack, seeds inside them (our design)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator

MOST_USED = 5
"""Knowledge points a draft may hold (KDoS: 3 to 5)."""

MOST_PARTNERS = 2
"""Seeds that join the first one in a group."""

PARTNERS_SEEN = 16
"""Seeds of the same document that are looked at for partners."""

PRIOR_TRIES = 2.0
"""Picks' worth of faith that a cell yields, before it was ever tried."""

TRIES = 20
"""Picks aimed at a cell before it can be called unreachable."""

LEAST_YIELD = 0.05
"""Accepted knowledge points a pick must bring into its cell, or the cell counts as unreachable."""


@dataclass(frozen=True, slots=True)
class Links:
    """Which knowledge points, seeds and documents belong together.

    `cells` holds each knowledge point's cell, shape (n_points,), `documents` and `passages` each
    seed's, shape (n_seeds,). `points_of[s]` lists the knowledge points of seed s, `seeds_of[k]` the
    seeds of knowledge point k, `points_in[c]` the knowledge points of cell c, `points_at[p]` those
    of passage p and `seeds_in[d]` the seeds of document d.
    """

    cells: Int32Array
    documents: Int32Array
    passages: Int32Array
    points_of: Sequence[Int64Array]
    seeds_of: Sequence[Int64Array]
    points_in: Sequence[Int64Array]
    points_at: Sequence[Int64Array]
    seeds_in: Sequence[Int64Array]


@dataclass(frozen=True, slots=True)
class Yields:
    """What was asked and what it brought: per cell and per knowledge point.

    `tries` and `gains`, shape (n_cells,), count picks aimed at a cell and the accepted knowledge
    points that they brought into it; `strays`, shape (n_cells,), accepted knowledge points whose
    picks asked for none in that cell; `asked`, shape (n_points,), picks from a point.
    """

    tries: Int64Array
    gains: Int64Array
    strays: Int64Array
    asked: Int64Array

    @classmethod
    def none(cls, *, n_cells: int, n_points: int) -> "Yields":
        """Nothing asked yet."""
        return cls(*(np.zeros(n, np.int64) for n in (n_cells, n_cells, n_cells, n_points)))

    def rate(self, *, drafts: int) -> Float64Array:
        """Accepted knowledge points that a pick of `drafts` drafts brings into its cell."""
        return (self.gains + PRIOR_TRIES * drafts) / (self.tries + PRIOR_TRIES)


@dataclass(frozen=True, slots=True)
class Pick:
    """One place to draft from; seeds and knowledge points are given by their rows.

    `use` starts with the knowledge point the pick is about. `variant` counts the picks made from
    that point before this one.
    """

    id: str
    cell: int
    seeds: tuple[int, ...]
    use: tuple[int, ...]
    avoid: tuple[int, ...]
    variant: int


class Batch:
    """The picks of one round as they are made: what one is to use counts as filled for the next.

    `deficit` is what each cell lacks at the start and `strays` what of it is left to drift, both
    of shape (n_cells,): the rest is to be used, and what lacks nothing is to be avoided. `asked`
    counts earlier picks from each knowledge point and `drafts` are asked for in one pick.
    """

    def __init__(
        self,
        links: Links,
        deficit: Int64Array,
        strays: Float64Array | float = 0.0,
        *,
        asked: Int64Array,
        drafts: int,
        round_number: int,
        rng: np.random.Generator,
    ) -> None:
        self.picks: list[Pick] = []
        self._links = links
        self._left = deficit.copy()
        self._strays = np.broadcast_to(np.asarray(strays, np.float64), deficit.shape)
        self._asked = asked
        self._drafts = drafts
        self._round = round_number
        self._rng = rng
        self._begun: Counter[int] = Counter()

    def add(self, seeds: Sequence[int], points: Sequence[int]) -> None:
        """A pick from `seeds` about `points`, and about what else is thin on their shelves."""
        links, point = self._links, points[0]
        use, avoid = self._sorted(seeds, points)
        pick = Pick(
            f"{self._round:04d}-{len(self.picks):06d}",
            int(links.cells[point]),
            tuple(seeds),
            use=use,
            avoid=avoid,
            variant=int(self._asked[point]) + self._begun[point],
        )
        self._begun[point] += 1
        np.subtract.at(self._left, links.cells[list(use)], self._drafts)
        self.picks.append(pick)

    def partners(self, first: int) -> tuple[int, ...]:
        """A seed and those of the same document whose knowledge points lack most."""
        links = self._links
        kin = links.seeds_in[links.documents[first]]
        seen = self._rng.choice(kin, min(PARTNERS_SEEN, len(kin)), replace=False)
        thin = [float(self._lack(links.points_of[s]).sum()) for s in seen]
        ranked = [int(seen[i]) for i in np.argsort(-np.array(thin), kind="stable")]
        return (first, *[s for s in ranked if s != first][:MOST_PARTNERS])

    def _sorted(
        self, seeds: Sequence[int], points: Sequence[int]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What to use of all that stands on the seeds' shelves, `points` first, and to avoid."""
        links = self._links
        shelves = dict.fromkeys(int(links.passages[s]) for s in seeds)
        held = np.unique(np.concatenate([links.points_at[shelf] for shelf in shelves]))
        others = held[~np.isin(held, points)]
        lack = self._lack(others)
        most = min(MOST_USED - len(points), int(np.count_nonzero(lack)))
        used = others[:0]
        if most > 0:
            used = self._rng.choice(others, most, replace=False, p=lack / lack.sum())
        full = self._left[links.cells[others]] <= 0
        return (*points, *used.tolist()), tuple(others[full].tolist())

    def _lack(self, points: Int64Array) -> Float64Array:
        """What the cells of knowledge points lack that is not left to drift."""
        cells = self._links.cells[points]
        return np.maximum(self._left[cells] - self._strays[cells], 0.0)


def steer(
    deficit: Int64Array,
    yields: Yields,
    links: Links,
    *,
    exposures: Int64Array,
    picks: int,
    drafts: int,
    random_seed: int,
    round_number: int,
    strays: Float64Array | float = 0.0,
) -> list[Pick]:
    """At most `picks` picks, shared over cells by what they lack and by how well they yield.

    A cell gets deficit / yield picks at most, and what one pick is to use counts as filled for the
    next, so that a batch does not overshoot. Inside a cell the least exposed knowledge points come
    first; their seeds are joined by seeds of the same document whose knowledge points are thin.

    Args:
        deficit: Quota minus count, shape (n_cells,); cells at or below zero get nothing.
        yields: What earlier picks brought.
        links: What belongs together.
        exposures: Occurrences of each knowledge point in the pool, shape (n_points,).
        picks: The size of the batch.
        drafts: Drafts asked for in one pick.
        random_seed: With `round_number` it keys every choice.
        round_number: The round, from 1.
        strays: What of it is left to drift, shape (n_cells,).
    """
    rng = keyed_generator(random_seed, "steer", round_number)
    supply = np.array([len(points) > 0 for points in links.points_in])
    lack = np.where(supply, np.maximum(deficit - strays, 0), 0) / yields.rate(drafts=drafts)
    shares = _systematic(lack, picks, rng)
    batch = Batch(
        links,
        deficit,
        strays,
        asked=yields.asked,
        drafts=drafts,
        round_number=round_number,
        rng=rng,
    )
    for cell in np.flatnonzero(shares):
        points = links.points_in[int(cell)]
        rank = np.lexsort((rng.random(len(points)), yields.asked[points], exposures[points]))
        for turn in range(shares[cell]):
            point = int(points[rank[turn % len(points)]])
            batch.add(batch.partners(int(rng.choice(links.seeds_of[point]))), (point,))
    return batch.picks


def scatter(
    links: Links, *, picks: int, random_seed: int, round_number: int, asked: Int64Array
) -> list[Pick]:
    """Picks from seeds drawn evenly, whatever the pool holds: the blind run's."""
    rng = keyed_generator(random_seed, "scatter", round_number)
    even = np.ones(max(len(links.points_in), 1), np.int64)
    batch = Batch(links, even, asked=asked, drafts=0, round_number=round_number, rng=rng)
    for seed in rng.integers(0, len(links.points_of), picks).tolist():
        point = int(rng.choice(links.points_of[seed]))
        batch.add(batch.partners(seed), (point,))
    return batch.picks


def unreachable_cells(yields: Yields, links: Links, *, drafts: int) -> BoolArray:
    """Cells that no draft has reached in TRIES picks, or that hold nothing to start from."""
    empty = np.array([len(points) == 0 for points in links.points_in])
    barren = (yields.tries >= TRIES) & (yields.gains < LEAST_YIELD * yields.tries * drafts)
    return empty | barren


def _systematic(lack: Float64Array, picks: int, rng: np.random.Generator) -> Int64Array:
    """Whole shares of `picks` in proportion to `lack`, none above what the cell lacks."""
    total = lack.sum()
    if total <= 0:
        return np.zeros(len(lack), np.int64)
    wanted = lack * min(1.0, picks / total)
    steps = np.floor(np.cumsum(wanted) + rng.random())
    return np.diff(steps, prepend=0.0).astype(np.int64)
