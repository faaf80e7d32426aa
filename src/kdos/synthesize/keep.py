"""Which candidates stay: decided one by one, in order, against what the pool holds by then."""

from collections.abc import Sequence
from dataclasses import dataclass

from kdos.pool import ErrorClass, Inventory, Refusal, Verdict
from kdos.sampler import decide
from kdos.synthesize.loop import Candidate, Lack, State
from kdos.verdict import KnownQuestions, check_new


@dataclass(frozen=True)
class Gate:
    """The rule for staying, and the questions that are in the pool already."""

    rule: str
    slack: float
    wanted: int
    inventory: Inventory
    known: KnownQuestions


def keep(candidates: Sequence[Candidate], state: State, lack: Lack, gate: Gate) -> list[Verdict]:
    """One verdict for each candidate, in order.

    `gate.slack` falls to nothing as the pool fills: early on a cell may run ahead, in the end none.
    """
    counts = state.pool.counts.copy()
    samples = state.pool.samples
    slack = gate.slack * max(0.0, 1 - samples / gate.wanted)
    verdicts: list[Verdict] = []
    for candidate in candidates:
        cells = tuple(int(gate.inventory.cells[point]) for point in candidate.points)
        refusal, deficit = candidate.refusal, float("nan")
        if refusal is None:
            refusal = check_new(candidate.draft, [candidate.draft.answer], gate.known)
        if refusal is None and samples >= gate.wanted:
            refusal = Refusal("pool_full", ErrorClass.DISTRIBUTION)
        if refusal is None:
            decision = decide(cells, counts=counts, quotas=lack.quotas, rule=gate.rule, slack=slack)
            deficit = decision.deficit
            if not decision.accepted:
                refusal = Refusal(decision.reason, ErrorClass.DISTRIBUTION)
        if refusal is None:
            samples += 1
            draft = candidate.draft
            gate.known.add(draft.question, [draft.answer], name=draft.id)
            for cell in cells:
                counts[cell] += 1
        verdicts.append(Verdict(candidate.draft.id, refusal, cells=cells, deficit=deficit))
    return verdicts
