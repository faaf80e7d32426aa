"""What a run will spend: it is rehearsed with the built-in engine, and the real one is asked a few of its requests.

Every passage is asked for seeds and every seed for its knowledge points, whatever the budget; what the loop spends
follows the samples, and falls and rises with how full the pool is. So the run is rehearsed, all of it where it is
small: that costs no money, and its requests are the very ones that the run will send. The real engine is asked some of
each task, which tells the tokens of its prompts and replies and how many seeds it finds in a passage. Our design.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from kdos.artifacts import RunFolder
from kdos.chance import keyed_generator
from kdos.config import Config, SourceConfig, SpaceConfig
from kdos.errors import UsageError
from kdos.llm import Engine, Ledger
from kdos.llm.batch import BATCH_PRICE_FACTOR
from kdos.llm.endpoint_embedder import open_embedder
from kdos.pool import Document, Passage, Seed
from kdos.rules import RulesEngine
from kdos.run.prepare import prepare_inputs
from kdos.run.rounds import synthesize_pool
from kdos.seed.passages import cut_passages
from kdos.seed.questions import open_questions
from kdos.seed.sources import open_source
from kdos.tasks import SYNTHESIZE_PROMPT, Reply, Request, ask_seeds
from kdos.tasks.extract import EXTRACT_PROMPT, SEED_PROMPT, SEED_SCHEMA
from kdos.tasks.reading import read_value
from kdos.tasks.synthesize import SYNTHESIZE_SCHEMA
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
TYPICAL_LOOP = {"synthesize": (0.6, 4_000, 1_100), "judge": (1.1, 2_700, 200), "extract": (1.1, 1_700, 330)}
"""Calls a sample, tokens of a prompt and of a reply, of the loop's tasks: the built-in engine's on SQuAD's articles.
For sources that it cannot read."""
UNREAD_SAMPLES = 1_000
"""Samples that are reckoned with where there is no cap and the built-in engine can read nothing of the source."""
TYPICAL_SEEDS = 3.0
"""Seeds a passage, where neither engine found any in the piece that was looked at."""


@dataclass(slots=True)
class SourceSize:
    """What a source comes to; `windows` is the piece to rehearse: all of a small one, or drawn evenly."""

    documents: int = 0
    passages: int = 0
    seeds_given: int = 0
    request_bytes: int = 0
    windows: list[Document] = field(default_factory=list[Document])
    window_passages: int = 0
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

    `share` of the source was read, in (0, 1], and `samples` were made of it; `content` is how many it would give
    without a cap, as far as that was seen: infinite where the cap came first.
    """

    loads: dict[tuple[str, str], TaskLoad]
    replies: dict[str, list[Reply]]
    share: float
    samples: int
    content: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls, tokens and money (USD; 0 without prices) of a run. `probes` are the calls that it took to know."""

    samples: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    probes: int
    counted_whole: bool


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
        InputError: The source cannot be read, or holds no document.
        ConfigError: Its kind or a field of it is wrong.
    """
    size = SourceSize()
    if config.source.kind == "qa":
        for record in open_questions(config.source):
            size.seeds_given += isinstance(record, Seed)
            size.documents += isinstance(record, Document)
        return size
    # The windows of least key: the same whatever comes after them, and as likely from any place.
    drawn: list[tuple[float, int, Document, int]] = []
    for number, (document, passages) in enumerate(_windows_of_source(config, size)):
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


def _windows_of_source(config: Config, size: SourceSize) -> Iterator[tuple[Document, list[Passage]]]:
    """Each document's passages, some at a time; counts them on the way."""
    for document in open_source(config.source):
        if not isinstance(document, Document):
            continue
        size.documents += 1
        passages = list(cut_passages(document, size=config.seed.passage_chars))
        size.passages += len(passages)
        asked = (ask_seeds(passage, per_passage=config.seed.per_passage) for passage in passages)
        size.request_bytes += sum(map(message_bytes, asked))
        for start in range(0, len(passages), WINDOW_PASSAGES):
            yield document, passages[start : start + WINDOW_PASSAGES]


def rehearse_run(config: Config, size: SourceSize, folder: Path) -> Rehearsal:
    """Run a piece of the source through all stages with the built-in engine, in an empty folder of the caller's."""
    share, rehearsed = _rehearsal_config(config, size, folder)
    engine = _RecordingEngine(config.random_seed)
    run, samples, content = RunFolder(folder / "rehearsal"), 0, math.inf
    run.path.mkdir(parents=True)
    with Ledger(run.ledger) as ledger, open_embedder(rehearsed, ledger) as embedder:

        def ask(requests: Iterable[Request]) -> Iterator[Reply]:
            return ledger.ask(engine, requests)

        run.write_config(rehearsed, {})
        try:
            inputs = prepare_inputs(rehearsed, run, ask=ask, embedder=embedder, progress=Progress())
            engine.stage = "loop"
            result = synthesize_pool(rehearsed, run, inputs, ask=ask, engine=engine.name, progress=Progress())
            samples, deficit = result.state.pool.samples, result.deficit
            if result.stop_reason != "budget":
                content = samples
            elif config.budget.samples is None:
                content = samples * deficit.supply / max(deficit.filled, 1)
        except UsageError:
            pass  # the built-in engine reads too little in it: `_loop_loads` takes what is typical
    replies = {task: [reply for _, _, reply in kept] for task, kept in engine.drawn.items()}
    return Rehearsal(dict(engine.loads), replies, share, samples, content)


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
    # A server's embedder would cost money; the number of cells follows the piece's own knowledge points.
    embed = "lexical" if config.embed.startswith("endpoint:") else config.embed
    space = config.space if share == 1 else replace(SpaceConfig(), dim=config.space.dim, k=config.space.k)
    return share, replace(config, source=source, budget=budget, space=space, embed=embed)


def _write_windows(windows: Iterable[Document], path: Path) -> SourceConfig:
    """The piece as a source of its own."""
    names = ("id", "title", "text", "domain", "lang")
    path.write_bytes(b"".join(orjson.dumps({n: getattr(one, n) for n in names}) + b"\n" for one in windows))
    return SourceConfig("text", str(path), text="text", id="id", title="title", domain="domain")


def forecast_run(config: Config, size: SourceSize, rehearsal: Rehearsal, engine: Engine) -> Forecast:
    """What the run will spend with `engine`, which is asked some of the rehearsal's requests, at its own price."""
    asked = [reply.request for replies in rehearsal.replies.values() for reply in replies]
    answered = {reply.request.key: reply for reply in engine.complete(asked) if not reply.error}
    pairs = {
        task: [(ours, answered[ours.request.key]) for ours in replies if ours.request.key in answered]
        for task, replies in rehearsal.replies.items()
    }
    loads, samples = _loop_loads(config, rehearsal), expected_samples(config, rehearsal)
    drafting = pairs.get(SYNTHESIZE_PROMPT.task, [])
    if drafting and not rehearsal.samples and not any(_count_drafts(theirs) for _, theirs in drafting):
        # The engine too writes nothing of it: then the run ends as the rehearsal did.
        loads, samples = _scale_loop(rehearsal, 1 / rehearsal.share), 0
    for task, load in _prepare_loads(size, rehearsal, pairs.get(SEED_PROMPT.task, [])).items():
        loads[task] = _add_loads(loads[task], load) if task in loads else load
    prompt = sum(_price_load(task, load, pairs.get(task, []))[0] for task, load in loads.items())
    completion = sum(_price_load(task, load, pairs.get(task, []))[1] for task, load in loads.items())
    discount = BATCH_PRICE_FACTOR if config.engine.batch else 1.0
    return Forecast(
        samples=samples,
        calls=round(sum(load.calls for load in loads.values())),
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        cost_usd=discount * _list_price(config, prompt, completion),
        probes=len(asked),
        counted_whole=size.counted_whole,
    )


def _list_price(config: Config, prompt: float, completion: float) -> float:
    prices = config.engine.prices
    return (prompt * prices.prompt + completion * prices.completion) / 1_000_000 if prices else 0.0


def expected_samples(config: Config, rehearsal: Rehearsal) -> int:
    """Samples that the run will make: up to its cap, as far as the source's content goes."""
    cap, content = config.budget.samples, rehearsal.content / rehearsal.share
    if not rehearsal.samples:
        return cap or UNREAD_SAMPLES
    return round(content) if cap is None else round(min(cap, content))


def rehearsed_calls(config: Config, size: SourceSize, rehearsal: Rehearsal) -> int:
    """How many calls the run takes if its engine finds as many seeds as the built-in one."""
    loads = [*_loop_loads(config, rehearsal).values(), *_prepare_loads(size, rehearsal, []).values()]
    return round(sum(load.calls for load in loads))


def _loop_loads(config: Config, rehearsal: Rehearsal) -> dict[str, TaskLoad]:
    """What the loop asks by task: the rehearsal's, by the sample; what is typical where it made none."""
    samples = expected_samples(config, rehearsal)
    if not rehearsal.samples:
        return {task: TaskLoad(samples * calls) for task, (calls, _, _) in TYPICAL_LOOP.items()}
    return _scale_loop(rehearsal, samples / rehearsal.samples)


def _scale_loop(rehearsal: Rehearsal, factor: float) -> dict[str, TaskLoad]:
    return {task: load.scaled(factor) for (stage, task), load in rehearsal.loads.items() if stage == "loop"}


def _prepare_loads(size: SourceSize, rehearsal: Rehearsal, seeding: list[tuple[Reply, Reply]]) -> dict[str, TaskLoad]:
    """What seeding and extracting ask: passages as they were counted, seeds as the engine finds them."""
    loads = {task: load for (stage, task), load in rehearsal.loads.items() if stage == "prepare"}
    found: dict[str, TaskLoad] = {}
    if SEED_PROMPT.task in loads:
        factor = size.passages / loads[SEED_PROMPT.task].calls
        found[SEED_PROMPT.task] = loads[SEED_PROMPT.task].scaled(factor, request_bytes=size.request_bytes)
    ours, theirs = (sum(_count_seeds(pair[side]) for pair in seeding) for side in (0, 1))
    extract = loads.get(EXTRACT_PROMPT.task)
    if extract and (ours or not seeding):
        found[EXTRACT_PROMPT.task] = extract.scaled((theirs / ours if ours else 1.0) / rehearsal.share)
    else:
        found[EXTRACT_PROMPT.task] = TaskLoad(size.passages * (theirs / len(seeding) if theirs else TYPICAL_SEEDS))
    return found


def _count_seeds(reply: Reply) -> int:
    value = read_value(reply.text, SEED_SCHEMA)
    return len(value["seeds"]) if isinstance(value, dict) else 0


def _count_drafts(reply: Reply) -> int:
    value = read_value(reply.text, SYNTHESIZE_SCHEMA)
    return len(value["drafts"]) if isinstance(value, dict) else 0


def _add_loads(one: TaskLoad, other: TaskLoad) -> TaskLoad:
    added = (getattr(one, name) + getattr(other, name) for name in ("calls", "request_bytes", "reply_bytes"))
    return TaskLoad(*added)


def _price_load(task: str, load: TaskLoad, pairs: list[tuple[Reply, Reply]]) -> tuple[float, float]:
    """Tokens of prompts and replies: by their bytes, as the engine counted them for the requests it was asked."""
    _, typical_prompt, typical_reply = TYPICAL_LOOP.get(task, (0, 900, 200))
    if not pairs or not load.request_bytes:
        return load.calls * typical_prompt, load.calls * typical_reply
    asked = sum(message_bytes(ours.request) for ours, _ in pairs)
    replied = sum(len(ours.text.encode()) for ours, _ in pairs)
    prompt = load.request_bytes * sum(theirs.usage.prompt_tokens for _, theirs in pairs) / asked
    completion = load.reply_bytes * sum(theirs.usage.completion_tokens for _, theirs in pairs) / max(replied, 1)
    return prompt, completion
