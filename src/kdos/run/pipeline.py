"""The verbs in order, and what the run came to."""

import shutil
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from kdos.artifacts import RunFolder
from kdos.config import Config
from kdos.embed import Embedder, load_embedder
from kdos.errors import UsageError
from kdos.llm import Budget, Engine, HttpEngine, Ledger
from kdos.llm.http import ENDPOINT_PREFIX, open_endpoint_embedder
from kdos.report import LivePage, write_report
from kdos.rules import RulesEngine
from kdos.run.prepare import prepare_inputs
from kdos.run.results import summarise_run, write_pool_points, write_results
from kdos.run.rounds import synthesize_pool
from kdos.run.target import weighted_questions
from kdos.runner import ProcessPoolEngine
from kdos.store import lock_run_folder, write_json
from kdos.targets import demand_file
from kdos.terminal import Progress


def run_config(config: Config, path: Path, *, cache: Path | None = None) -> dict[str, Any]:
    """Do what is not done yet of the run in `path`; returns its summary.

    `cache` is a ledger that several runs share: what it holds is not asked again.

    Raises:
        InputError: The source, or the file of a demand target, cannot be read.
        ConfigError: The folder holds a run with another configuration.
        StoreError: Another process is working in it.
    """
    begun = monotonic()
    if (demand := demand_file(config.target)) is not None:
        weighted_questions(Path(demand))
    folder, progress, page = RunFolder(path), Progress(), LivePage(path)
    with lock_run_folder(path):
        if folder.write_config(config) and folder.summary.exists():
            return folder.read_summary()
        page.refresh()
        with (
            remove_folder_on_misuse(folder),
            open_ledger(folder, config, cache=cache) as ledger,
            open_engine(config) as engine,
            open_embedder(config) as embedder,
        ):
            ask = partial(ledger.ask, engine)
            inputs = prepare_inputs(config, folder, ask=ask, embedder=embedder, progress=progress)
            pool = synthesize_pool(
                config,
                folder,
                inputs,
                ask=ask,
                engine=engine.name,
                progress=progress,
                page=page,
            )
            spending = ledger.spending
        summary = write_results(config, folder, inputs, pool, spending, seconds=monotonic() - begun)
        write_report(path)
        return summary


@contextmanager
def remove_folder_on_misuse(folder: RunFolder) -> Generator[None]:
    """Where the user's input is wrong and nothing was done before, leave no folder behind."""
    new = not folder.ledger.exists()
    try:
        yield
    except UsageError:
        if new and not folder.seed.exists():
            shutil.rmtree(folder.path)
        raise


def run_blind(config: Config, path: Path) -> dict[str, Any]:
    """Beside the run in `path`, the same without feedback, from its seeds and in its space."""
    begun = monotonic()
    folder, blind, progress = RunFolder(path), RunFolder(path).blind, Progress()
    with lock_run_folder(path):
        if blind.write_config(config) and blind.summary.exists():
            return blind.read_summary()
        with (
            open_ledger(folder, config) as ledger,
            open_engine(config) as engine,
            open_embedder(config) as embedder,
        ):
            ask = partial(ledger.ask, engine)
            inputs = prepare_inputs(config, folder, ask=ask, embedder=embedder, progress=progress)
            pool = synthesize_pool(
                config, blind, inputs, ask=ask, engine=engine.name, progress=progress
            )
            spent_before = folder.read_summary()["llm_calls"]
            spending = replace(ledger.spending, calls=ledger.spending.calls - spent_before)
        write_pool_points(blind, inputs, pool)
        summary = summarise_run(config, blind, inputs, pool, spending, seconds=monotonic() - begun)
        write_json(blind.summary, summary)
        write_report(path)
        return summary


@contextmanager
def open_engine(config: Config) -> Generator[Engine]:
    """The engine that the configuration names, closed at the end."""
    if config.engine.kind == "http":
        with HttpEngine(config.engine) as engine:
            yield engine
    elif config.workers == 1:
        yield RulesEngine()
    else:
        with closing(ProcessPoolEngine(RulesEngine(), config.workers)) as engine:
            yield engine


@contextmanager
def open_embedder(config: Config) -> Generator[Embedder | None]:
    """The embedder that the configuration names; None for the one that is yet to learn."""
    if config.embed.startswith(ENDPOINT_PREFIX):
        with open_endpoint_embedder(config.embed, config.engine) as embedder:
            yield embedder
    else:
        yield load_embedder(config.embed)


def open_ledger(folder: RunFolder, config: Config, *, cache: Path | None = None) -> Ledger:
    """The run's ledger, which keeps to the budget's caps."""
    budget = config.budget
    caps = Budget(budget.calls, budget.tokens, budget.usd, budget.seconds)
    return Ledger(folder.ledger, cache=cache, budget=caps)
