"""A run rehearsed: a piece of its source goes through all stages with the built-in engine.

Every passage is asked for seeds and every seed for its knowledge points, whatever the budget; what the loop spends
follows the samples, and falls and rises with how full the pool is. So the run is rehearsed, all of it where it is
small: that costs no money, and its requests are the very ones that the run will send. Our design.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic

import orjson

from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.config import Config, SourceConfig, SpaceConfig
from kdos.cost import Cost
from kdos.errors import EmptyRunError, UsageError
from kdos.llm import Ledger
from kdos.llm.endpoint_embedder import open_embedder
from kdos.pool import Document, Passage, Seed
from kdos.rules import RulesEngine
from kdos.run.parts import synthesize_pool
from kdos.run.prepare import check_source_domains, prepare_inputs
from kdos.run.prompts import resolve_prompts
from kdos.run.taxonomy import read_taxonomy
from kdos.seed import read_own_questions
from kdos.seed.passages import cut_passages
from kdos.seed.questions import open_questions
from kdos.seed.sources import open_source
from kdos.tasks import Reply, Request, ask_seeds, ask_through
from kdos.tasks.extract import SEED_PROMPT
from kdos.tasks.prompt_set import PromptSet
from kdos.terminal import Progress

REHEARSED_PASSAGES = 600
"""Passages of a source that are rehearsed; about a second for a hundred."""
REHEARSED_SAMPLES = 1_000
"""Samples that a rehearsal makes at most; about a second for fifty."""
LEAST_REHEARSED_SAMPLES = 30
WINDOW_PASSAGES = 8
"""Passages of one document that are taken together: drafts join what stands side by side."""
PROBED_REQUESTS = {SEED_PROMPT.task: 16}
"""Requests of a task that the real engine is asked: seeds a passage vary most."""
PROBED_BY_DEFAULT = 6
MAX_COUNTED_PASSAGES = 1_000_000
"""Past it the source is not counted on, and the forecast is of at least so much."""


@dataclass(slots=True)
class SourceSize:
    """What a source comes to; `windows` is the piece to rehearse: all of a small one, or drawn evenly.

    `own_seeds` are those that the user gives beside it; the rehearsal goes without them.
    """

    documents: int = 0
    passages: int = 0
    seeds_given: int = 0
    request_bytes: int = 0
    windows: list[Document] = field(default_factory=list[Document])
    window_passages: int = 0
    own_seeds: int = 0
    counted_whole: bool = True


@dataclass(slots=True)
class TaskLoad:
    """Requests of one task in one stage: how many, and the bytes of their messages and of the replies."""

    calls: float = 0.0
    request_bytes: float = 0.0
    reply_bytes: float = 0.0

    def scaled(self, factor: float, *, request_bytes: float | None = None) -> "TaskLoad":
        """So many times of it; `request_bytes` are given where they are known."""
        asked = factor * self.request_bytes if request_bytes is None else request_bytes
        return TaskLoad(factor * self.calls, asked, factor * self.reply_bytes)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the built-in engine was asked, by stage and task, and some replies of each task.

    `share` of the source was read, in (0, 1]: `points` knowledge points were found in it and `samples` made of it.
    `content` is how many it would give without a cap, as far as that was seen: infinite where the cap came first.
    `seconds` is how long each stage took.
    """

    loads: dict[tuple[str, str], TaskLoad]
    replies: dict[str, list[Reply]]
    share: float
    points: int
    samples: int
    content: float
    seconds: Mapping[str, float]


class _RecordingEngine:
    """The built-in engine, with an account of what it is asked."""

    def __init__(self, random_seed: int) -> None:
        self.stage = "prepare"
        self.loads: dict[tuple[str, str], TaskLoad] = defaultdict(TaskLoad)
        self.drawn: dict[str, list[tuple[float, int, Reply]]] = defaultdict(list)
        self._inner = RulesEngine()
        self._random_seed, self._noted = random_seed, 0
        self.name, self.fingerprint = self._inner.name, self._inner.fingerprint

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """The built-in engine's replies, each counted."""
        for reply in self._inner.complete(requests):
            self._note_reply(reply)
            yield reply

    def _note_reply(self, reply: Reply) -> None:
        task = reply.request.task
        load = self.loads[self.stage, task]
        load.calls += 1
        load.request_bytes += message_bytes(reply.request)
        load.reply_bytes += len(reply.text.encode())
        # The replies of least key: every one of the task is as likely to be among them.
        kept, key = self.drawn[task], keyed_generator(self._random_seed, "probe", reply.request.key).random()
        self._noted += 1
        heapq.heappush(kept, (-key, self._noted, reply))
        if len(kept) > PROBED_REQUESTS.get(task, PROBED_BY_DEFAULT):
            heapq.heappop(kept)


def message_bytes(request: Request) -> int:
    """How long the chat is that is sent, in bytes."""
    return len(orjson.dumps(request.messages))


def measure_source(config: Config) -> SourceSize:
    """Count a source as the run will read it, and take the piece to rehearse.

    Raises:
        InputError: The source cannot be read, or holds no document; or a user's own file cannot be used.
        ConfigError: Its kind or a field of it is wrong, or a discipline is no class of the taxonomy.
    """
    read_taxonomy(config)
    own = read_own_questions(config.seeds)
    size, prompts = SourceSize(own_seeds=sum(isinstance(one, Seed) for one in own)), resolve_prompts(config)
    if config.source.kind == "qa":
        for record in open_questions(config.source):
            size.seeds_given += isinstance(record, Seed)
            size.documents += isinstance(record, Document)
        return size
    # The windows of least key: the same whatever comes after them, and as likely from any place.
    drawn: list[tuple[float, int, Document, int]] = []
    for number, (document, passages) in enumerate(_windows_of_source(config, size, prompts)):
        key = keyed_generator(config.random_seed, "window", document.id, passages[0].start).random()
        text = document.text[passages[0].start : passages[-1].end]
        heapq.heappush(drawn, (-key, number, replace(document, text=text), len(passages)))
        size.window_passages += len(passages)
        while size.window_passages - drawn[0][3] >= REHEARSED_PASSAGES:
            size.window_passages -= heapq.heappop(drawn)[3]
        if size.passages >= MAX_COUNTED_PASSAGES:
            size.counted_whole = False
            break
    size.windows = _join_neighbours(sorted(drawn, key=lambda each: each[1]))
    return size


def _join_neighbours(drawn: Iterable[tuple[float, int, Document, int]]) -> list[Document]:
    """The windows in the source's order, those that follow one another in a document as one."""
    joined: list[Document] = []
    before = -2
    for _, number, window, _ in drawn:
        if joined and number == before + 1 and joined[-1].id == window.id:
            joined[-1] = replace(joined[-1], text=f"{joined[-1].text}\n\n{window.text}")
        else:
            joined.append(window)
        before = number
    return [replace(window, id=f"{number}/{window.id}") for number, window in enumerate(joined)]


def _windows_of_source(
    config: Config, size: SourceSize, prompts: PromptSet
) -> Iterator[tuple[Document, list[Passage]]]:
    """Each document's passages, some at a time; counts them on the way."""
    for document in open_source(config.source):
        if not isinstance(document, Document):
            continue
        size.documents += 1
        passages = list(cut_passages(document, size=config.seed.passage_chars))
        size.passages += len(passages)
        asked = (ask_seeds(passage, per_passage=config.seed.per_passage) for passage in passages)
        size.request_bytes += sum(map(message_bytes, map(prompts.word_request, asked)))
        for start in range(0, len(passages), WINDOW_PASSAGES):
            yield document, passages[start : start + WINDOW_PASSAGES]


def rehearse_run(config: Config, size: SourceSize, folder: Path) -> Rehearsal:
    """Run a piece of the source through all stages with the built-in engine, in an empty folder of the caller's.

    Raises:
        UsageError: The configuration asks for what the source does not allow, as the run would find.
    """
    check_source_domains(config)
    prompts = resolve_prompts(config)
    share, rehearsed = _rehearsal_config(config, size, folder)
    engine = _RecordingEngine(config.random_seed)
    run, points, samples, content = RunFolder(folder / "rehearsal"), 0, 0, math.inf
    run.path.mkdir(parents=True)
    clock = [monotonic()]
    with Ledger(run.ledger) as ledger, open_embedder(rehearsed, ledger) as embedder:
        open_exchange = prompts.word_exchange(partial(ledger.open_exchange, engine))
        run.write_config(rehearsed, {})
        try:
            ask = partial(ask_through, open_exchange)
            inputs = prepare_inputs(rehearsed, run, ask=ask, embedder=embedder, progress=Progress())
        except (EmptyRunError, UsageError) as error:
            if isinstance(error, UsageError) and share == 1 and config.engine.kind == "rules":
                raise  # just what the run will say
            inputs = None  # the built-in engine reads too little in it; a model, or all of the source, may give more
        if inputs is not None:
            points = inputs.reference.num_rows
            engine.stage = "loop"
            clock.append(monotonic())
            result = synthesize_pool(
                rehearsed,
                run,
                inputs,
                open_exchange=open_exchange,
                engine=engine.name,
                prompts=prompts.hash,
                read_cost=Cost,
                progress=Progress(),
            )
            samples, deficit = result.state.pool.samples, result.deficit
            if result.stop_reason != "budget":
                content = samples
            elif config.budget.samples is None:
                content = samples * deficit.supply / max(deficit.filled, 1)
    clock.append(monotonic())
    seconds = {stage: end - begun for stage, begun, end in zip(("prepare", "loop"), clock, clock[1:], strict=False)}
    replies = {task: [reply for _, _, reply in kept] for task, kept in engine.drawn.items()}
    return Rehearsal(dict(engine.loads), replies, share, points, samples, content, seconds)


def _rehearsal_config(config: Config, size: SourceSize, folder: Path) -> tuple[float, Config]:
    """The share of the source that is rehearsed, in (0, 1], and the configuration of it."""
    if config.source.kind == "qa":
        seeds = min(size.seeds_given, REHEARSED_PASSAGES)
        share, source = seeds / max(size.seeds_given, 1), replace(config.source, limit=seeds)
    else:
        share, source = size.window_passages / size.passages, _write_windows(size.windows, folder / "windows.jsonl")
    cap = config.budget.samples
    wanted = REHEARSED_SAMPLES if cap is None else max(LEAST_REHEARSED_SAMPLES, round(share * cap))
    budget = replace(config.budget, samples=min(wanted, REHEARSED_SAMPLES, cap or wanted))
    # A server's embedder would cost money, and of the two that need nothing `static` is the one that is like it.
    embed = "static" if config.embed.startswith("endpoint:") else config.embed
    rehearsed = replace(config, source=source, budget=budget, embed=embed, seeds=None)
    if config.taxonomy:
        asks_model = config.taxonomy.by == "model" and config.engine.kind != "rules"
        if asks_model or embed != config.embed:
            rehearsed = replace(rehearsed, disciplines={})  # what stands in finds other classes
    if share == 1:
        return share, rehearsed
    # A piece has fewer knowledge points, so fewer cells, and may lack a discipline.
    space = replace(SpaceConfig(), dim=config.space.dim, k=config.space.k)
    facts = None if config.facts is None else max(1, round(share * config.facts))
    return share, replace(rehearsed, space=space, facts=facts, disciplines={})


def _write_windows(windows: Iterable[Document], path: Path) -> SourceConfig:
    """The piece as a source of its own."""
    names = ("id", "title", "text", "domain", "lang")
    path.write_bytes(b"".join(orjson.dumps({n: getattr(one, n) for n in names}) + b"\n" for one in windows))
    return SourceConfig("text", str(path), text="text", id="id", title="title", domain="domain")
