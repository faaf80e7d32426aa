"""The loop's steps, bound to a configuration and to what a run holds."""

from collections.abc import Iterator, Sequence
from typing import Any

from kdos.sampler import (
    Deficit,
    Pick,
    RunningCounts,
    cell_limits,
    measure_deficit,
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
from kdos.synthesize.loop import LoopState, LoopSteps, Outlook


def loop_steps(context: SynthesisContext) -> LoopSteps:
    """The steps that the configuration asks for."""
    return LoopSteps(
        measure=lambda state: measure_state(state, context),
        stop=lambda state, deficit: stop_reason(
            deficit, samples=state.pool.samples, most=context.order.samples, history=state.history
        ),
        look_ahead=lambda state, deficit: look_ahead(state, deficit, context),
        steer=lambda outlook, in_flight: _choose_picks(outlook, in_flight, context),
        draft=lambda pick, outlook: draft_pick(pick, outlook, context),
        accept=lambda outlook: PartAcceptance(outlook, context),
        cells_of_points=lambda: context.inventory.cells,
    )


def measure_state(state: LoopState, context: SynthesisContext) -> Deficit:
    """The deficit of the pool against what is wanted of the knowledge points that can be reached."""
    return measure_deficit(state.pool, context.order, unreachable_points(state.yields), context.links)


def look_ahead(state: LoopState, deficit: Deficit, context: SynthesisContext) -> Outlook:
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
    )


def _choose_picks(outlook: Outlook, in_flight: Sequence[Pick], context: SynthesisContext) -> Iterator[Pick]:
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
    if config.picker == "steer":
        return steer_picks(deficit, state.yields, links, **key)
    from_steer = config.picker == "walk-from-steer"
    return walk_picks(deficit, state.yields, links, context.seed_graph, **key, from_steer=from_steer)
