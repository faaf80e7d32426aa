"""The loop's steps, bound to a configuration and to what a run holds: steer, draft and accept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kdos.checks import check_logic_shape, check_near_duplicate
from kdos.pool import ErrorClass, Inventory, Refusal, Verdict
from kdos.sampler import (
    Deficit,
    Pick,
    RunningCounts,
    decide_draft,
    measure_deficit,
    points_to_ask,
    round_size,
    samples_needed,
    scatter_picks,
    steer_picks,
    stop_reason,
    unreachable_points,
    walk_picks,
)
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.draft import draft_candidates
from kdos.synthesize.loop import Candidate, LoopState, LoopSteps


def loop_steps(context: SynthesisContext) -> LoopSteps:
    """The steps that the configuration asks for."""
    return LoopSteps(
        measure=lambda state: measure_state(state, context),
        stop=lambda state, deficit: stop_reason(
            deficit, samples=state.pool.samples, most=context.order.samples, history=state.history
        ),
        steer=lambda state, deficit: _choose_picks(state, deficit, context),
        draft=lambda picks, state, deficit: _draft_and_locate(picks, state, deficit, context),
        accept=lambda candidates, state, deficit: _accept_candidates(candidates, state, deficit, context),
        cells_of_points=lambda: context.inventory.cells,
    )


def measure_state(state: LoopState, context: SynthesisContext) -> Deficit:
    """The deficit of the pool against what is wanted of the knowledge points that can be reached."""
    return measure_deficit(state.pool, context.order, unreachable_points(state.yields), context.links)


def _choose_picks(state: LoopState, deficit: Deficit, context: SynthesisContext) -> list[Pick]:
    """The picks of the next round, by the picker that the configuration names."""
    config, links, pool, yields = context.config, context.links, state.pool, state.yields
    drafts = config.synthesize.drafts_per_call
    size = round_size(
        samples=pool.samples,
        asked=yields.picks,
        needed=samples_needed(pool, deficit, most=context.order.samples),
        drafts=drafts,
        most=config.synthesize.picks_per_round,
    )
    # Chance is keyed by seed and round, never drawn from one stream: a resumed run picks alike.
    key: dict[str, Any] = {
        "picks": size,
        "drafts": drafts,
        "points": points_to_ask(pool, deficit, yields, most=context.order.samples),
        "random_seed": config.random_seed,
        "round_number": state.rounds + 1,
    }
    if config.picker == "scatter":
        return scatter_picks(links, yields, n_cells=context.space.n_cells, **key)
    if config.picker == "walk":
        return walk_picks(deficit, yields, links, context.seed_graph, **key)
    picks = steer_picks(deficit, yields, links, **key)
    if config.picker == "walk-from-steer":
        return walk_picks(deficit, yields, links, context.seed_graph, **key, steered=picks)
    return picks


def _draft_and_locate(
    picks: Sequence[Pick], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> tuple[list[Candidate], list[Refusal]]:
    """Draft, then find each candidate's knowledge points in the inventory, new ones added."""
    inventory = context.inventory
    counts = RunningCounts(state.pool, deficit, inventory.cells)
    candidates, failed = draft_candidates(
        picks, context, refuse_unwanted=lambda candidate: _refuse_claimed(candidate, counts, deficit, context)
    )
    held = {c.draft.id: c.extraction.knowledge_points for c in candidates if c.extraction and not c.refusal}
    # All new points of a round in one call, for an embedder takes many texts at once. They join the inventory though
    # their draft may be refused yet: what it knows is a place for each text, and the pool counts exposures apart.
    inventory.add_unknown((text for texts in held.values() for text in texts), context.locate_texts)
    return [_locate_points(c, held.get(c.draft.id, ()), inventory) for c in candidates], failed


def _locate_points(candidate: Candidate, texts: Sequence[str], inventory: Inventory) -> Candidate:
    says = inventory.rows([candidate.says] if candidate.says in texts else [])
    return replace(candidate, points=inventory.rows(texts), answering=says[0] if says else None)


def _refuse_claimed(
    candidate: Candidate, counts: RunningCounts, deficit: Deficit, context: SynthesisContext
) -> Candidate:
    """The candidate, refused if it would not stay by what it claims to hold; not if one of its points is new."""
    # Asked before a judge is paid. The pool only grows during a round, so what it has no need of at the round's start
    # it has none of at the end either.
    draft, inventory = candidate.draft, context.inventory
    if not inventory.knows_all(draft.knowledge_points):
        return candidate
    claimed = replace(candidate, points=inventory.rows(draft.knowledge_points))
    refusal, gain = _decide_place(claimed, counts, deficit, context)
    return candidate if refusal is None else replace(candidate, refusal=refusal, gain=gain)


def _accept_candidates(
    candidates: Sequence[Candidate], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> list[Verdict]:
    """One verdict for each candidate, in order; those that stay join the questions that are known.

    Counts grow with every accepted candidate, so a round cannot overfill what it fills; the slack is that of the
    round's start.
    """
    counts, samples = RunningCounts(state.pool, deficit, context.inventory.cells), state.pool.samples
    most = context.order.samples
    verdicts: list[Verdict] = []
    for candidate in candidates:
        draft, gain = candidate.draft, candidate.gain
        # The repetition is looked for again: an earlier draft of the same round may be the one.
        refusal = candidate.refusal or _refuse_repeated(candidate, context)
        if refusal is None and most is not None and samples >= most:
            refusal = Refusal("pool_full", ErrorClass.DISTRIBUTION)
        # The deficit comes last: it is no fault of the draft, and its reason must not hide one.
        if refusal is None:
            refusal, gain = _decide_place(candidate, counts, deficit, context)
        if refusal is None:
            samples += 1
            context.known.add_question(draft.question, [draft.answer], name=draft.id)
            context.shapes.add_shapes([candidate.shape])
            counts.add_sample(candidate.points, candidate.answering)
        cells = tuple(context.inventory.cells[list(candidate.points)].tolist())
        verdicts.append(Verdict(draft.id, refusal, cells=cells, deficit=gain))
    return verdicts


def _decide_place(
    candidate: Candidate, counts: RunningCounts, deficit: Deficit, context: SynthesisContext
) -> tuple[Refusal | None, float]:
    """Why the pool has no place for a candidate, or None; and its gain, nats."""
    found = decide_draft(
        candidate.points,
        answering=candidate.answering,
        offered=candidate.use,
        counts=counts,
        quotas=deficit.cells.quotas,
        rule=context.settings.accept,
        slack=context.settings.slack * max(0.0, 1 - deficit.filled / max(deficit.order, 1)),
    )
    refusal = None if found.accepted else Refusal(found.reason, ErrorClass.DISTRIBUTION)
    return refusal, found.gain


def _refuse_repeated(candidate: Candidate, context: SynthesisContext) -> Refusal | None:
    """Whether the pool has this question, or enough samples of this shape of logic."""
    draft = candidate.draft
    return check_near_duplicate(draft, [draft.answer], context.known) or check_logic_shape(
        candidate.shape, context.shapes, most=context.settings.same_shape
    )
