"""A configuration in, a run folder out: the verbs in order, each skipped where it is done."""

from kdos.run.inspection import Finding, inspect_run
from kdos.run.pipeline import check_run_folder, open_engine, run_blind, run_config
from kdos.run.prepare import index_benchmarks, read_benchmark_questions
from kdos.run.results import describe_result, explain_failure, explain_quotes, explain_stop
from kdos.run.target import MissingPoint, RunDeficit, read_run_deficit

__all__ = [
    "Finding", "MissingPoint", "RunDeficit", "check_run_folder", "describe_result", "explain_failure",
    "explain_quotes", "explain_stop", "index_benchmarks", "inspect_run", "open_engine", "read_benchmark_questions",
    "read_run_deficit", "run_blind", "run_config",
]  # fmt: skip
