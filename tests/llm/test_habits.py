"""Every habit of the mock server: right answers or none, nothing asked more than needed, nothing tried again."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdos.api import Answerer, evaluate
from kdos.api.evaluation import answering_engine
from kdos.config import EngineConfig
from kdos.llm import HttpEngine, Ledger, ScriptedEngine
from kdos.llm.endpoint_embedder import EndpointEmbedder
from kdos.llm.mock_habits import HABITS
from kdos.llm.mock_server import MockServer, hash_embedding, serve_app
from kdos.tasks import Prompt, Reply, Request
from kdos.tasks.judge import RECALL_PROMPT
from kdos.tasks.prompt import TEXT, a_list, an_object

FIRST = Prompt(task="seed", text="Say the number twice.", schema=an_object(answer=TEXT))
LATER = Prompt(task="synthesize", text="List the number.", schema=an_object(answers=a_list(TEXT, minItems=1)))
JUDGE = Prompt(task="judge", text="Judge the number.", schema=an_object(verdict=TEXT))
PROMPTS = (FIRST, LATER, JUDGE)
EACH = 6  # requests of each prompt
SOMETIMES = {"some-null", "some-filtered", "some-tools"}

MORE_REQUESTS = {
    "max-completion-tokens": 1,
    "no-max-tokens": 4,
    "no-temperature": 1,
    "no-seed": 1,
    "no-system": 1,
    **dict.fromkeys(("no-schema-400", "no-schema-422", "no-schema-404", "no-schema-501"), 3),
    **dict.fromkeys(("no-schema-500", "no-schema-503"), 10),  # failures that do not say so: they may pass
    "no-json": 6,
    "no-min-items": 4,  # of the last schema alone, which is sent by all that may be out before it is refused
    "stream-only": 1,
    "api-key": 1,
    "error-first": 1,
    "error-later": 8,
}
"""How many requests more than without the habit, at most; 0 for those that are not named."""


def answer(request: Request) -> Any:
    if not request.prompt.schema:
        return "Tessa Varnholt"
    said = f"it is {request.inputs['number']}"
    return {"answer": said, "answers": [said], "verdict": said}


def right(request: Request) -> dict[str, Any]:
    (name,) = request.prompt.schema["properties"]
    said = f"it is {request.inputs['number']}"
    return {name: [said] if name == "answers" else said}


def requests_from(start: int) -> list[Request]:
    """A few requests of each prompt, one prompt after the other, as stages ask them."""
    numbers = range(start, start + EACH)
    return [
        Request(f"{prompt.task}/{n}", prompt, {"number": n}, {"seed": n} if prompt is JUDGE else {})
        for prompt in PROMPTS
        for n in numbers
    ]


def start_server(stack: ExitStack, habit: str, monkeypatch: pytest.MonkeyPatch) -> tuple[MockServer, dict[str, Any]]:
    """A server with one habit, and what to put into `engine`."""
    server = MockServer(ScriptedEngine(answer), [*PROMPTS, RECALL_PROMPT], habits=[habit])
    url = stack.enter_context(serve_app(server.build_app()))
    monkeypatch.setenv("A_KEY", "not-a-word-0123456789")
    query = "?api-version=2024-10-21" if habit == "api-version" else ""
    key = "A_KEY" if habit == "api-key" else None
    return server, {"url": url + query, "model": "m", "key_env": key, "concurrency": 4}


def ask_all(settings: dict[str, Any], path: Path, requests: list[Request]) -> list[Reply]:
    with HttpEngine(EngineConfig(**settings)) as engine, Ledger(path) as ledger:
        return list(ledger.ask(engine, requests))


def check_reply(habit: str, reply: Reply) -> bool:
    """Whether it is answered; what is not must say why, and what is must be right."""
    if reply.error:
        assert habit in SOMETIMES | {"reasoning-alone"}, reply.error
        assert any(word in reply.error for word in ("empty", "filter", "tool", "reasoning")), reply.error
        return False
    assert reply.value == right(reply.request)
    return True


@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_costs_a_few_requests_once_and_no_answer(
    habit: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, settings = start_server(stack, habit, monkeypatch)
    asked = requests_from(0)
    answered = [check_reply(habit, reply) for reply in ask_all(settings, tmp_path / "l.sqlite", asked)]
    assert len(answered) == len(asked)
    assert any(answered) == (habit != "reasoning-alone")
    if habit not in SOMETIMES | {"reasoning-alone"}:
        assert server.stats.requests <= len(asked) + MORE_REQUESTS.get(habit, 0)
    said = [record.getMessage() for record in caplog.records if "kdos " in record.getMessage()]
    assert len(said) == len(set(said))
    before = server.stats.requests
    ask_all(settings, tmp_path / "l.sqlite", asked)
    assert server.stats.requests == before  # resumed: nothing is asked again
    more = requests_from(100)
    for reply in ask_all(settings, tmp_path / "l.sqlite", more):
        check_reply(habit, reply)
    if habit not in SOMETIMES | {"reasoning-alone", "error-later"}:
        assert server.stats.requests == before + len(more)  # and nothing is tried again
    assert [record.getMessage() for record in caplog.records if "kdos " in record.getMessage()] == said


@pytest.mark.parametrize("habit", HABITS)
def test_an_answer_is_right_or_unscored(
    habit: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, settings = start_server(stack, habit, monkeypatch)
    rows = [{"id": f"q{n}", "question": f"Who built bridge {n}?", "answers": ["Tessa Varnholt"]} for n in range(8)]
    benchmark = tmp_path / "q.jsonl"
    benchmark.write_text("".join(json.dumps(row) + "\n" for row in rows))
    engine = answering_engine(settings["url"], "m", key_env=settings["key_env"], concurrency=4)
    summary = evaluate(str(benchmark), tmp_path / "e", Answerer(engine=engine))
    if habit in SOMETIMES | {"reasoning-alone"}:
        assert summary["unscored"]
        assert summary["correct"] in {None, 1.0}
    else:
        assert (summary["unscored"], summary["correct"]) == (0, 1.0)


def test_few_texts_at_once_are_found_out_and_remembered(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, settings = start_server(stack, "few-texts", monkeypatch)
    texts = [f"text number {n}" for n in range(100)]
    with Ledger(tmp_path / "l.sqlite") as ledger:
        with EndpointEmbedder(settings["url"], "m", ledger=ledger) as embedder:
            vectors = embedder.embed(texts)
        with EndpointEmbedder(settings["url"], "m", ledger=ledger) as embedder:
            embedder.embed([f"{text} again" for text in texts])
        failed = ledger.spending.failed
    assert np.allclose(vectors, [hash_embedding(text) for text in texts], atol=1e-6)
    assert failed == 4  # 64, 32, 16, 8
    assert len([record for record in caplog.records if "texts at once" in record.getMessage()]) == 1
    assert server.stats.requests == 0  # chats


def test_where_embeddings_want_the_key_is_remembered(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, settings = start_server(stack, "api-key", monkeypatch)
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for text in ("one", "two"):
            with EndpointEmbedder(settings["url"], "m", key_env="A_KEY", ledger=ledger) as embedder:
                embedder.embed([text])
                assert embedder._plan.key_header == "api-key"  # pyright: ignore[reportPrivateUsage]


def test_a_text_that_is_too_long_does_not_lower_the_number_for_all(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, settings = start_server(stack, "few-texts", monkeypatch)
    with EndpointEmbedder(settings["url"], "m") as embedder:
        assert embedder.embed(["one", "two"]).shape[0] == 2
        assert embedder._plan.texts == 64  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("name", ["headers", "query"])
def test_headers_and_query_come_from_the_environment_and_show_nowhere(
    name: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "canary-0123456789-abc"
    monkeypatch.setenv("OTHER_KEY", secret)
    habit = "api-key" if name == "headers" else "api-version"
    field = "api-key" if name == "headers" else "api-version"
    server, settings = start_server(stack, habit, monkeypatch)
    plain = {"url": settings["url"].partition("?")[0], "model": "m", name: {field: {"env": "OTHER_KEY"}}}
    replies = ask_all(plain, tmp_path / "l.sqlite", requests_from(0))
    assert all(check_reply(habit, reply) for reply in replies)
    assert server.stats.requests == len(replies)
    assert secret not in repr(EngineConfig(**plain))
    assert secret.encode() not in (tmp_path / "l.sqlite").read_bytes()
