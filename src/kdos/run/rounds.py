"""The loop on disk: every round is a folder, and finished rounds are read, not repeated.

A round is the unit of resuming. What a killed process leaves of the round that it was in are
replies in the ledger: the round is begun again, alike, and those replies are not paid twice.
"""

import math
from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kdos.artifacts import RunFolder
from kdos.checks import KnownQuestions, count_refusal_reasons
from kdos.config import Config
from kdos.density import Space, cell_log_density, effective_cells
from kdos.llm import BudgetSpentError
from kdos.pool import Pool, column_values
from kdos.report import LivePage
from kdos.run.prepare import LoopInputs, index_benchmarks, paraphrase_check, read_benchmark_questions
from kdos.run.target import plan_order, warn_of_few_points, write_target_tables
from kdos.sampler import Deficit
from kdos.synthesize import (
    ROUND_SCHEMAS,
    LoopState,
    Round,
    SynthesisContext,
    loop_steps,
    read_round_outcome,
    round_tables,
    run_rounds,
)
from kdos.tasks import SYNTHESIZE_PROMPT, Ask
from kdos.terminal import Progress, print_status


@dataclass(frozen=True)
class SynthesisResult:
    """The pool that the loop left, what is still wanted and why it ended."""

    state: LoopState
    deficit: Deficit
    context: SynthesisContext
    stop_reason: str


def synthesize_pool(
    config: Config,
    folder: RunFolder,
    inputs: LoopInputs,
    *,
    ask: Ask,
    engine: str,
    progress: Progress,
    page: LivePage | None = None,
) -> SynthesisResult:
    """Run the loop until it stops; each round is on disk, and on the page, before the next."""
    context = _synthesis_context(config, inputs, ask)
    warn_of_few_points(context)
    state = _restore_state(folder, context)
    steps = loop_steps(context)
    deficit = steps.measure(state)
    # Written before the first round too, for the report and `kdos target` look at a run under way.
    write_target_tables(folder, context, deficit)
    rounds = run_rounds(state, steps)
    with progress.stage("synthesize", total=context.order.samples):
        while True:
            # Before the round, for its record: what it adds to the inventory starts at `known`, and
            # a resumed run replays what was filled before it, which the stopping rule looks at.
            known, filled, begun = len(context.inventory), deficit.filled, monotonic()
            try:
                finished, state, deficit = next(rounds)
            except StopIteration as stop:
                return SynthesisResult(state, deficit, context, stop_reason=stop.value)
            except BudgetSpentError as spent:
                # The round that was being drafted is dropped, for it has no verdicts yet: with a
                # larger budget it is begun again, and what was paid for comes from the ledger.
                print_status(f"{spent}")
                return SynthesisResult(state, deficit, context, stop_reason="budget")
            facts = _round_facts(finished, state, deficit, context)
            facts |= {"filled_before": filled, "seconds": round(monotonic() - begun, 3)}
            tables = round_tables(
                finished,
                library=context.library,
                inventory=context.inventory,
                known=known,
                engine=engine,
                prompt=SYNTHESIZE_PROMPT.hash,
            )
            # Whole, before the next is asked for: the folder takes its name when all of it is on
            # disk, so every folder that is found is a finished round, and none has a gap before it.
            folder.round_folder(finished.number).write(facts, tables, seal=folder.seal)
            progress.update(state.pool.samples, _progress_note(facts))
            if page:
                page.refresh()


def _synthesis_context(config: Config, inputs: LoopInputs, ask: Ask) -> SynthesisContext:
    """What the loop works with before its first round."""
    space, inventory = inputs.space, inputs.inventory
    links = inputs.library.seed_links(inventory)
    questions, embedder = read_benchmark_questions(config.benchmarks), inputs.embedder
    return SynthesisContext(
        config=config,
        space=space,
        order=plan_order(config, inputs, links),
        library=inputs.library,
        links=links,
        inventory=inventory,
        known=KnownQuestions(),
        ask=ask,
        embed_texts=embedder.embed,
        benchmarks=index_benchmarks(questions),
        refuse_paraphrases=paraphrase_check(questions, embedder),
    )


def _restore_state(folder: RunFolder, context: SynthesisContext) -> LoopState:
    """The state that finished rounds left; their questions and knowledge points are known again."""
    # Replayed round by round, not summed up: new knowledge points take their rows in the order in
    # which they came, and the stopping rule looks at what was filled before each. No
    # draft is checked or judged again: what a round accepted stands in its table of samples.
    n_cells, n_points = context.space.n_cells, len(context.inventory)
    state = LoopState.begin(n_cells=n_cells, n_points=n_points)
    rounds = {name: folder.read_rounds(name) for name in ROUND_SCHEMAS}
    for number, facts in enumerate(folder.read_round_facts()):
        tables = {name: rounds[name][number] for name in ROUND_SCHEMAS}
        outcome = read_round_outcome(tables, context.inventory)
        state = state.extend(outcome, cells=context.inventory.cells, filled=facts["filled_before"])
        for row in tables["samples"].select(["question", "answer", "id"]).to_pylist():
            context.known.add_question(row["question"], [row["answer"]], name=row["id"])
        context.shapes.add_shapes(column_values(tables["samples"], "shape"))
    return state


def _round_facts(finished: Round, state: LoopState, deficit: Deficit, context: SynthesisContext) -> dict[str, Any]:
    """What ``round.json`` says: the round's counts, and the pool and its gap after it."""
    failed = Counter(refusal.reason for refusal in finished.failed)
    refusals = [verdict.refusal for verdict in finished.verdicts if verdict.refusal]
    classes = Counter(refusal.error_class.value for refusal in refusals)
    adherence = finished.adherence
    return {
        "round": finished.number,
        "picks": len(finished.picks),
        "calls": finished.calls,
        "failed": dict(sorted(failed.items())),
        "drafts": len(finished.candidates),
        "accepted": len(finished.accepted),
        "refused": count_refusal_reasons(refusals),
        "classes": dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))),
        "read": len(adherence),
        "adherence": sum(adherence) / len(adherence) if adherence else None,
        "samples": state.pool.samples,
        "knowledge_points": state.pool.knowledge_points,
        "distinct": state.pool.distinct_among(len(deficit.missing)),
        "order": deficit.order,
        "filled": deficit.filled,
        "kl": finite_or_none(deficit.gap.kl),
        "tv": deficit.gap.tv,
        "floor": finite_or_none(deficit.gap.floor),
        "log10_density": pool_log10_density(state.pool, context.space),
        "effective_cells": effective_cells(state.pool.counts) if state.pool.samples else 0.0,
        "effective_shapes": context.shapes.effective_number(),
        "unreachable_mass": deficit.unreachable_mass,
    }


def pool_log10_density(pool: Pool, space: Space) -> float | None:
    """Mean log10 density of the pool's exposures, by cell; None for an empty pool."""
    if not pool.knowledge_points:
        return None
    share = pool.counts / pool.knowledge_points
    return float(share @ cell_log_density(pool.counts, space.log_volumes)) / math.log(10)


def _progress_note(facts: dict[str, Any]) -> str:
    rate = facts["accepted"] / facts["drafts"] if facts["drafts"] else 0.0
    return f"round {facts['round']}, {rate:.0%} accepted, {facts['distinct']:,} knowledge points"


def finite_or_none(value: float) -> float | None:
    """The number, or None where it is infinite: JSON has no infinity."""
    return value if math.isfinite(value) else None
