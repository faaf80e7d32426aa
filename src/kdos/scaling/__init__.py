"""Runs of small models in; where they collapse, and what a larger one can be taught, out."""

from kdos.scaling.collapse import (
    Collapse,
    ExperimentCell,
    IntervalEstimate,
    find_collapses,
    fit_reduced_curve,
    mean_recall_by_count,
    next_fact_count,
    shown_runs,
)
from kdos.scaling.law import (
    SAME_FACTOR,
    FittedForm,
    HeldOutCell,
    Law,
    capacity_bits,
    cells_above_capacity,
    fit_law,
    hold_out_largest,
    predict_collapse,
)
from kdos.scaling.plan import (
    FACTS_PER_SAMPLE,
    LEAST_EXPOSURES,
    REPLAY_SHARE,
    TOKENS_PER_FACT,
    InfusionPlan,
    plan_infusion,
)
from kdos.scaling.retention import (
    KEPT,
    Crossing,
    ReplayShare,
    Retention,
    RetentionRuns,
    ShareRelation,
    measure_retention,
    predict_replay_share,
)

__all__ = [
    "FACTS_PER_SAMPLE", "KEPT", "LEAST_EXPOSURES", "REPLAY_SHARE", "SAME_FACTOR", "TOKENS_PER_FACT", "Collapse",
    "Crossing", "ExperimentCell", "FittedForm", "HeldOutCell", "InfusionPlan", "IntervalEstimate", "Law",
    "ReplayShare", "Retention", "RetentionRuns", "ShareRelation", "capacity_bits", "cells_above_capacity",
    "find_collapses", "fit_law", "fit_reduced_curve", "hold_out_largest", "mean_recall_by_count",
    "measure_retention", "next_fact_count", "plan_infusion", "predict_collapse", "predict_replay_share",
    "shown_runs",
]  # fmt: skip
