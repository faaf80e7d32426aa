"""A configuration in, a run folder out: the verbs in order, each skipped where it is done."""

from kdos.artifacts import RunFolder
from kdos.run.missing import CellDeficit, RunDeficit, read_run_deficit
from kdos.run.run import run_blind, run_config

__all__ = ["CellDeficit", "RunDeficit", "RunFolder", "read_run_deficit", "run_blind", "run_config"]
