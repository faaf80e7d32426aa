"""The loop on disk: every turn is a folder, and finished turns are read instead of repeated."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import Float64Array
from kdos.artifacts import RunFolder
from kdos.checks import KnownQuestions
from kdos.config import Config
from kdos.density import Space, cell_log_density
from kdos.density.profile import effective_cells
from kdos.embed import LexicalEmbedder
from kdos.llm import BudgetSpentError
from kdos.pool import Pool, values
from kdos.report import LivePage
from kdos.run.benchmarks import index_benchmarks, paraphrase_check, read_benchmark_questions
from kdos.run.demand import read_demand
from kdos.run.prepare import LoopInputs, Tally, count, new_tally
from kdos.sampler import CellYields, SeedLinks
from kdos.store import write_parquet
from kdos.synthesize import (
    POINTS_PER_SAMPLE,
    ROUND_SCHEMAS,
    SAMPLE_SCHEMA,
    Deficit,
    LoopState,
    Round,
    SynthesisContext,
    discipline_target,
    loop_steps,
    read_round_outcome,
    refused_by_class,
    refused_by_reason,
    round_tables,
    run_rounds,
)
from kdos.targets import effective_points, read_target, water_filled_quotas
from kdos.tasks import SYNTHESIZE_PROMPT, Ask
from kdos.terminal import Progress, print_status

FEWEST_EFFECTIVE = 0.2
"""The share of the reference that a target must rest on, or we say so (our design)."""


@dataclass(frozen=True)
class SynthesisResult:
    """The pool that the loop left, what it still lacks and why it ended."""

    state: LoopState
    deficit: Deficit
    context: SynthesisContext
    stop_reason: str


def synthesize_pool(
    config: Config,
    folder: RunFolder,
    prepared: LoopInputs,
    *,
    ask: Ask,
    engine: str,
    progress: Progress,
    page: LivePage | None = None,
) -> SynthesisResult:
    """Turn the loop until it stops; each turn is on disk, and on the page, before the next."""
    room = synthesis_context(config, prepared, ask=ask)
    warn_of_few_points(room)
    state = restore_state(folder, room)
    steps = loop_steps(room)
    lack = steps.measure(state)
    budget = math.ceil(config.budget.samples * POINTS_PER_SAMPLE)
    write_target_table(folder, room, lack, knowledge_points=budget)
    turns = run_rounds(state, steps)
    with progress.stage("synthesize", total=config.budget.samples):
        while True:
            known, kl, begun = len(room.inventory), lack.gap.kl, monotonic()
            try:
                turn, state, lack = next(turns)
            except StopIteration as stop:
                return SynthesisResult(state, lack, room, stop_reason=stop.value)
            except BudgetSpentError as spent:
                print_status(f"{spent}")
                return SynthesisResult(state, lack, room, stop_reason="budget")
            facts = round_facts(turn, state, lack, room)
            facts |= {"kl_before": finite_or_none(kl), "seconds": round(monotonic() - begun, 3)}
            tables = round_tables(
                turn,
                library=room.library,
                inventory=room.inventory,
                known=known,
                engine=engine,
                prompt=SYNTHESIZE_PROMPT.hash,
            )
            folder.round_folder(turn.number).write(facts, tables)
            progress.update(state.pool.samples, progress_note(facts))
            if page:
                page.refresh()


def synthesis_context(config: Config, prepared: LoopInputs, *, ask: Ask) -> SynthesisContext:
    """What the loop works with, at its very beginning."""
    space, inventory = prepared.space, prepared.inventory
    links = prepared.library.link_seeds(inventory, n_cells=space.n_cells)
    questions, embedder = read_benchmark_questions(config.benchmarks), prepared.embedder
    knows_meaning = embedder.name != LexicalEmbedder.name
    return SynthesisContext(
        config=config,
        space=space,
        log_q=cell_target(config, prepared, links),
        library=prepared.library,
        links=links,
        inventory=inventory,
        known=KnownQuestions(),
        ask=ask,
        embed_texts=embedder.embed,
        benchmarks=index_benchmarks(questions),
        refuse_paraphrases=(
            paraphrase_check(questions, embedder.embed) if questions and knows_meaning else None
        ),
    )


def cell_target(config: Config, prepared: LoopInputs, links: SeedLinks) -> Float64Array:
    """The target over cells that the configuration asks for, shape (n_cells,), nats."""
    space = prepared.space
    log_q = read_target(
        config.target,
        log_volumes=space.log_volumes,
        counts=np.bincount(links.cells, minlength=space.n_cells),
        budget=math.ceil(config.budget.samples * POINTS_PER_SAMPLE),
        demand=read_demand(config.target, prepared),
    )
    if not config.disciplines:
        return log_q
    return discipline_target(log_q, config.disciplines, library=prepared.library, links=links)


def warn_of_few_points(room: SynthesisContext) -> None:
    """Say so where the target rests on so few knowledge points that outliers would take it over."""
    counts = np.bincount(room.links.cells, minlength=room.space.n_cells)
    effective, points = effective_points(room.log_q, counts), int(counts.sum())
    if effective < FEWEST_EFFECTIVE * points:
        print_status(
            f"the target rests on {effective:.0f} of {points} knowledge points; "
            "a flatter one (sqrt, natural) would rest on more"
        )


def restore_state(folder: RunFolder, room: SynthesisContext) -> LoopState:
    """The state that finished turns left; their questions and knowledge points are known again."""
    n_cells, n_points = room.space.n_cells, len(room.inventory)
    state = LoopState(
        Pool.empty(n_cells=n_cells, n_points=n_points),
        CellYields.nothing_asked(n_cells=n_cells, n_points=n_points),
    )
    rounds = {name: folder.read_rounds(name) for name in ROUND_SCHEMAS}
    for number, facts in enumerate(folder.read_round_facts()):
        tables = {name: rounds[name][number] for name in ROUND_SCHEMAS}
        outcome = read_round_outcome(tables, room.inventory)
        kl = math.inf if facts["kl_before"] is None else facts["kl_before"]
        state = state.extend(outcome, cells=room.inventory.cells, kl=kl)
        for row in tables["samples"].select(["question", "answer", "id"]).to_pylist():
            room.known.add_question(row["question"], [row["answer"]], name=row["id"])
        room.shapes.add_shapes(values(tables["samples"], "shape"))
    return state


def write_target_table(
    folder: RunFolder, room: SynthesisContext, lack: Deficit, *, knowledge_points: int
) -> None:
    """The wanted share of every cell, its quota of so many points, and whether it is reachable."""
    table = pa.table(
        {
            "cell": pa.array(np.arange(len(room.log_q)), pa.int32()),
            "q": pa.array(np.exp(room.log_q)),
            "quota": pa.array(water_filled_quotas(room.log_q, knowledge_points)),
            "reachable": pa.array(~lack.unreachable),
        }
    )
    write_parquet(folder.target, table, table.schema)


def round_facts(
    turn: Round, state: LoopState, lack: Deficit, room: SynthesisContext
) -> dict[str, Any]:
    """What ``round.json`` says: the turn's balance, and the pool and its gap after it."""
    failed = Counter(refusal.reason for refusal in turn.failed)
    return {
        "round": turn.number,
        "picks": len(turn.picks),
        "calls": turn.calls,
        "failed": dict(sorted(failed.items())),
        "drafts": len(turn.candidates),
        "accepted": len(turn.accepted),
        "refused": refused_by_reason(turn),
        "classes": refused_by_class(turn),
        "read": len(turn.adherence),
        "adherence": mean_or_none(turn.adherence),
        "samples": state.pool.samples,
        "knowledge_points": state.pool.knowledge_points,
        "kl": finite_or_none(lack.gap.kl),
        "tv": lack.gap.tv,
        "floor": finite_or_none(lack.gap.floor),
        "log10_density": pool_log10_density(state.pool, room.space),
        "effective_cells": effective_cells(state.pool.counts) if state.pool.samples else 0.0,
        "effective_shapes": room.shapes.effective_number(),
        "unreachable_mass": lack.unreachable_mass,
    }


def tally_rounds(folder: RunFolder) -> dict[str, Tally]:
    """The balance of calls for drafts and of drafts, over all turns."""
    calls, drafts = new_tally(), new_tally()
    for facts in folder.read_round_facts():
        count(calls, kept=facts["calls"] - sum(facts["failed"].values()))
        count(drafts, kept=facts["accepted"])
        for tally, refused in ((calls, facts["failed"]), (drafts, facts["refused"])):
            for reason, times in refused.items():
                count(tally, refused=reason, times=times)
    return {"calls": calls, "drafts": drafts}


def mean_adherence(folder: RunFolder) -> float | None:
    """The mean adherence of all drafts that were read; None where none was."""
    facts = folder.read_round_facts()
    read = sum(fact["read"] for fact in facts)
    total = sum(fact["adherence"] * fact["read"] for fact in facts if fact["read"])
    return total / read if read else None


def collect_samples(folder: RunFolder) -> pa.Table:
    """The samples of all turns, in the order in which they were accepted."""
    tables = folder.read_rounds("samples")
    return pa.concat_tables(tables) if tables else SAMPLE_SCHEMA.empty_table()


def pool_log10_density(pool: Pool, space: Space) -> float | None:
    """Mean log10 density of the pool's exposures, by cell; None for an empty pool."""
    if not pool.knowledge_points:
        return None
    share = pool.counts / pool.knowledge_points
    return float(share @ cell_log_density(pool.counts, space)) / math.log(10)


def progress_note(facts: dict[str, Any]) -> str:
    """The turn in a few words."""
    rate = facts["accepted"] / facts["drafts"] if facts["drafts"] else 0.0
    kl = "-" if facts["kl"] is None else f"{facts['kl']:.4f}"
    return f"round {facts['round']}, {rate:.0%} accepted, KL {kl}"


def mean_or_none(shares: Sequence[float]) -> float | None:
    """The mean, or None where there is nothing."""
    return sum(shares) / len(shares) if shares else None


def finite_or_none(value: float) -> float | None:
    """The number, or None where it is infinite: JSON has no infinity."""
    return value if math.isfinite(value) else None
