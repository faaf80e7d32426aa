"""The loop's steps, bound to a configuration and to what a run holds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from kdos.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from kdos.checks import BenchmarkIndex, KnownQuestions
from kdos.config import Config
from kdos.density import Space
from kdos.logic import ShapeCounts
from kdos.pool import Draft, Inventory, Pool, Refusal
from kdos.sampler import (
    MOST_POINTS_USED,
    Pick,
    SeedLinks,
    scatter_picks,
    steer_picks,
    stop_reason,
    unreachable_cells,
)
from kdos.synthesize.draft import Desk, draft_candidates
from kdos.synthesize.keep import Gate, accept_candidates, refuse_crowded_draft
from kdos.synthesize.library import Library
from kdos.synthesize.loop import Candidate, Deficit, LoopState, LoopSteps
from kdos.synthesize.walking import SeedGraph, build_seed_graph, walk_picks
from kdos.targets import measure_gap, water_filled_quotas
from kdos.tasks import Ask

POINTS_PER_SAMPLE = 4.0
"""Knowledge points a sample holds, before the first was seen: the middle of 3 to 5."""

HEADROOM = 0.05
"""Room in the quotas beyond the wanted pool: the last drafts, of several knowledge points each,
find no place where every cell is full to the last one. It costs a KL of about 0.001."""

SAMPLES_PER_DRAFT = 0.8
"""The share of drafts taken to be accepted, before any was."""

FEWEST_ROUNDS = 16
"""Rounds that a run takes at least, so that feedback has turns to work in."""

OFF_TARGET_PER_DRAFT = 1.0
"""Knowledge points of a draft that are taken to drift, before any was read."""

RESERVE_MULTIPLES = (3.0, 2.0, 1.0)
"""Room that is left in a cell, in times what is expected to drift there; the first of these for
which a round finds enough to ask for elsewhere."""

FEWEST_PICKS = 16
"""Picks below which a round is not worth its three waits for the model."""

SHARE_IN_FLIGHT = 0.5
"""Share of the picks still needed that a round may ask for (our design)."""


@dataclass(frozen=True)
class SynthesisContext:
    """What the loop works with: the space and target, the shelf of seeds, the way to a model."""

    config: Config
    space: Space
    log_q: Float64Array
    library: Library
    links: SeedLinks
    inventory: Inventory
    known: KnownQuestions
    ask: Ask
    embed_texts: Callable[[Sequence[str]], Float32Array]
    shapes: ShapeCounts = field(default_factory=ShapeCounts)
    benchmarks: BenchmarkIndex | None = None
    refuse_paraphrases: Callable[[Sequence[Draft]], list[Refusal | None]] | None = None

    @cached_property
    def seed_graph(self) -> SeedGraph:
        """Where a walk can go, made when it is first asked for."""
        return build_seed_graph(self.links)

    def locate_texts(self, texts: Sequence[str]) -> tuple[Float32Array, Int32Array]:
        """New knowledge points' places in the space."""
        points = self.space.project(self.embed_texts(texts))
        return points, self.space.assign_cells(points)


def loop_steps(room: SynthesisContext) -> LoopSteps:
    """The steps that the configuration asks for."""
    settings, wanted = room.config.synthesize, room.config.budget.samples
    gate = Gate(
        rule=settings.accept,
        slack=settings.slack,
        wanted=wanted,
        inventory=room.inventory,
        known=room.known,
        shapes=room.shapes,
        same_shape=settings.same_shape,
    )
    return LoopSteps(
        measure=lambda state: measure_deficit(state, room),
        stop=lambda state, lack: stop_reason(
            lack.gap,
            samples=state.pool.samples,
            wanted=wanted,
            history=state.history,
            reachable=not lack.unreachable[lack.gap.deficit > 0].all(),
        ),
        steer=lambda state, lack: choose_picks(state, lack, room),
        draft=lambda picks, state, lack: draft_and_locate(picks, state, lack, room=room, gate=gate),
        accept=lambda candidates, state, lack: accept_candidates(candidates, state, lack, gate),
        cells_of_points=lambda: room.inventory.cells,
    )


def measure_deficit(state: LoopState, room: SynthesisContext) -> Deficit:
    """Compare the pool with the target; cells that were given up lose their target to the rest."""
    pool = state.pool
    given_up = unreachable_cells(
        state.yields, room.links, drafts=room.config.synthesize.drafts_per_call
    )
    budget = quota_budget(pool, wanted=room.config.budget.samples)
    wanted = water_filled_quotas(room.log_q, budget)
    mass = float(np.exp(room.log_q[given_up]).sum())
    if given_up.all():
        return Deficit(measure_gap(pool.counts, room.log_q, wanted), wanted, given_up, 1.0)
    log_q = np.where(given_up, -np.inf, room.log_q - math.log1p(-mass))
    rest = water_filled_quotas(log_q, max(budget - int(pool.counts[given_up].sum()), 0))
    gap = measure_gap(pool.counts, log_q, rest)
    return Deficit(gap, np.where(given_up, wanted, rest), given_up, mass)


def quota_budget(pool: Pool, *, wanted: int) -> int:
    """Knowledge points that quotas are for: what the wanted samples will hold, and headroom."""
    missing = max(wanted - pool.samples, 0)
    each = pool.knowledge_points / pool.samples if pool.samples else POINTS_PER_SAMPLE
    return math.ceil((pool.knowledge_points + missing * each) * (1 + HEADROOM))


def choose_picks(state: LoopState, lack: Deficit, room: SynthesisContext) -> list[Pick]:
    """The next batch."""
    config, number = room.config, state.rounds + 1
    size = round_size(state, config)
    if config.picker == "scatter":
        return scatter_picks(
            room.links,
            picks=size,
            random_seed=config.random_seed,
            round_number=number,
            asked=state.yields.asked,
        )
    deficit = np.where(lack.unreachable, 0, lack.gap.deficit)
    strays = expected_off_target(state, room.links, config)
    turn: dict[str, Any] = {
        "exposures": state.pool.exposures,
        "picks": size,
        "drafts": config.synthesize.drafts_per_call,
        "random_seed": config.random_seed,
        "round_number": number,
        "reserved": reserve_for_drift(deficit, strays, size, config),
    }
    if config.picker == "walk":
        return walk_picks(deficit, state.yields, room.links, room.seed_graph, **turn)
    picks = steer_picks(deficit, state.yields, room.links, **turn)
    if config.picker == "walk-from-steer":
        return walk_picks(deficit, state.yields, room.links, room.seed_graph, **turn, steered=picks)
    return picks


def reserve_for_drift(
    deficit: Int64Array, strays: Float64Array, picks: int, config: Config
) -> Float64Array:
    """How much of what each cell lacks is left to drift for now, shape (n_cells,).

    A place that drift may fill is asked for last, for a draft that strays into a full cell is lost:
    so more is left free than is expected to come, as long as enough else is lacking.
    """
    places = picks * config.synthesize.drafts_per_call * MOST_POINTS_USED
    for times in RESERVE_MULTIPLES:
        if np.maximum(deficit - times * strays, 0).sum() >= places:
            return times * strays
    return np.zeros(len(strays))


def expected_off_target(state: LoopState, links: SeedLinks, config: Config) -> Float64Array:
    """What will come unasked into each cell until the pool has its size, shape (n_cells,).

    Steering leaves room for it: a cell that drafts drift to fills by itself, and what drifts into a
    full one is lost, with all that the draft holds beside it. Drafts still to come are taken to
    drift as kept ones did, and to what is popular in the corpus for as long as little was seen.
    """
    strays, samples = state.yields.off_target, state.pool.samples
    asked = int(state.yields.tries.sum()) * config.synthesize.drafts_per_call
    missing = max(config.budget.samples - samples, 0)
    to_come = missing * (asked + FEWEST_PICKS) / (samples + FEWEST_PICKS)
    each = (float(strays.sum()) + OFF_TARGET_PER_DRAFT * FEWEST_PICKS) / (samples + FEWEST_PICKS)
    n_cells = len(strays)
    popular = np.bincount(links.cells, minlength=n_cells) / len(links.cells)
    share = (strays + n_cells * popular) / (float(strays.sum()) + n_cells)
    return share * each * to_come


def round_size(state: LoopState, config: Config) -> int:
    """Picks for the next round: few at first and at last, so that rounds learn from each other.

    What is in flight together cannot know what came beside it. Early rounds do not know yet what
    drafts are like, so none asks for more than all before it; nothing comes after the last ones to
    mend what they overshoot, so none asks for more than a share of what still seems to be needed.
    """
    wanted, drafts = config.budget.samples, config.synthesize.drafts_per_call
    asked = int(state.yields.tries.sum())
    prior = wanted / FEWEST_ROUNDS / (SAMPLES_PER_DRAFT * drafts)
    each = (state.pool.samples + prior * SAMPLES_PER_DRAFT * drafts) / (asked + prior)
    needed = (wanted - state.pool.samples) / max(each, 0.01)
    most = config.synthesize.picks_per_round or max(
        FEWEST_PICKS, wanted / FEWEST_ROUNDS / drafts * 2
    )
    return math.ceil(min(most, max(FEWEST_PICKS, min(asked, SHARE_IN_FLIGHT * needed))))


def draft_and_locate(
    picks: Sequence[Pick], state: LoopState, lack: Deficit, *, room: SynthesisContext, gate: Gate
) -> tuple[list[Candidate], list[Refusal]]:
    """Draft, then find each candidate's knowledge points in the inventory, new ones added."""
    settings = room.config.synthesize
    desk = Desk(
        ask=room.ask,
        library=room.library,
        inventory=room.inventory,
        known=room.known,
        refuse_crowded=lambda texts: refuse_crowded_draft(texts, state, lack, gate),
        drafts_per_call=settings.drafts_per_call,
        judges=settings.judges,
        attempts=settings.attempts,
        mend=settings.mend,
        benchmarks=room.benchmarks,
        refuse_paraphrases=room.refuse_paraphrases,
    )
    candidates, failed = draft_candidates(picks, desk)
    held = [
        (c, c.extraction.knowledge_points) for c in candidates if c.extraction and not c.refusal
    ]
    room.inventory.add((text for _, texts in held for text in texts), room.locate_texts)
    rows = {c.draft.id: room.inventory.rows(texts) for c, texts in held}
    return [replace(c, points=rows.get(c.draft.id, ())) for c in candidates], failed
