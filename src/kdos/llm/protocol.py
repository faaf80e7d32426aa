"""OpenAI's chat protocol: bodies to send, replies to read, when to try again. No I/O, no clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, cast

import orjson

from kdos.config import PriceConfig
from kdos.tasks import Request, Usage

PROTOCOL_VERSION = 1
"""Changes whenever the same request is put to a model in other words; part of fingerprints."""

TOKENS_PER_PRICE = 1_000_000
MIN_BYTES_PER_TOKEN = 2
"""No text we know of has more tokens than half its UTF-8 bytes; English has about a quarter."""
TYPICAL_BYTES_PER_TOKEN = 4
"""What is assumed where a server does not say how many tokens it read and wrote."""
RETRYABLE_STATUS = frozenset({408, 409, 425, 429})
"""Statuses after which the same request may succeed, beside 5xx."""
REQUEST_FAULT_STATUS = frozenset({400, 413, 422})
"""Statuses that can be the fault of one request alone."""
MAX_RETRY_AFTER = 600.0
"""Seconds that a server may make us wait at once: some send a date of their own reckoning."""

THINK_BLOCK = re.compile(r"\s*<think(?:ing)?>(.*?)</think(?:ing)?>\s*", re.DOTALL)
DURATION_PARTS = re.compile(r"(?<!\d)(\d++(?:\.\d++)?)(ms|s|m|h|d)")
SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class ResponseFormat(StrEnum):
    """How a server can be made to answer in JSON, best first."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    NONE = "none"

    @property
    def weaker(self) -> "ResponseFormat | None":
        """The next best."""
        return dict(pairwise(ResponseFormat)).get(self)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a server answered: the text, the reasoning before it, why it stopped, tokens."""

    text: str
    reasoning: str
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None


class ProtocolError(ValueError):
    """The server's reply is not what an OpenAI-compatible server sends."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a request is sent again: exponential back-off with jitter. Delays in seconds.

    `jitter` is the share of a delay that chance may take off, so that requests that failed
    together do not come back together.
    """

    max_attempts: int
    first_delay: float
    max_delay: float
    growth: float = 2.0
    jitter: float = 0.0

    def delay_after(self, attempt: int, *, asked: float = 0.0, chance: float = 1.0) -> float:
        """Seconds to wait after the `attempt`-th attempt, counted from 1.

        `asked` is what the server asks for (Retry-After), `chance` a draw from [0, 1).
        """
        backoff = min(self.max_delay, self.first_delay * self.growth ** (attempt - 1))
        jittered = backoff * (1 - self.jitter + self.jitter * chance)
        return max(min(asked, MAX_RETRY_AFTER), jittered)


def is_retryable(status: int) -> bool:
    """Whether the same request may succeed after a reply with this status."""
    return status in RETRYABLE_STATUS or status >= 500


def build_chat_body(
    request: Request, common_fields: Mapping[str, Any], *, max_tokens: int, response_format: ResponseFormat
) -> bytes:
    """The body of a chat completion; `common_fields` has the model and what the user added."""
    body: dict[str, Any] = {
        **common_fields,
        "messages": request.messages,
        "max_tokens": max_tokens * request.max_tokens_factor,
        **request.params,
    }
    if request.prompt.schema:
        body |= _response_format_fields(response_format, request)
    return orjson.dumps(body)


def _response_format_fields(form: ResponseFormat, request: Request) -> dict[str, Any]:
    """The part of a body that forces the answer into its form."""
    if form is ResponseFormat.SCHEMA:
        schema = {"name": request.task, "schema": request.prompt.forced_schema, "strict": True}
        return {"response_format": {"type": form, "json_schema": schema}}
    return {} if form is ResponseFormat.NONE else {"response_format": {"type": form}}


def parse_completion(raw: bytes) -> Completion:
    """The completion in the body of a reply.

    Raises:
        ProtocolError: It is no chat completion.
    """
    try:
        value = orjson.loads(raw)
        choice = value["choices"][0]
        message = choice["message"]
        text = _join_content_parts(message.get("content")) or message.get("refusal") or ""
        reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
        usage = value.get("usage") or {}
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ProtocolError(f"it sent {body_excerpt(raw)}") from error
    thinking = THINK_BLOCK.match(text) if "<think" in text else None
    if thinking:
        text, reasoning = text[thinking.end() :], reasoning or thinking.group(1).strip()
    return Completion(
        text=text,
        reasoning=str(reasoning),
        finish=choice.get("finish_reason") or "stop",
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
    )


def _join_content_parts(content: object) -> str:
    """A message's content as one text; some servers send it in parts."""
    if isinstance(content, list):
        parts = cast("list[dict[str, Any]]", content)
        return "".join(part.get("text", "") for part in parts)
    return content if isinstance(content, str) else ""


def price_tokens(prices: PriceConfig | None, prompt: int, completion: int) -> Usage:
    """The usage of so many tokens, in USD; 0.0 where prices are not known."""
    if prices is None:
        return Usage(prompt, completion)
    cost = (prompt * prices.prompt + completion * prices.completion) / TOKENS_PER_PRICE
    return Usage(prompt, completion, cost)


def measure_usage(answer: Completion, request_bytes: int, prices: PriceConfig | None) -> Usage:
    """Tokens and money of an answer; tokens that the server does not count are estimated."""
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    if prompt is None:
        prompt = request_bytes // TYPICAL_BYTES_PER_TOKEN
    if completion is None:
        written = len(answer.text.encode(errors="replace")) + len(answer.reasoning)
        completion = written // TYPICAL_BYTES_PER_TOKEN
    return price_tokens(prices, prompt, completion)


def bound_usage(request: Request, *, max_tokens: int, prices: PriceConfig | None) -> Usage:
    """The most that a request can come to; used to stay under a cap."""
    chat = sum(len(message["content"].encode(errors="replace")) for message in request.messages)
    completion = max_tokens * request.max_tokens_factor
    return price_tokens(prices, chat // MIN_BYTES_PER_TOKEN, completion)


def error_message(raw: bytes) -> str:
    """The server's own message in the body of an error."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return body_excerpt(raw)
    for key in ("error", "message", "detail"):
        if isinstance(value, dict):
            pairs = cast("dict[str, Any]", value)
            value = pairs.get(key, pairs)
    return body_excerpt(value.encode() if isinstance(value, str) else orjson.dumps(value))


def body_excerpt(raw: bytes, limit: int = 300) -> str:
    """The beginning of a body on one line; a web page is named as such."""
    text = " ".join(raw[: limit * 4].decode(errors="replace").split())
    if text[:1] == "<":
        title = re.search(r"<title>([^<]*+)</title>", text, re.IGNORECASE)
        return f"a web page{f' ({title.group(1)[:80]})' if title else ''}"
    if not text:
        return "nothing"
    return text if len(text) <= limit else f"{text[:limit]}…"


def read_retry_after(headers: Mapping[str, str], *, now: float) -> float:
    """How many seconds the server asks to wait; 0 if it does not say. `now` is Unix time."""
    millis, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _is_plain_number(millis):
        return float(millis) / 1000
    if _is_plain_number(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return 0.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a rate limit leaves: how many more, and in how many seconds it is full again."""

    remaining: float
    reset_seconds: float


def read_rate_limits(headers: Mapping[str, str]) -> dict[str, RateLimit]:
    """The rate limits that a reply's headers tell of, `requests` and `tokens`."""
    limits: dict[str, RateLimit] = {}
    for kind in ("requests", "tokens"):
        remaining = headers.get(f"x-ratelimit-remaining-{kind}", "")
        if _is_plain_number(remaining):
            reset = headers.get(f"x-ratelimit-reset-{kind}", "")
            limits[kind] = RateLimit(float(remaining), parse_duration(reset))
    return limits


def parse_duration(text: str) -> float:
    """Seconds in a duration such as `6m0s`, `20ms`, `1.5`; 1 second if it is none."""
    if _is_plain_number(text):
        return float(text)
    parts = DURATION_PARTS.findall(text)
    return sum(float(number) * SECONDS_PER_UNIT[unit] for number, unit in parts) or 1.0


def _is_plain_number(text: str) -> bool:
    return bool(re.fullmatch(r"\d+(?:\.\d+)?", text.strip()))


def find_api_root(url: str) -> str:
    """A server's address without the path of one request, which users paste with it."""
    root = url.rstrip("/")
    for path in ("/chat/completions", "/embeddings", "/models"):
        root = root.removesuffix(path)
    return root
