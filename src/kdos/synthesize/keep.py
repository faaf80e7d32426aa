"""Which candidates stay: decided one by one, in order, against what the pool holds by then."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdos.checks import KnownQuestions, check_logic_shape, check_near_duplicate
from kdos.logic import ShapeCounts
from kdos.pool import ErrorClass, Inventory, Refusal, Verdict
from kdos.sampler import decide_draft
from kdos.synthesize.loop import Candidate, Deficit, LoopState


@dataclass(frozen=True)
class Gate:
    """The rule for staying, and what is in the pool already: questions, and shapes of logic.

    `same_shape` is the share of the pool that may have one shape.
    """

    rule: str
    slack: float
    wanted: int
    inventory: Inventory
    known: KnownQuestions
    shapes: ShapeCounts
    same_shape: float

    def slack_at(self, samples: int) -> float:
        """The slack for a pool of this size: it falls to nothing as the pool fills."""
        return self.slack * max(0.0, 1 - samples / self.wanted)


def refuse_crowded_draft(
    texts: Sequence[str], state: LoopState, lack: Deficit, gate: Gate
) -> Refusal | None:
    """Why a draft that claims these knowledge points would not stay; None if one of them is new.

    Cells only fill during a round, so what is crowded at its start is refused at its end as well.
    """
    if not gate.inventory.knows(texts):
        return None
    cells = [int(gate.inventory.cells[row]) for row in gate.inventory.rows(texts)]
    slack = gate.slack_at(state.pool.samples)
    decision = decide_draft(
        cells, counts=state.pool.counts, quotas=lack.quotas, rule=gate.rule, slack=slack
    )
    return None if decision.accepted else Refusal(decision.reason, ErrorClass.DISTRIBUTION)


def accept_candidates(
    candidates: Sequence[Candidate], state: LoopState, lack: Deficit, gate: Gate
) -> list[Verdict]:
    """One verdict for each candidate, in order."""
    counts = state.pool.counts.copy()
    samples = state.pool.samples
    slack = gate.slack_at(samples)
    verdicts: list[Verdict] = []
    for candidate in candidates:
        cells = tuple(int(gate.inventory.cells[point]) for point in candidate.points)
        refusal, deficit = candidate.refusal, float("nan")
        if refusal is None:
            refusal = check_near_duplicate(candidate.draft, [candidate.draft.answer], gate.known)
        if refusal is None:
            refusal = check_logic_shape(candidate.shape, gate.shapes, most=gate.same_shape)
        if refusal is None and samples >= gate.wanted:
            refusal = Refusal("pool_full", ErrorClass.DISTRIBUTION)
        if refusal is None:
            decision = decide_draft(
                cells, counts=counts, quotas=lack.quotas, rule=gate.rule, slack=slack
            )
            deficit = decision.deficit
            if not decision.accepted:
                refusal = Refusal(decision.reason, ErrorClass.DISTRIBUTION)
        if refusal is None:
            samples += 1
            draft = candidate.draft
            gate.known.add_question(draft.question, [draft.answer], name=draft.id)
            gate.shapes.add_shapes([candidate.shape])
            for cell in cells:
                counts[cell] += 1
        verdicts.append(Verdict(candidate.draft.id, refusal, cells=cells, deficit=deficit))
    return verdicts
