"""The feedback: a gap in; where to draft, what to keep and when to stop out."""

from kdos.sampler.disciplines import discipline_target
from kdos.sampler.feedback import (
    POINTS_PER_SAMPLE,
    Deficit,
    decide_draft,
    expected_off_target,
    measure_deficit,
    reserve_for_drift,
    round_size,
)
from kdos.sampler.steer import CellYields, Pick, SeedLinks, scatter_picks, steer_picks, unreachable_cells
from kdos.sampler.stop import FinishedRound, stop_reason
from kdos.sampler.walk import SeedGraph, build_seed_graph, walk_picks

__all__ = [
    "POINTS_PER_SAMPLE", "CellYields", "Deficit", "FinishedRound", "Pick", "SeedGraph", "SeedLinks",
    "build_seed_graph", "decide_draft", "discipline_target", "expected_off_target", "measure_deficit",
    "reserve_for_drift", "round_size", "scatter_picks", "steer_picks", "stop_reason", "unreachable_cells",
    "walk_picks",
]  # fmt: skip
