"""The feedback: what is wanted and held in; where to draft, what to keep and when to stop out."""

from kdos.sampler.difficulty import Levelled, LevelPlan, LevelRecord, LevelRequest, plan_levels
from kdos.sampler.disciplines import (
    DisciplineNeeds,
    check_disciplines,
    discipline_target,
    measure_needs,
    plan_disciplines,
)
from kdos.sampler.feedback import (
    POINTS_PER_SAMPLE,
    Deficit,
    Order,
    RunningCounts,
    cell_limits,
    decide_draft,
    measure_deficit,
)
from kdos.sampler.links import Disciplines, SeedGraph, SeedLinks, build_seed_graph, link_seeds, number_disciplines
from kdos.sampler.pace import FinishedPart, Pace, expect_samples, picks_needed, plan_pace
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
from kdos.sampler.walk import walk_picks

__all__ = [
    "MOST_POINTS_USED", "POINTS_PER_SAMPLE", "Deficit", "DisciplineNeeds", "Disciplines", "FinishedPart", "LevelPlan",
    "LevelRecord", "LevelRequest", "Levelled", "Order", "Pace", "Pick", "PointYields", "RunningCounts", "SeedGraph",
    "SeedLinks", "build_seed_graph", "cell_limits", "check_disciplines", "decide_draft", "discipline_target",
    "expect_samples", "link_seeds", "measure_deficit", "measure_needs", "number_disciplines", "picks_needed",
    "plan_disciplines", "plan_levels", "plan_pace", "points_to_ask", "scatter_picks", "steer_picks", "stop_reason",
    "unreachable_points", "walk_picks",
]  # fmt: skip
