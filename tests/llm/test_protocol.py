"""The wire: what is sent, and everything that servers send back."""

from typing import Any

import orjson
import pytest

from kdos.config import PriceConfig
from kdos.llm.protocol import (
    RateLimit,
    RetryPolicy,
    bound_usage,
    find_api_root,
    is_retryable,
    measure_usage,
    parse_wait,
    read_rate_limits,
    read_retry_after,
)
from kdos.llm.reply_reader import Completion, ProtocolError, excerpt_body, read_completion, read_error_message
from kdos.llm.reply_store import Spending
from kdos.tasks import Prompt, Reply, Request, Usage
from kdos.tasks.prompt import TEXT, an_object

PROMPT = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
REQUEST = Request(id="seed/1", prompt=PROMPT, inputs={"number": 1}, params={"top_p": 0.5})


def completion(message: dict[str, Any], **more: Any) -> bytes:
    return orjson.dumps({"choices": [{"message": message, "finish_reason": "stop"}], **more})


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "{}"}, "{}", ""),
        ({"content": "{}", "reasoning_content": "hm"}, "{}", "hm"),
        ({"content": "{}", "reasoning": "hm"}, "{}", "hm"),
        ({"content": "<think>\nhm\n</think>\n\n{}"}, "{}", "hm"),
        ({"content": [{"type": "text", "text": "{"}, {"type": "text", "text": "}"}]}, "{}", ""),
        ({"content": None, "refusal": "I will not."}, "I will not.", ""),
        ({"content": None}, "", ""),
    ],
)
def test_text_and_reasoning_are_told_apart(message: dict[str, Any], text: str, reasoning: str) -> None:
    answer = read_completion(completion(message, usage={"prompt_tokens": 3, "completion_tokens": 2}))
    assert (answer.text, answer.reasoning) == (text, reasoning)
    assert (answer.prompt_tokens, answer.completion_tokens) == (3, 2)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b'"a"', b"null"]
)
def test_what_is_no_completion_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_completion(raw)


def test_tokens_are_estimated_where_the_server_does_not_count() -> None:
    answer = Completion("x" * 400, "", "stop", None, None)
    usage = measure_usage(answer, 4000, PriceConfig(prompt=1.0, completion=10.0))
    assert (usage.prompt_tokens, usage.completion_tokens) == (1000, 100)
    assert usage.cost_usd == pytest.approx(0.001 + 0.001)


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 320}}, 320),
        ({"prompt_tokens_details": {"cached_tokens": None}}, 0),
        ({"prompt_tokens_details": None, "prompt_cache_hit_tokens": 320}, 320),
        ({"cached_tokens": 320.0}, 320),
        ({"cached_tokens": 9999}, 1000),  # no more than there are
        ({"cached_tokens": "320"}, 0),
        ({"cached_tokens": -1}, 0),
        ({"prompt_tokens_details": [320]}, 0),
        ({}, 0),
    ],
)
def test_what_a_server_had_read_before_is_counted(usage: dict[str, Any], cached: int) -> None:
    counted = {"prompt_tokens": 1000, "completion_tokens": 10, **usage}
    answer = read_completion(completion({"content": "x"}, usage=counted))
    assert not answer.odd_usage
    assert measure_usage(answer, 4000, PriceConfig(1.0, 1.0)).cached_tokens == cached
    assert Spending.of_replies([Reply(REQUEST, usage=Usage(1000, 10, 0.0, 320))] * 2).cached_tokens == 640


def test_the_most_is_more_than_what_a_request_comes_to() -> None:
    most = bound_usage(REQUEST, request_bytes=0, max_tokens=100, prices=PriceConfig(1.0, 2.0))
    assert most.prompt_tokens >= len(REQUEST.messages[0]["content"]) / 4
    assert most.completion_tokens == 100
    assert most.cost_usd > 0
    unread = bound_usage(REQUEST, request_bytes=100_000, max_tokens=100, prices=None)
    assert unread.prompt_tokens == 25_000


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"error": "no such model"}', "no such model"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"object": "error", "message": "no such model"}', "no such model"),
        (b"<html><title>404 Not Found</title>", "a web page (404 Not Found)"),
        (b"", "nothing"),
        (b"\xff\xfe", "��"),
    ],
)
def test_the_servers_own_words_are_found(raw: bytes, words: str) -> None:
    assert read_error_message(raw) == words


def test_an_excerpt_is_short() -> None:
    assert len(excerpt_body(b"a" * 10_000)) < 310


def test_waiting_times_are_read_in_every_form() -> None:
    assert read_retry_after({"retry-after": "7"}, now=0) == 7
    assert read_retry_after({"retry-after-ms": "250"}, now=0) == 0.25
    assert read_retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=20) == 40
    assert read_retry_after({"retry-after": "soon"}, now=0) == 0
    assert read_retry_after({}, now=0) == 0
    assert parse_wait("6m0s", now=0) == 360
    assert parse_wait("20ms", now=0) == 0.02
    assert parse_wait("1.5", now=0) == 1.5
    assert parse_wait("?", now=0) is None


def test_rate_limits_are_read_from_headers() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}
    assert read_rate_limits(headers, now=0) == {"x-ratelimit-remaining-requests": RateLimit(0, 2)}
    assert read_rate_limits({}, now=0) == {}


def test_an_address_may_be_given_with_its_path() -> None:
    for url in ("http://a/v1", "http://a/v1/", "http://a/v1/chat/completions"):
        assert find_api_root(url) == "http://a/v1"


def test_delays_grow_with_jitter_and_a_server_may_ask_for_more_within_reason() -> None:
    policy = RetryPolicy(max_attempts=9, first_delay=1.0, max_delay=30.0, jitter=0.5)
    assert [policy.delay_after(attempt) for attempt in (1, 2, 3, 9)] == [1, 2, 4, 30]
    assert policy.delay_after(3, chance=0.0) == 2
    assert policy.delay_after(1, asked=7.0) == 7
    assert policy.delay_after(9, asked=7.0) == 30
    assert policy.delay_after(1, asked=1.8e9) == 600


def test_statuses_after_which_the_same_request_may_succeed() -> None:
    tried = (200, 400, 404, 408, 422, 429, 500, 503)
    assert [status for status in tried if is_retryable(status)] == [408, 429, 500, 503]
