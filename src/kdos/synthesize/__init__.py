"""Seeds and a target in; samples that meet it, and a verdict on every draft, out."""

from kdos.synthesize.disciplines import discipline_target
from kdos.synthesize.library import Library
from kdos.synthesize.loop import Deficit, LoopState, LoopSteps, Round, RoundOutcome, run_rounds
from kdos.synthesize.record import (
    ROUND_SCHEMAS,
    SAMPLE_SCHEMA,
    read_round_outcome,
    refused_by_class,
    refused_by_reason,
    round_tables,
)
from kdos.synthesize.steps import POINTS_PER_SAMPLE, SynthesisContext, loop_steps

__all__ = [
    "POINTS_PER_SAMPLE",
    "ROUND_SCHEMAS",
    "SAMPLE_SCHEMA",
    "Deficit",
    "Library",
    "LoopState",
    "LoopSteps",
    "Round",
    "RoundOutcome",
    "SynthesisContext",
    "discipline_target",
    "loop_steps",
    "read_round_outcome",
    "refused_by_class",
    "refused_by_reason",
    "round_tables",
    "run_rounds",
]
