"""A configuration in, a run folder out: the verbs in order, each skipped where it is done."""

from kdos.run.pipeline import open_engine, run_blind, run_config
from kdos.run.target import CellDeficit, RunDeficit, read_run_deficit

__all__ = [
    "CellDeficit",
    "RunDeficit",
    "open_engine",
    "read_run_deficit",
    "run_blind",
    "run_config",
]
