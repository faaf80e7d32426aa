"""The loop on disk: every round is a folder, and finished rounds are read, not repeated."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pyarrow as pa

from kdos.artifacts import RunFolder
from kdos.checks import KnownQuestions, count_refusal_reasons
from kdos.config import Config
from kdos.density import Space, cell_log_density, effective_cells
from kdos.llm import BudgetSpentError
from kdos.pool import Pool, Tally, column_values
from kdos.report import LivePage
from kdos.run.prepare import (
    LoopInputs,
    index_benchmarks,
    paraphrase_check,
    read_benchmark_questions,
)
from kdos.run.target import cell_target, warn_of_few_points, write_target_table
from kdos.sampler import POINTS_PER_SAMPLE, Deficit
from kdos.synthesize import (
    ROUND_SCHEMAS,
    SAMPLE_SCHEMA,
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
    context = synthesis_context(config, inputs, ask=ask)
    warn_of_few_points(context)
    state = restore_state(folder, context)
    steps = loop_steps(context)
    deficit = steps.measure(state)
    budget = math.ceil(config.budget.samples * POINTS_PER_SAMPLE)
    write_target_table(folder, context, deficit, knowledge_points=budget)
    rounds = run_rounds(state, steps)
    with progress.stage("synthesize", total=config.budget.samples):
        while True:
            # Before the round, for its record: what it adds to the inventory starts at `known`, and
            # a resumed run replays the gaps (`kl_before`) that the stopping rule looks at.
            known, kl, begun = len(context.inventory), deficit.gap.kl, monotonic()
            try:
                finished, state, deficit = next(rounds)
            except StopIteration as stop:
                return SynthesisResult(state, deficit, context, stop_reason=stop.value)
            except BudgetSpentError as spent:
                print_status(f"{spent}")
                return SynthesisResult(state, deficit, context, stop_reason="budget")
            facts = round_facts(finished, state, deficit, context)
            facts |= {"kl_before": finite_or_none(kl), "seconds": round(monotonic() - begun, 3)}
            tables = round_tables(
                finished,
                library=context.library,
                inventory=context.inventory,
                known=known,
                engine=engine,
                prompt=SYNTHESIZE_PROMPT.hash,
            )
            folder.round_folder(finished.number).write(facts, tables)
            progress.update(state.pool.samples, progress_note(facts))
            if page:
                page.refresh()


def synthesis_context(config: Config, inputs: LoopInputs, *, ask: Ask) -> SynthesisContext:
    """What the loop works with before its first round."""
    space, inventory = inputs.space, inputs.inventory
    links = inputs.library.link_seeds(inventory, n_cells=space.n_cells)
    questions, embedder = read_benchmark_questions(config.benchmarks), inputs.embedder
    return SynthesisContext(
        config=config,
        space=space,
        log_q=cell_target(config, inputs, links),
        library=inputs.library,
        links=links,
        inventory=inventory,
        known=KnownQuestions(),
        ask=ask,
        embed_texts=embedder.embed,
        benchmarks=index_benchmarks(questions),
        refuse_paraphrases=paraphrase_check(questions, embedder),
    )


def restore_state(folder: RunFolder, context: SynthesisContext) -> LoopState:
    """The state that finished rounds left; their questions and knowledge points are known again."""
    n_cells, n_points = context.space.n_cells, len(context.inventory)
    state = LoopState.begin(n_cells=n_cells, n_points=n_points)
    rounds = {name: folder.read_rounds(name) for name in ROUND_SCHEMAS}
    for number, facts in enumerate(folder.read_round_facts()):
        tables = {name: rounds[name][number] for name in ROUND_SCHEMAS}
        outcome = read_round_outcome(tables, context.inventory)
        kl = math.inf if facts["kl_before"] is None else facts["kl_before"]
        state = state.extend(outcome, cells=context.inventory.cells, kl=kl)
        for row in tables["samples"].select(["question", "answer", "id"]).to_pylist():
            context.known.add_question(row["question"], [row["answer"]], name=row["id"])
        context.shapes.add_shapes(column_values(tables["samples"], "shape"))
    return state


def round_facts(
    finished: Round, state: LoopState, deficit: Deficit, context: SynthesisContext
) -> dict[str, Any]:
    """What ``round.json`` says: the round's counts, and the pool and its gap after it."""
    failed = Counter(refusal.reason for refusal in finished.failed)
    refusals = [verdict.refusal for verdict in finished.verdicts if verdict.refusal]
    classes = Counter(refusal.error_class.value for refusal in refusals)
    return {
        "round": finished.number,
        "picks": len(finished.picks),
        "calls": finished.calls,
        "failed": dict(sorted(failed.items())),
        "drafts": len(finished.candidates),
        "accepted": len(finished.accepted),
        "refused": count_refusal_reasons(refusals),
        "classes": dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))),
        "read": len(finished.adherence),
        "adherence": mean_or_none(finished.adherence),
        "samples": state.pool.samples,
        "knowledge_points": state.pool.knowledge_points,
        "kl": finite_or_none(deficit.gap.kl),
        "tv": deficit.gap.tv,
        "floor": finite_or_none(deficit.gap.floor),
        "log10_density": pool_log10_density(state.pool, context.space),
        "effective_cells": effective_cells(state.pool.counts) if state.pool.samples else 0.0,
        "effective_shapes": context.shapes.effective_number(),
        "unreachable_mass": deficit.unreachable_mass,
    }


def tally_rounds(folder: RunFolder) -> dict[str, Any]:
    """How many calls for drafts, and how many drafts, came to something, over all rounds."""
    calls, drafts = Tally(), Tally()
    for facts in folder.read_round_facts():
        calls.accepted += facts["calls"] - sum(facts["failed"].values())
        calls.refused.update(facts["failed"])
        drafts.accepted += facts["accepted"]
        drafts.refused.update(facts["refused"])
    return {"calls": calls.as_json(), "drafts": drafts.as_json()}


def mean_adherence(folder: RunFolder) -> float | None:
    """The mean adherence of all drafts that were read; None where none was."""
    facts = folder.read_round_facts()
    read = sum(fact["read"] for fact in facts)
    total = sum(fact["adherence"] * fact["read"] for fact in facts if fact["read"])
    return total / read if read else None


def collect_samples(folder: RunFolder) -> pa.Table:
    """The samples of all rounds, in the order in which they were accepted."""
    tables = folder.read_rounds("samples")
    return pa.concat_tables(tables) if tables else SAMPLE_SCHEMA.empty_table()


def pool_log10_density(pool: Pool, space: Space) -> float | None:
    """Mean log10 density of the pool's exposures, by cell; None for an empty pool."""
    if not pool.knowledge_points:
        return None
    share = pool.counts / pool.knowledge_points
    return float(share @ cell_log_density(pool.counts, space)) / math.log(10)


def progress_note(facts: dict[str, Any]) -> str:
    """The round in a few words."""
    rate = facts["accepted"] / facts["drafts"] if facts["drafts"] else 0.0
    kl = "-" if facts["kl"] is None else f"{facts['kl']:.4f}"
    return f"round {facts['round']}, {rate:.0%} accepted, KL {kl}"


def mean_or_none(shares: Sequence[float]) -> float | None:
    """The mean, or None where there is nothing."""
    return sum(shares) / len(shares) if shares else None


def finite_or_none(value: float) -> float | None:
    """The number, or None where it is infinite: JSON has no infinity."""
    return value if math.isfinite(value) else None
