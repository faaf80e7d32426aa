"""The loop: measure, compare, steer, draft, accept, extend, until one stop holds.

The KDoS paper has a three-stage feedback that iterates until the pool meets the target (Fig. 2); its steps are not
public, and these are our design. The loop touches nothing but its steps, so that an ablation replaces one of them.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from kdos.arrays import Int32Array
from kdos.checks import AnswerSpan
from kdos.pool import Draft, Extraction, Pool, Refusal, Verdict
from kdos.sampler import Deficit, FinishedRound, Pick, PointYields


@dataclass(frozen=True, slots=True)
class Candidate:
    """A draft on its way: what it really holds, where its answer stands, or why it fell.

    `use` are the knowledge points that it was to rest on and `points` those that a fresh reading found in it, by their
    rows in the inventory; `says` is the one of these that its answer rests on, where that is clear, and `answering`
    the row of it. `gain` is the mean log deficit (nats) of its knowledge points where that decided. `place` is where
    its answer stands in a document, `shape` names the shape of its logic. `passed` is
    the share of judges by criterion. `again` says that it fell and was asked for once more; what came then is a
    candidate of its own.
    """

    draft: Draft
    pick: Pick
    use: tuple[int, ...] = ()
    refusal: Refusal | None = None
    extraction: Extraction | None = None
    points: tuple[int, ...] = ()
    says: str = ""
    answering: int | None = None
    gain: float = float("nan")
    place: AnswerSpan | None = None
    shape: str = ""
    passed: Mapping[str, float] = field(default_factory=dict[str, float])
    again: bool = False


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What of a round counts for the next ones.

    `asked` holds the groups of knowledge points that each pick was to use, `samples` the knowledge points of each
    accepted sample, `answering` the one that its answer rests on and `sources` the place of its pick in `asked`.
    """

    asked: Sequence[tuple[tuple[int, ...], ...]]
    samples: Sequence[tuple[int, ...]]
    answering: Sequence[int | None]
    sources: Sequence[int]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what was asked, which calls failed, what came and what became of it."""

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
        # No more than `read_round_outcome` can tell from the round's tables.
        places = {pick.id: place for place, pick in enumerate(self.picks)}
        return RoundOutcome(
            asked=[pick.use for pick in self.picks],
            samples=[candidate.points for candidate in self.accepted],
            answering=[candidate.answering for candidate in self.accepted],
            sources=[places[candidate.pick.id] for candidate in self.accepted],
        )

    @property
    def adherence(self) -> list[float]:
        """How well each draft that was read kept to what it was asked for: the Jaccard index.

        It holds the knowledge points asked for against those realised, a share in [0, 1].
        """
        pairs = [(set(c.use), set(c.points)) for c in self.candidates if c.points]
        return [len(asked & held) / len(asked | held) for asked, held in pairs]


@dataclass(frozen=True, slots=True)
class LoopState:
    """All that a round hands to the next: the pool, what picks brought, and each round before."""

    pool: Pool
    yields: PointYields
    rounds: int = 0
    history: tuple[FinishedRound, ...] = ()

    @classmethod
    def begin(cls, *, n_cells: int, n_points: int) -> "LoopState":
        """The state before the first round: an empty pool, nothing asked."""
        return cls(Pool.empty(n_cells=n_cells, n_points=n_points), PointYields.nothing_asked(n_points))

    def extend(self, outcome: RoundOutcome, *, cells: Int32Array, filled: int) -> "LoopState":
        """The state once a round is over; `cells` is the inventory's, `filled` what of the order was held before."""
        # Every part of the state is a sum over rounds: replaying the outcomes of those on disk, in
        # order, gives the state that a killed run had, and so the same rounds after it.
        pool = self.pool.extend(outcome.samples, cells, answering=outcome.answering)
        yields = self.yields.extend(outcome.asked, outcome.samples, outcome.sources)
        past = FinishedRound(yields.picks, filled)
        return LoopState(pool, yields, rounds=self.rounds + 1, history=(*self.history, past))


@dataclass(frozen=True, slots=True)
class LoopSteps:
    """What the loop does in a round; replace one to see what it is worth.

    `cells_of_points` gives the cell of every knowledge point that is known by now: drafting adds new ones.
    """

    measure: Callable[[LoopState], Deficit]
    stop: Callable[[LoopState, Deficit], str | None]
    steer: Callable[[LoopState, Deficit], list[Pick]]
    draft: Callable[[Sequence[Pick], LoopState, Deficit], tuple[list[Candidate], list[Refusal]]]
    accept: Callable[[Sequence[Candidate], LoopState, Deficit], list[Verdict]]
    cells_of_points: Callable[[], Int32Array]


def run_rounds(state: LoopState, steps: LoopSteps) -> Generator[tuple[Round, LoopState, Deficit], None, str]:
    """Round after round, each with the state and the deficit after it; returns why it stopped.

    The generator touches no disk: its caller writes each round before it asks for the next, so
    that a run killed at any moment goes on from its last whole round.
    """
    deficit = steps.measure(state)
    # Whether to stop is asked before anything is spent: a run that was killed after its last round
    # ends here, for the reason that it would have had.
    while (reason := steps.stop(state, deficit)) is None:
        # One deficit serves the whole round: what is asked together cannot know what came beside
        # it. Accepting alone counts on, draft by draft, so that a round does not overfill a cell.
        picks = steps.steer(state, deficit)
        candidates, failed = steps.draft(picks, state, deficit)
        verdicts = steps.accept(candidates, state, deficit)
        # Only what drafts really hold counts from here on, never what they were asked for.
        finished = Round(state.rounds + 1, picks, failed, candidates, verdicts)
        state = state.extend(finished.outcome, cells=steps.cells_of_points(), filled=deficit.filled)
        deficit = steps.measure(state)
        yield finished, state, deficit
    return reason
