"""What a run comes to and spends: it is rehearsed, and the real engine is asked a few of the rehearsal's requests.

The real engine is asked some of each task, which tells the tokens of its prompts and replies and how many seeds it
finds in a passage; a forecast that asks nothing reckons both by the built-in engine. Our design.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal

from kdos.config import Config
from kdos.cost import Cost, format_duration, format_usd
from kdos.llm import Engine
from kdos.llm.batch import BATCH_PRICE_FACTOR
from kdos.llm.doctor import expected_seconds
from kdos.llm.protocol import TYPICAL_BYTES_PER_TOKEN
from kdos.pool import Refusal
from kdos.run.pipeline import check_run_folder
from kdos.run.rehearsal import Rehearsal, SourceSize, TaskLoad, measure_source, message_bytes, rehearse_run
from kdos.tasks import SYNTHESIZE_PROMPT, Reply
from kdos.tasks.classify import CLASSIFY_PROMPT
from kdos.tasks.extract import EXTRACT_PROMPT, SEED_PROMPT

TYPICAL_LOOP = {"synthesize": (0.7, 2_700, 530), "review": (0.7, 2_600, 370)}
"""Calls a sample, tokens of a prompt and of a reply, of the loop's tasks: the built-in engine's on Wikipedia's pages.
For sources that it cannot read."""
TYPICAL_TOKENS = (0, 900, 200)
"""The same of the tasks before the loop, whose calls are counted."""
UNREAD_SAMPLES = 1_000
"""Samples that are reckoned with where there is no cap and the built-in engine can read nothing of the source."""
TYPICAL_SEEDS = 3.0
"""Seeds a passage, where neither engine found any in the piece that was looked at."""
FIGURE_NAMES = {
    "documents": "documents",
    "passages": "passages",
    "knowledge_points": "knowledge points",
    "samples": "samples",
    "calls": "calls to the engine",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "reply tokens",
    "cost_usd": "cost, USD",
    "seconds": "time",
    "tokens_per_sample": "tokens a sample, in the loop",
    "usd_per_sample": "USD a sample, in the loop",
}
"""What the figures of a forecast are called."""
FORECAST_HEADINGS = ("", "about", "how that is known")


Basis = Literal["known", "probed", "rehearsed", "guessed", "unknown"]
"""Where a figure comes from: it was counted; the run's engine was asked; the run's engine, the built-in one, went
through a piece of the run; the built-in engine stood in for a model; or nothing says."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run reads, makes and spends: tokens, USD, seconds; None where nothing says. `basis` has each figure's.

    What is spent for each sample is the loop's: seeds and extraction are paid for once.
    `rehearsed_share` of the source was gone through, in (0, 1]. `probes` are the calls to the run's engine that it
    took to know. Unless `counted_whole`, the source is larger and every figure is of what was counted.
    """

    documents: int
    passages: int
    knowledge_points: int | None
    samples: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    seconds: float | None
    tokens_per_sample: int | None
    usd_per_sample: float | None
    rehearsed_share: float
    probes: int
    counted_whole: bool
    basis: Mapping[str, Basis]


def foretell_run(config: Config, path: Path, *, read: Iterable[Path] = ()) -> Forecast:
    """What the whole run in `path` comes to, without asking its engine; nothing is left on the disk.

    Raises what `run_config`, given the same, would raise of the configuration, the source and the folder.
    """
    check_run_folder(config, path, read=read)
    size = measure_source(config)
    with TemporaryDirectory(prefix="kdos-forecast-") as folder:
        rehearsal = rehearse_run(config, size, Path(folder))
    return forecast_run(config, size, rehearsal)


def forecast_run(config: Config, size: SourceSize, rehearsal: Rehearsal, engine: Engine | None = None) -> Forecast:
    """What the run will read, make and spend with `engine`, which is asked some of the rehearsal's requests.

    Without an engine nothing is asked: the built-in one, which rehearsed, stands in for it.
    """
    asked = [reply.request for replies in rehearsal.replies.values() for reply in replies] if engine else []
    answered = {reply.request.key: reply for reply in engine.complete(asked) if not reply.error} if engine else {}
    pairs = {
        task: [(ours, answered[ours.request.key]) for ours in replies if ours.request.key in answered]
        for task, replies in rehearsal.replies.items()
    }
    loads, samples = _loop_loads(config, rehearsal), expected_samples(config, rehearsal)
    if not rehearsal.samples and _writes_nothing(config, pairs.get(SYNTHESIZE_PROMPT.task, [])):
        # The engine too writes nothing of it: then the run ends as the rehearsal did.
        loads, samples = _scale_loop(rehearsal, 1 / rehearsal.share), 0
    a_sample = _cost_a_sample(config, _price_loads(config, loads, pairs), samples)
    for task, load in _prepare_loads(size, rehearsal, pairs.get(SEED_PROMPT.task, [])).items():
        loads[task] = _add_loads(loads[task], load) if task in loads else load
    cost = _price_loads(config, loads, pairs)
    points = rehearsal.points * _seed_ratio(pairs.get(SEED_PROMPT.task, [])) / rehearsal.share
    seconds = _expect_seconds(config, rehearsal, samples, round(cost.calls), answered.values())
    return Forecast(
        documents=size.documents,
        passages=size.passages,
        knowledge_points=round(points) or None,
        samples=samples,
        calls=round(cost.calls),
        prompt_tokens=round(cost.prompt_tokens),
        completion_tokens=round(cost.completion_tokens),
        cost_usd=cost.usd,
        seconds=seconds,
        tokens_per_sample=round(a_sample.tokens) if a_sample else None,
        usd_per_sample=a_sample.usd if a_sample else None,
        rehearsed_share=rehearsal.share,
        probes=len(asked),
        counted_whole=size.counted_whole,
        basis=_name_bases(config, asked=bool(answered), knows_points=points > 0),
    )


def _writes_nothing(config: Config, drafting: Sequence[tuple[Reply, Reply]]) -> bool:
    """Whether the run's engine was seen to write no draft of what the built-in one writes none of."""
    if config.engine.kind == "rules":
        return True
    return bool(drafting) and not any(_count_drafts(theirs) for _, theirs in drafting)


def _price_loads(
    config: Config, loads: Mapping[str, TaskLoad], pairs: Mapping[str, list[tuple[Reply, Reply]]]
) -> Cost:
    """What is asked and paid for; the built-in engine needs no tokens."""
    calls = sum(load.calls for load in loads.values())
    if config.engine.kind == "rules":
        return Cost(calls, usd=0.0)
    tokens = [_count_tokens(task, load, pairs.get(task, [])) for task, load in loads.items()]
    prompt, completion = round(sum(prompt for prompt, _ in tokens)), round(sum(completion for _, completion in tokens))
    return Cost(calls, prompt, completion, usd=_list_price(config, prompt, completion))


def _cost_a_sample(config: Config, loop: Cost, samples: int) -> Cost | None:
    """What the loop spends for each sample; None where it makes none, or needs no tokens."""
    return loop.times(1 / samples) if samples and config.engine.kind != "rules" else None


def _list_price(config: Config, prompt: float, completion: float) -> float | None:
    """What so many tokens cost, in USD; None where no price is known."""
    if (prices := config.engine.prices) is None:
        return None
    discount = BATCH_PRICE_FACTOR if config.engine.batch else 1.0
    return discount * (prompt * prices.prompt + completion * prices.completion) / 1_000_000


def _expect_seconds(
    config: Config, rehearsal: Rehearsal, samples: int, calls: int, answered: Iterable[Reply]
) -> float | None:
    """How long the run takes: as long as the rehearsal for its share, or as the engine takes for what it is asked."""
    if config.engine.kind == "rules":
        loop = samples / rehearsal.samples if rehearsal.samples else 1 / rehearsal.share
        return rehearsal.seconds["prepare"] / rehearsal.share + rehearsal.seconds.get("loop", 0.0) * loop
    latencies = [reply.latency for reply in answered]
    if not latencies:
        return None
    return expected_seconds(calls, latency=median(latencies), concurrency=config.engine.total_concurrency)


def _name_bases(config: Config, *, asked: bool, knows_points: bool) -> dict[str, Basis]:
    """Where each figure comes from."""
    rules = config.engine.kind == "rules"
    seen: Basis = "rehearsed" if rules else "probed" if asked else "guessed"
    spent: Basis = "known" if rules else seen
    return {
        "documents": "known",
        "passages": "known",
        "knowledge_points": seen if knows_points else "unknown",
        "samples": seen,
        "calls": seen,
        "prompt_tokens": spent,
        "completion_tokens": spent,
        "cost_usd": spent if rules or config.engine.prices else "unknown",
        "seconds": "unknown" if seen == "guessed" else seen,
        "tokens_per_sample": seen,
        "usd_per_sample": seen if config.engine.prices else "unknown",
    }


def tabulate_forecast(forecast: Forecast) -> list[tuple[str, str, str]]:
    """A forecast to read: each figure, what it is about, and where it comes from."""
    meanings: dict[Basis, str] = {
        "known": "known",
        "probed": f"{forecast.probes} requests to the model",
        "rehearsed": f"rehearsed on {forecast.rehearsed_share:.0%} of the source",
        "guessed": f"guessed: the built-in engine stood in, on {forecast.rehearsed_share:.0%} of the source",
        "unknown": "unknown",
    }
    usd, seconds, points = forecast.cost_usd, forecast.seconds, forecast.knowledge_points
    shown = {
        "documents": f"{forecast.documents:,}",
        "passages": f"{forecast.passages:,}",
        "knowledge_points": "-" if points is None else f"{points:,}",
        "samples": f"{forecast.samples:,}",
        "calls": f"{forecast.calls:,}",
        "prompt_tokens": f"{forecast.prompt_tokens:,}",
        "completion_tokens": f"{forecast.completion_tokens:,}",
        "cost_usd": "-" if usd is None else f"{usd:,.2f}",
        "seconds": "-" if seconds is None else format_duration(seconds),
    }
    if forecast.tokens_per_sample is not None:
        shown["tokens_per_sample"] = f"{forecast.tokens_per_sample:,}"
    if forecast.usd_per_sample is not None:
        shown["usd_per_sample"] = format_usd(forecast.usd_per_sample)
    notes = {key: meanings[forecast.basis[key]] for key in shown}
    if not forecast.counted_whole:
        notes["documents"] = notes["passages"] = "the source is larger: counted so far"
    if usd is None:
        notes["cost_usd"] = "unknown: set engine.prices"
    if seconds is None:
        notes["seconds"] = "unknown: `kdos doctor` asks the server"
    return [(FIGURE_NAMES[key], value, notes[key]) for key, value in shown.items()]


def advise_on_forecast(config: Config, forecast: Forecast) -> str:
    """What to do about what is foretold: no sample, a cap that ends the run early, no prices; empty for nothing."""
    if not forecast.samples:
        return "Nothing is written of this source: give longer documents, or an engine of kind http."
    advice = [f"budget.{cap} will end it before: raise it, or lower budget.samples or source.limit."
        for cap in _passed_caps(config, forecast)[:1]]  # fmt: skip
    if forecast.cost_usd is None:
        advice.append("Set engine.prices to see money, and to cap it with budget.usd.")
    return " ".join(advice)


def _passed_caps(config: Config, forecast: Forecast) -> list[str]:
    """The caps that end the run before it has made its samples."""
    caps = config.budget
    spent = {
        "calls": (forecast.calls, caps.calls),
        "tokens": (forecast.prompt_tokens + forecast.completion_tokens, caps.tokens),
        "usd": (forecast.cost_usd, caps.usd),
        "seconds": (forecast.seconds, caps.seconds),
    }
    return [name for name, (amount, cap) in spent.items() if amount is not None and cap is not None and amount > cap]


def expected_samples(config: Config, rehearsal: Rehearsal) -> int:
    """Samples that the run will make: up to its cap, as far as the source's content goes."""
    cap, content = config.budget.samples, rehearsal.content / rehearsal.share
    if not rehearsal.samples:
        return cap or UNREAD_SAMPLES
    return round(content) if cap is None else round(min(cap, content))


def _loop_loads(config: Config, rehearsal: Rehearsal) -> dict[str, TaskLoad]:
    """What the loop asks by task: the rehearsal's, by the sample; what is typical where it made none."""
    samples = expected_samples(config, rehearsal)
    if not rehearsal.samples:
        return {task: TaskLoad(samples * calls) for task, (calls, _, _) in TYPICAL_LOOP.items()}
    return _scale_loop(rehearsal, samples / rehearsal.samples)


def _scale_loop(rehearsal: Rehearsal, factor: float) -> dict[str, TaskLoad]:
    return {task: load.scaled(factor) for (stage, task), load in rehearsal.loads.items() if stage == "loop"}


def _prepare_loads(size: SourceSize, rehearsal: Rehearsal, seeding: list[tuple[Reply, Reply]]) -> dict[str, TaskLoad]:
    """What sorting, seeding and extracting ask: passages as they were counted, seeds as the engine finds them."""
    loads = {task: load for (stage, task), load in rehearsal.loads.items() if stage == "prepare"}
    found: dict[str, TaskLoad] = {}
    if SEED_PROMPT.task in loads:
        factor = size.passages / loads[SEED_PROMPT.task].calls
        found[SEED_PROMPT.task] = loads[SEED_PROMPT.task].scaled(factor, request_bytes=size.request_bytes)
    ours, theirs = _count_seeds_of_both(seeding)
    if asked := loads.get(CLASSIFY_PROMPT.task):
        # Once a document; of given questions the rehearsal sees a share.
        found[CLASSIFY_PROMPT.task] = asked.scaled(
            1 / rehearsal.share if size.seeds_given else size.documents / asked.calls
        )
    extract = loads.get(EXTRACT_PROMPT.task)
    if extract and (ours or not seeding):
        times = _seed_ratio(seeding) / rehearsal.share + size.own_seeds / extract.calls
        found[EXTRACT_PROMPT.task] = extract.scaled(times)
    else:
        each = theirs / len(seeding) if theirs else TYPICAL_SEEDS
        found[EXTRACT_PROMPT.task] = TaskLoad(size.passages * each + size.own_seeds)
    return found


def _count_seeds_of_both(seeding: Sequence[tuple[Reply, Reply]]) -> tuple[int, int]:
    """Seeds that the built-in engine and the run's found in the same passages."""
    return sum(_count_seeds(ours) for ours, _ in seeding), sum(_count_seeds(theirs) for _, theirs in seeding)


def _seed_ratio(seeding: Sequence[tuple[Reply, Reply]]) -> float:
    """How many times as many seeds as the built-in engine the run's finds; 1 where that was not seen."""
    ours, theirs = _count_seeds_of_both(seeding)
    return theirs / ours if ours else 1.0


def _count_seeds(reply: Reply) -> int:
    return 0 if isinstance(reply.value, Refusal) else len(reply.value["seeds"])


def _count_drafts(reply: Reply) -> int:
    return 0 if isinstance(reply.value, Refusal) else len(reply.value["drafts"])


def _add_loads(one: TaskLoad, other: TaskLoad) -> TaskLoad:
    added = (getattr(one, name) + getattr(other, name) for name in ("calls", "request_bytes", "reply_bytes"))
    return TaskLoad(*added)


def _count_tokens(task: str, load: TaskLoad, pairs: list[tuple[Reply, Reply]]) -> tuple[float, float]:
    """Tokens of prompts and replies: by their bytes, as the engine counted them for the requests it was asked."""
    _, typical_prompt, typical_reply = TYPICAL_LOOP.get(task, TYPICAL_TOKENS)
    if not load.request_bytes:
        return load.calls * typical_prompt, load.calls * typical_reply
    if not pairs:
        return load.request_bytes / TYPICAL_BYTES_PER_TOKEN, load.reply_bytes / TYPICAL_BYTES_PER_TOKEN
    asked = sum(message_bytes(ours.request) for ours, _ in pairs)
    replied = sum(len(ours.text.encode()) for ours, _ in pairs)
    prompt = load.request_bytes * sum(theirs.usage.prompt_tokens for _, theirs in pairs) / asked
    completion = load.reply_bytes * sum(theirs.usage.completion_tokens for _, theirs in pairs) / max(replied, 1)
    return prompt, completion
