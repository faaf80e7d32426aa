"""What a run leaves: the dataset with its card, the pool's knowledge points and the summary."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.checks import BenchmarkIndex
from kdos.cost import Cost, cost_a_sample
from kdos.density import measure_density
from kdos.export import read_card, write_dataset
from kdos.llm import Spending
from kdos.pool import Pool, Tally, column_values
from kdos.report import STOP_REASON_TEXTS, format_share, sum_levels
from kdos.run.parts import SynthesisResult, finite_or_none, pool_log10_density
from kdos.run.prepare import LoopInputs, place_columns
from kdos.run.target import write_target_tables
from kdos.sampler import Deficit
from kdos.seed import find_source_fields
from kdos.store import write_json, write_parquet
from kdos.synthesize import SAMPLE_SCHEMA
from kdos.terminal import print_status

MOST_NOVEL = 0.05
"""The share of novel knowledge points past which we say so; of the reference it is 1 % by definition (our design)."""


MOST_REFUSED_REPLIES = 0.5
"""The share of replies to calls for drafts that may be refused: past it, chance did not do it (our design)."""


MOST_ABSENT_QUOTES = 0.1
"""The share of quotes that may be absent from their passage: slips of a model that copies stay below (our design)."""


def explain_failure(summary: Mapping[str, Any]) -> str:
    """Why a run that has ended is no success, and what to do; empty where it is one.

    Refused drafts are none of it: a run that steers refuses what is not needed. Replies without a draft are.
    """
    calls, drafts = summary["stages"]["calls"], summary["stages"]["drafts"]
    # A model may leave a draft out where nothing sound can be written: near the end of a source that is often so.
    without = calls["refused"].get("no_draft", 0)
    lost = calls["in"] - calls["out"] - without
    if not summary["samples"] and without > MOST_REFUSED_REPLIES * calls["in"]:
        return (
            f"no sample was made: {without:,} of {calls['in']:,} calls brought no draft. A draft joins three to five "
            "linked knowledge points of a document: give longer documents, or an engine of kind http."
        )
    if calls["in"] and lost > MOST_REFUSED_REPLIES * calls["in"]:
        return (
            f"{lost:,} of {calls['in']:,} replies could not be used ({_name_reasons(calls['refused'])}). "
            "Try another engine.model, or `kdos doctor` on the configuration."
        )
    if summary["samples"]:
        return ""
    if drafts["in"]:
        return f"no sample was made: all {drafts['in']:,} drafts were refused ({_name_reasons(drafts['refused'])})."
    return f"no sample was made: the loop ended with no draft ({summary['stop_reason']}). Raise the budget."


def explain_stop(summary: Mapping[str, Any]) -> str:
    """Why a run ended and what that means, in one line, with what came to little on the way."""
    reason, calls, drafts = summary["stop_reason"], summary["stages"]["calls"], summary["stages"]["drafts"]
    parts = [f"stopped: {reason}: {STOP_REASON_TEXTS[reason]}"]
    if lost := summary["unreachable_mass"]:
        parts.append(f"{format_share(lost)} of what was wanted is out of reach")
    for stage, what in ((calls, "calls gave no draft"), (drafts, "drafts were refused")):
        if (fallen := stage["in"] - stage["out"]) > MOST_REFUSED_REPLIES * stage["in"]:
            parts.append(f"{fallen:,} of {stage['in']:,} {what} ({_name_reasons(stage['refused'])})")
    return "; ".join(parts)


def explain_quotes(summary: Mapping[str, Any]) -> str:
    """What is wrong with a model that makes up what it should copy, in one line; empty where it does not."""
    asked, found = summary["quotes"]["in"], summary["quotes"]["out"]
    if asked - found <= MOST_ABSENT_QUOTES * asked:
        return ""
    return (
        f"the model makes things up: {format_share((asked - found) / asked)} of the {asked:,} quotes in its seed "
        "questions and drafts do not stand in their passage. Try another engine.model."
    )


def _name_reasons(refused: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in Counter(refused).most_common(3))


def describe_result(summary: Mapping[str, Any]) -> str:
    """What a run came to, in one line: never a coverage or a distance without what it leaves out."""
    kl = "-" if summary["kl"] is None else f"{summary['kl']:.4f} nats"
    left, lost = summary["order"] - summary["filled"], summary["unreachable_mass"]
    return (
        f"{summary['samples']:,} samples hold {summary['distinct']:,} knowledge points, "
        f"{summary['coverage']:.1%} of the source's; {left:,} exposures are still wanted, "
        f"{lost:.1%} of the order is out of reach; KL {kl}, total variation {summary['tv']:.3f}"
    )


@dataclass(frozen=True)
class StagesDone:
    """What the stages of a run came to; `busy` is the mean share of the server's concurrency in flight, by stage.

    `cost` is what the ledger has seen spent, by a blind run's ledger that of the run beside it too.
    """

    inputs: LoopInputs
    result: SynthesisResult
    spending: Spending
    cost: Cost
    busy: Mapping[str, float]


def write_results(
    folder: RunFolder, done: StagesDone, *, seconds: float, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Write what the run leaves; returns the summary."""
    inputs, result = done.inputs, done.result
    summary = summarise_run(folder, done, seconds=seconds, provenance=provenance)
    tables = folder.read_parts("samples")
    samples = pa.concat_tables(tables) if tables else SAMPLE_SCHEMA.empty_table()
    write_target_tables(folder, result.context, result.deficit)
    summary["novel_share"] = write_pool_points(folder, inputs, result)
    if (share := summary["novel_share"]) > MOST_NOVEL:
        print_status(
            f"{share:.0%} of the pool's knowledge points lie where the source says nothing: "
            "the space does not cover them, and their cells mean little"
        )
    if result.context.benchmarks:
        report = _decontamination_report(folder, result.context.benchmarks)
        write_json(folder.decontamination, report, seal=folder.seal)
    write_dataset(samples, read_card(folder.path, summary=summary), folder.dataset, seal=folder.seal)
    write_json(folder.summary, summary, seal=folder.seal)
    return summary


def summarise_run(
    folder: RunFolder, done: StagesDone, *, seconds: float, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """The JSON summary of the command-line contract, and what the report needs beside it."""
    inputs, result, spending = done.inputs, done.result, done.spending
    pool, gap, config = result.state.pool, result.deficit.gap, result.context.config
    parts = folder.read_part_facts()
    stages = inputs.stages | _tally_parts(parts)
    drafts = stages["drafts"]
    return {
        "samples": pool.samples,
        "drafts": drafts["in"],
        "refused": drafts["in"] - drafts["out"],
        "llm_calls": spending.calls,
        **coverage_facts(pool, result.deficit, inputs.reference.num_rows),
        "kl": finite_or_none(gap.kl),
        "kl_floor": finite_or_none(gap.floor),
        "tv": gap.tv,
        "log10_density": pool_log10_density(pool, inputs.space),
        "unreachable_mass": result.deficit.unreachable_mass,
        "unreachable_points": int(result.deficit.unreachable.sum()),
        "displaced": result.deficit.cells.displaced,
        "stop_reason": result.stop_reason,
        "cost_usd": spending.cost_usd,
        "seconds": round(seconds, 3),
        "knowledge_points": pool.knowledge_points,
        "effective_shapes": result.context.shapes.effective_number(),
        "parts": result.state.parts,
        "adherence": _mean_adherence(parts),
        "target": config.target,
        "picker": config.picker,
        "space": inputs.space.fingerprint,
        "cells": inputs.space.n_cells,
        "a_sample": asdict(each) if (each := cost_a_sample(parts, done.cost)) else None,
        "usage": {
            "prompt_tokens": spending.prompt_tokens,
            "completion_tokens": spending.completion_tokens,
            "cached_tokens": spending.cached_tokens,
        },
        "busy": done.busy.get("synthesize"),
        "busy_by_stage": dict(done.busy),
        "reference": _reference_facts(inputs.reference),
        "stages": stages,
        **_realised_facts(parts, result),
        "fields": find_source_fields(config.source),
        "quotes": _tally_quotes(inputs.seed_quotes, parts).as_json(),
        "made_from": dict(provenance),
    }


def _realised_facts(parts: Sequence[Mapping[str, Any]], result: SynthesisResult) -> dict[str, Any]:
    """What came of the disciplines and levels that were asked for, and how requests for levels came out."""
    config, levels = result.context.config, result.state.levels
    counts = sum_levels(parts)
    realised: dict[str, Any] = {}
    if config.difficulty:
        realised["difficulty"] = dict(sorted(sum(counts.values(), Counter[str]()).items()))
    if config.disciplines:
        realised["disciplines"] = {name: found.total() for name, found in sorted(counts.items()) if name}
    if not config.difficulty:
        return {"realised": realised} if realised else {}
    names = result.context.links.disciplines.names
    matrices = {name or "all": came.tolist() for name, came in zip(names, levels.came, strict=True) if came.any()}
    enhanced = sum(facts["enhanced"] for facts in parts)
    return {"realised": realised, "requested_to_realised": matrices, "enhanced": enhanced}


def coverage_facts(pool: Pool, deficit: Deficit, n_points: int) -> dict[str, Any]:
    """How much of the source's `n_points` knowledge points the pool holds, and how much of the order is filled."""
    distinct = pool.distinct_among(n_points)
    return {"distinct": distinct, "coverage": distinct / n_points, "order": deficit.order, "filled": deficit.filled}


def _tally_parts(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many calls for drafts, and how many drafts, came to something, over all parts."""
    calls, drafts = Tally(), Tally()
    for facts in parts:
        calls.accepted += facts["calls"] - sum(facts["failed"].values())
        calls.refused.update(facts["failed"])
        drafts.accepted += facts["accepted"]
        drafts.refused.update(facts["refused"])
    return {"calls": calls.as_json(), "drafts": drafts.as_json()}


def _tally_quotes(of_seeds: Tally, parts: Iterable[Mapping[str, Any]]) -> Tally:
    """All quotes that the model gave in seed questions and drafts, and how many do not stand in their passage."""
    quotes = Tally(of_seeds.accepted, Counter(of_seeds.refused))
    for facts in parts:
        quotes.accepted += facts["quotes"]["out"]
        quotes.refused.update(facts["quotes"]["refused"])
    return quotes


def _mean_adherence(parts: Sequence[Mapping[str, Any]]) -> float | None:
    """The mean adherence of all drafts that were read; None where none was."""
    read = sum(facts["read"] for facts in parts)
    total = sum(facts["adherence"] * facts["read"] for facts in parts if facts["read"])
    return total / read if read else None


def _decontamination_report(folder: RunFolder, benchmarks: BenchmarkIndex) -> dict[str, Any]:
    """What was looked for and what was removed: ``decontamination.json``."""
    removed = [
        {"draft": row["draft"], "question": row["question"], "is": row["detail"]}
        for verdicts in folder.read_parts("verdicts", ["draft", "question", "reason", "detail"])
        for row in verdicts.to_pylist()
        if row["reason"] == "contaminated"
    ]
    drafts = Counter(each["is"].partition(":")[0] for each in removed)
    sizes = benchmarks.count_by_benchmark()
    return {
        "benchmarks": {name: {"questions": n, "drafts": drafts[name]} for name, n in sizes.items()},
        "removed": removed,
    }


def _reference_facts(reference: pa.Table) -> dict[str, int]:
    """How often knowledge points were stated in the seeds, how many they are, how many once."""
    times = reference["multiplicity"].to_numpy()
    return {
        "statements": int(times.sum()),
        "knowledge_points": len(times),
        "merged_wordings": sum(map(len, column_values(reference, "wordings"))),
        "stated_once": int((times == 1).sum()),
        "most_often": int(times.max()),
    }


def write_pool_points(folder: RunFolder, inputs: LoopInputs, result: SynthesisResult) -> float:
    """Every knowledge point of the pool: where it lies, how dense, how often, and if novel.

    Returns the share of them that is novel.
    """
    inventory, exposures = result.context.inventory, result.state.pool.exposures
    held = np.flatnonzero(exposures)
    log10, novel = _locate_pool_points(inputs, inventory.points[held], held)
    table = pa.table(
        {
            "text": pa.array([inventory.texts[row] for row in held], pa.string()),
            "cell": pa.array(inventory.cells[held], pa.int32()),
            "log10_density": pa.array(log10),
            "novel": pa.array(novel),
            **{name: pa.array(column) for name, column in place_columns(inventory.points[held]).items()},
            "exposures": pa.array(exposures[held]),
        }
    )
    write_parquet(folder.pool_points, table, table.schema, seal=folder.seal)
    return float(novel.mean()) if len(held) else 0.0


def _locate_pool_points(inputs: LoopInputs, points: Float32Array, rows: Int64Array) -> tuple[Float64Array, BoolArray]:
    """log10 density and novelty of pool points; those of the reference were measured already."""
    reference = inputs.reference
    known = rows < reference.num_rows
    log10, novel = np.empty(len(rows)), np.zeros(len(rows), bool)
    log10[known] = reference["log10_density"].to_numpy()[rows[known]]
    novel[known] = reference["novel"].to_numpy(zero_copy_only=False)[rows[known]]
    if not known.all():
        among = inputs.inventory.points[: reference.num_rows]
        found = measure_density(points[~known], inputs.space, among=among)
        log10[~known] = found.log_density / math.log(10)
        novel[~known] = found.radius > inputs.space.novel_radius
    return log10, novel
