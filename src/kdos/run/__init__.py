"""A configuration in, a run folder out: the verbs in order, each skipped where it is done."""

from kdos.artifacts import RunFolder
from kdos.run.missing import Missing, MissingCell, missing_in
from kdos.run.run import run, run_blind

__all__ = ["Missing", "MissingCell", "RunFolder", "missing_in", "run", "run_blind"]
