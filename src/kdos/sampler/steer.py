"""Where the next drafts start: cells by their deficit, seeds inside them (our design)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import BoolArray, Float64Array, Int32Array, Int64Array
from kdos.chance import keyed_generator

MOST_POINTS_USED = 5
"""Knowledge points a draft may hold (KDoS: 3 to 5)."""
MOST_PARTNERS = 2
"""Seeds that join the first one in a group."""
PARTNERS_CONSIDERED = 16
"""Seeds of the same document that are looked at for partners."""
PRIOR_TRIES = 2.0
"""Picks' worth of faith that a cell yields, before it was ever tried."""
UNREACHABLE_TRIES = 20
"""Picks aimed at a cell before it can be called unreachable."""
LEAST_YIELD = 0.05
"""Accepted knowledge points a pick must bring into its cell, or the cell counts as unreachable."""


@dataclass(frozen=True, slots=True)
class SeedLinks:
    """Which knowledge points, seeds and documents belong together.

    `cells` holds each knowledge point's cell, shape (n_points,), `documents` and `passages` each
    seed's, shape (n_seeds,). The others list rows: `points_of_seed[s]` those of the knowledge
    points of seed s, `seeds_in_document[d]` those of the seeds of document d.
    """

    cells: Int32Array
    documents: Int32Array
    passages: Int32Array
    points_of_seed: Sequence[Int64Array]
    seeds_of_point: Sequence[Int64Array]
    points_in_cell: Sequence[Int64Array]
    points_in_passage: Sequence[Int64Array]
    seeds_in_document: Sequence[Int64Array]


@dataclass(frozen=True, slots=True)
class CellYields:
    """What was asked and what it brought: per cell and per knowledge point.

    `tries` and `gains`, shape (n_cells,), count picks aimed at a cell and the accepted knowledge
    points that they brought into it; `off_target`, shape (n_cells,), accepted knowledge points
    whose picks asked for none in that cell; `asked`, shape (n_points,), picks from a point.
    """

    tries: Int64Array
    gains: Int64Array
    off_target: Int64Array
    asked: Int64Array

    @classmethod
    def nothing_asked(cls, *, n_cells: int, n_points: int) -> "CellYields":
        """Nothing asked yet."""
        return cls(*(np.zeros(n, np.int64) for n in (n_cells, n_cells, n_cells, n_points)))

    def points_per_pick(self, *, drafts: int) -> Float64Array:
        """Accepted knowledge points that a pick of `drafts` drafts brings into its cell.

        The prior is a yield of one point a draft over `PRIOR_TRIES` picks: an untried cell must
        not look barren, nor one lucky pick make it look rich.
        """
        return (self.gains + PRIOR_TRIES * drafts) / (self.tries + PRIOR_TRIES)

    def extend(
        self,
        asked: Sequence[tuple[int, ...]],
        samples: Sequence[tuple[int, ...]],
        sources: Sequence[int],
        cells: Int32Array,
    ) -> "CellYields":
        """These yields and what one more round of picks brought.

        `asked` holds the knowledge points that each pick was to use, the one it was about first,
        `samples` those of each accepted sample, and `sources` the place of its pick in `asked`;
        `cells`, shape (n_points,), is the cell of each knowledge point known by now.
        """
        first = np.array([use[0] for use in asked], np.int64)
        wanted = [cells[list(use)].tolist() for use in asked]
        # A point in the cell that its pick was about is a gain of that cell; one in a cell that
        # the pick asked for beside it is neither; one anywhere else came by drift.
        found = [
            (cell, wanted[source])
            for points, source in zip(samples, sources, strict=True)
            for cell in cells[list(points)].tolist()
        ]
        gains = [cell for cell, cells_asked in found if cell == cells_asked[0]]
        off_target = [cell for cell, cells_asked in found if cell not in cells_asked]
        grown = np.zeros(len(cells) - len(self.asked), np.int64)
        n_cells = len(self.tries)
        return CellYields(
            tries=self.tries + np.bincount(cells[first], minlength=n_cells),
            gains=self.gains + _count_cells(gains, n_cells),
            off_target=self.off_target + _count_cells(off_target, n_cells),
            asked=np.concatenate([self.asked, grown]) + np.bincount(first, minlength=len(cells)),
        )


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


class PickBatch:
    """The picks of one round as they are made: what one is to use counts as filled for the next.

    `deficit` is each cell's at the start and `reserved` what of it is left to drift, both of shape
    (n_cells,): the rest is to be used, and points of cells without a deficit avoided. `asked`
    counts earlier picks from each knowledge point and `drafts` are asked for in one pick.
    """

    def __init__(
        self,
        links: SeedLinks,
        deficit: Int64Array,
        reserved: Float64Array | float,
        asked: Int64Array,
        drafts: int,
        round_number: int,
        rng: np.random.Generator,
    ) -> None:
        self.picks: list[Pick] = []
        self._links = links
        self._deficit = deficit.copy()
        self._reserved = np.broadcast_to(np.asarray(reserved, np.float64), deficit.shape)
        self._asked = asked
        self._drafts = drafts
        self._round = round_number
        self._rng = rng
        self._picks_from: Counter[int] = Counter()

    def add_pick(self, seeds: Sequence[int], points: Sequence[int]) -> None:
        """Add a pick from `seeds` about `points` and others of their passages that are wanted."""
        links, point = self._links, points[0]
        use, avoid = self._choose_points(seeds, points)
        pick = Pick(
            f"{self._round:04d}-{len(self.picks):06d}",
            int(links.cells[point]),
            tuple(seeds),
            use=use,
            avoid=avoid,
            variant=int(self._asked[point]) + self._picks_from[point],
        )
        self._picks_from[point] += 1
        # What a pick is to use counts as filled at once, `drafts` times, long before any draft
        # comes: without this all picks of a round would name the same points beside their own.
        # `subtract.at`, for two of the points may lie in one cell.
        np.subtract.at(self._deficit, links.cells[list(use)], self._drafts)
        self.picks.append(pick)

    def choose_partners(self, first: int) -> tuple[int, ...]:
        """A seed and those of the same document whose knowledge points are wanted most."""
        links = self._links
        kin = links.seeds_in_document[links.documents[first]]
        seen = self._rng.choice(kin, min(PARTNERS_CONSIDERED, len(kin)), replace=False)
        wanted = [float(self._point_deficits(links.points_of_seed[s]).sum()) for s in seen]
        ranked = [int(seen[i]) for i in np.argsort(-np.array(wanted), kind="stable")]
        return (first, *[s for s in ranked if s != first][:MOST_PARTNERS])

    def _choose_points(self, seeds: Sequence[int], points: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the points in the seeds' passages, those to use, `points` first, and to avoid."""
        links = self._links
        passages = dict.fromkeys(int(links.passages[s]) for s in seeds)
        held = np.unique(np.concatenate([links.points_in_passage[p] for p in passages]))
        others = held[~np.isin(held, points)]
        deficits = self._point_deficits(others)
        most = min(MOST_POINTS_USED - len(points), int(np.count_nonzero(deficits)))
        used = others[:0]
        if most > 0:
            used = self._rng.choice(others, most, replace=False, p=deficits / deficits.sum())
        full = self._deficit[links.cells[others]] <= 0
        return (*points, *used.tolist()), tuple(others[full].tolist())

    def _point_deficits(self, points: Int64Array) -> Float64Array:
        """The deficit of each point's cell that is not left to drift."""
        cells = self._links.cells[points]
        return np.maximum(self._deficit[cells] - self._reserved[cells], 0.0)


def steer_picks(
    deficit: Int64Array,
    yields: CellYields,
    links: SeedLinks,
    *,
    exposures: Int64Array,
    picks: int,
    drafts: int,
    random_seed: int,
    round_number: int,
    reserved: Float64Array | float = 0.0,
) -> list[Pick]:
    """At most `picks` picks, shared over cells by their deficit and by how well they yield.

    A cell gets deficit / yield picks at most, and what one pick is to use counts as filled for the
    next, so that a batch does not overshoot. Inside a cell the least exposed knowledge points come
    first; their seeds are joined by seeds of the same document whose knowledge points are wanted.

    `deficit` is quota minus count and `reserved` what of it is left to drift, shape (n_cells,);
    `exposures`, shape (n_points,), are occurrences of each knowledge point in the pool; `drafts`
    are asked for in one pick. `random_seed` and `round_number`, from 1, key every choice.
    """
    rng = keyed_generator(random_seed, "steer", round_number)
    supply = np.array([len(points) > 0 for points in links.points_in_cell])
    # A cell is asked for deficit / yield: one that yields half as well needs twice the picks.
    wanted = np.where(supply, np.maximum(deficit - reserved, 0), 0)
    shares = _sample_systematically(wanted / yields.points_per_pick(drafts=drafts), picks, rng)
    batch = PickBatch(links, deficit, reserved, yields.asked, drafts, round_number, rng)
    for cell in np.flatnonzero(shares):
        points = links.points_in_cell[int(cell)]
        # The last key counts most: least exposed first, then least asked, ties by chance. Asked
        # counts too, or a point that no draft ever holds would stay first for ever.
        rank = np.lexsort((rng.random(len(points)), yields.asked[points], exposures[points]))
        for number in range(shares[cell]):
            point = int(points[rank[number % len(points)]])
            first = int(rng.choice(links.seeds_of_point[point]))
            batch.add_pick(batch.choose_partners(first), (point,))
    return batch.picks


def scatter_picks(
    links: SeedLinks, *, picks: int, random_seed: int, round_number: int, asked: Int64Array
) -> list[Pick]:
    """Picks from seeds drawn evenly, whatever the pool holds: the blind run's."""
    rng = keyed_generator(random_seed, "scatter", round_number)
    # A deficit of one everywhere and no draft to subtract: every point counts as wanted for ever,
    # so that a blind pick is made as a steered one is, but for where it starts.
    even = np.ones(max(len(links.points_in_cell), 1), np.int64)
    batch = PickBatch(links, even, 0.0, asked, 0, round_number, rng)
    for seed in rng.integers(0, len(links.points_of_seed), picks).tolist():
        point = int(rng.choice(links.points_of_seed[seed]))
        batch.add_pick(batch.choose_partners(seed), (point,))
    return batch.picks


def unreachable_cells(yields: CellYields, links: SeedLinks, *, drafts: int) -> BoolArray:
    """Cells that many picks brought next to nothing to, or that hold no point to start from."""
    empty = np.array([len(points) == 0 for points in links.points_in_cell])
    barren = yields.gains < LEAST_YIELD * yields.tries * drafts
    return empty | ((yields.tries >= UNREACHABLE_TRIES) & barren)


def _sample_systematically(deficit: Float64Array, picks: int, rng: np.random.Generator) -> Int64Array:
    """Whole shares of `picks` in proportion to `deficit`, none above the cell's deficit."""
    total = deficit.sum()
    if total <= 0:
        return np.zeros(len(deficit), np.int64)
    # Systematic sampling: one random offset for all cells. Each gets its expected share rounded up
    # or down, which independent draws would miss by its square root.
    wanted = deficit * min(1.0, picks / total)
    steps = np.floor(np.cumsum(wanted) + rng.random())
    return np.diff(steps, prepend=0.0).astype(np.int64)


def _count_cells(cells: Sequence[int], n_cells: int) -> Int64Array:
    return np.bincount(np.array(cells, np.int64), minlength=n_cells)
