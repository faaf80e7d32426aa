"""One question to a language model and what came back; replies in the order of their requests."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, TypeVar

import orjson

from kdos.errors import EngineError
from kdos.tasks.prompt import Prompt, json_digest
from kdos.tasks.reading import no_reply_refusal, read_value

NO_ANSWER = "(no answer)"
"""What is shown to a model of an earlier reply that held nothing."""


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An earlier reply to the same request, and what was wrong with it."""

    text: str
    problem: str


@dataclass(frozen=True)
class Request:
    """One question to an engine.

    `id` names the request within a run and orders replies; it shapes no reply and is no part of `key`. `inputs` is
    JSON: it reaches the model as one fenced block after the prompt's text. `max_tokens_factor` multiplies the tokens
    that a reply may have. `failed_attempt` is an earlier reply that could not be used, if there was one.
    """

    id: str
    prompt: Prompt
    inputs: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    max_tokens_factor: int = 1
    failed_attempt: FailedAttempt | None = None

    @property
    def task(self) -> str:
        """What is asked for: seed, extract, synthesize, judge."""
        return self.prompt.task

    @cached_property
    def key(self) -> str:
        """Hash of everything in the request that shapes the reply (the ledger adds the engine)."""
        parts: list[object] = [self.prompt.hash, self.inputs, self.params]
        if self.max_tokens_factor > 1 or self.failed_attempt:
            parts += [self.max_tokens_factor, self.failed_attempt]
        return json_digest(parts)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The chat that is sent: the prompt, the inputs as one JSON block, and what went wrong."""
        block = orjson.dumps(self.inputs).decode()
        chat = [
            {"role": "system", "content": self.prompt.instructions},
            {"role": "user", "content": f"```json\n{block}\n```"},
        ]
        if self.failed_attempt:
            text, problem = self.failed_attempt.text, self.failed_attempt.problem
            complaint = f"That cannot be used: {problem}. Answer again, in full."
            # Some servers refuse a turn without a text, and templates two turns of the user's in a row.
            chat.append({"role": "assistant", "content": text or NO_ANSWER})
            chat.append({"role": "user", "content": complaint})
        return chat


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one attempt. USD, 0.0 for a local engine.

    `cached_tokens` are those of the prompt that the server had read before, where it says so.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_usd + other.cost_usd,
            self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True)
class Reply:
    """What came back for one request: `text`, or an `error` that says why there is none.

    `reasoning` is what a reasoning model thought before it answered; `finish` is why it stopped
    writing (`stop`, `length`, …). `transient` marks an error that may be gone another day (a dead
    server): it is recorded, and asked again by the next run. `will_retry` marks an attempt that failed and is made
    again: it is no answer, and stored for what it cost. `latency` is in seconds.
    """

    request: Request
    text: str = ""
    error: str = ""
    transient: bool = False
    reasoning: str = ""
    finish: str = "stop"
    usage: Usage = Usage()
    latency: float = 0.0
    attempts: int = 1
    will_retry: bool = False

    @cached_property
    def value(self) -> Any:
        """The JSON value that the prompt asks for, or a `Refusal` that says why there is none.

        It is read once, by who asks first: nobody changes it.
        """
        return no_reply_refusal(self.error) if self.error else read_value(self.text, self.request.prompt.schema)


class Exchange(Protocol):
    """Requests out while replies come in; one thread uses it."""

    @property
    def room(self) -> int:
        """How many more requests are wanted now, 0 where enough wait: past it they only wait in a queue."""
        ...

    def submit(self, requests: Iterable[Request]) -> None:
        """Send requests, however many there is room for; ids must differ among those that are out."""
        ...

    def receive(self) -> list[Reply]:
        """The replies that are ready, at least one: waits for it; none only where nothing is out."""
        ...


OpenExchange = Callable[[], AbstractContextManager[Exchange]]
"""Opens an exchange with a model; what is out when it is left is not waited for."""

Ask = Callable[[Iterable[Request]], Iterator[Reply]]
"""Sends requests to a model and gives one reply for each, in any order."""

REQUESTS_PER_SUBMIT = 8
"""Few, so that a source that makes them slowly keeps none of them back; each `submit` takes about as long as making
one: our choice."""


def ask_through(open_exchange: OpenExchange, requests: Iterable[Request]) -> Iterator[Reply]:
    """One reply for each request, in the order in which they are ready; requests are taken as there is room."""
    source, more = iter(requests), True
    with open_exchange() as exchange:
        while True:
            more = more and _fill_room(exchange, source)
            replies = exchange.receive()
            if not (replies or more):
                return
            for reply in replies:
                yield reply
                # A reader that is slow with each reply must not starve the model.
                more = more and _fill_room(exchange, source)


def _fill_room(exchange: Exchange, source: Iterator[Request]) -> bool:
    """Send requests while there is room; whether there may be more of them."""
    room = exchange.room
    while room > 0:
        wanted = min(room, REQUESTS_PER_SUBMIT)
        taken = list(islice(source, wanted))
        exchange.submit(taken)
        if len(taken) < wanted:
            return False
        room -= wanted
    return True


Item = TypeVar("Item")
ORDER_WINDOW = 4096
"""How far the asking may run ahead of the oldest reply that is still out: our choice."""


def pair_replies_in_order(
    items: Iterable[tuple[Item, Request | None]], *, ask: Ask, window: int = ORDER_WINDOW
) -> Iterator[tuple[Item, Reply | None]]:
    """Each item with the reply to its request (None where it has none), in the items' order.

    At most `window` items are held. While one reply is late the others go on, until the window is
    full; then the asking ends, and starts again when all that is out has come back.
    """
    waiting: deque[tuple[Item, Request | None]] = deque()
    replies: dict[str, Reply] = {}
    source = iter(items)

    def take_requests() -> Iterator[Request]:
        while len(waiting) < window and (pair := next(source, None)) is not None:
            waiting.append(pair)
            if pair[1] is not None:
                yield pair[1]

    def take_answered() -> Iterator[tuple[Item, Reply | None]]:
        """The items at the front that wait for nothing more."""
        while waiting and (waiting[0][1] is None or waiting[0][1].id in replies):
            item, request = waiting.popleft()
            yield item, None if request is None else replies.pop(request.id)

    while True:
        answered = False
        for reply in ask(take_requests()):
            answered = True
            replies[reply.request.id] = reply
            yield from take_answered()
        answered = answered or bool(waiting)
        yield from take_answered()
        if waiting:
            raise EngineError(f"an engine must answer every request. No reply to {waiting[0][1]}.")
        if not answered:
            return
