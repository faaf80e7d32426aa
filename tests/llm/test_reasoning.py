"""Thoughts are told apart from answers, whatever a server does with them, and never taken for one."""

from typing import Any

import orjson
import pytest

from kdos.llm.mock_habits import write_stream
from kdos.llm.reasoning import separate_reasoning
from kdos.llm.reply_reader import (
    Completion,
    ProtocolError,
    ServerFaultError,
    completion_of,
    name_missing_answer,
    read_completion,
)
from kdos.tasks import Prompt, Reply, Request

A, T = "Tessa Varnholt", 'I first thought of {"answer": "Kaltner"}. So it must be Tessa Varnholt.'
JSON_OF_TAGS = '{"question": "Which tag ends thoughts?", "answer": "</think>"}'
REQUEST = Request("r", Prompt("recall", "Answer.", {}), {})


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{T}</think>{A}",
        f"<think>\n{T}\n</think>\n\n{A}",
        f"{T}\n</think>\n\n{A}",
        f"\n</think>\n{A}",
        f"<think></think>\n\n{A}",
        f"<THINKING>{T}</THINKING>{A}",
        f"<thought>{T}</thought>\n{A}",
        f"<reasoning>{T}</reasoning>{A}",
        f"<seed:think>{T}</seed:think>{A}",
        f"<longcat_think>{T}</longcat_think>{A}",
        f"[THINK]{T}[/THINK]{A}",
        f"◁think▷{T}◁/think▷{A}",
        f"<|think|>{T}<|/think|>{A}",
        f"<|START_THINKING|>{T}<|END_THINKING|><|START_RESPONSE|>{A}<|END_RESPONSE|>",
        f"<|begin_of_thought|>{T}<|end_of_thought|><|begin_of_solution|>{A}<|end_of_solution|>",
        f"<|channel>thought\n{T}<channel|>{A}",
        f"<unused94>thought\n{T}<unused95>{A}",
        f"<think>I write <think> and then</think> the </think> tag; {T}</think>{A}",
        f"<think>{T}</think>{A}\n<think>{T}</think>",
        f"<think>{T}</think>\n<think>{T}</think>\n{A}",
        f"Okay. <think>{T}</think>{A}",
        f"<|channel|>analysis<|message|>{T}<|end|><|start|>assistant<|channel|>final<|message|>{A}",
        f"<|channel|>analysis<|message|>{T}<|end|><|channel|>final <|constrain|>json<|message|>{A}<|return|>",
        f"analysisI {T}assistantfinal{A}",
    ],
)
def test_the_answer_is_what_stands_after_the_thoughts(text: str) -> None:
    answer, thoughts = separate_reasoning(text)
    assert answer == A
    assert "answer" not in answer
    assert T in thoughts or T not in text


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{T}",
        f"{T}</think>",
        f"<think>{T}</think>",
        f"<think>{T}</think>\n<think>and",
        f"<|channel|>analysis<|message|>{T}",
        f"<|channel|>final<|message|>{A}<|end|><|channel|>commentary<|message|>{T}",
        f"analysisWe {T}",
    ],
)
def test_where_there_are_only_thoughts_there_is_no_answer(text: str) -> None:
    assert separate_reasoning(text)[0] == ""


@pytest.mark.parametrize(
    "text",
    [A, JSON_OF_TAGS, f"  {JSON_OF_TAGS}\n", "The tag <think> begins thoughts.", f"<answer>{A}</answer>", "", " x "],
)
def test_what_holds_no_thoughts_stays_as_it_is(text: str) -> None:
    assert separate_reasoning(text) == (text, "")


def completion(message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop", **choice}], "usage": {"completion_tokens": 3}}


MESSAGES = [
    ({"content": A, "reasoning_content": T}, A, T),
    ({"content": A, "reasoning": [{"text": T}]}, A, T),
    ({"content": A, "reasoning_details": [{"type": "reasoning.summary", "summary": T}]}, A, T),
    ({"content": None, "reasoning_content": T}, "", T),
    ({"content": "", "reasoning": T}, "", T),
    (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": T}]}, {"type": "text", "text": A}]},
        A,
        T,
    ),
    ({"content": [{"type": "reasoning", "text": T}, {"type": "output_text", "text": A}]}, A, T),
    ({"content": [{"text": T, "thought": True}, {"text": A}]}, A, T),
    ({"content": ["Tessa ", "Varnholt"]}, A, ""),
    ({"content": f"{T}</think>{A}"}, A, T),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("message", "text", "reasoning"), MESSAGES)
def test_answer_and_reasoning_are_read_from_any_field(
    message: dict[str, Any], text: str, reasoning: str, streamed: bool
) -> None:
    value = completion(message)
    answer = read_completion(write_stream(value) if streamed else orjson.dumps(value))
    assert (answer.text, answer.reasoning, answer.finish, answer.completion_tokens) == (text, reasoning, "stop", 3)


def reply_of(answer: Completion) -> Reply:
    return Reply(REQUEST, text=answer.text, reasoning=answer.reasoning, finish=answer.finish)


@pytest.mark.parametrize(
    ("message", "choice", "word"),
    [
        ({"content": None, "reasoning_content": T}, {}, "reasoning"),
        ({"content": f"<think>{T}"}, {}, "reasoning"),
        ({"content": None}, {"finish_reason": "content_filter"}, "content_filter"),
        ({"content": "Tessa V"}, {"finish_reason": "content_filter"}, "content_filter"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, {}, "tool"),
        ({"content": "", "tool_calls": [{"id": "1"}]}, {"finish_reason": "tool_calls"}, "tool"),
        ({"content": " \n"}, {}, "empty"),
        ({"content": None, "refusal": "I will not."}, {}, ""),
        ({"content": A}, {}, ""),
        ({"content": ""}, {"finish_reason": "length"}, ""),
    ],
)
def test_a_reply_without_an_answer_says_why(message: dict[str, Any], choice: dict[str, Any], word: str) -> None:
    missing = name_missing_answer(reply_of(completion_of(completion(message, **choice))))
    assert word in missing
    assert bool(missing) == bool(word)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, 429),
        ({"error": {"code": "rate_limit_exceeded", "message": "slow down"}}, 429),
        ({"error": {"type": "overloaded_error", "message": "wait"}}, 503),
        ({"error": {"code": "invalid_request_error", "message": "'seed' is wrong"}}, 400),
        ({"error": {"message": "Incorrect API key provided"}}, 401),
        ({"error": "boom"}, 500),
        ({"detail": "Not Found"}, 404),
        ({"object": "error", "message": "boom", "code": 400}, 400),
        ({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, 429),
        ({**completion({"content": "Te"}), "error": {"code": 502, "message": "lost"}}, 502),
        (completion({"content": "Te"}, error={"code": 502, "message": "lost"}), 502),
        (completion({"content": "Te"}, finish_reason="error"), 500),
    ],
)
def test_an_error_in_a_reply_that_is_said_to_be_well_has_its_status(value: dict[str, Any], status: int) -> None:
    with pytest.raises(ServerFaultError) as caught:
        completion_of(value)
    assert caught.value.status == status


@pytest.mark.parametrize("error", [None, {}, "", False, []])
def test_an_error_that_is_none_is_no_error(error: object) -> None:
    assert completion_of({**completion({"content": A}), "error": error}).text == A


@pytest.mark.parametrize(
    "raw",
    [
        b"data:",
        b"data: {}\n\n",
        b"data: x\n\ndata: [DONE]\n\n",
        b'data: {"choices": [{"delta": {"content": "Te"}}]}\n\n',
        b'data: {"choices": [1]}\n\n',
        b'data: {"choices": [{"delta": {"content": "Te"}}]}\n\ndata: {"error": {"code": 500, "message": "lost"}}\n\n',
    ],
)
def test_a_stream_that_broke_off_is_no_answer(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_completion(raw)


def test_a_stream_whose_last_event_repeats_the_message_says_it_once() -> None:
    last = {"choices": [{"delta": {}, "message": {"content": A}, "finish_reason": "stop"}]}
    first = {"choices": [{"delta": {"content": A}}]}
    raw = b": hello\r\n\r\n" + b"".join(b"data:" + orjson.dumps(event) + b"\r\n\r\n" for event in (first, last))
    assert read_completion(raw).text == A
