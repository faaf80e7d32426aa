"""Reads what a server sends, field by field: each is coerced or refused; no I/O, no clock.

Whatever stands in a field (text, list, object, null, NaN, an integer of any size) a function here gives a value of the
type that it promises, or raises `ProtocolError`; it never raises anything else. What was not said, or was said
in a way that cannot be (a negative count of tokens), is None. Bodies come without secrets (`scrubber.py`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import orjson

from kdos.arrays import Float32Array
from kdos.llm.limits import (
    MAX_EXCERPT_CHARS,
    MAX_FAULT_CHARS,
    MAX_ID_CHARS,
    MAX_JSON_DEPTH,
    MAX_LABEL_CHARS,
    MAX_MODEL_NAMES,
    MAX_USAGE_TOKENS,
)
from kdos.llm.reasoning import separate_reasoning
from kdos.tasks import Reply

BROKEN_FINISH = frozenset({"error", "abort", "aborted", "cancelled", "insufficient_system_resource"})
"""Finish reasons of answers that the server did not end."""
REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
CACHED_TOKENS_FIELDS = ("cached_tokens", "prompt_cache_hit_tokens")
"""What servers call the tokens of a prompt that they had read before: OpenAI, vLLM, llama.cpp; DeepSeek."""
REASONING_PART = re.compile(r"think|reason|thought", re.IGNORECASE)
"""In the type of a part of a message that is no answer."""
FAULT_KEYS = ("error", "detail", "message", "base_resp")
"""What stands in a body in place of choices when something went wrong."""
STATUS_KEYS = ("code", "status", "status_code")
FAULT_STATUS = (
    (429, re.compile(r"rate.?limit|too many|quota|throttl")),
    (503, re.compile(r"overload|unavailable|capacity|busy")),
    (401, re.compile(r"api.?key|authenti|unauthori")),
    (404, re.compile(r"not.?found|does not exist")),
    (400, re.compile(r"invalid|unsupported|not support|bad.?request|unrecognized|not permitted")),
)
"""The HTTP status that a fault without one stands for, by its words; the first that fits."""
UNKNOWN_FAULT_STATUS = 500
OBJECT_ID = re.compile(rf"[\w.:=-]{{1,{MAX_ID_CHARS}}}", re.ASCII)
CUSTOM_ID = re.compile(rb'"custom_id"\s*+:\s*+"([0-9a-f]{64})"')
"""Whose a row is that is cut or damaged elsewhere: our ids are the keys of requests."""
WEB_PAGE_TITLE = re.compile(r"<title>([^<]*+)</title>", re.IGNORECASE)


STREAM_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
"""How a stream of server-sent events may begin."""


class ProtocolError(ValueError):
    """The server's reply is not what an OpenAI-compatible server sends."""


class ServerFaultError(ProtocolError):
    """A reply whose HTTP status says that all is well holds an error; `status` is the one that it should have had."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Completion(NamedTuple):
    """What a server answered: the text, the reasoning before it, why it stopped, tokens.

    A count of tokens is None where the server did not say it; `odd_usage` if it said what cannot be. `cached_tokens`
    are those of the prompt that it had read before, 0 where it did not say.
    """

    text: str
    reasoning: str
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None
    odd_usage: bool = False
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch's file: whose it is, the HTTP status (0 for none), and the body or what went wrong.

    Of a row that is not `is_readable` nothing is known but whose it is.
    """

    custom_id: str
    status: int
    body: Any
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is, and the files with its rows, where there are any."""

    id: str
    status: str
    file_ids: tuple[str, ...]
    metadata: dict[str, str]
    input_file_id: str


def parse_json(raw: bytes) -> Any:
    """The JSON in a body.

    NaN, Infinity and integers of any size are taken, which Python's own module writes.

    Raises:
        ProtocolError: It is no JSON, or nests deeper than `MAX_JSON_DEPTH`.
    """
    if raw.count(b"[") + raw.count(b"{") > MAX_JSON_DEPTH and _is_too_deep(raw):
        raise ProtocolError(f"it sent JSON of more than {MAX_JSON_DEPTH} levels")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"it sent {excerpt_body(raw)}") from error


def _is_too_deep(raw: bytes) -> bool:
    """Whether brackets outside of strings nest too deep; in time linear in the body."""
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(unescaped.translate(None, NO_BRACKET).split(b'"')[::2])
    for _ in range(MAX_JSON_DEPTH):
        before, brackets = len(brackets), brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets or len(brackets) == before:
            break
    return bool(brackets)


NO_BRACKET = bytes(set(range(256)) - set(b'[]{}"'))


def read_completion(raw: bytes) -> Completion:
    """The completion in the body of a reply, which may be a stream of events.

    Raises:
        ServerFaultError: It is an error.
        ProtocolError: It is no chat completion.
    """
    if raw.startswith(STREAM_STARTS):
        return completion_of(_join_stream(raw))
    return completion_of(parse_json(raw))


def completion_of(value: Any) -> Completion:
    """The completion in a JSON value.

    Raises:
        ServerFaultError: It is an error.
        ProtocolError: It is no chat completion.
    """
    try:
        choice = value["choices"][0]
        message = choice["message"]
        content = message.get("content")
        text = content if type(content) is str else _read_content(message, content)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        _raise_fault(value, FAULT_KEYS)
        raise ProtocolError(f"it sent {describe_value(value)}") from error
    for place in (value, choice):
        if place.get("error"):
            _raise_fault(place, ("error",))
    finish = read_label(choice.get("finish_reason"), "stop")
    if finish in BROKEN_FINISH:
        raise ServerFaultError(UNKNOWN_FAULT_STATUS, f"the answer ended as {finish}")
    reasoning = _read_reasoning(message, content)
    text, thoughts = separate_reasoning(text)
    if not text.strip() and message.get("tool_calls"):
        finish = "tool_calls"
    prompt, completion, odd, cached = _read_usage(value.get("usage"))
    reasoning = make_storable(reasoning or thoughts)
    return Completion(make_storable(text), reasoning, finish, prompt, completion, odd, cached)


def _read_reasoning(message: dict[str, Any], content: object) -> str:
    """What the model thought, in a field of its own or in parts of the content."""
    for name in REASONING_FIELDS:
        if name in message and (reasoning := _join_texts(message[name])):
            return reasoning
    return "" if type(content) is str else _join_texts(content, reasoning=True)


def _read_usage(counts: Any) -> tuple[int | None, int | None, bool, int]:
    """Tokens of prompt and answer, None where they were not said; whether what was said cannot be; tokens cached."""
    usage: dict[str, Any] = counts if isinstance(counts, dict) else {}
    said = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    prompt, completion = read_token_count(said[0]), read_token_count(said[1])
    odd = (counts is not None and counts is not usage) or (
        (prompt is None and said[0] is not None) or (completion is None and said[1] is not None)
    )
    return prompt, completion, odd, min(_read_cached_tokens(usage), prompt or 0)


def _read_cached_tokens(usage: dict[str, Any]) -> int:
    details = usage.get("prompt_tokens_details")
    for place in (details, usage) if isinstance(details, dict) else (usage,):
        for name in CACHED_TOKENS_FIELDS:
            if name in place and (cached := read_token_count(place[name])):
                return cached
    return 0


def _read_content(message: dict[str, Any], content: object) -> str:
    """The text of a message whose content is no text: parts, or a refusal in its place."""
    if content is not None and not isinstance(content, list):
        raise TypeError("content")
    return _join_texts(content, reasoning=False) or _join_texts(message.get("refusal"))


def _join_texts(value: object, *, reasoning: bool | None = None) -> str:
    """A text, or the texts of a list of parts in one; empty where there is none.

    `reasoning` takes only the parts that are, or are not, what the model thought.
    """
    if isinstance(value, str):
        return "" if reasoning else value
    if not isinstance(value, list):
        return ""
    texts: list[str] = []
    for part in cast("list[Any]", value):
        pairs = cast("dict[str, Any]", part) if isinstance(part, dict) else {"text": part}
        thought = pairs.get("thought") is True or bool(REASONING_PART.search(str(pairs.get("type"))))
        text = pairs.get("text") or pairs.get("thinking") or pairs.get("summary")
        if reasoning is None or thought == reasoning:
            texts.append(text if isinstance(text, str) else _join_texts(text))
    return "".join(texts)


def _raise_fault(value: Any, keys: Iterable[str]) -> None:
    """Raise the `ServerFaultError` that a JSON value holds under one of the keys; nothing where it holds none."""
    pairs: dict[str, Any] = value if isinstance(value, dict) else {}
    if not any(pairs.get(key) for key in keys):
        return
    fault = next((pairs[key] for key in keys if isinstance(pairs.get(key), dict)), {})
    said = [place.get(key) for place in (fault, pairs) for key in STATUS_KEYS]
    status = next((status for status in map(read_status, said) if status >= 400), 0)
    if not status:
        words = json.dumps(pairs)[:MAX_FAULT_CHARS].lower()
        status = next((status for status, sign in FAULT_STATUS if sign.search(words)), UNKNOWN_FAULT_STATUS)
    raise ServerFaultError(status, describe_error(pairs))


def _join_stream(raw: bytes) -> dict[str, Any]:
    """The completion that a stream of server-sent events comes to.

    Raises:
        ProtocolError: An event cannot be read, or the stream broke off.
    """
    message: dict[str, list[Any]] = {}
    whole: dict[str, Any] = {"choices": [{"message": message}]}
    ended = False
    for line in raw.splitlines():
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data == b"[DONE]":
            ended = True
        elif data:
            ended |= _add_event(whole, message, parse_json(data))
    if not ended:
        raise ProtocolError("it sent a stream that broke off")
    if whole == {"choices": [{"message": {}}]}:
        raise ProtocolError("it sent a stream that ends before it begins")
    return whole


def _add_event(whole: dict[str, Any], message: dict[str, list[Any]], event: Any) -> bool:
    """Put one event of a stream into the completion, texts as lists of their parts; whether it ends the answer."""
    pairs: dict[str, Any] = event if isinstance(event, dict) else {}
    whole |= {key: pairs[key] for key in ("usage", "error") if pairs.get(key)}
    choices = pairs.get("choices")
    if not isinstance(choices, list) or not choices:
        _raise_fault(pairs, FAULT_KEYS)
        return False
    choice: Any = choices[0]
    if not isinstance(choice, dict):
        raise ProtocolError(f"it sent {describe_value(event)}")
    delta = choice["delta"] if "delta" in choice else choice.get("message")
    for key, value in delta.items() if isinstance(delta, dict) else ():
        if value and key != "role":
            message.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    whole["choices"][0] |= {key: choice[key] for key in ("finish_reason", "error") if choice.get(key)}
    return bool(choice.get("finish_reason"))


def name_missing_answer(reply: Reply) -> str:
    """Why a reply that came holds no answer; empty where it holds one, or was cut off before it."""
    if reply.finish == "content_filter":
        return "the server's filter kept the answer back (finish reason content_filter)"
    if reply.text.strip() or reply.finish == "length":
        return ""
    if reply.finish in {"tool_calls", "function_call"}:
        return f"the model called a tool instead of answering (finish reason {reply.finish})"
    if reply.reasoning:
        return "the whole answer is reasoning: nothing stands after it, or the server took the answer for reasoning"
    return "the answer is empty"


def read_token_count(value: object) -> int | None:
    """A count of tokens; None where it is none, or cannot be one."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_USAGE_TOKENS else None


def read_label(value: object, otherwise: str) -> str:
    """A short name such as a finish reason on one line; `otherwise` where it is none."""
    if not isinstance(value, str) or not value:
        return otherwise
    label = value[:MAX_LABEL_CHARS]
    return label if label.isprintable() else "".join(char if char.isprintable() else "�" for char in label)


def make_storable(text: str) -> str:
    """The text with nothing in it that has no UTF-8 form (a surrogate without its partner)."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def read_vectors(raw: bytes, n_texts: int) -> tuple[Float32Array, int | None]:
    """The vectors in a reply of an embeddings endpoint, in the order of the texts, and the tokens it counted.

    The array has shape (n_texts, dim).

    Raises:
        ProtocolError: It is no list of so many vectors of finite numbers, all of one length.
    """
    value = parse_json(raw)
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in cast("list[object]", data)):
        raise ProtocolError(f"it sent {describe_value(value)}")
    rows: dict[int, Any] = {}
    for row in cast("list[dict[str, Any]]", data):
        number = row.get("index")
        if type(number) is not int or number in rows:
            raise ProtocolError(f"a vector's index must be a number of its own; it sent {describe_value(number)}")
        rows[number] = row.get("embedding")
    if rows.keys() != set(range(n_texts)):
        raise ProtocolError(f"it sent {len(rows)} vectors (data) for {n_texts} texts")
    vectors = [_read_vector(rows[number]) for number in range(n_texts)]
    if len({len(vector) for vector in vectors}) > 1:
        raise ProtocolError("it sent vectors of different lengths")
    usage = value.get("usage")
    tokens = read_token_count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return np.stack(vectors), tokens


def _read_vector(value: object) -> Float32Array:
    """One vector, shape (dim,)."""
    try:
        numbers = np.asarray(value) if isinstance(value, list) else np.zeros(())
    except ValueError:  # lists of different lengths inside
        numbers = np.zeros(())
    if numbers.ndim == 1 and len(numbers) and numbers.dtype.kind in "fiu":
        with np.errstate(over="ignore"):
            vector = numbers.astype(np.float32)
        if np.isfinite(vector).all():
            return vector
    raise ProtocolError(f"a vector must be a list of finite numbers; it sent {describe_value(value)}")


def read_batch_rows(raw: bytes) -> Iterator[BatchRow | None]:
    """Every row of a batch's file; None for one that does not say whose it is."""
    for line in raw.split(b"\n"):
        if line.strip():
            yield _read_batch_row(line)


def _read_batch_row(line: bytes) -> BatchRow | None:
    try:
        row = parse_json(line)
    except ProtocolError:
        named = CUSTOM_ID.search(line)
        return BatchRow(named.group(1).decode(), 0, None, is_readable=False) if named else None
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
        return None
    response = row.get("response")
    if not isinstance(response, dict):
        return BatchRow(row["custom_id"], 0, row.get("error"))
    body = response.get("body")
    if isinstance(body, str):  # some servers put the body in as text
        try:
            body = parse_json(body.encode(errors="replace"))
        except ProtocolError:
            body = None
    status = read_status(response.get("status_code"))
    if not status and isinstance(body, dict) and "choices" in body:
        status = 200  # an answer is an answer, and paid for
    return BatchRow(row["custom_id"], status, body)


def read_status(value: object) -> int:
    """An HTTP status; 0 where it is none."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9][0-9]", value):
        value = int(value)
    return value if type(value) is int and 100 <= value <= 599 else 0


def read_batch_state(raw: bytes) -> BatchState:
    """How far a batch is.

    Raises:
        ProtocolError: It is no batch.
    """
    return batch_state_of(parse_json(raw))


def batch_state_of(value: Any) -> BatchState:
    """The state of a batch in a JSON value.

    Raises:
        ProtocolError: It is no batch.
    """
    if not isinstance(value, dict):
        raise ProtocolError(f"it sent {describe_value(value)}")
    pairs = cast("dict[str, Any]", value)
    files = [pairs.get("output_file_id"), pairs.get("error_file_id")]
    noted: Any = pairs.get("metadata")
    noted = noted if isinstance(noted, dict) else {}
    return BatchState(
        id=read_object_id(pairs),
        status=read_label(pairs.get("status"), ""),
        file_ids=tuple(str(file) for file in files if _is_object_id(file)),
        metadata={key: text for key, text in noted.items() if isinstance(text, str)}
        if isinstance(noted, dict)
        else {},
        input_file_id=str(pairs["input_file_id"]) if _is_object_id(pairs.get("input_file_id")) else "",
    )


def read_batch_list(raw: bytes) -> list[BatchState]:
    """The batches in a list of them; those that cannot be read are left out."""
    value = parse_json(raw)
    data = value.get("data") if isinstance(value, dict) else None
    batches: list[BatchState] = []
    for item in cast("list[Any]", data) if isinstance(data, list) else []:
        try:
            batches.append(batch_state_of(item))
        except ProtocolError:
            continue
    return batches


def read_object_id(value: Any) -> str:
    """The `id` of an object at the server: it becomes part of an address.

    Raises:
        ProtocolError: There is none, or it is more than letters, digits and `._:=-`.
    """
    found = value.get("id") if isinstance(value, dict) else None
    if not _is_object_id(found):
        raise ProtocolError(f"it sent {describe_value(value)}")
    return cast("str", found)


def _is_object_id(value: object) -> bool:
    return isinstance(value, str) and OBJECT_ID.fullmatch(value) is not None and value.strip(".") != ""


def read_model_names(raw: bytes) -> list[str]:
    """The names in a list of models; empty where there is no such list."""
    try:
        value = parse_json(raw)
    except ProtocolError:
        return []
    data = value.get("data") if isinstance(value, dict) else None
    items = cast("list[Any]", data)[:MAX_MODEL_NAMES] if isinstance(data, list) else []
    names = (item.get("id") for item in items if isinstance(item, dict))
    return [name for name in names if isinstance(name, str) and name]


def read_error_message(raw: bytes) -> str:
    """The server's own message in the body of an error, short and on one line."""
    try:
        value = parse_json(raw)
    except ProtocolError:
        return excerpt_body(raw)
    return describe_error(value)


def describe_error(value: Any) -> str:
    """The server's own message in a JSON value."""
    for key in ("error", "message", "detail"):
        if isinstance(value, dict):
            pairs = cast("dict[str, Any]", value)
            value = pairs.get(key, pairs)
    return excerpt_text(value) if isinstance(value, str) else describe_value(value)


def describe_value(value: Any) -> str:
    """A JSON value, short and on one line."""
    return excerpt_text(dump_value(value))


def dump_value(value: Any) -> str:
    """A JSON value as text."""
    return json.dumps(value, ensure_ascii=False)


def excerpt_body(raw: bytes) -> str:
    """The beginning of a body, short and on one line; a web page is named as such."""
    return excerpt_text(raw[: 4 * MAX_EXCERPT_CHARS].decode(errors="replace"))


def excerpt_text(text: str) -> str:
    """The beginning of a text, short and on one line of printable characters; a web page is named as such."""
    line = " ".join(text[: 4 * MAX_EXCERPT_CHARS].split())
    line = "".join(char if char.isprintable() else "�" for char in line)
    if line[:1] == "<":
        title = WEB_PAGE_TITLE.search(line)
        return f"a web page{f' ({title.group(1)[:80]})' if title else ''}"
    if not line:
        return "nothing"
    return line if len(line) <= MAX_EXCERPT_CHARS else f"{line[:MAX_EXCERPT_CHARS]}…"
