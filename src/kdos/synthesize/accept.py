"""Which candidates stay: decided one by one, in order, against what the pool holds by then."""

from collections.abc import Sequence

from kdos.arrays import Int64Array
from kdos.checks import check_logic_shape, check_near_duplicate
from kdos.pool import ErrorClass, Refusal, Verdict
from kdos.sampler import AcceptDecision, Deficit, decide_draft
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.loop import Candidate, LoopState


def refuse_crowded_draft(
    texts: Sequence[str], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> Refusal | None:
    """Why a draft that claims these knowledge points would not stay; None if one of them is new.

    Asked before a judge is paid. Cells only fill during a round, so what is crowded at its start is
    refused at its end as well.
    """
    inventory, pool = context.inventory, state.pool
    if not inventory.knows_all(texts):
        return None
    cells = [int(inventory.cells[row]) for row in inventory.rows(texts)]
    decision = _decide(cells, pool.counts, deficit, slack_left(pool.samples, context), context)
    return _distribution_refusal(decision)


def accept_candidates(
    candidates: Sequence[Candidate],
    state: LoopState,
    deficit: Deficit,
    context: SynthesisContext,
) -> list[Verdict]:
    """One verdict for each candidate, in order; those that stay join the questions that are known.

    Counts grow with every accepted candidate, so a round cannot overfill a cell by having many in
    it; the slack is that of the round's start.
    """
    counts, samples = state.pool.counts.copy(), state.pool.samples
    slack = slack_left(samples, context)
    verdicts: list[Verdict] = []
    for candidate in candidates:
        cells = tuple(int(context.inventory.cells[point]) for point in candidate.points)
        refusal, log_deficit = (
            candidate.refusal or _refuse_repeated(candidate, context),
            float("nan"),
        )
        if refusal is None and samples >= context.config.budget.samples:
            refusal = Refusal("pool_full", ErrorClass.DISTRIBUTION)
        # The quota comes last: it is no fault of the draft, and its reason must not hide one.
        if refusal is None:
            decision = _decide(cells, counts, deficit, slack, context)
            refusal, log_deficit = _distribution_refusal(decision), decision.deficit
        if refusal is None:
            samples += 1
            draft = candidate.draft
            context.known.add_question(draft.question, [draft.answer], name=draft.id)
            context.shapes.add_shapes([candidate.shape])
            for cell in cells:
                counts[cell] += 1
        verdicts.append(Verdict(candidate.draft.id, refusal, cells=cells, deficit=log_deficit))
    return verdicts


def slack_left(samples: int, context: SynthesisContext) -> float:
    """How far a cell may go beyond its quota, as a share: it falls to 0 as the pool fills.

    It saves drafts that fill wanted cells beside a full one, and in the end lets no new one through
    that goes beyond a quota.
    """
    return context.settings.slack * max(0.0, 1 - samples / context.config.budget.samples)


def _refuse_repeated(candidate: Candidate, context: SynthesisContext) -> Refusal | None:
    """Whether the pool has this question, or enough samples of this shape of logic."""
    draft = candidate.draft
    return check_near_duplicate(draft, [draft.answer], context.known) or check_logic_shape(
        candidate.shape, context.shapes, most=context.settings.same_shape
    )


def _decide(
    cells: Sequence[int],
    counts: Int64Array,
    deficit: Deficit,
    slack: float,
    context: SynthesisContext,
) -> AcceptDecision:
    rule = context.settings.accept
    return decide_draft(cells, counts=counts, quotas=deficit.quotas, rule=rule, slack=slack)


def _distribution_refusal(decision: AcceptDecision) -> Refusal | None:
    return None if decision.accepted else Refusal(decision.reason, ErrorClass.DISTRIBUTION)
