"""What a run will find at its endpoint: key, server, model, JSON, speed."""

import difflib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from kdos.config import EngineConfig
from kdos.cost import format_duration
from kdos.errors import ConfigError, KdosError
from kdos.llm.http import HttpEngine
from kdos.llm.reply_reader import name_missing_answer, read_model_names
from kdos.llm.server_profile import ResponseFormat
from kdos.llm.transport import ExchangeError, HttpClient, find_access
from kdos.pool import Passage, Refusal
from kdos.tasks import Reply, Request, ask_seeds

MAX_PROBES = 16
PROBE_PASSAGE = (
    "The harbour of Port Alder was opened on 3 May 1872 by the engineer Maria Lindqvist. Its quay "
    "is 640 metres long and took four years to build. In 1911 a lighthouse of 27 metres was put on "
    "the northern mole; its lamp was made in Paris. The harbour froze over in the winter of 1942."
)
"""Made up for this purpose: something to ask about that no model knows."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was looked at: is it well, what was found, what to do about it."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def diagnose_endpoints(config: EngineConfig, *, calls: int) -> Iterator[HealthCheck]:
    """Every check of each server, named where there are several; `calls` are those of the run, which they share."""
    urls = config.addresses
    for url in urls:
        for check in diagnose_endpoint(replace(config, url=url, urls=[]), calls=math.ceil(calls / len(urls))):
            yield replace(check, name=f"{check.name} of {url}") if len(urls) > 1 else check


def diagnose_endpoint(config: EngineConfig, *, calls: int) -> Iterator[HealthCheck]:
    """Every check in turn; ends early where the rest cannot be looked at. `calls` are those that it is to answer.

    It asks up to `MAX_PROBES` + 1 small questions, which cost what they cost.
    """
    try:
        find_access(config)
    except ConfigError as error:
        yield HealthCheck("key", False, str(error))
        return
    where = f"in ${config.key_env}" if config.key_env else "none needed, as configured"
    yield HealthCheck("key", True, where)
    server, listed = _check_server(config)
    yield server
    if not server.ok:
        return
    with HttpEngine(config) as engine:
        try:
            (first,) = engine.complete([_build_probe(0)])
        except KdosError as error:
            yield HealthCheck("model", False, str(error), f"Set engine.model. {listed}." if listed else "")
            return
        yield HealthCheck("model", True, f"{config.model} answers{f'; {listed}' if listed else ''}")
        yield _check_structured_output(engine, first)
        began = time.monotonic()
        count = min(config.concurrency, MAX_PROBES)
        replies = list(engine.complete(_build_probe(number) for number in range(1, count + 1)))
        seconds = time.monotonic() - began
    yield _check_speed(replies, seconds=seconds, config=config, calls=calls)


def _build_probe(number: int) -> Request:
    """A question like those of a run; each number another one."""
    passage = Passage(
        id=f"doctor/{number}",
        document="doctor",
        title=f"Port Alder, part {number}",
        domain="",
        lang="en",
        start=0,
        end=len(PROBE_PASSAGE),
        text=PROBE_PASSAGE,
    )
    return ask_seeds(passage, per_passage=2)


def _check_server(config: EngineConfig) -> tuple[HealthCheck, str]:
    """Is there a server, does it take the key; and in words how it lists the model, where that is by another name.

    Servers list models by other names than they are asked by (a path, a tag, a deployment): only asking shows.
    """
    client = HttpClient(config.url, access=find_access(config), timeout=30.0)
    root = client.root
    try:
        response = client.call_server("GET", "models")
    except ExchangeError as error:
        return HealthCheck("server", False, f"{root}: {error}", "Start it, or mend engine.url."), ""
    finally:
        client.close()
    if response.status in {401, 403}:
        message = client.server_message(response.body)
        advice = "Set engine.key_env to a variable that holds a valid key."
        return HealthCheck("server", False, f"{root} refuses the key: {message}", advice), ""
    names = read_model_names(response.body)
    listed = ""
    if names and config.model not in names:
        near = difflib.get_close_matches(config.model, names, 1, 0.0)[0]
        listed = f"The server lists no model {config.model!r}; {near!r} is nearest of the {len(names)} it has"
    return HealthCheck("server", True, f"{root}{'' if names else ' (it does not list its models)'}"), listed


def _check_structured_output(engine: HttpEngine, reply: Reply) -> HealthCheck:
    """Can the server be made to answer in JSON, and does the answer fit."""
    if problem := reply.error or name_missing_answer(reply):
        advice = "Try another model or server."
        if reply.reasoning and not reply.text.strip():
            advice = "Set the server's parser of reasoning to the model's, or switch it or the reasoning off."
        return HealthCheck("structured output", False, problem, advice)
    form = engine.asked_form(reply.request)
    thought = ", with its reasoning apart" if reply.reasoning else ""
    if isinstance(reply.value, Refusal):
        advice = "Raise engine.max_tokens." if reply.finish == "length" else "Try another model."
        return HealthCheck("structured output", False, reply.value.detail, advice)
    if form is ResponseFormat.SCHEMA:
        return HealthCheck("structured output", True, f"by JSON schema{thought}")
    advice = "A server that forces a JSON schema wastes fewer calls."
    return HealthCheck(
        "structured output",
        True,
        f"by {'the prompt alone' if form is ResponseFormat.PROMPT else 'JSON mode'}{thought}",
        advice,
    )


def _check_speed(replies: list[Reply], *, seconds: float, config: EngineConfig, calls: int) -> HealthCheck:
    """How fast it answers, and how long a run takes at that speed and our concurrency."""
    good = [reply for reply in replies if not reply.error]
    if not good:
        return HealthCheck("speed", False, replies[0].error, "Lower engine.concurrency.")
    latency = median(reply.latency for reply in good)
    tokens = sum(reply.usage.completion_tokens for reply in good) / seconds
    run_seconds = expected_seconds(calls, latency=latency, concurrency=config.concurrency)
    found = (
        f"{latency:.2f} s a call at {len(replies)} in flight, {tokens:,.0f} tokens/s; "
        f"the run takes about {format_duration(run_seconds)} "
        f"at concurrency {config.concurrency}"
    )
    slow = [reply for reply in replies if reply.error or reply.attempts > 1]
    advice = "Some calls were turned away: lower engine.concurrency." if slow else ""
    return HealthCheck("speed", True, found, advice)


def expected_seconds(calls: int, *, latency: float, concurrency: int) -> float:
    """How long so many calls of `latency` seconds take with `concurrency` of them in flight."""
    return calls * latency / concurrency
