"""The loop on disk: every part is a folder, and finished parts are read, not repeated.

A part is the unit of resuming. What a killed process leaves of the part that it was in, and of the picks in flight
then, are replies in the ledger: these picks are begun again, alike, and those replies are not paid twice.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from time import monotonic
from typing import Any

from kdos.artifacts import RunFolder
from kdos.checks import KnownQuestions, count_refusal_reasons, is_quoted
from kdos.config import Config
from kdos.cost import Cost, describe_costs, look_at_costs
from kdos.density import Space, cell_log_density, effective_cells
from kdos.errors import BudgetSpentError
from kdos.llm.endpoint_embedder import EndpointEmbedder
from kdos.logic import LEVELS
from kdos.pool import Pool, Tally, column_values
from kdos.report import LivePage
from kdos.run.prepare import LoopInputs, index_benchmarks, paraphrase_check, read_benchmark_questions
from kdos.run.target import plan_order, warn_of_few_points, write_target_tables
from kdos.sampler import Deficit, Pick, picks_needed
from kdos.synthesize import (
    PART_SCHEMAS,
    Library,
    LoopState,
    LoopSteps,
    Outlook,
    Part,
    PickWindow,
    SynthesisContext,
    loop_steps,
    part_tables,
    read_part_outcome,
    read_picks,
    run_loop,
)
from kdos.tasks import OpenExchange
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
    open_exchange: OpenExchange,
    engine: str,
    prompts: str,
    read_cost: Callable[[], Cost],
    progress: Progress,
    page: LivePage | None = None,
) -> SynthesisResult:
    """Run the loop until it stops; each part is on disk, and on the page, before the next.

    `engine` and `prompts` say of each sample who was asked, and in what wording; `read_cost` tells what the run has
    spent so far.
    """
    context = _synthesis_context(config, inputs)
    warn_of_few_points(context)
    steps = loop_steps(context)
    with open_exchange() as exchange, progress.stage("synthesize", total=context.order.samples):
        in_flight = PickWindow(exchange)
        state = _restore_loop(folder, context, steps, in_flight)
        deficit = steps.measure(state)
        # Written before the first part too, for the report and `kdos target` look at a run under way.
        write_target_tables(folder, context, deficit)
        parts = run_loop(state, steps, in_flight)
        # What the loop spent counts from its first part: a resumed run has that on disk.
        so_far = folder.read_part_facts()[: state.parts]
        before = {} if so_far else {"spent_before": asdict(read_cost())}
        while True:
            # Before the part, for its record: what it adds to the inventory starts at `known`, and
            # a resumed run replays what was filled before it, which the stopping rule looks at.
            known, filled, begun = len(context.inventory), deficit.filled, monotonic()
            try:
                part, state, deficit = next(parts)
            except (StopIteration, BudgetSpentError) as end:
                folder.drop_parts_after(state.parts)
                if isinstance(end, BudgetSpentError):
                    print_status(f"{end}")
                reason = "budget" if isinstance(end, BudgetSpentError) else end.value
                return SynthesisResult(state, deficit, context, stop_reason=reason)
            facts = _part_facts(part, state, deficit, context)
            facts |= {"filled_before": filled, "seconds": round(monotonic() - begun, 3)}
            facts |= {"spent": asdict(read_cost())} | before
            so_far, before = [*so_far, facts], {}
            tables = part_tables(
                part, library=context.library, inventory=context.inventory, known=known, engine=engine, prompts=prompts
            )
            # Whole, before the next is asked for: the folder takes its name when all of it is on
            # disk, so every folder that is found is a finished part, and none has a gap before it.
            folder.part_folder(part.number).write(facts, tables, seal=folder.seal)
            progress.update(state.pool.samples, _progress_note(so_far))
            if page:
                page.refresh()


def _synthesis_context(config: Config, inputs: LoopInputs) -> SynthesisContext:
    """What the loop works with before its first part."""
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
        embed_texts=embedder.embed,
        benchmarks=index_benchmarks(questions),
        refuse_paraphrases=paraphrase_check(questions, embedder),
        embed_ahead=embedder.embed if isinstance(embedder, EndpointEmbedder) else None,
    )


def _restore_loop(folder: RunFolder, context: SynthesisContext, steps: LoopSteps, in_flight: PickWindow) -> LoopState:
    """The state that finished parts left, and the picks in flight after them begun anew.

    Their questions and knowledge points are known again. A part that the budget cut short is made again, for what was
    in flight then was not decided.
    """
    # Replayed part by part, not summed up: new knowledge points take their rows in the order in
    # which they came, and the stopping rule looks at what was filled before each. No
    # draft is checked or judged again: what a part accepted stands in its table of samples.
    state = LoopState.begin(
        n_cells=context.space.n_cells,
        n_points=len(context.inventory),
        n_disciplines=len(context.links.disciplines.names),
    )
    whole = [facts for facts in folder.read_part_facts() if not facts["is_cut"]]
    tables = {name: folder.read_parts(name)[: len(whole)] for name in PART_SCHEMAS}
    chosen = [read_picks(table) for table in tables["picks"]]
    decided = sum(facts["picks"] for facts in whole)
    in_order, undecided = chain.from_iterable(chosen), list[tuple[Pick, Outlook]]()
    before = 0
    for number, facts in enumerate(whole):
        # An outlook costs a measurement: it is made where a pick that was chosen by it is still in flight.
        if late := [pick for pick in chosen[number] if pick.number >= decided]:
            earlier = [pick for pick in chain.from_iterable(chosen[:number]) if pick.number >= before]
            outlook = steps.look_ahead(state, steps.measure(state), earlier)
            undecided += [(pick, outlook) for pick in late]
        of_part = {name: tables[name][number] for name in PART_SCHEMAS}
        picks = list(islice(in_order, facts["picks"]))
        outcome = read_part_outcome(of_part, picks, context.inventory, context.discipline_of)
        before += facts["picks"]
        state = state.extend(outcome, cells=context.inventory.cells, filled=facts["filled_before"])
        for row in of_part["samples"].select(["question", "answer", "id"]).to_pylist():
            context.known.add_question(row["question"], [row["answer"]], name=row["id"])
        context.shapes.add_shapes(column_values(of_part["samples"], "shape"))
    for pick, outlook in undecided:
        in_flight.start(pick, steps.draft(pick, outlook))
    return state


def _part_facts(part: Part, state: LoopState, deficit: Deficit, context: SynthesisContext) -> dict[str, Any]:
    """What ``part.json`` says: the part's counts, and the pool and its gap after it."""
    failed = Counter(refusal.reason for refusal in part.failed)
    refusals = [verdict.refusal for verdict in part.verdicts if verdict.refusal]
    classes = Counter(refusal.error_class.value for refusal in refusals)
    adherence = part.adherence
    return {
        "part": part.number,
        "is_cut": part.is_cut,
        "picks": len(part.picks),
        "calls": part.calls,
        "failed": dict(sorted(failed.items())),
        "drafts": len(part.candidates),
        "accepted": len(part.accepted),
        "refused": count_refusal_reasons(refusals),
        "classes": dict(sorted(classes.items(), key=lambda item: (-item[1], item[0]))),
        "quotes": _tally_quotes(part, context.library).as_json(),
        "levels": _count_levels(part, context),
        "enhanced": sum(c.enhanced_from != "" for c in part.accepted),
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
        "needed": picks_needed(
            state.pool,
            deficit,
            most=context.order.samples,
            drafts=context.settings.drafts_per_call,
            history=state.history,
        ),
    }


def _count_levels(part: Part, context: SynthesisContext) -> dict[str, dict[str, int]]:
    """The part's samples by discipline and by the level of difficulty that was found."""
    names, counts = context.links.disciplines.names, dict[str, Counter[str]]()
    for candidate in part.accepted:
        of_discipline = counts.setdefault(names[context.discipline_of(candidate.pick)], Counter())
        of_discipline[LEVELS[candidate.level or 0]] += 1
    return {name: dict(sorted(found.items())) for name, found in sorted(counts.items())}


def _tally_quotes(part: Part, library: Library) -> Tally:
    """The quotes of the part's drafts, and how many do not stand in the passage that they name."""
    quotes = Tally()
    for candidate in part.candidates:
        seeds = map(library.seed, candidate.pick.seeds)
        passages = {passage.id: passage for passage in library.passages_of(seeds)}
        found = sum(is_quoted(piece, passages) for piece in candidate.draft.evidence)
        quotes.accepted += found
        quotes.refused["evidence_not_in_passage"] += len(candidate.draft.evidence) - found
    return quotes


def pool_log10_density(pool: Pool, space: Space) -> float | None:
    """Mean log10 density of the pool's exposures, by cell; None for an empty pool."""
    if not pool.knowledge_points:
        return None
    share = pool.counts / pool.knowledge_points
    return float(share @ cell_log_density(pool.counts, space.log_volumes)) / math.log(10)


def _progress_note(parts: Sequence[Mapping[str, Any]]) -> str:
    """What the last part came to, and what a sample costs and the rest will cost; not what was spent."""
    facts, costs = parts[-1], look_at_costs(parts)
    rate = facts["accepted"] / facts["drafts"] if facts["drafts"] else 0.0
    note = f"part {facts['part']}, {rate:.0%} accepted, {facts['distinct']:,} knowledge points"
    return "; ".join(filter(None, [note, describe_costs(costs, spent=False) if costs else ""]))


def finite_or_none(value: float) -> float | None:
    """The number, or None where it is infinite: JSON has no infinity."""
    return value if math.isfinite(value) else None
