"""What a run leaves: the dataset with its card, the pool's knowledge points and the summary."""

import math
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from kdos.artifacts import RunFolder
from kdos.config import Config
from kdos.density import measure_density
from kdos.export import read_card, write_dataset
from kdos.llm import Spending
from kdos.pool import values
from kdos.run.benchmarks import told
from kdos.run.prepare import Prepared
from kdos.run.turns import (
    Balanced,
    adherence_of,
    all_samples,
    finite,
    pool_log10_density,
    stages_of,
    write_target,
)
from kdos.store import write_json, write_parquet
from kdos.terminal import print_status

MOST_NOVEL = 0.05
"""The share of novel knowledge points past which we say so; of the reference it is 1 % by
definition (our design)."""


def finish(
    config: Config,
    folder: RunFolder,
    prepared: Prepared,
    balanced: Balanced,
    spending: Spending,
    *,
    seconds: float,
) -> dict[str, Any]:
    """Write what the run leaves; returns the summary."""
    summary = summarise(config, folder, prepared, balanced, spending, seconds=seconds)
    samples = all_samples(folder)
    knowledge_points = balanced.state.pool.knowledge_points
    write_target(folder, balanced.room, balanced.lack, knowledge_points=knowledge_points)
    summary["novel_share"] = write_pool_points(folder, prepared, balanced)
    warn_of_novelty(summary["novel_share"])
    if balanced.room.benchmarks:
        told_of = told(folder, balanced.room.benchmarks)
        write_json(folder.decontamination, told_of)
    write_dataset(samples, read_card(folder.path, summary=summary), folder.dataset)
    write_json(folder.summary, summary)
    return summary


def warn_of_novelty(share: float) -> None:
    """Say so where the space does not cover the pool."""
    if share > MOST_NOVEL:
        print_status(
            f"{share:.0%} of the pool's knowledge points lie where the source says nothing: "
            "the space does not cover them, and their cells mean little"
        )


def summarise(
    config: Config,
    folder: RunFolder,
    prepared: Prepared,
    balanced: Balanced,
    spending: Spending,
    *,
    seconds: float,
) -> dict[str, Any]:
    """The JSON summary of the command-line contract, and what the report needs beside it."""
    pool, gap = balanced.state.pool, balanced.lack.gap
    stages = prepared.stages | stages_of(folder)
    drafts = stages["drafts"]
    return {
        "samples": pool.samples,
        "drafts": drafts["in"],
        "refused": drafts["in"] - drafts["out"],
        "llm_calls": spending.calls,
        "kl": finite(gap.kl),
        "kl_floor": finite(gap.floor),
        "tv": gap.tv,
        "log10_density": pool_log10_density(pool, prepared.space),
        "unreachable_mass": balanced.lack.unreachable_mass,
        "unreachable_cells": int(balanced.lack.unreachable.sum()),
        "stop_reason": balanced.stop_reason,
        "cost_usd": spending.cost_usd,
        "seconds": round(seconds, 3),
        "knowledge_points": pool.knowledge_points,
        "effective_shapes": balanced.room.shapes.effective(),
        "rounds": balanced.state.rounds,
        "adherence": adherence_of(folder),
        "target": config.target,
        "picker": config.picker,
        "space": prepared.space.fingerprint,
        "cells": prepared.space.n_cells,
        "usage": {
            "prompt_tokens": spending.prompt_tokens,
            "completion_tokens": spending.completion_tokens,
        },
        "reference": reference_facts(prepared.reference),
        "stages": stages,
    }


def reference_facts(reference: pa.Table) -> dict[str, int]:
    """How often knowledge points were stated in the seeds, how many they are, how many once."""
    times = reference["multiplicity"].to_numpy()
    return {
        "statements": int(times.sum()),
        "knowledge_points": len(times),
        "merged_wordings": sum(map(len, values(reference, "wordings"))),
        "stated_once": int((times == 1).sum()),
        "most_often": int(times.max()),
    }


def write_pool_points(folder: RunFolder, prepared: Prepared, balanced: Balanced) -> float:
    """Every knowledge point of the pool: where it lies, how dense, how often, and if novel.

    Returns the share of them that is novel.
    """
    inventory, exposures = balanced.room.inventory, balanced.state.pool.exposures
    held = np.flatnonzero(exposures)
    log10, novel = placed(prepared, inventory.points[held], held)
    table = pa.table(
        {
            "text": pa.array([inventory.texts[row] for row in held], pa.string()),
            "cell": pa.array(inventory.cells[held], pa.int32()),
            "log10_density": pa.array(log10),
            "novel": pa.array(novel),
            "x": pa.array(inventory.points[held, 0]),
            "y": pa.array(inventory.points[held, 1]),
            "exposures": pa.array(exposures[held]),
        }
    )
    write_parquet(folder.pool_points, table, table.schema)
    return float(novel.mean()) if len(held) else 0.0


def placed(
    prepared: Prepared, points: Float32Array, rows: Int64Array
) -> tuple[Float64Array, BoolArray]:
    """log10 density and novelty of pool points; those of the reference were measured already."""
    reference = prepared.reference
    known = rows < reference.num_rows
    log10, novel = np.empty(len(rows)), np.zeros(len(rows), bool)
    log10[known] = reference["log10_density"].to_numpy()[rows[known]]
    novel[known] = reference["novel"].to_numpy(zero_copy_only=False)[rows[known]]
    if not known.all():
        among = prepared.inventory.points[: reference.num_rows]
        found = measure_density(points[~known], prepared.space, among=among)
        log10[~known] = found.log_density / math.log(10)
        novel[~known] = found.radius > prepared.space.novel_radius
    return log10, novel
