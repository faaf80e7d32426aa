"""The feedback: a gap in; where to draft, what to keep and when to stop out."""

from kdos.sampler.accept import RULES, Decision, decide
from kdos.sampler.steer import (
    MOST_USED,
    Batch,
    Links,
    Pick,
    Yields,
    scatter,
    steer,
    unreachable_cells,
)
from kdos.sampler.stop import Past, Spending, stop_reason

__all__ = [
    "MOST_USED",
    "RULES",
    "Batch",
    "Decision",
    "Links",
    "Past",
    "Pick",
    "Spending",
    "Yields",
    "decide",
    "scatter",
    "steer",
    "stop_reason",
    "unreachable_cells",
]
