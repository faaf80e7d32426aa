"""OpenAI's chat protocol: what requests cost, when to try again, how long to wait. No I/O, no clock."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kdos.config import PriceConfig
from kdos.llm.limits import MAX_WAIT_SECONDS
from kdos.llm.reply_reader import Completion
from kdos.tasks import Request, Usage

PROTOCOL_VERSION = 2
"""Changes whenever the same request is put to a model in other words; part of fingerprints."""

TOKENS_PER_PRICE = 1_000_000
MIN_BYTES_PER_TOKEN = 2
"""No text we know of has more tokens than half its UTF-8 bytes; English has about a quarter."""
TYPICAL_BYTES_PER_TOKEN = 4
"""What is assumed where a server does not say how many tokens it read and wrote."""
RETRYABLE_STATUS = frozenset({408, 409, 425, 429})
"""Statuses after which the same request may succeed, beside 5xx."""
NOT_IMPLEMENTED = 501
REQUEST_FAULT_STATUS = frozenset({400, 413, 422, NOT_IMPLEMENTED})
"""Statuses that can be the fault of one request alone."""

DURATION_PARTS = re.compile(r"(?<![0-9])([0-9]++(?:\.[0-9]++)?)(ns|us|µs|ms|s|m|h|d)")
DURATION = re.compile(rf"(?:{DURATION_PARTS.pattern})++")
SECONDS_PER_UNIT = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MAX_WAIT_CHARS = 64  # of a header that tells of waiting
MIN_UNIX_SECONDS, MIN_UNIX_MILLISECONDS = 1e9, 1e12  # from September 2001 on; as durations, decades
UNSAID_RESET_SECONDS = 1.0
LEFT_WORD, RESET_WORD = "remaining", "reset"
"""In the name of a header of what a rate limit leaves, and in the same name of when it is full again."""


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
        return max(min(asked, MAX_WAIT_SECONDS), jittered)


def is_retryable(status: int) -> bool:
    """Whether the same request may succeed after a reply with this status."""
    return status in RETRYABLE_STATUS or (status >= 500 and status != NOT_IMPLEMENTED)


def price_tokens(prices: PriceConfig | None, prompt: int, completion: int) -> Usage:
    """The usage of so many tokens, in USD; 0.0 where prices are not known."""
    if prices is None:
        return Usage(prompt, completion)
    cost = (prompt * prices.prompt + completion * prices.completion) / TOKENS_PER_PRICE
    return Usage(prompt, completion, cost)


def measure_usage(answer: Completion, request_bytes: int, prices: PriceConfig | None) -> Usage:
    """Tokens and money of an answer; tokens that the server does not count are estimated."""
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    if not prompt:  # nothing is asked in no tokens: 0 is not counted either
        prompt = estimate_tokens(request_bytes)
    if not completion:
        completion = estimate_tokens(len(answer.text.encode(errors="replace")) + len(answer.reasoning))
    usage = price_tokens(prices, prompt, completion)
    return replace(usage, cached_tokens=answer.cached_tokens) if answer.cached_tokens else usage


def estimate_tokens(n_bytes: int) -> int:
    """How many tokens a text of so many bytes has, where nobody counted."""
    return -(-n_bytes // TYPICAL_BYTES_PER_TOKEN)


def bound_usage(request: Request, *, request_bytes: int, max_tokens: int, prices: PriceConfig | None) -> Usage:
    """The most that a request can come to; used to stay under a cap. `request_bytes` is how long its body is."""
    chat = sum(len(message["content"].encode(errors="replace")) for message in request.messages)
    # An attempt whose answer cannot be read is reckoned by its body, which has a schema beside the chat.
    prompt = max(chat // MIN_BYTES_PER_TOKEN, estimate_tokens(request_bytes))
    return price_tokens(prices, prompt, max_tokens * request.max_tokens_factor)


def read_retry_after(headers: Mapping[str, str], *, now: float) -> float:
    """Seconds that the server asks to wait, at most `MAX_WAIT_SECONDS`; 0 if it does not say. `now` is Unix time."""
    millis = _finite_number(headers.get("retry-after-ms", ""))
    if millis is not None:
        return min(max(0.0, millis / 1000), MAX_WAIT_SECONDS)
    return parse_wait(headers.get("retry-after", ""), now=now) or 0.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a rate limit leaves: how many more, and in how many seconds it is full again."""

    remaining: float
    reset_seconds: float


def read_rate_limits(headers: Mapping[str, str], *, now: float) -> dict[str, RateLimit]:
    """The rate limits that a reply's headers tell of, by what they count. `now` is Unix time.

    A limit whose reset cannot be read is full again in `UNSAID_RESET_SECONDS`.
    """
    limits: dict[str, RateLimit] = {}
    for header, left in headers.items():
        name = header.lower()
        if LEFT_WORD in name and "rate" in name and (remaining := _finite_number(left)) is not None:
            reset = parse_wait(headers.get(name.replace(LEFT_WORD, RESET_WORD), ""), now=now)
            limits[name] = RateLimit(remaining, UNSAID_RESET_SECONDS if reset is None else reset)
    return limits


def parse_wait(text: str, *, now: float) -> float | None:
    """Seconds to wait, in [0, `MAX_WAIT_SECONDS`], in any form that servers use; None if it is none of them.

    Seconds (`1.5`), durations (`6m0s`, `200ms`), dates of HTTP and ISO 8601, Unix times in seconds or milliseconds.
    """
    text = text.strip()[:MAX_WAIT_CHARS]
    number = _finite_number(text)
    if number is None:
        wait = _parse_duration(text)
        if wait is None and (date := _parse_date(text)) is not None:
            wait = date - now
    elif number >= MIN_UNIX_MILLISECONDS:
        wait = number / 1000 - now
    else:
        wait = number - now if number >= MIN_UNIX_SECONDS else number
    return None if wait is None else min(max(0.0, wait), MAX_WAIT_SECONDS)


def _parse_date(text: str) -> float | None:
    """The Unix time of a date of HTTP or ISO 8601."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _parse_duration(text: str) -> float | None:
    """The seconds of a duration such as `6m0s`."""
    if not DURATION.fullmatch(text):
        return None
    return sum(float(number) * SECONDS_PER_UNIT[unit] for number, unit in DURATION_PARTS.findall(text))


def _finite_number(text: str) -> float | None:
    """The number that a text is; None for NaN, infinity and everything else."""
    try:
        number = float(text[:MAX_WAIT_CHARS])
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def find_api_root(url: str) -> str:
    """A server's address without the path of one request, which users paste with it, and without its query."""
    root = url.partition("?")[0].rstrip("/")
    for path in ("/chat/completions", "/embeddings", "/models"):
        root = root.removesuffix(path)
    return root
