"""The loop: measure, compare, steer, draft, accept, extend, until one stop holds.

The KDoS paper has a three-stage feedback that iterates until the pool meets the target (Fig. 2); its steps are not
public, and these are our design. Picks are in flight together, a window of them, and are decided in their order: pick
t is chosen from the state after the picks before it were decided that were not in flight, so that neither time nor
the order of replies shapes the pool. Every so many decided picks are a part, and with each what is wanted is measured
anew. The loop touches nothing but its steps, so that an ablation replaces one of them.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kdos.arrays import Float64Array, Int32Array
from kdos.checks import AnswerSpan
from kdos.errors import BudgetSpentError
from kdos.logic import LEVELS
from kdos.pool import Draft, Extraction, Pool, Refusal, Verdict
from kdos.sampler import (
    Deficit,
    FinishedPart,
    Levelled,
    LevelPlan,
    LevelRecord,
    LevelRequest,
    Pace,
    Pick,
    PointYields,
    RunningCounts,
)
from kdos.synthesize.window import PickWork, Window


@dataclass(frozen=True, slots=True)
class Candidate:
    """A draft on its way: what it really holds, where its answer stands, or why it fell.

    `use` are the knowledge points that it was to rest on and `points` those that a fresh reading found in it, by their
    rows in the inventory; `says` is the one of these that its answer rests on, where that is clear, and `answering`
    the row of it. `gain` is the mean log deficit (nats) of its knowledge points where that decided. `place` is where
    its answer stands in a document, `shape` names the shape of its logic and `level` its difficulty, from 0. `passed`
    is the share of judges by criterion. `again` says that it fell, or was easier than wanted, and was asked for once
    more; what came then is a candidate of its own, `enhanced_from` the one that was easier.
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
    level: int | None = None
    enhanced_from: str = ""
    passed: Mapping[str, float] = field(default_factory=dict[str, float])
    again: bool = False


@dataclass(frozen=True, slots=True)
class DraftedPick:
    """What a pick led to: its candidates, and a refusal for each call without any."""

    candidates: Sequence[Candidate]
    failed: Sequence[Refusal] = ()


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What of a part counts for the next ones.

    `asked` holds the groups of knowledge points that each pick was to use, `samples` the knowledge points of each
    accepted sample, `answering` the one that its answer rests on and `sources` the place of its pick in `asked`.
    `requests` are the drafts asked for by discipline and level, and `levels` what came.
    """

    asked: Sequence[tuple[tuple[int, ...], ...]]
    samples: Sequence[tuple[int, ...]]
    answering: Sequence[int | None]
    sources: Sequence[int]
    requests: Sequence[LevelRequest] = ()
    levels: Sequence[Levelled] = ()


@dataclass(slots=True)
class Part:
    """One part: the picks that were chosen and those that were decided, what came and what became of it.

    `is_cut` says that the budget ended it before its time.
    """

    number: int
    chosen: list[Pick] = field(default_factory=list[Pick])
    picks: list[Pick] = field(default_factory=list[Pick])
    failed: list[Refusal] = field(default_factory=list[Refusal])
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    verdicts: list[Verdict] = field(default_factory=list[Verdict])
    is_cut: bool = False

    @property
    def calls(self) -> int:
        """How often drafts were asked for: for each pick, and again for what could be mended."""
        return len(self.picks) + sum(candidate.again for candidate in self.candidates)

    @property
    def accepted(self) -> list[Candidate]:
        """The candidates that stay."""
        pairs = zip(self.candidates, self.verdicts, strict=True)
        return [candidate for candidate, verdict in pairs if verdict.refusal is None]

    def outcome(self, discipline_of: Callable[[Pick], int]) -> PartOutcome:
        """What of it counts for the next parts; `discipline_of` gives the number of a pick's discipline."""
        # No more than `read_part_outcome` can tell from the part's tables.
        places = {pick.id: place for place, pick in enumerate(self.picks)}
        return PartOutcome(
            asked=[pick.use for pick in self.picks],
            samples=[candidate.points for candidate in self.accepted],
            answering=[candidate.answering for candidate in self.accepted],
            sources=[places[candidate.pick.id] for candidate in self.accepted],
            requests=level_requests(self.picks, discipline_of),
            levels=[levelled(discipline_of(c.pick), c.pick.difficulty, LEVELS[c.level or 0]) for c in self.accepted],
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
    """All that a part hands to the next beside the picks in flight: pool, what picks brought, each part before."""

    pool: Pool
    yields: PointYields
    levels: LevelRecord
    parts: int = 0
    history: tuple[FinishedPart, ...] = ()

    @classmethod
    def begin(cls, *, n_cells: int, n_points: int, n_disciplines: int = 1) -> "LoopState":
        """The state before the first part: an empty pool, nothing asked."""
        pool = Pool.empty(n_cells=n_cells, n_points=n_points)
        return cls(pool, PointYields.nothing_asked(n_points), LevelRecord.empty(n_disciplines))

    def extend(self, outcome: PartOutcome, *, cells: Int32Array, filled: int) -> "LoopState":
        """The state once a part is over; `cells` is the inventory's, `filled` what of the order was held before."""
        # Every part of the state is a sum over parts: replaying the outcomes of those on disk, in
        # order, gives the state that a killed run had, and so the same parts after it.
        pool = self.pool.extend(outcome.samples, cells, answering=outcome.answering)
        yields = self.yields.extend(outcome.asked, outcome.samples, outcome.sources)
        levels = self.levels.extend(outcome.requests, outcome.levels)
        past = FinishedPart(yields.picks, filled, pool.samples)
        return LoopState(pool, yields, levels, parts=self.parts + 1, history=(*self.history, past))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was known when a part began: its picks are chosen, and their drafts looked at, by no more than this.

    `known` questions were known, and so many knowledge points as `counts` has; `limits`, shape (n_cells,), is what
    cells may hold, and a draft is to rest on `asks` points. `levels` plans which difficulty to ask for; None where any
    will do.
    """

    state: LoopState
    deficit: Deficit
    counts: RunningCounts
    limits: Float64Array
    known: int
    pace: Pace
    asks: int
    levels: LevelPlan | None = None


class Acceptance(Protocol):
    """Decides the drafts of a part, pick by pick, in order."""

    @property
    def is_full(self) -> bool:
        """Whether the pool holds as many samples as it may."""
        ...

    def decide(
        self, drafted: DraftedPick, *, soon: Iterable[DraftedPick]
    ) -> tuple[Sequence[Candidate], list[Verdict]]:
        """The candidates with what was found of them, and a verdict for each; `soon` come next, and change none."""
        ...


@dataclass(frozen=True, slots=True)
class LoopSteps:
    """What the loop does; replace one to see what it is worth.

    `cells_of_points` gives the cell of every knowledge point that is known by now: drafting adds new ones.
    """

    measure: Callable[[LoopState], Deficit]
    stop: Callable[[LoopState, Deficit], str | None]
    look_ahead: Callable[[LoopState, Deficit, Sequence[Pick]], Outlook]
    steer: Callable[[Outlook, Sequence[Pick]], Iterator[Pick]]
    draft: Callable[[Pick, Outlook], PickWork[DraftedPick]]
    accept: Callable[[Outlook], Acceptance]
    cells_of_points: Callable[[], Int32Array]
    discipline_of: Callable[[Pick], int]


PickWindow = Window[Pick, DraftedPick]
"""The picks in flight."""


def run_loop(
    state: LoopState, steps: LoopSteps, in_flight: PickWindow
) -> Generator[tuple[Part, LoopState, Deficit], None, str]:
    """Part after part, each with the state and the deficit after it; returns why it stopped.

    `in_flight` holds what a run that was killed had in flight. The generator touches no disk: its caller writes each
    part before it asks for the next, so that a run killed at any moment goes on from its last whole part.

    Raises:
        BudgetSpentError: A cap on calls, tokens, money or time is reached; the part so far was given before.
    """
    deficit = steps.measure(state)
    # Whether to stop is asked before anything is spent: a run that was killed after its last part
    # ends here, for the reason that it would have had. What is in flight then is paid for, and decided.
    while (reason := steps.stop(state, deficit)) is None or (reason != "budget" and len(in_flight)):
        outlook = steps.look_ahead(state, deficit, in_flight.items)
        # Made for the part: what failed, and what drafts hold beside what they were asked for, is seen with the next.
        picks = steps.steer(outlook, in_flight.items) if reason is None else iter(())
        part, spent = _run_part(outlook, steps, picks, in_flight)
        # Only what drafts really hold counts from here on, never what they were asked for.
        state = state.extend(part.outcome(steps.discipline_of), cells=steps.cells_of_points(), filled=deficit.filled)
        deficit = steps.measure(state)
        if part.picks:
            yield part, state, deficit
        if spent is not None:
            raise spent
        if not part.picks:
            return "unreachable"
    return reason


def levelled(discipline: int, asked: str, came: str) -> Levelled:
    """A sample's levels by their numbers; where none was asked for, the one that came counts as asked."""
    found = LEVELS.index(came) if came else 0
    return Levelled(discipline, LEVELS.index(asked) if asked else found, found)


def level_requests(picks: Iterable[Pick], discipline_of: Callable[[Pick], int]) -> list[LevelRequest]:
    """The drafts that picks ask for, by discipline and level; where any level will do, they count with the first."""
    return [
        LevelRequest(discipline_of(pick), LEVELS.index(pick.difficulty or LEVELS[0]), len(pick.use)) for pick in picks
    ]


def _run_part(
    outlook: Outlook, steps: LoopSteps, picks: Iterator[Pick], in_flight: PickWindow
) -> tuple[Part, BudgetSpentError | None]:
    """Decide the picks of one part, in order, and choose as many as the window takes after each."""
    part, acceptance = Part(outlook.state.parts + 1), steps.accept(outlook)
    pace, pick = outlook.pace, None
    while len(part.picks) < pace.size and not acceptance.is_full:
        room = pace.room(len(part.picks))
        while len(in_flight) < room and (pick := pick or next(picks, None)) is not None:
            if not pace.may_start(pick.is_short, in_flight=len(in_flight), decided=len(part.picks)):
                break
            in_flight.start(pick, steps.draft(pick, outlook))
            part.chosen.append(pick)
            pick = None
        if not len(in_flight):
            break
        try:
            decided, drafted = in_flight.finish_oldest()
            candidates, verdicts = acceptance.decide(drafted, soon=in_flight.finished())
        except BudgetSpentError as spent:
            part.is_cut = True
            return part, spent
        part.picks.append(decided)
        part.failed += drafted.failed
        part.candidates += candidates
        part.verdicts += verdicts
    return part, None
