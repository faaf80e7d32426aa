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
from kdos.scaling.law import HeldOut, Law, Prediction, fit_law, hold_out_largest, predict

__all__ = [
    "Cell",
    "Collapse",
    "HeldOut",
    "Interval",
    "Law",
    "Prediction",
    "find_collapses",
    "fit_law",
    "hold_out_largest",
    "mean_recall",
    "missing_facts",
    "one_curve",
    "predict",
]
