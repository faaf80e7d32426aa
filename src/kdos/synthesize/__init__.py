"""Seeds and a target in; samples that meet it, and a verdict on every draft, out."""

from kdos.synthesize.context import Library, SynthesisContext
from kdos.synthesize.loop import LoopState, LoopSteps, Round, RoundOutcome, run_rounds
from kdos.synthesize.record import ROUND_SCHEMAS, SAMPLE_SCHEMA, read_round_outcome, round_tables
from kdos.synthesize.steps import loop_steps, measure_state

__all__ = [
    "ROUND_SCHEMAS", "SAMPLE_SCHEMA", "Library", "LoopState", "LoopSteps", "Round", "RoundOutcome", "SynthesisContext",
    "loop_steps", "measure_state", "read_round_outcome", "round_tables", "run_rounds",
]  # fmt: skip
