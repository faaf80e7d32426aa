"""The loop's steps, bound to a configuration and to what a run holds: steer, draft and accept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdos.arrays import Int64Array
from kdos.checks import check_logic_shape, check_near_duplicate
from kdos.pool import ErrorClass, Refusal, Verdict
from kdos.sampler import (
    Deficit,
    Pick,
    decide_draft,
    expected_off_target,
    measure_deficit,
    reserve_for_drift,
    round_size,
    scatter_picks,
    steer_picks,
    stop_reason,
    unreachable_cells,
    walk_picks,
)
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.draft import draft_candidates
from kdos.synthesize.loop import Candidate, LoopState, LoopSteps


def loop_steps(context: SynthesisContext) -> LoopSteps:
    """The steps that the configuration asks for."""
    wanted = context.config.budget.samples
    return LoopSteps(
        measure=lambda state: measure_state(state, context),
        stop=lambda state, deficit: stop_reason(
            deficit.gap, samples=state.pool.samples, wanted=wanted, history=state.history, reachable=deficit.reachable
        ),
        steer=lambda state, deficit: _choose_picks(state, deficit, context),
        draft=lambda picks, state, deficit: _draft_and_locate(picks, state, deficit, context),
        accept=lambda candidates, state, deficit: _accept_candidates(candidates, state, deficit, context),
        cells_of_points=lambda: context.inventory.cells,
    )


def measure_state(state: LoopState, context: SynthesisContext) -> Deficit:
    """The deficit of the pool against the target over cells that can be reached."""
    drafts, wanted = context.settings.drafts_per_call, context.config.budget.samples
    given_up = unreachable_cells(state.yields, context.links, drafts=drafts)
    return measure_deficit(state.pool, context.log_q, given_up, wanted=wanted)


def _choose_picks(state: LoopState, deficit: Deficit, context: SynthesisContext) -> list[Pick]:
    """The picks of the next round, by the picker that the configuration names."""
    config, links, samples, yields = context.config, context.links, state.pool.samples, state.yields
    wanted, drafts = config.budget.samples, config.synthesize.drafts_per_call
    size = round_size(
        samples=samples,
        asked=int(yields.tries.sum()),
        wanted=wanted,
        drafts=drafts,
        most=config.synthesize.picks_per_round,
    )
    # Chance is keyed by seed and round, never drawn from one stream: a resumed run picks alike.
    key = {"picks": size, "random_seed": config.random_seed, "round_number": state.rounds + 1}
    if config.picker == "scatter":
        return scatter_picks(links, asked=yields.asked, **key)
    by_cell = np.where(deficit.unreachable, 0, deficit.by_cell)
    off_target = expected_off_target(yields, links, samples=samples, wanted=wanted, drafts=drafts)
    given: dict[str, Any] = {
        **key,
        "exposures": state.pool.exposures,
        "drafts": drafts,
        "reserved": reserve_for_drift(by_cell, off_target, picks=size, drafts=drafts),
    }
    if config.picker == "walk":
        return walk_picks(by_cell, yields, links, context.seed_graph, **given)
    picks = steer_picks(by_cell, yields, links, **given)
    if config.picker == "walk-from-steer":
        return walk_picks(by_cell, yields, links, context.seed_graph, **given, steered=picks)
    return picks


def _draft_and_locate(
    picks: Sequence[Pick], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> tuple[list[Candidate], list[Refusal]]:
    """Draft, then find each candidate's knowledge points in the inventory, new ones added."""
    candidates, failed = draft_candidates(
        picks, context, refuse_crowded=lambda texts: _refuse_crowded_draft(texts, state, deficit, context)
    )
    held = {c.draft.id: c.extraction.knowledge_points for c in candidates if c.extraction and not c.refusal}
    # All new points of a round in one call, for an embedder takes many texts at once. They join the inventory though
    # their draft may be refused yet: what it knows is a place for each text, and the pool counts exposures apart.
    inventory = context.inventory
    inventory.add_unknown((text for texts in held.values() for text in texts), context.locate_texts)
    rows = {name: inventory.rows(texts) for name, texts in held.items()}
    return [replace(c, points=rows.get(c.draft.id, ())) for c in candidates], failed


def _refuse_crowded_draft(
    texts: Sequence[str], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> Refusal | None:
    """Why a draft that claims these knowledge points would not stay; None if one of them is new."""
    # Asked before a judge is paid. Cells only fill during a round, so what is crowded at its start
    # is refused at its end as well.
    inventory, pool = context.inventory, state.pool
    if not inventory.knows_all(texts):
        return None
    cells = inventory.cells[list(inventory.rows(texts))].tolist()
    slack = _slack_left(pool.samples, context)
    return _decide_place(cells, pool.counts, deficit, slack, context)[0]


def _accept_candidates(
    candidates: Sequence[Candidate], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> list[Verdict]:
    """One verdict for each candidate, in order; those that stay join the questions that are known.

    Counts grow with every accepted candidate, so a round cannot overfill a cell by having many in
    it; the slack is that of the round's start.
    """
    counts, samples = state.pool.counts.copy(), state.pool.samples
    slack = _slack_left(samples, context)
    verdicts: list[Verdict] = []
    for candidate in candidates:
        draft, log_deficit = candidate.draft, float("nan")
        cells = context.inventory.cells[list(candidate.points)].tolist()
        # The repetition is looked for again: an earlier draft of the same round may be the one.
        refusal = candidate.refusal or _refuse_repeated(candidate, context)
        if refusal is None and samples >= context.config.budget.samples:
            refusal = Refusal("pool_full", ErrorClass.DISTRIBUTION)
        # The quota comes last: it is no fault of the draft, and its reason must not hide one.
        if refusal is None:
            refusal, log_deficit = _decide_place(cells, counts, deficit, slack, context)
        if refusal is None:
            samples += 1
            context.known.add_question(draft.question, [draft.answer], name=draft.id)
            context.shapes.add_shapes([candidate.shape])
            for cell in cells:
                counts[cell] += 1
        verdicts.append(Verdict(draft.id, refusal, cells=tuple(cells), deficit=log_deficit))
    return verdicts


def _slack_left(samples: int, context: SynthesisContext) -> float:
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


def _decide_place(
    cells: Sequence[int], counts: Int64Array, deficit: Deficit, slack: float, context: SynthesisContext
) -> tuple[Refusal | None, float]:
    """Why these cells have no place for a draft, or None; and their mean log deficit, nats."""
    rule = context.settings.accept
    found = decide_draft(cells, counts=counts, quotas=deficit.quotas, rule=rule, slack=slack)
    refusal = None if found.accepted else Refusal(found.reason, ErrorClass.DISTRIBUTION)
    return refusal, found.deficit
