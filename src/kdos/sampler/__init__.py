"""The feedback: what is wanted and held in; where to draft, what to keep and when to stop out."""

from kdos.sampler.disciplines import check_disciplines, discipline_target
from kdos.sampler.feedback import (
    POINTS_PER_SAMPLE,
    Deficit,
    Order,
    RunningCounts,
    cell_limits,
    decide_draft,
    measure_deficit,
)
from kdos.sampler.links import SeedLinks, link_seeds
from kdos.sampler.pace import FinishedPart, Pace, picks_needed, plan_pace
from kdos.sampler.steer import (
    MOST_POINTS_USED,
    Pick,
    PointYields,
    points_to_ask,
    scatter_picks,
    steer_picks,
    unreachable_points,
)
from kdos.sampler.stop import stop_reason
from kdos.sampler.walk import SeedGraph, build_seed_graph, walk_picks

__all__ = [
    "MOST_POINTS_USED", "POINTS_PER_SAMPLE", "Deficit", "FinishedPart", "Order", "Pace", "Pick", "PointYields",
    "RunningCounts", "SeedGraph", "SeedLinks", "build_seed_graph", "cell_limits", "check_disciplines",
    "decide_draft",
    "discipline_target", "link_seeds", "measure_deficit", "picks_needed", "plan_pace", "points_to_ask",
    "scatter_picks", "steer_picks", "stop_reason", "unreachable_points", "walk_picks",
]  # fmt: skip
