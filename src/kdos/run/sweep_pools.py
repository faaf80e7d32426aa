"""The pools of a sweep: runs of one configuration with other random seeds, targets and exposures (our design)."""

import math
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.config import BudgetConfig, Config, SynthesizeConfig
from kdos.errors import InputError
from kdos.run.pipeline import run_config
from kdos.runner import exit_with_parent
from kdos.terminal import Progress
from kdos.train.pools import (
    PoolSamples,
    Universe,
    count_exposures,
    cover_greedily,
    deal_without_repeats,
    read_pool,
    without_repeats,
)
from kdos.train.sweep import (
    BLIND_ARM,
    COVER_ARM,
    DEDUP_ARM,
    FACTS_ARM,
    LOOP_ARM,
    ORACLE_ARM,
    PLACEBO_ARM,
    Arm,
    Setting,
)

POOL_SHARE = 0.6
"""Exposures of a pool, as a share of the source's knowledge points: about as much as has to be chosen well."""
TIMES_BLIND = 2
"""Blind drafts that the greedy cover chooses from, as a multiple of the loop's."""
SPARE = 1.2
"""Samples of the other pools, as a multiple: each is cut where as many drafts had been asked for as by the loop."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Which pools are made of a run's configuration: loops by target and exposures, `pools` of each kind.

    `facts` are numbers of knowledge points of the source, for a setting each, that a loop is limited to.
    """

    run: Path
    targets: tuple[str, ...]
    exposures: tuple[int, ...]
    pools: int
    samples: int
    facts: Mapping[Setting, int]


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How large the pools are: samples, and the exposures of knowledge points that they come to."""

    samples: int
    exposures: float


def size_pools(run: Path, *, samples: int | None) -> PoolSize:
    """Pools of so many samples, or of `POOL_SHARE` of the run's source in exposures.

    Raises:
        InputError: The run has made nothing.
    """
    summary = RunFolder(run).current_summary()
    if not summary or not summary["samples"]:
        raise InputError(f"RUN must be the folder of a finished run. {run} is none.")
    each = summary["knowledge_points"] / summary["samples"]
    samples = samples or max(1, round(POOL_SHARE * summary["reference"]["knowledge_points"] / each))
    return PoolSize(samples, samples * each)


def loop_name(target: str, exposures: int) -> str:
    """The arm of a loop at another target or exposures than the run's own."""
    return f"loop-{target}" + (f"-x{exposures}" if exposures > 1 else "")


def pool_configs(plan: PoolPlan) -> dict[str, Config]:
    """The configuration of each kind of run, by name; the pools of a kind differ in their random seed alone."""
    own = replace(RunFolder(plan.run).read_config(), workers=1, budget=BudgetConfig(samples=plan.samples))
    spare = replace(own, budget=BudgetConfig(samples=math.ceil(SPARE * plan.samples)))
    blind = replace(
        own,
        picker="scatter",
        synthesize=SynthesizeConfig(accept="all"),
        budget=BudgetConfig(samples=math.ceil(SPARE * TIMES_BLIND * plan.samples)),
    )
    found = {LOOP_ARM: own, BLIND_ARM: blind, PLACEBO_ARM: replace(spare, space=replace(own.space, placebo=True))}
    for target in plan.targets:
        for exposures in plan.exposures:
            if (target, exposures) != (own.target, own.exposures):
                found[loop_name(target, exposures)] = replace(spare, target=target, exposures=exposures)
    return found | {facts_name(facts): replace(own, facts=facts) for facts in plan.facts.values()}


def facts_name(facts: int) -> str:
    """The kind of a run that is limited to so many knowledge points."""
    return f"facts-{facts}"


def make_pools(plan: PoolPlan, folder: Path, *, workers: int) -> None:
    """Make every pool into `folder`, a run each; what is there and finished is left as it is."""
    configs = pool_configs(plan)
    first = {LOOP_ARM: configs.pop(LOOP_ARM)}
    # The loop's own first: but for the placebo, the others begin with its seeds, knowledge points and space.
    stages = [[(*one, False) for one in _numbered(first, plan, folder)]]
    stages.append([(*one, not one[0].space.placebo) for one in _numbered(configs, plan, folder)])
    progress = Progress()
    folder.mkdir(exist_ok=True)
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), initializer=exit_with_parent) as processes,
        progress.stage("pools", total=sum(map(len, stages))),
    ):
        done = 0
        for jobs in stages:
            for _ in processes.map(_make_pool, *zip(*jobs, strict=True)):
                progress.update(done := done + 1)


def _numbered(configs: Mapping[str, Config], plan: PoolPlan, folder: Path) -> list[tuple[Config, Path, Path]]:
    """Each run of these kinds: its configuration, its folder, and that of the loop's own with its random seed."""
    return [
        (
            replace(one, random_seed=one.random_seed + number + 1),
            _pool(folder, kind, number),
            _pool(folder, LOOP_ARM, number),
        )
        for kind, one in configs.items()
        for number in range(plan.pools)
    ]


def _pool(folder: Path, kind: str, number: int) -> Path:
    return folder / f"{kind}-{number}"


def _make_pool(config: Config, path: Path, own: Path, takes_over: bool) -> None:
    """A run, which says what it has to say in a file beside its folder."""
    with path.with_suffix(".log").open("a") as log, redirect_stderr(log):
        run_config(config, path, prepared=RunFolder(own) if takes_over else None)


def cut_pools(plan: PoolPlan, folder: Path) -> dict[str, list[PoolSamples]]:
    """The pools of each arm but the oracle, each cut at as many calls for drafts as the loop's made."""
    found: dict[str, list[PoolSamples]] = {}
    for number in range(plan.pools):
        made = {kind: read_pool(_pool(folder, kind, number)) for kind in pool_configs(plan)}
        calls = int(made[LOOP_ARM].calls.max(initial=0))
        drafted = made[BLIND_ARM].cut_at(TIMES_BLIND * calls)
        pools = {kind: pool.cut_at(calls) for kind, pool in made.items()}
        pools[DEDUP_ARM] = without_repeats(pools[BLIND_ARM])
        pools[COVER_ARM] = cover_greedily(drafted, len(pools[BLIND_ARM].questions))
        for kind, pool in pools.items():
            found.setdefault(kind, []).append(pool)
    return found


def read_arms(plan: PoolPlan, folder: Path, universe: Universe, *, random_seed: int) -> list[Arm]:
    """What the pools show of a universe, by arm."""
    found = cut_pools(plan, folder)
    shown = {kind: np.stack([count_exposures(universe, pool) for pool in pools]) for kind, pools in found.items()}
    rng = keyed_generator(random_seed, "oracle")
    shown[ORACLE_ARM] = np.stack([deal_without_repeats(pool, rng) for pool in shown[LOOP_ARM]])
    limited = {facts_name(facts) for facts in plan.facts.values()}
    arms = [Arm(kind, exposures) for kind, exposures in shown.items() if kind not in limited]
    return arms + [Arm(FACTS_ARM, shown[facts_name(facts)], only=setting) for setting, facts in plan.facts.items()]
