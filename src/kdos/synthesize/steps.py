"""The loop's steps, bound to a configuration and to what a run holds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdos.pool import Refusal
from kdos.sampler import (
    Deficit,
    Pick,
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
from kdos.synthesize.accept import accept_candidates, refuse_crowded_draft
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.draft import draft_candidates
from kdos.synthesize.loop import Candidate, LoopState, LoopSteps


def loop_steps(context: SynthesisContext) -> LoopSteps:
    """The steps that the configuration asks for."""
    wanted = context.config.budget.samples
    return LoopSteps(
        measure=lambda state: measure_state(state, context),
        stop=lambda state, deficit: stop_reason(
            deficit.gap,
            samples=state.pool.samples,
            wanted=wanted,
            history=state.history,
            reachable=deficit.reachable,
        ),
        steer=lambda state, deficit: choose_picks(state, deficit, context),
        draft=lambda picks, state, deficit: draft_and_locate(picks, state, deficit, context),
        accept=lambda candidates, state, deficit: accept_candidates(
            candidates, state, deficit, context
        ),
        cells_of_points=lambda: context.inventory.cells,
    )


def measure_state(state: LoopState, context: SynthesisContext) -> Deficit:
    """The deficit of the pool against the target over cells that can be reached."""
    given_up = unreachable_cells(
        state.yields, context.links, drafts=context.settings.drafts_per_call
    )
    wanted = context.config.budget.samples
    return measure_deficit(state.pool, context.log_q, given_up, wanted=wanted)


def choose_picks(state: LoopState, deficit: Deficit, context: SynthesisContext) -> list[Pick]:
    """The picks of the next round, by the picker that the configuration names."""
    config, links = context.config, context.links
    wanted, drafts = config.budget.samples, config.synthesize.drafts_per_call
    samples, yields = state.pool.samples, state.yields
    size = round_size(
        samples=samples,
        asked=int(yields.tries.sum()),
        wanted=wanted,
        drafts=drafts,
        most=config.synthesize.picks_per_round,
    )
    key = {"picks": size, "random_seed": config.random_seed, "round_number": state.rounds + 1}
    if config.picker == "scatter":
        return scatter_picks(links, asked=yields.asked, **key)
    by_cell = np.where(deficit.unreachable, 0, deficit.by_cell)
    off_target = expected_off_target(yields, links, samples=samples, wanted=wanted, drafts=drafts)
    reserved = reserve_for_drift(by_cell, off_target, picks=size, drafts=drafts)
    given: dict[str, Any] = {
        **key,
        "exposures": state.pool.exposures,
        "drafts": drafts,
        "reserved": reserved,
    }
    if config.picker == "walk":
        return walk_picks(by_cell, yields, links, context.seed_graph, **given)
    picks = steer_picks(by_cell, yields, links, **given)
    if config.picker == "walk-from-steer":
        return walk_picks(by_cell, yields, links, context.seed_graph, **given, steered=picks)
    return picks


def draft_and_locate(
    picks: Sequence[Pick], state: LoopState, deficit: Deficit, context: SynthesisContext
) -> tuple[list[Candidate], list[Refusal]]:
    """Draft, then find each candidate's knowledge points in the inventory, new ones added."""
    candidates, failed = draft_candidates(
        picks,
        context,
        refuse_crowded=lambda texts: refuse_crowded_draft(texts, state, deficit, context),
    )
    held = {
        candidate.draft.id: candidate.extraction.knowledge_points
        for candidate in candidates
        if candidate.extraction and not candidate.refusal
    }
    inventory = context.inventory
    inventory.add_unknown((text for texts in held.values() for text in texts), context.locate_texts)
    rows = {name: inventory.rows(texts) for name, texts in held.items()}
    return [replace(c, points=rows.get(c.draft.id, ())) for c in candidates], failed
