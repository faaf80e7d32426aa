"""Where the next drafts start: knowledge points by their deficit, others that are linked to them (our design)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kdos.arrays import AnyArray, BoolArray, Float64Array, Int64Array
from kdos.chance import keyed_generator
from kdos.pool import Pool
from kdos.sampler.disciplines import DisciplineNeeds
from kdos.sampler.feedback import POINTS_PER_SAMPLE, Deficit, exposures_each
from kdos.sampler.links import SeedLinks

FEWEST_POINTS_USED = 3
MOST_POINTS_USED = 5
"""Knowledge points a draft may hold (KDoS: 3 to 5)."""
POINTS_ASKED = 4
"""Knowledge points that a draft is asked to rest on: the middle; the most where samples are scarce."""
ADHERENCE_EXPECTED = 0.75
"""Share of the points asked for that a draft is taken to hold, before any was seen."""
PRIOR_ASKS = 64
"""Points asked for that count as seen, at the expected rate, before any was."""
MOST_SEEDS = 3
"""Seeds in a group: what they and their passages say is in the prompt."""
LINKS_CONSIDERED = 48
"""Points that name an entity which are looked at for one draft: a module's name stands in thousands."""
FEWEST_CLOSE = 0.7
"""Share of the points close to a start that must be left of those wanted but for picks in flight; else it is short."""
FEWEST_LACKING = 3
"""Points that must be lacking for it: for fewer, waiting is not worth while."""
MOST_SHORT = 0.5
"""Share of the starting points drawn that may be short of wanted points before such are taken."""
STARTS_DRAWN = 256
"""Starting points that are drawn together: enough to spread over the cells, few enough to see what was asked since."""
UNREACHABLE_TRIES = 6
"""Tries in vain before a knowledge point counts as unreachable: a draft that was to hold it is one, a draft about it
two, for as a clue it may only have been beside the point. With four drafts of either kind, a fifth of the points of a
Wikipedia dump were given up that come when asked about."""


@dataclass(frozen=True, slots=True)
class PointYields:
    """What was asked and what it brought, by knowledge point, shape (n_points,).

    `asked` counts drafts that were to hold a point, `started` those that were to be about it, and `gained` how often
    an accepted sample held a point that its pick had asked for. `picks` is their number in all.
    """

    asked: Int64Array
    started: Int64Array
    gained: Int64Array
    picks: int = 0

    @classmethod
    def nothing_asked(cls, n_points: int) -> "PointYields":
        """Nothing asked yet."""
        return cls(np.zeros(n_points, np.int64), np.zeros(n_points, np.int64), np.zeros(n_points, np.int64))

    def extend(
        self, asked: Sequence[Sequence[tuple[int, ...]]], samples: Sequence[tuple[int, ...]], sources: Sequence[int]
    ) -> "PointYields":
        """These yields and what some more picks brought.

        `asked` holds the groups of knowledge points that each pick was to use, one for each draft, the point that it
        is about first; `samples` the points of each accepted sample, and `sources` the place of its pick in `asked`.
        """
        n_points = len(self.asked)
        wanted = [{point for group in groups for point in group} for groups in asked]
        gained = [p for points, source in zip(samples, sources, strict=True) for p in points if p in wanted[source]]
        used = [point for groups in asked for group in groups for point in group]
        first = [group[0] for groups in asked for group in groups]
        return PointYields(
            asked=self.asked + _count_points(used, n_points),
            started=self.started + _count_points(first, n_points),
            gained=self.gained + _count_points(gained, n_points),
            picks=self.picks + len(asked),
        )

    @property
    def per_ask(self) -> float:
        """How often a point that was asked for came, a share in (0, 1], with some asks at the expected rate."""
        expected = ADHERENCE_EXPECTED * PRIOR_ASKS
        return float(min(1.0, (self.gained.sum() + expected) / (self.asked.sum() + PRIOR_ASKS)))

    @property
    def in_vain(self) -> Int64Array:
        """How often each point was asked for without coming, shape (n_points,)."""
        return np.maximum(self.asked - self.gained, 0)


def points_to_ask(pool: Pool, deficit: Deficit, yields: PointYields, *, most: int | None) -> int:
    """Knowledge points that a draft is to rest on: the fewest with which `most` samples can hold what the source has.

    At the rate so far, by which a sample fills the order for each point that it was asked to rest on.
    """
    if most is None:
        return POINTS_ASKED
    asked = (yields.asked.sum() + POINTS_ASKED) / (yields.started.sum() + 1)
    each = exposures_each(pool, deficit, prior=ADHERENCE_EXPECTED * POINTS_PER_SAMPLE) * POINTS_ASKED / asked
    left = deficit.supply - deficit.filled
    return MOST_POINTS_USED if left > (most - pool.samples) * each else POINTS_ASKED


def unreachable_points(yields: PointYields) -> BoolArray:
    """Knowledge points that several drafts were to hold and none did, shape (n_points,)."""
    return (yields.asked + yields.started >= UNREACHABLE_TRIES) & (yields.gained == 0)


@dataclass(frozen=True, slots=True)
class Pick:
    """One place to draft from; seeds and knowledge points are given by their rows.

    `use` has a group of knowledge points for each draft that is asked for, the one it is to be about first.
    `avoid` are points of the same passages that are held enough. `variant` counts the drafts that were to be about
    the first point before this pick. `is_short` says that it had too few wanted points to rest on, and may have more
    once picks in flight are decided. `difficulty` is the level that is asked for, one of `kdos.logic.LEVELS`, or empty
    where any will do.
    """

    id: str
    cell: int
    seeds: tuple[int, ...]
    use: tuple[tuple[int, ...], ...]
    avoid: tuple[int, ...]
    variant: int
    is_short: bool
    difficulty: str = ""

    @property
    def number(self) -> int:
        """Its place among all picks of the run, from 0."""
        return int(self.id)


class PickMaker:
    """Makes the picks of a part: what one is to use counts as held for the next, and so does what is in flight.

    `missing`, shape (n_points,), is how often each knowledge point may still appear and `room`, shape (n_cells,), how
    many exposures its cell still wants. `yields` are of the picks that are decided; `drafts` are asked for in one
    pick, each to rest on `points` knowledge points. Picks are numbered over the whole run.
    """

    def __init__(
        self,
        links: SeedLinks,
        missing: AnyArray,
        room: AnyArray,
        yields: PointYields,
        *,
        in_flight: Sequence[Pick],
        drafts: int,
        points: int,
        rng: np.random.Generator,
    ) -> None:
        self._links = links
        self._expected = yields.per_ask
        self._missing = missing.astype(np.float64)
        self._room = room.astype(np.float64)
        self._started = yields.started.copy()
        self._drafts = drafts
        self._points = points
        self._number = yields.picks + len(in_flight)
        self._rng = rng
        self._wanted_but_for_flight = self.is_wanted(np.arange(len(links.cells)))
        for pick in in_flight:
            for group in pick.use:
                self._started[group[0]] += 1
                for point in group:
                    self._count_as_held(point)

    def is_wanted(self, points: Int64Array) -> BoolArray:
        """Which of these points may appear once more, in a cell that has room, given what was asked for already."""
        return (self._missing[points] > 0) & (self._room[self._links.cells[points]] > 0)

    def is_short(self, start: int) -> bool:
        """Whether too few points close to this one are wanted for its drafts, while picks in flight use others."""
        close = self._close_points(start)
        enough = min(self._drafts * self._points, int(np.count_nonzero(self._wanted_but_for_flight[close])))
        left = np.count_nonzero(self.is_wanted(close))
        return bool(left < FEWEST_CLOSE * enough and enough - left >= FEWEST_LACKING)

    def can_rest(self, start: int) -> bool:
        """Whether a draft about this point finds enough others to rest on; else it would hold anything, or nothing."""
        links, close = self._links, self._close_points(start)
        if np.count_nonzero(self._is_harmless(close)) >= FEWEST_POINTS_USED:
            return True
        documents = np.unique(links.documents[links.seeds_of_point[start]]).tolist()
        written = np.concatenate([links.points_in_document[document] for document in documents])
        found = np.union1d(close[self._is_harmless(close)], written[self.is_wanted(written)])
        return len(found) >= FEWEST_POINTS_USED

    def make_pick(self, start: int, *, path: Sequence[int] = (), seeds: Sequence[int] = ()) -> Pick:
        """A pick about a point and those linked to it that are wanted; `path` and its `seeds` may be given."""
        links = self._links
        chosen = list(seeds) or [int(self._rng.choice(links.seeds_of_point[start]))]
        is_short = self.is_short(start)
        first = self._group_of(start, chosen, taken=set(), given=path)
        groups = [first]
        taken = set(first)
        while len(groups) < self._drafts and (other := self._next_start(chosen, taken)) is not None:
            groups.append(self._group_of(other, chosen, taken=taken))
            taken |= set(groups[-1])
        pick = Pick(
            f"{self._number:08d}",
            int(links.cells[start]),
            tuple(chosen),
            use=tuple(groups),
            avoid=self._held_enough(chosen, taken),
            variant=int(self._started[start]),
            is_short=is_short,
        )
        self._number += 1
        for group in groups:
            self._started[group[0]] += 1
        return pick

    def _group_of(
        self, start: int, seeds: list[int], *, taken: set[int], given: Sequence[int] = ()
    ) -> tuple[int, ...]:
        """The start and linked points that are wanted; where too few are, others that are linked to it.

        Points whose passage is not shown yet bring their seed along, as long as there are few: `seeds` grows.
        """
        group = list(dict.fromkeys([start, *given]))[:MOST_POINTS_USED]
        for point in group:
            self._count_as_held(point)
        spare = self._join_points(group, self._linked_points(start), self._points, seeds, taken)
        # Of the same document, no more than make up the usual number: they may have little to do with each other.
        self._join_points(group, self._document_points(start), min(POINTS_ASKED, self._points), seeds, taken)
        # A draft of fewer points than it must have would be filled up by its writer, with anything.
        for point in spare:
            if len(group) >= FEWEST_POINTS_USED:
                break
            if point not in group and self._show_passage(point, seeds):
                group.append(point)
        return tuple(group)

    def _join_points(
        self, group: list[int], points: Iterator[int], most: int, seeds: list[int], taken: set[int]
    ) -> list[int]:
        """Let the points that are wanted join the group until it has `most`; returns those passed that are not."""
        spare: list[int] = []
        while len(group) < most and (point := next(points, None)) is not None:
            if point in taken or point in group:
                continue
            if not self.wants(point):
                # One that is missing where its cell has no room would have the draft refused.
                if self._missing[point] <= 0:
                    spare.append(point)
            elif self._show_passage(point, seeds):
                group.append(point)
                self._count_as_held(point)
        return spare

    def wants(self, point: int) -> bool:
        """`is_wanted`, of one point."""
        return bool(self._missing[point] > 0 and self._room[self._links.cells[point]] > 0)

    def _is_harmless(self, points: Int64Array) -> BoolArray:
        # One that is missing where its cell has no room would have the draft refused.
        return (self._missing[points] <= 0) | (self._room[self._links.cells[points]] > 0)

    def _count_as_held(self, point: int) -> None:
        # At once, long before any draft comes: without this all picks in flight would name the same points.
        if self._missing[point] > 0:
            self._room[self._links.cells[point]] -= self._expected
        self._missing[point] -= 1

    def _linked_points(self, start: int) -> Iterator[int]:
        """Points to join with, the most closely linked first: by the rarest entity that both name, then by seed."""
        links = self._links
        for entity in links.entities_of_point[start]:
            yield from self._some_of(links.points_of_entity[entity])
        for seed in links.seeds_of_point[start]:
            yield from links.points_of_seed[seed].tolist()
            yield from self._some_of(links.points_in_passage[int(links.passages[seed])])

    def _close_points(self, start: int) -> Int64Array:
        """Some of the points that name the same entities, and those of the same passages."""
        links = self._links
        named = [links.points_of_entity[entity][:LINKS_CONSIDERED] for entity in links.entities_of_point[start]]
        shown = [links.points_in_passage[int(links.passages[seed])] for seed in links.seeds_of_point[start]]
        return np.unique(np.concatenate([*named, *shown]))

    def _document_points(self, start: int) -> Iterator[int]:
        """Wanted points of the same documents: once most is held, a passage has too little left for a draft."""
        links = self._links
        for document in dict.fromkeys(links.documents[links.seeds_of_point[start]].tolist()):
            points = links.points_in_document[document]
            yield from self._some_of(points[self.is_wanted(points)])

    def _some_of(self, points: Int64Array) -> list[int]:
        """The points in an order of chance, a bounded number of them."""
        if len(points) > LINKS_CONSIDERED:
            points = points[self._rng.integers(0, len(points), LINKS_CONSIDERED)]
        return points[self._rng.permutation(len(points))].tolist()

    def _show_passage(self, point: int, seeds: list[int]) -> bool:
        """Whether a seed of the group shows the point's passage, one more seed taken in where there is room."""
        links = self._links
        shown = {int(links.passages[seed]) for seed in seeds}
        own = links.seeds_of_point[point]
        if any(int(links.passages[seed]) in shown for seed in own):
            return True
        if len(seeds) >= MOST_SEEDS:
            return False
        seeds.append(int(own[0]))
        return True

    def _next_start(self, seeds: Sequence[int], taken: set[int]) -> int | None:
        """A wanted point of the same passages for one draft more; None if there is none."""
        points = self._points_shown(seeds)
        points = points[self.is_wanted(points) & ~np.isin(points, list(taken))]
        return int(self._rng.choice(points)) if len(points) else None

    def _held_enough(self, seeds: Sequence[int], taken: set[int]) -> tuple[int, ...]:
        points = self._points_shown(seeds)
        return tuple(int(p) for p in points[~self.is_wanted(points)] if p not in taken)

    def _points_shown(self, seeds: Sequence[int]) -> Int64Array:
        links = self._links
        passages = dict.fromkeys(int(links.passages[s]) for s in seeds)
        return np.unique(np.concatenate([links.points_in_passage[p] for p in passages]))


def steer_picks(
    deficit: Deficit,
    yields: PointYields,
    links: SeedLinks,
    *,
    in_flight: Sequence[Pick],
    drafts: int,
    points: int = POINTS_ASKED,
    random_seed: int,
    part: int,
    needs: DisciplineNeeds | None = None,
) -> Iterator[Pick]:
    """Picks in proportion to the deficit of the points they are about, by how well those yield, while any is wanted.

    What one pick is to use counts as held for the next, and so does what those in flight are to use. `drafts` are
    asked for in one pick, each to rest on `points` knowledge points. `random_seed` and `part`, from 1, key every
    choice. Where disciplines have shares, picks are spread over them by their `needs`.
    """
    rng = keyed_generator(random_seed, "steer", part)
    maker = PickMaker(
        links, deficit.missing, deficit.room, yields, in_flight=in_flight, drafts=drafts, points=points, rng=rng
    )
    weights = start_weights(deficit, yields)
    for start in wanted_starts(weights, maker, links, rng, needs):
        yield maker.make_pick(start)


def wanted_starts(
    weights: Float64Array,
    maker: PickMaker,
    links: SeedLinks,
    rng: np.random.Generator,
    needs: DisciplineNeeds | None = None,
) -> Iterator[int]:
    """Points to start from by their weights, some at a time, as long as the maker of picks wants any of them."""
    # Points in the order of their cells, so that systematic sampling spreads the starts over the cells as evenly as
    # over the points.
    order = np.argsort(links.cells, kind="stable")
    all_points = np.arange(len(weights))
    while (open_weights := weights * maker.is_wanted(all_points)).any():
        wanted = open_weights[order]
        most = min(STARTS_DRAWN, int(np.count_nonzero(wanted)))
        if needs is not None:
            wanted = needs.spread(open_weights)[order]
            # Each point is drawn once at most: with more, the weights of the wanted ones would be cut.
            most = max(1, min(most, int(wanted.sum() / wanted.max())))
        shares = _sample_systematically(wanted, most, rng)
        # In an order of chance, for a part may end before all were taken.
        drawn = order[rng.permutation(np.flatnonzero(shares))].tolist()
        # Those about which no draft could be written come last.
        drawn = [start for start in drawn if maker.can_rest(start)] or drawn
        short: list[int] = []
        for start in drawn:
            # A pick before it may have asked for it meanwhile, or for most of what is close to it.
            if maker.is_short(start):
                short.append(start)
            elif maker.wants(start):
                yield start
        # Short ones wait, unless most are: what is in flight leaves little then, and all that is drawn may be taken.
        if len(short) > MOST_SHORT * len(drawn):
            yield from (start for start in short if maker.wants(start))


def start_weights(deficit: Deficit, yields: PointYields) -> Float64Array:
    """How likely a draft is to start from each point, shape (n_points,): its deficit, halved for each try in vain.

    A point that never comes must not stay first for ever.
    """
    weights: Float64Array = deficit.by_point * 0.5 ** np.minimum(yields.in_vain, 16)
    return weights


def scatter_picks(
    links: SeedLinks,
    yields: PointYields,
    *,
    n_cells: int,
    in_flight: Sequence[Pick],
    drafts: int,
    points: int = POINTS_ASKED,
    random_seed: int,
    part: int,
) -> Iterator[Pick]:
    """Picks from seeds drawn evenly, whatever the pool holds, without end: the blind run's."""
    rng = keyed_generator(random_seed, "scatter", part)
    # Every point counts as wanted for ever, so that a blind pick is made as a steered one is, but for where it starts.
    missing, room = np.full(len(links.cells), np.inf), np.full(n_cells, np.inf)
    maker = PickMaker(links, missing, room, yields, in_flight=in_flight, drafts=drafts, points=points, rng=rng)
    while True:
        seed = int(rng.integers(0, len(links.points_of_seed)))
        yield maker.make_pick(int(rng.choice(links.points_of_seed[seed])), seeds=[seed])


def _sample_systematically(weights: Float64Array, picks: int, rng: np.random.Generator) -> Int64Array:
    """Whole shares of `picks` in proportion to `weights`, at most one each where there are enough."""
    total = weights.sum()
    if total <= 0:
        return np.zeros(len(weights), np.int64)
    # Systematic sampling: one random offset for all points. Each gets its expected share rounded up
    # or down, which independent draws would miss by its square root.
    steps = np.floor(np.cumsum(weights * (picks / total)) + rng.random())
    return np.diff(steps, prepend=0.0).astype(np.int64)


def _count_points(points: Sequence[int], n_points: int) -> Int64Array:
    return np.bincount(np.array(points, np.int64), minlength=n_points)[:n_points]
