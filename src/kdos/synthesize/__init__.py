"""Seeds and a target in; samples that meet it, and a verdict on every draft, out."""

from kdos.synthesize.disciplines import discipline_target
from kdos.synthesize.library import Library
from kdos.synthesize.loop import Lack, Outcome, Round, State, Steps, balance
from kdos.synthesize.record import (
    SAMPLES,
    SCHEMAS,
    read_outcome,
    refused_by_class,
    refused_by_reason,
    round_tables,
)
from kdos.synthesize.steps import POINTS_A_SAMPLE, Workroom, steps_of

__all__ = [
    "POINTS_A_SAMPLE",
    "SAMPLES",
    "SCHEMAS",
    "Lack",
    "Library",
    "Outcome",
    "Round",
    "State",
    "Steps",
    "Workroom",
    "balance",
    "discipline_target",
    "read_outcome",
    "refused_by_class",
    "refused_by_reason",
    "round_tables",
    "steps_of",
]
