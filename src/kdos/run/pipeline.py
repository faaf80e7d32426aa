"""The verbs in order, and what the run came to."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from kdos.artifacts import RunFolder
from kdos.config import Config
from kdos.cost import Cost, CostOutlook, describe_costs
from kdos.llm import Budget, Engine, HttpEngine, Ledger
from kdos.llm.endpoint_embedder import open_embedder
from kdos.llm.reply_store import holds_paid_replies
from kdos.outputs import RUN, check_folder_of_kind, check_output_file, claim_folder
from kdos.report import LivePage, write_report
from kdos.rows import list_input_paths
from kdos.rules import RulesEngine
from kdos.run.parts import synthesize_pool
from kdos.run.prepare import prepare_inputs
from kdos.run.prompts import resolve_prompts
from kdos.run.provenance import describe_inputs
from kdos.run.results import StagesDone, summarise_run, write_pool_points, write_results
from kdos.run.target import read_weighted_questions
from kdos.run.taxonomy import read_taxonomy, taxonomy_file
from kdos.runner import ProcessPoolEngine
from kdos.seed import read_own_questions, source_input
from kdos.store import write_json
from kdos.targets import demand_file
from kdos.tasks import ask_through
from kdos.tasks.prompt_set import PromptSet
from kdos.terminal import Progress

SPENDING_SECONDS = 1.0
"""Between two looks at what was spent: the ledger is asked, which stores replies meanwhile."""


def run_config(
    config: Config,
    path: Path,
    *,
    cache: Path | None = None,
    read: Iterable[Path] = (),
    prepared: RunFolder | None = None,
) -> dict[str, Any]:
    """Do what is not done yet of the run in `path`; returns its summary.

    `cache` is a ledger that several runs share: what it holds is not asked again. `read` are files that the caller
    read, as that of the configuration: they may lie in a new run's folder, as may those that the configuration names.
    `prepared` is a run that differs in its loop alone: its seeds, knowledge points and space are taken over.

    Raises:
        InputError: The source, the file of a demand target, or a user's prompts, samples or seeds cannot be used, or
            the folder is somebody else's.
        ConfigError: The folder holds a run with another configuration, or one that was made from something else.
        DamageError: A file of the run is not as it was written.
        StoreError: Another process is working in it.
    """
    begun = monotonic()
    config = RunFolder(path).settle_window(config)
    if (demand := demand_file(config.target)) is not None:
        read_weighted_questions(Path(demand))
    prompts = _read_own_words(config)
    own = [*read, *_named_paths(config)]
    if cache is not None:
        cache = check_output_file(cache, "--cache", inputs=own, is_shared=True)
    with _claim_run(path, [*own, cache]) as folder:
        made_from = describe_inputs(config)
        folder.write_config(config, made_from)
        provenance = folder.provenance(config, made_from)
        if (finished := folder.finished_summary(provenance)) is not None:
            return finished
        if prepared:
            folder.copy_prepared(prepared)
        page = LivePage(folder.path)
        page.refresh()
        done = _run_stages(config, folder, folder, prompts=prompts, cache=cache, page=page)
        summary = write_results(folder, done, seconds=monotonic() - begun, provenance=provenance)
        write_report(folder.path)
        return summary


def _read_own_words(config: Config) -> PromptSet:
    """The prompts of a run; what the user wrote of prompts, samples, seeds and classes is found sound, and small."""
    read_taxonomy(config)
    read_own_questions(config.seeds)
    return resolve_prompts(config)


def _named_paths(config: Config) -> list[str | None]:
    """What a configuration names that may lie on this disk."""
    own = [config.prompts, config.examples, config.seeds, taxonomy_file(config)]
    sources = [str(path) for path in list_input_paths(source_input(config.source))] if config.source.path else []
    return [*sources, demand_file(config.target), *config.benchmarks, *own]


def check_run_folder(config: Config, path: Path, *, read: Iterable[Path] = ()) -> RunFolder:
    """The folder that `run_config` would be given, with nothing written: raises what it would raise of it.

    Raises:
        InputError: The folder is somebody else's, or a user's prompts, samples or seeds cannot be used.
        ConfigError: The folder holds a run with another configuration, or one that was made from something else.
        DamageError: A file of the run is not as it was written.
    """
    _read_own_words(config)
    folder = RunFolder(check_folder_of_kind(path, RUN, inputs=[*read, *_named_paths(config)]))
    config = folder.settle_window(config)
    folder.refuse_damage()
    folder.refuse_other_run(config, describe_inputs(config))
    folder.refuse_lost_ledger()
    return folder


@contextmanager
def _claim_run(path: Path, inputs: Iterable[Path | str | None]) -> Generator[RunFolder]:
    """Hold a run's folder; where use was wrong and nothing was paid for yet, it is left as it was."""
    found = RunFolder(path)

    def is_kept() -> bool:
        return found.seed.exists() or holds_paid_replies(found.ledger)

    with claim_folder(path, RUN, inputs=inputs, is_kept=is_kept) as claimed:
        folder = RunFolder(claimed)
        folder.refuse_damage()
        yield folder


def run_blind(config: Config, path: Path) -> dict[str, Any]:
    """Beside the run in `path`, the same without feedback, from its seeds and in its space."""
    begun = monotonic()
    config = RunFolder(path).blind.settle_window(config)
    prompts = _read_own_words(config)
    with _claim_run(path, _named_paths(config)) as folder:
        blind = folder.blind
        made_from = describe_inputs(config)
        blind.path.mkdir(exist_ok=True)
        blind.write_config(config, made_from)
        provenance = blind.provenance(config, made_from)
        if (finished := blind.finished_summary(provenance)) is not None:
            return finished
        done = _run_stages(config, folder, blind, prompts=prompts)
        # Both runs share one ledger, which has counted the calls of the first one too.
        calls = done.spending.calls - folder.read_summary()["llm_calls"]
        done = replace(done, spending=replace(done.spending, calls=calls))
        write_pool_points(blind, done.inputs, done.result)
        summary = summarise_run(blind, done, seconds=monotonic() - begun, provenance=provenance)
        write_json(blind.summary, summary, seal=blind.seal)
        write_report(folder.path)
        return summary


def _run_stages(
    config: Config,
    folder: RunFolder,
    parts: RunFolder,
    *,
    prompts: PromptSet,
    cache: Path | None = None,
    page: LivePage | None = None,
) -> StagesDone:
    """Seeds, space and ledger of `folder`, then the loop, whose parts `parts` keeps."""
    caps = config.budget
    budget = Budget(caps.calls, caps.tokens, caps.usd, caps.seconds)
    folder.refuse_lost_ledger()
    with (
        Ledger(folder.ledger, cache=cache, budget=budget) as ledger,
        open_engine(config) as engine,
        open_embedder(config, ledger) as embedder,
    ):
        folder.note_ledger()
        read_cost = partial(_cost_so_far, config, ledger)
        progress = _MeteredProgress(engine, read_cost)
        open_exchange = prompts.word_exchange(partial(ledger.open_exchange, engine))
        ask = partial(ask_through, open_exchange)
        inputs = prepare_inputs(config, folder, ask=ask, embedder=embedder, progress=progress)
        result = synthesize_pool(
            config,
            parts,
            inputs,
            open_exchange=open_exchange,
            engine=engine.name,
            prompts=prompts.hash,
            read_cost=read_cost,
            progress=progress,
            page=page,
        )
        return StagesDone(inputs, result, ledger.spending, read_cost(), progress.busy)


def _cost_so_far(config: Config, ledger: Ledger) -> Cost:
    """What the ledger's runs have spent; no money where nothing says what a token costs."""
    spent = ledger.spending
    priced = config.engine.kind == "rules" or config.engine.prices is not None
    return Cost(spent.calls, spent.prompt_tokens, spent.completion_tokens, spent.cost_usd if priced else None)


class _MeteredProgress(Progress):
    """Progress that tells what was spent, and notes how busy each stage keeps the model's server.

    `busy` is a share of the concurrency, in [0, 1], by stage.
    """

    def __init__(self, engine: Engine, read_cost: Callable[[], Cost]) -> None:
        super().__init__()
        self._engine, self._read_cost = engine, read_cost
        self._spent, self._due = "", 0.0
        self.busy: dict[str, float] = {}

    def update(self, done: int, note: str = "") -> None:
        """How far the stage is, a note, and what was spent so far."""
        if (now := monotonic()) >= self._due:
            self._due = now + SPENDING_SECONDS
            self._spent = describe_costs(CostOutlook(self._read_cost()))
        super().update(done, "; ".join(filter(None, [note, self._spent])))

    @contextmanager
    def stage(self, name: str, *, total: int | None = None) -> Generator[None]:
        """A stage, and how busy the server was from its first request to its last."""
        with super().stage(name, total=total):
            yield
        if isinstance(self._engine, HttpEngine) and (busy := self._engine.take_busy()) is not None:
            self.busy[name] = busy


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
