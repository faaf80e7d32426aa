"""The verbs in order, and what the run came to."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from kdos.config import Config
from kdos.llm import Engine, Ledger
from kdos.llm.rules import RulesEngine
from kdos.run.finish import finish
from kdos.run.folder import RunFolder
from kdos.run.prepare import prepare
from kdos.run.turns import balance_pool
from kdos.store import run_lock
from kdos.terminal import Progress
from kdos.workers import Spread


def run(config: Config, path: Path) -> dict[str, Any]:
    """Do what is not done yet of the run in `path`; returns its summary.

    Raises:
        ConfigError: The folder holds a run with another configuration.
        StoreError: Another process is working in it.
    """
    begun = monotonic()
    folder, progress = RunFolder(path), Progress()
    with run_lock(path):
        folder.claim(config)
        with Ledger(folder.ledger) as ledger, open_engine(config) as engine:
            ask = partial(ledger.ask, engine)
            prepared = prepare(config, folder, ask=ask, progress=progress)
            pool = balance_pool(
                config, folder, prepared, ask=ask, engine=engine.name, progress=progress
            )
            spending = ledger.spending
        return finish(config, folder, prepared, pool, spending, seconds=monotonic() - begun)


@contextmanager
def open_engine(config: Config) -> Generator[Engine]:
    """The engine that the configuration names, closed at the end."""
    if config.workers == 1:
        yield RulesEngine()
        return
    engine = Spread(RulesEngine(), config.workers)
    try:
        yield engine
    finally:
        engine.close()
