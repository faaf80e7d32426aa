"""Seeds and a target in; samples that meet it, and a verdict on every draft, out."""

from kdos.synthesize.context import Library, SynthesisContext
from kdos.synthesize.loop import LoopState, LoopSteps, Outlook, Part, PartOutcome, PickWindow, run_loop
from kdos.synthesize.record import PART_SCHEMAS, SAMPLE_SCHEMA, part_tables, read_part_outcome, read_picks
from kdos.synthesize.steps import look_ahead, loop_steps, measure_state

__all__ = [
    "PART_SCHEMAS", "SAMPLE_SCHEMA", "Library", "LoopState", "LoopSteps", "Outlook", "Part", "PartOutcome",
    "PickWindow", "SynthesisContext", "look_ahead", "loop_steps", "measure_state", "part_tables",
    "read_part_outcome", "read_picks", "run_loop",
]  # fmt: skip
