"""The loop: measure, compare, steer, draft, accept, extend, until one stop holds.

The KDoS paper has a three-stage feedback that iterates until the pool meets the target (Fig. 2);
its steps are not public, and these are our design. The loop touches nothing but its steps, so that
an ablation replaces one of them.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kdos.arrays import BoolArray, Int32Array, Int64Array
from kdos.checks import AnswerSpan
from kdos.pool import Draft, Extraction, Pool, Refusal, Verdict
from kdos.sampler import CellYields, FinishedRound, Pick
from kdos.targets import Gap


@dataclass(frozen=True, slots=True)
class Candidate:
    """A draft on its way: what it really holds, where its answer stands, or why it fell.

    `points` are the rows of its re-extracted knowledge points in the inventory, `place` is where
    its answer stands in a document, `shape` names the shape of its logic. `passed` is the share of
    judges by criterion. `again` says that it fell and was asked for once more; what came then is a
    candidate of its own.
    """

    draft: Draft
    pick: Pick
    refusal: Refusal | None = None
    extraction: Extraction | None = None
    points: tuple[int, ...] = ()
    place: AnswerSpan | None = None
    shape: str = ""
    passed: Mapping[str, float] = field(default_factory=dict[str, float])
    again: bool = False


@dataclass(frozen=True, slots=True)
class Deficit:
    """What the pool lacks now: the gap, the quotas behind it and the mass out of reach.

    `quotas`, shape (n_cells,), are what each cell may hold; `unreachable` marks cells given up and
    `unreachable_mass`, a share in [0, 1], is the target's mass in them.
    """

    gap: Gap
    quotas: Int64Array
    unreachable: BoolArray
    unreachable_mass: float


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What of a round counts for the next ones.

    `asked` holds the knowledge points that each pick was to use, the one it was about first;
    `samples` those of each accepted sample and `sources` the place of its pick in `asked`.
    """

    asked: Sequence[tuple[int, ...]]
    samples: Sequence[tuple[int, ...]]
    sources: Sequence[int]


@dataclass(frozen=True, slots=True)
class Round:
    """One turn: what was asked, which calls failed, what came and what became of it."""

    number: int
    picks: Sequence[Pick]
    failed: Sequence[Refusal]
    candidates: Sequence[Candidate]
    verdicts: Sequence[Verdict]

    @property
    def calls(self) -> int:
        """How often drafts were asked for: for each pick, and again for what could be mended."""
        return len(self.picks) + sum(candidate.again for candidate in self.candidates)

    @property
    def accepted(self) -> list[Candidate]:
        """The candidates that stay."""
        pairs = zip(self.candidates, self.verdicts, strict=True)
        return [candidate for candidate, verdict in pairs if verdict.refusal is None]

    @property
    def outcome(self) -> RoundOutcome:
        """What of it counts for the next rounds."""
        places = {pick.id: place for place, pick in enumerate(self.picks)}
        return RoundOutcome(
            asked=[pick.use for pick in self.picks],
            samples=[candidate.points for candidate in self.accepted],
            sources=[places[candidate.pick.id] for candidate in self.accepted],
        )

    @property
    def adherence(self) -> list[float]:
        """How well each draft that was read kept to what it was asked for: the Jaccard index.

        It holds the knowledge points asked for against those realised, a share in [0, 1].
        """
        return [
            len(asked & held) / len(asked | held)
            for candidate in self.candidates
            if (held := set(candidate.points))
            for asked in [set(candidate.pick.use)]
        ]


@dataclass(frozen=True, slots=True)
class LoopState:
    """All that a round hands to the next: the pool, what picks brought, and each round before."""

    pool: Pool
    yields: CellYields
    rounds: int = 0
    history: tuple[FinishedRound, ...] = ()

    def extend(self, outcome: RoundOutcome, *, cells: Int32Array, kl: float) -> "LoopState":
        """The state once a round is over; `cells` is the inventory's, `kl` the gap before it."""
        pool = self.pool.extend(outcome.samples, cells)
        yields = _extend_yields(self.yields, outcome, cells)
        past = FinishedRound(int(yields.tries.sum()), pool.samples, kl)
        return LoopState(pool, yields, rounds=self.rounds + 1, history=(*self.history, past))


@dataclass(frozen=True, slots=True)
class LoopSteps:
    """What the loop does in a turn; replace one to see what it is worth."""

    measure: Callable[[LoopState], Deficit]
    stop: Callable[[LoopState, Deficit], str | None]
    steer: Callable[[LoopState, Deficit], list[Pick]]
    draft: Callable[[Sequence[Pick], LoopState, Deficit], tuple[list[Candidate], list[Refusal]]]
    accept: Callable[[Sequence[Candidate], LoopState, Deficit], list[Verdict]]
    cells_of_points: Callable[[], Int32Array]


def run_rounds(
    state: LoopState, steps: LoopSteps
) -> Generator[tuple[Round, LoopState, Deficit], None, str]:
    """Turn after turn, each with the state and the lack after it; returns the reason to stop."""
    lack = steps.measure(state)
    while (reason := steps.stop(state, lack)) is None:
        picks = steps.steer(state, lack)
        candidates, failed = steps.draft(picks, state, lack)
        verdicts = steps.accept(candidates, state, lack)
        turn = Round(state.rounds + 1, picks, failed, candidates, verdicts)
        state = state.extend(turn.outcome, cells=steps.cells_of_points(), kl=lack.gap.kl)
        lack = steps.measure(state)
        yield turn, state, lack
    return reason


def _extend_yields(yields: CellYields, outcome: RoundOutcome, cells: Int32Array) -> CellYields:
    """What this turn's picks brought, added to what earlier ones did."""
    n_cells = len(yields.tries)
    first = np.array([use[0] for use in outcome.asked], np.int64)
    wanted = [cells[list(use)].tolist() for use in outcome.asked]
    found = [
        (cell, wanted[source])
        for points, source in zip(outcome.samples, outcome.sources, strict=True)
        for cell in cells[list(points)].tolist()
    ]
    hits = [cell for cell, asked in found if cell == asked[0]]
    strays = [cell for cell, asked in found if cell not in asked]
    grown = np.zeros(len(cells) - len(yields.asked), np.int64)
    return CellYields(
        tries=yields.tries + np.bincount(cells[first], minlength=n_cells),
        gains=yields.gains + _count_cells(hits, n_cells),
        off_target=yields.off_target + _count_cells(strays, n_cells),
        asked=np.concatenate([yields.asked, grown]) + np.bincount(first, minlength=len(cells)),
    )


def _count_cells(cells: Sequence[int], n_cells: int) -> Int64Array:
    return np.bincount(np.array(cells, np.int64), minlength=n_cells)
