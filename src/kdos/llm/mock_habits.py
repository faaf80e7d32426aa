"""The habits that servers have, for the mock server to take on: what it refuses, and in what form it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any

import orjson

Refusal = tuple[int, str] | None
"""An HTTP status and a message; None where the request is taken."""
SOME = 4  # one request in so many meets a habit that is only sometimes there, the same ones each time
LIMITED_REPLIES = 2  # the first so many tell of a rate limit that is used up
LIMITED_SECONDS = 1.0  # whole ones, for dates have no others
FEW_TEXTS = 6  # that an embeddings endpoint takes at once


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request as a habit sees it: body, query and headers (any case), and how many came before it."""

    body: Mapping[str, Any]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    earlier: int = 0

    @property
    def is_drawn(self) -> bool:
        """Whether a habit that is only sometimes there meets it."""
        return blake2b(orjson.dumps(self.body)).digest()[0] % SOME == 0

    @property
    def form(self) -> str:
        """The form of the answer that is asked for, as text."""
        return json.dumps(self.body.get("response_format") or "")


def take_all(_: AskedRequest) -> Refusal:
    """Refuse nothing."""
    return None


def leave_as_is(completion: dict[str, Any], _: AskedRequest) -> dict[str, Any]:
    """Answer as ever."""
    return completion


def no_headers(_asked: AskedRequest, _now: float) -> dict[str, str]:
    """Add no header."""
    return {}


@dataclass(frozen=True, slots=True)
class Habit:
    """What a server does otherwise: requests refused, completions changed, headers added, all as streams."""

    what: str
    refuse: Callable[[AskedRequest], Refusal] = take_all
    change: Callable[[dict[str, Any], AskedRequest], dict[str, Any]] = leave_as_is
    headers: Callable[[AskedRequest, float], dict[str, str]] = no_headers
    streams: bool = False
    lists_models_as: str = "{}"


def _refuse_field(name: str, status: int, message: str) -> Habit:
    return Habit(f"refuses {name}", lambda asked: (status, message) if name in asked.body else None)


def _refuse_schema(status: int, message: str, word: str = "json_schema") -> Habit:
    """Refuse a form of the answer whose text holds a word."""
    what = f"refuses a response_format with {word}, with {status}"
    return Habit(what, lambda asked: (status, message) if word in asked.form else None)


def _refuse_limit(asked: AskedRequest) -> Refusal:
    return (400, "Bad request.") if {"max_tokens", "max_completion_tokens"} & asked.body.keys() else None


def _refuse_system(asked: AskedRequest) -> Refusal:
    is_system = asked.body["messages"][0]["role"] == "system"
    return (400, "Only the roles user and assistant are known; system is not supported.") if is_system else None


def _refuse_whole(asked: AskedRequest) -> Refusal:
    return None if asked.body.get("stream") else (400, "This model answers in streams alone: set stream to true.")


def _want_version(asked: AskedRequest) -> Refusal:
    return None if asked.query.get("api-version") else (404, "Resource not found")


def _want_key_header(asked: AskedRequest) -> Refusal:
    return None if asked.headers.get("api-key") else (401, "Access denied: no key in the header api-key.")


def _refuse_many_texts(asked: AskedRequest) -> Refusal:
    texts = asked.body.get("input")
    too_many = isinstance(texts, list) and len(texts) > FEW_TEXTS
    return (413, f"batch size must be at most {FEW_TEXTS}") if too_many else None


def _change_text(what: str, write: Callable[[str], str]) -> Habit:
    """The answer's text in another form."""

    def change(completion: dict[str, Any], _: AskedRequest) -> dict[str, Any]:
        message = completion["choices"][0]["message"]
        return _with_message(completion, content=write(message["content"]))

    return Habit(what, change=change)


def _with_message(completion: dict[str, Any], *, finish: str = "", **message: Any) -> dict[str, Any]:
    choice = completion["choices"][0]
    changed = {**choice, "message": choice["message"] | message, "finish_reason": finish or choice["finish_reason"]}
    return completion | {"choices": [changed]}


def _reason_apart(completion: dict[str, Any], _: AskedRequest) -> dict[str, Any]:
    return _with_message(completion, reasoning_content=THOUGHT)


def _reason_alone(completion: dict[str, Any], _: AskedRequest) -> dict[str, Any]:
    text = completion["choices"][0]["message"]["content"]
    return _with_message(completion, content=None, reasoning_content=text)


def _write_parts(completion: dict[str, Any], _: AskedRequest) -> dict[str, Any]:
    text = completion["choices"][0]["message"]["content"]
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}
    parts = [thinking, *({"type": "text", "text": half} for half in (text[:5], text[5:]))]
    return _with_message(completion, content=parts)


def _sometimes(what: str, **message: Any) -> Habit:
    """Some answers have another message."""

    def change(completion: dict[str, Any], asked: AskedRequest) -> dict[str, Any]:
        return _with_message(completion, **message) if asked.is_drawn else completion

    return Habit(what, change=change)


def _fail_first(completion: dict[str, Any], asked: AskedRequest) -> dict[str, Any]:
    return completion if asked.earlier else {"error": {"code": 429, "message": "Rate limit reached."}}


def _fail_later(completion: dict[str, Any], asked: AskedRequest) -> dict[str, Any]:
    fails = asked.earlier % SOME == SOME - 1
    return {"error": {"type": "server_error", "message": "The model is overloaded."}} if fails else completion


def _count_oddly(completion: dict[str, Any], _: AskedRequest) -> dict[str, Any]:
    return completion | {"usage": {"prompt_tokens": "12", "completion_tokens": None, "total_tokens": -1}}


def _tell_reset(what: str, write: Callable[[float], str]) -> Habit:
    """The first replies tell of a rate limit that is used up; `write` gets Unix time of its end."""

    def headers(asked: AskedRequest, now: float) -> dict[str, str]:
        if asked.earlier >= LIMITED_REPLIES:
            return {}
        return {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": write(now + LIMITED_SECONDS)}

    return Habit(f"tells when a rate limit ends {what}", headers=headers)


THOUGHT = 'I should answer as {"answer": "no"} or {"drafts": []}.'
TOOL_CALL = [{"id": "1", "type": "function", "function": {"name": "answer", "arguments": "{}"}}]
CANNOT = "It cannot be done."

HABITS: dict[str, Habit] = {
    "max-completion-tokens": _refuse_field(
        "max_tokens", 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    ),
    "no-max-tokens": Habit("refuses any limit of tokens, and does not say so", _refuse_limit),
    "no-temperature": _refuse_field("temperature", 400, "Unsupported value: 'temperature' does not support it."),
    "no-seed": _refuse_field("seed", 422, "extra_forbidden: body, seed: Extra inputs are not permitted"),
    "no-system": Habit("knows no role system", _refuse_system),
    **{f"no-schema-{status}": _refuse_schema(status, "response_format is no good") for status in (400, 422, 501)},
    **{f"no-schema-{status}": _refuse_schema(status, CANNOT) for status in (404, 500, 503)},
    "no-json": _refuse_schema(400, CANNOT, '"type"'),
    "no-min-items": _refuse_schema(400, "response_format: 'minItems' is not supported", "minItems"),
    "stream-only": Habit("answers in streams, and only when asked to", _refuse_whole, streams=True),
    "always-streams": Habit("answers in streams without being asked", streams=True),
    "api-version": Habit("wants ?api-version= in the address", _want_version),
    "api-key": Habit("wants the key in the header api-key", _want_key_header),
    "few-texts": Habit(f"embeds at most {FEW_TEXTS} texts at once", _refuse_many_texts),
    "model-names": Habit("lists its models by other names", lists_models_as="models/{}"),
    "reasoning-field": Habit("puts its reasoning into a field", change=_reason_apart),
    "reasoning-alone": Habit("puts the answer into the field of the reasoning", change=_reason_alone),
    "think-tags": _change_text("puts its reasoning into tags", lambda text: f"<think>{THOUGHT}</think>\n{text}"),
    "think-close": _change_text("ends its reasoning with a tag alone", lambda text: f"{THOUGHT}\n</think>\n\n{text}"),
    "channels": _change_text(
        "answers in channels",
        lambda text: f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|channel|>final<|message|>{text}<|return|>",
    ),
    "parts": Habit("puts the answer into parts", change=_write_parts),
    "some-null": _sometimes("leaves some answers out", content=None),
    "some-filtered": _sometimes("keeps some answers back", content=None, finish="content_filter"),
    "some-tools": _sometimes("calls a tool now and then", content=None, tool_calls=TOOL_CALL, finish="tool_calls"),
    "error-first": Habit("answers the first request with 200 and an error", change=_fail_first),
    "error-later": Habit("answers some requests with 200 and an error", change=_fail_later),
    "odd-usage": Habit("counts tokens in texts, and less than none", change=_count_oddly),
    "reset-seconds": _tell_reset("in seconds", lambda _: f"{LIMITED_SECONDS:g}"),
    "reset-duration": _tell_reset("as a duration", lambda _: f"0m{LIMITED_SECONDS:g}s"),
    "reset-date": _tell_reset("as a date", lambda end: format_datetime(datetime.fromtimestamp(end, UTC), usegmt=True)),
    "reset-unix": _tell_reset("in Unix time", lambda end: str(int(end))),
    "reset-unix-ms": _tell_reset("in Unix time of milliseconds", lambda end: str(int(1000 * end))),
}
"""By name, for `kdos serve-rules --habit NAME`."""


def write_stream(completion: Mapping[str, Any]) -> bytes:
    """A completion as the events of a stream, its texts in two parts each."""
    if "choices" not in completion:
        return b"data: " + orjson.dumps(completion) + b"\n\n"
    choice = completion["choices"][0]
    events: list[Any] = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}]
    for name, value in choice["message"].items():
        halves = (value[:5], value[5:]) if isinstance(value, str) else (value,)
        events += [{"choices": [{"index": 0, "delta": {name: half}}]} for half in halves if name != "role"]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    events.append({"choices": [], "usage": completion.get("usage")})
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
