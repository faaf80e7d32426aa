"""Runs of small models in; where they collapse, and what a larger one can be taught, out."""

from kdos.scaling.collapse import (
    Cell,
    Collapse,
    Interval,
    find_collapses,
    mean_recall,
    missing_facts,
    one_curve,
)
from kdos.scaling.law import Fit, HeldOut, Law, Prediction, fit_law, hold_out_largest, predict
from kdos.scaling.plan import (
    FACTS_PER_SAMPLE,
    REPLAY_SHARE,
    TOKENS_PER_FACT,
    InfusionPlan,
    plan_infusion,
)

__all__ = [
    "FACTS_PER_SAMPLE",
    "REPLAY_SHARE",
    "TOKENS_PER_FACT",
    "Cell",
    "Collapse",
    "Fit",
    "HeldOut",
    "InfusionPlan",
    "Interval",
    "Law",
    "Prediction",
    "find_collapses",
    "fit_law",
    "hold_out_largest",
    "mean_recall",
    "missing_facts",
    "one_curve",
    "plan_infusion",
    "predict",
]
