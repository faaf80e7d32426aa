"""One question to a language model, and what came back."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson


@dataclass(frozen=True)
class Prompt:
    """A task's instructions, as Markdown, with the JSON schema of the answer."""

    task: str
    text: str
    schema: Mapping[str, Any]

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that name this very wording and schema."""
        return digest([self.task, self.text, self.schema])[:16]


@dataclass(frozen=True)
class Request:
    """One question to an engine.

    `id` names the request within a run and orders replies; it shapes no reply and is no part of
    `key`. `inputs` is JSON: it reaches the model as one fenced block after the prompt's text.
    """

    id: str
    prompt: Prompt
    inputs: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def task(self) -> str:
        """What is asked for: seed, extract, synthesize, judge."""
        return self.prompt.task

    @cached_property
    def key(self) -> str:
        """Hash of everything in the request that shapes the reply (the ledger adds the engine)."""
        return digest([self.prompt.hash, self.inputs, self.params])

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat that is sent: the prompt, then the inputs as one JSON block."""
        block = orjson.dumps(self.inputs, option=orjson.OPT_INDENT_2).decode()
        return [
            {"role": "system", "content": self.prompt.text},
            {"role": "user", "content": f"```json\n{block}\n```"},
        ]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one reply, over all its attempts. USD, 0.0 for a local engine."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request: `text`, or an `error` that says why there is none.

    `reasoning` is what a reasoning model thought before it answered; `finish` is why it stopped
    writing (`stop`, `length`, …). `passing` marks an error that may be gone another day (a dead
    server): it is recorded, and asked again by the next run. `latency` is in seconds.
    """

    request: Request
    text: str = ""
    error: str = ""
    passing: bool = False
    reasoning: str = ""
    finish: str = "stop"
    usage: Usage = Usage()
    latency: float = 0.0
    attempts: int = 1


def digest(value: object) -> str:
    """64 hexadecimal digits of the canonical JSON of `value`."""
    return hashlib.blake2b(
        orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=32
    ).hexdigest()


Ask = Callable[[Iterable[Request]], Iterator[Reply]]
"""Sends requests to a model and gives one reply for each, in any order."""
