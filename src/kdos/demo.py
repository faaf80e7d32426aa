"""The demo: `run` on this Python's own documentation, offline, beside a run that is blind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from kdos.config import BudgetConfig, Config, EngineConfig, SourceConfig, SynthesizeConfig
from kdos.run import run_blind, run_config

SAMPLES = 5000

DEMO = Config(
    source=SourceConfig(kind="pydocs"),
    engine=EngineConfig(kind="rules"),
    embed="static",
    target="natural",
    budget=BudgetConfig(samples=SAMPLES),
    random_seed=7,
    workers=2,
)
"""What ``kdos demo`` runs."""


def demo(out: Path, *, config: Config = DEMO) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the demo in `out`, and blind for as many samples; returns the summaries of the steered and the blind run."""
    steered = run_config(config, out)
    blind = replace(
        config,
        picker="scatter",
        synthesize=SynthesizeConfig(accept="all"),
        budget=BudgetConfig(samples=steered["samples"]),
    )
    return steered, run_blind(blind, out)
