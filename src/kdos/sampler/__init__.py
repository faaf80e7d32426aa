"""The feedback: a gap in; where to draft, what to keep and when to stop out."""

from kdos.sampler.accept import RULES, AcceptDecision, decide_draft
from kdos.sampler.steer import (
    MOST_POINTS_USED,
    CellYields,
    Pick,
    PickBatch,
    SeedLinks,
    scatter_picks,
    steer_picks,
    unreachable_cells,
)
from kdos.sampler.stop import FinishedRound, Spending, stop_reason

__all__ = [
    "MOST_POINTS_USED",
    "RULES",
    "AcceptDecision",
    "CellYields",
    "FinishedRound",
    "Pick",
    "PickBatch",
    "SeedLinks",
    "Spending",
    "decide_draft",
    "scatter_picks",
    "steer_picks",
    "stop_reason",
    "unreachable_cells",
]
