"""The loop's steps, bound to a configuration and to what a run holds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdos.logic import LEVELS
from kdos.sampler import (
    Deficit,
    DisciplineNeeds,
    LevelPlan,
    Pace,
    Pick,
    RunningCounts,
    cell_limits,
    expect_samples,
    measure_deficit,
    measure_needs,
    plan_levels,
    plan_pace,
    points_to_ask,
    scatter_picks,
    steer_picks,
    stop_reason,
    unreachable_points,
    walk_picks,
)
from kdos.synthesize.context import SynthesisContext
from kdos.synthesize.deciding import PartAcceptance
from kdos.synthesize.draft import draft_pick
from kdos.synthesize.loop import LoopState, LoopSteps, Outlook, level_requests


def loop_steps(context: SynthesisContext) -> LoopSteps:
    """The steps that the configuration asks for."""
    return LoopSteps(
        measure=lambda state: measure_state(state, context),
        stop=lambda state, deficit: stop_reason(
            deficit, samples=state.pool.samples, most=context.order.samples, history=state.history
        ),
        look_ahead=lambda state, deficit, in_flight: look_ahead(state, deficit, in_flight, context),
        steer=lambda outlook, in_flight: _choose_picks(outlook, in_flight, context),
        draft=lambda pick, outlook: draft_pick(pick, outlook, context),
        accept=lambda outlook: PartAcceptance(outlook, context),
        cells_of_points=lambda: context.inventory.cells,
        discipline_of=context.discipline_of,
    )


def measure_state(state: LoopState, context: SynthesisContext) -> Deficit:
    """The deficit of the pool against what is wanted of the knowledge points that can be reached."""
    return measure_deficit(state.pool, context.order, unreachable_points(state.yields), context.links)


def look_ahead(state: LoopState, deficit: Deficit, in_flight: Sequence[Pick], context: SynthesisContext) -> Outlook:
    """What is known as a part begins: the state, what else is known by now, and how fast to go on."""
    pool, most = state.pool, context.order.samples
    pace = plan_pace(
        pool,
        deficit,
        state.yields,
        window=context.config.window,
        most=most,
        drafts=context.settings.drafts_per_call,
        history=state.history,
    )
    return Outlook(
        state,
        deficit,
        counts=RunningCounts(pool, deficit, context.inventory.cells),
        limits=cell_limits(deficit, context.settings.slack),
        known=len(context.known),
        pace=pace,
        asks=points_to_ask(pool, deficit, state.yields, most=most),
        levels=_plan_levels(state, pace, in_flight, context),
    )


def _plan_levels(
    state: LoopState, pace: Pace, in_flight: Sequence[Pick], context: SynthesisContext
) -> LevelPlan | None:
    """Which levels of difficulty to ask for; None where any will do."""
    shares = context.config.difficulty
    if not shares:
        return None
    samples = _expect_samples(state, pace, context)
    wanted = np.array([shares.get(level, 0.0) for level in LEVELS])
    return plan_levels(
        state.levels,
        wanted,
        in_flight=level_requests(in_flight, context.discipline_of),
        samples=samples,
        most=context.order.samples,
    )


def _expect_samples(state: LoopState, pace: Pace, context: SynthesisContext) -> float:
    return expect_samples(state.pool, state.yields, pace, drafts=context.settings.drafts_per_call)


def _measure_needs(outlook: Outlook, in_flight: Sequence[Pick], context: SynthesisContext) -> DisciplineNeeds | None:
    """What is still wanted of each discipline; None where any will do."""
    if context.order.disciplines is None:
        return None
    record = outlook.state.levels
    yields, held = record.discipline_yields(), record.held.sum(axis=1).astype(np.float64)
    for discipline, _, drafts in level_requests(in_flight, context.discipline_of):
        held[discipline] += drafts * yields[discipline]
    needs = measure_needs(
        context.order.disciplines, held, samples=_expect_samples(outlook.state, outlook.pace, context)
    )
    # Where fewer drafts stay, more are asked for.
    needs /= yields
    return DisciplineNeeds(needs, context.discipline_of_point)


def _choose_picks(outlook: Outlook, in_flight: Sequence[Pick], context: SynthesisContext) -> Iterator[Pick]:
    """The picks of a part, by the picker that the configuration names, with the levels that are planned."""
    for pick in _pick_places(outlook, in_flight, context):
        level = outlook.levels and outlook.levels.next_level(context.discipline_of(pick))
        yield pick if level is None else replace(pick, difficulty=LEVELS[level])


def _pick_places(outlook: Outlook, in_flight: Sequence[Pick], context: SynthesisContext) -> Iterator[Pick]:
    """The picks of a part, by the picker that the configuration names."""
    config, links, state, deficit = context.config, context.links, outlook.state, outlook.deficit
    # Chance is keyed by seed and part, never drawn from one stream: a resumed run picks alike.
    key: dict[str, Any] = {
        "in_flight": in_flight,
        "drafts": config.synthesize.drafts_per_call,
        "points": outlook.asks,
        "random_seed": config.random_seed,
        "part": state.parts + 1,
    }
    if config.picker == "scatter":
        return scatter_picks(links, state.yields, n_cells=context.space.n_cells, **key)
    key["needs"] = _measure_needs(outlook, in_flight, context)
    if config.picker == "steer":
        return steer_picks(deficit, state.yields, links, **key)
    from_steer = config.picker == "walk-from-steer"
    return walk_picks(deficit, state.yields, links, context.seed_graph, **key, from_steer=from_steer)
