"""A configuration in, a run folder out: the verbs in order, each skipped where it is done."""

import sys

from kdos import Room
from kdos.run.folder import RunFolder
from kdos.run.run import run, run_blind

__all__ = ["RunFolder", "run", "run_blind"]

sys.modules[__name__].__class__ = Room
