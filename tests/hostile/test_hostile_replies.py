"""Whatever a server sends, the engine ends, good replies stay, bills do not shrink, and no key is kept or shown."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hostile_server import (
    BATCH_FIELDS,
    BATCH_ROW_FAULTS,
    BATCH_ROW_FIELDS,
    BODY_FAULTS,
    CHAT_FAULTS,
    COMPLETION_FIELDS,
    EMBEDDING_FAULTS,
    EMBEDDING_FIELDS,
    ERROR_FIELDS,
    KEY_FORMS,
    MODEL_FIELDS,
    ODD_VALUES,
    HostileServer,
    dump_loosely,
    set_field,
)
from hypothesis import example, given
from hypothesis import strategies as st

from kdos.config import EngineConfig, PriceConfig
from kdos.errors import KdosError
from kdos.llm import Budget, BudgetSpentError, HttpEngine, Ledger, ScriptedEngine
from kdos.llm.batch import POLLING
from kdos.llm.dispatcher import RETRY
from kdos.llm.endpoint_embedder import EMBED_RETRY, EndpointEmbedder
from kdos.llm.mock_server import MockServer, serve_app
from kdos.llm.protocol import measure_usage
from kdos.llm.reply_reader import (
    BatchRow,
    ProtocolError,
    read_batch_list,
    read_batch_rows,
    read_batch_state,
    read_completion,
    read_error_message,
    read_model_names,
    read_vectors,
)
from kdos.tasks import Prompt, Request
from kdos.tasks.prompt import TEXT, an_object

CANARY = "sk-CANARY-4f9Zq81LmX0w/Tt7Bv+Rk3Yd"
PROMPT = Prompt(task="seed", text="Say the number.", schema=an_object(answer=TEXT))
GOOD: dict[str, Any] = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "the answer"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
ROW: dict[str, Any] = {"custom_id": "a", "response": {"status_code": 200, "body": GOOD}, "error": None}
odd_values = st.sampled_from(ODD_VALUES) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def request_for(number: int) -> Request:
    return Request(id=f"seed/{number}", prompt=PROMPT, inputs={"number": number})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdos.llm.dispatcher.RETRY", replace(RETRY, first_delay=0.01, max_delay=0.02, max_attempts=4))
    monkeypatch.setattr("kdos.llm.batch.POLLING", replace(POLLING, first_delay=0.01, max_delay=0.02))
    monkeypatch.setattr("kdos.llm.batch.POLL_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(
        "kdos.llm.endpoint_embedder.EMBED_RETRY", replace(EMBED_RETRY, first_delay=0.01, max_delay=0.02)
    )
    monkeypatch.setattr("kdos.llm.protocol.MAX_WAIT_SECONDS", 0.05)
    monkeypatch.setattr("kdos.llm.concurrency.FIRST_PROBE_DELAY", 0.01)
    monkeypatch.setattr("kdos.llm.concurrency.MAX_PROBE_DELAY", 0.05)
    monkeypatch.setenv("CANARY_KEY", CANARY)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, **settings: Any) -> tuple[HostileServer, str]:
    engine = ScriptedEngine(lambda request: {"answer": f"number {request.inputs.get('number')}"})
    server = HostileServer(engine, [PROMPT], endless_bytes=2**24, slow_seconds=0.05, **settings)
    return server, stack.enter_context(serve_app(server.build_app()))


def connect(stack: ExitStack, url: str, **settings: Any) -> HttpEngine:
    config = EngineConfig(url=url, model="m", key_env="CANARY_KEY", timeout=1.0, concurrency=8, **settings)
    return stack.enter_context(HttpEngine(config))


def assert_no_key(folder: Path, *shown: str) -> None:
    """No eight characters of the key stand in any file or text."""
    parts = [CANARY[i : i + 8] for i in range(len(CANARY) - 7)]
    texts = {str(path): path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}
    for where, text in {**texts, **{f"shown {n}": text for n, text in enumerate(shown)}}.items():
        assert not [part for part in parts if part in text], where


# -- one reader: every field of the protocol, any value in it


@given(st.sampled_from(COMPLETION_FIELDS), odd_values)
def test_any_value_in_any_field_of_a_completion_is_read_or_refused(place: Any, odd: Any) -> None:
    raw = dump_loosely(set_field(GOOD, place, odd))
    try:
        answer = read_completion(raw)
    except ProtocolError as error:
        assert len(str(error)) < 400
        assert str(error).isprintable()
        return
    for text in (answer.text, answer.reasoning, answer.finish):
        assert isinstance(text, str)
        text.encode()
    usage = measure_usage(answer, 400, PriceConfig(1.0, 1.0))
    assert 1 <= usage.prompt_tokens < 2**31
    assert 0 <= usage.completion_tokens < 2**31
    assert usage.cost_usd > 0
    if place[:1] != ("choices",) and place:
        assert answer.text == "the answer"


@given(st.sampled_from(BATCH_ROW_FIELDS), odd_values)
def test_a_bad_row_of_a_batch_costs_itself_alone(place: Any, odd: Any) -> None:
    good = json.dumps(ROW | {"custom_id": "b"}).encode()
    rows = list(read_batch_rows(good + b"\n" + dump_loosely(set_field(ROW, place, odd)) + b"\n" + good))
    assert len(rows) == 3
    assert rows[0] is not None
    assert rows[0] == rows[2]


@given(st.sampled_from(EMBEDDING_FIELDS), odd_values)
def test_any_value_in_any_field_of_embeddings_is_a_vector_or_one_line(place: Any, odd: Any) -> None:
    good = {"data": [{"index": 0, "embedding": [0.5, 1]}, {"index": 1, "embedding": [0.25, 2]}]}
    try:
        vectors, tokens = read_vectors(dump_loosely(set_field(good, place, odd)), 2)
    except ProtocolError as error:
        assert len(str(error)) < 400
        return
    assert vectors.shape[0] == 2
    assert tokens is None or tokens >= 0


@given(st.sampled_from(ERROR_FIELDS + MODEL_FIELDS + BATCH_FIELDS), odd_values)
def test_errors_models_and_batches_are_read_whatever_they_hold(place: Any, odd: Any) -> None:
    raw = dump_loosely(set_field({"id": "batch-1", "error": {"message": "no"}}, place, odd))
    said = read_error_message(raw)
    assert said.isprintable()
    assert len(said) < 400
    assert all(isinstance(name, str) for name in read_model_names(raw))
    assert isinstance(read_batch_list(raw), list)
    try:
        state = read_batch_state(raw)
    except ProtocolError:
        return
    assert all("/" not in name and "?" not in name for name in (state.id, *state.file_ids))


@given(st.binary(max_size=200))
@example(b"data:[DONE]")
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    assert read_error_message(raw).isprintable()
    assert isinstance(list(read_batch_rows(raw)), list)
    for read in (read_completion, lambda raw: read_vectors(raw, 1)):
        with pytest.raises(ProtocolError):
            read(raw)


@pytest.mark.parametrize("depth", [65, 300, 1000, 100_000])
def test_deep_json_is_refused_before_it_is_read(depth: int) -> None:
    for raw in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(ProtocolError, match="levels"):
            read_completion(raw)
    shallow = json.dumps({**GOOD, "note": "[{" * depth + '\\"'}).encode()
    assert read_completion(shallow).text == "the answer"


def test_odd_usage_is_estimated_and_never_lowers_the_bill() -> None:
    for odd in (-5, -(2**70), 2**63, "12", None, True, [], {}, float("nan"), 0):
        answer = read_completion(dump_loosely(GOOD | {"usage": {"prompt_tokens": odd, "completion_tokens": odd}}))
        usage = measure_usage(answer, 400, None)
        assert (usage.prompt_tokens, usage.completion_tokens) == (100, 3)


# -- the engine against every fault


@pytest.mark.parametrize("fault", CHAT_FAULTS)
def test_every_fault_costs_its_own_requests_alone_and_leaks_nothing(
    fault: str, stack: ExitStack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server, url = start(stack, faults=[fault], share=0.5, grace=1, most_times=2)
    engine = connect(stack, url)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        replies = list(ledger.ask(engine, map(request_for, range(24))))
        spending = ledger.spending
    assert server.met[fault] >= 3
    assert {reply.request.id for reply in replies} == {f"seed/{number}" for number in range(24)}
    good = [reply for reply in replies if not reply.error and f"number {reply.request.inputs['number']}" in reply.text]
    assert len(good) >= 8
    assert spending.calls >= len(replies)
    assert spending.prompt_tokens > 0
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        kept = list(ledger.ask(ScriptedOrDead(engine), [reply.request for reply in good]))
    assert len(kept) == len(good)
    shown = [*(record.getMessage() for record in caplog.records), *(repr(reply) for reply in replies)]
    assert_no_key(tmp_path, *shown)


class ScriptedOrDead(ScriptedEngine):
    """Knows the replies of another engine and answers nothing itself."""

    def __init__(self, other: HttpEngine) -> None:
        super().__init__(lambda _: pytest.fail("it was asked again"))
        self.name, self.fingerprint = other.name, other.fingerprint


@pytest.mark.parametrize("fault", (*BODY_FAULTS, *EMBEDDING_FAULTS))
def test_embeddings_come_rightly_or_not_at_all(fault: str, stack: ExitStack, tmp_path: Path) -> None:
    server, url = start(stack, faults=[fault], share=0.5)
    texts = [f"text {number}" for number in range(64 * 6)]
    try:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            embedder = EndpointEmbedder(url, "m", key_env="CANARY_KEY", timeout=1.0, ledger=ledger)
            with embedder:
                vectors = embedder.embed(texts)
                assert vectors.shape[0] == len(texts)
                asked = len(server.log)
                assert (embedder.embed(texts) == vectors).all()
                assert len(server.log) == asked
    except KdosError as error:
        assert "\n" not in str(error)
        assert_no_key(tmp_path, str(error))
    assert server.met[fault] >= 1
    assert_no_key(tmp_path)


@pytest.mark.parametrize("fault", (*BATCH_ROW_FAULTS, *BODY_FAULTS))
def test_a_batch_with_bad_rows_keeps_the_others_and_pays_them_once(
    fault: str, stack: ExitStack, tmp_path: Path
) -> None:
    server, url = start(stack, faults=[fault], share=0.7, most_times=1)
    requests = [request_for(number) for number in range(30)]
    replies: list[Any] = []
    for _ in range(8):  # a bad answer to the submission itself ends a run, and the same command goes on
        try:
            with Ledger(tmp_path / "ledger.sqlite") as ledger:
                replies = list(ledger.ask(connect(stack, url, batch=True), requests))
                break
        except KdosError as error:
            assert "\n" not in str(error)
            assert_no_key(tmp_path, str(error))
    good = [reply for reply in replies if not reply.error]
    assert len(replies) == 30
    assert len(good) >= 15
    assert server.stats.answered_twice <= 30 - len(good) + sum(server.met.values()) * 15
    assert len(server.batches) <= 4
    assert_no_key(tmp_path, *map(repr, replies))


class SpoilingServer(MockServer):
    """A server whose batch files come with the rows of some requests spoilt, whenever they are asked."""

    spoilt: Mapping[str, Callable[[bytes], bytes]] = {}

    async def _handle_download(self, request: web.Request) -> web.Response:
        lines = self._files[request.match_info["name"]].splitlines()
        ways = [self.spoilt.get(json.loads(line)["custom_id"], lambda line: line) for line in lines]
        return web.Response(body=b"\n".join(way(line) for way, line in zip(ways, lines, strict=True)))


@pytest.mark.parametrize("restarts", [1, 2])
def test_rows_that_cannot_be_read_are_a_counted_failure_and_not_paid_again(
    restarts: int, stack: ExitStack, tmp_path: Path
) -> None:
    ways: list[Callable[[bytes], bytes]] = [
        lambda line: line[: len(line) // 2],
        lambda line: b"\xff\xfe{not json",
        lambda line: b'{"a":' * 1000 + line + b"}" * 1000,
        lambda line: line.replace(b'"choices"', b'"choice"'),
        lambda line: dump_loosely(json.loads(line) | {"custom_id": 5}),
    ]
    requests = [request_for(number) for number in range(12)]
    server = SpoilingServer(ScriptedEngine(lambda _: {"answer": "1"}), [PROMPT], batches=True)
    server.spoilt = {request.key: way for request, way in zip(requests, ways, strict=False)}
    url = stack.enter_context(serve_app(server.build_app()))
    for restart in range(1 + restarts):
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            replies = {reply.request.id: reply for reply in ledger.ask(connect(stack, url, batch=True), requests)}
            failed = [replies[request.id] for request in requests[: len(ways)]]
            assert all(reply.error and not reply.transient for reply in failed)
            assert not any(replies[request.id].error for request in requests[len(ways) :])
            # Each attempt at them was charged for, whatever came of it.
            assert ledger.spending.calls == 12 + 2 * len(ways)
            assert all(reply.usage.prompt_tokens for reply in failed)
        assert len(server.batches) == 3, restart


def test_a_file_that_came_damaged_once_is_fetched_again(stack: ExitStack) -> None:
    fetched: list[str] = []
    ways: list[Callable[[bytes], bytes]] = [lambda line: line[: len(line) // 2], lambda line: b"{"]

    def spoil_once(way: Callable[[bytes], bytes], line: bytes) -> bytes:
        fetched.append("")
        return way(line) if len(fetched) <= len(ways) else line

    requests = [request_for(number) for number in range(4)]
    server = SpoilingServer(ScriptedEngine(lambda _: {"answer": "1"}), [PROMPT], batches=True)
    server.spoilt = {request.key: partial(spoil_once, way) for request, way in zip(requests, ways, strict=False)}
    url = stack.enter_context(serve_app(server.build_app()))
    assert [reply.error for reply in connect(stack, url, batch=True).complete(requests)] == [""] * 4
    assert len(server.batches) == 1


def test_an_answer_whose_status_is_lost_is_an_answer() -> None:
    body = {"choices": [{"message": {"content": "1"}}]}
    for status in (None, "fine", -1, [200]):
        row = {"custom_id": "a", "response": {"status_code": status, "body": body}}
        assert next(read_batch_rows(json.dumps(row).encode())) == BatchRow("a", 200, body)


@pytest.mark.parametrize("form", KEY_FORMS)
@pytest.mark.parametrize("place", ["body", "content", "error", "finish_reason", "first error"])
def test_no_form_of_the_key_survives_anywhere(
    form: str, place: str, stack: ExitStack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from aiohttp import web

    caplog.set_level(logging.DEBUG)
    said = KEY_FORMS[form](CANARY)
    seen: list[int] = []

    async def chat(request: web.Request) -> web.Response:
        seen.append(1)
        if place == "first error" or (place == "error" and len(seen) == 3):
            return web.json_response({"error": {"message": f"not with {said}"}}, status=400)
        if place == "body" and len(seen) > 1:
            return web.Response(text=f"{'z' * 295}{said}", headers={"X-Echo": "a"})
        if place == "content":
            answer = json.dumps({"answer": said})
            choice = {"message": {"content": answer, "reasoning": said}, "finish_reason": "stop"}
        else:
            finish = said if place == "finish_reason" else "stop"
            choice = {"message": {"content": '{"answer": "1"}'}, "finish_reason": finish}
        return web.json_response({"choices": [choice], "id": said, "model": said})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    engine = connect(stack, stack.enter_context(serve_app(app)))
    shown: list[str] = []
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        try:
            shown += map(repr, ledger.ask(engine, map(request_for, range(4))))
        except KdosError as error:
            shown.append(str(error))
    assert_no_key(tmp_path, *shown, *(record.getMessage() for record in caplog.records))


def test_a_reply_that_could_not_be_read_first_does_not_end_the_run(stack: ExitStack) -> None:
    server, url = start(stack, faults=["not json"], share=1.0, most_times=1)
    with Ledger(Path(":memory:")) as ledger:
        replies = list(ledger.ask(connect(stack, url), map(request_for, range(5))))
        assert ledger.spending.calls == 10
    assert [reply.error for reply in replies] == [""] * 5
    assert server.met["not json"] == 5


# -- money


@pytest.mark.parametrize("fault", ["odd error", "not json", "reset midway"])
def test_every_attempt_counts_against_the_budget(fault: str, stack: ExitStack, tmp_path: Path) -> None:
    server, url = start(stack, faults=[fault], share=1.0, grace=1, most_times=100)
    with Ledger(tmp_path / "ledger.sqlite", budget=Budget(calls=30)) as ledger:
        with pytest.raises(BudgetSpentError, match="30 calls"):
            list(ledger.ask(connect(stack, url), map(request_for, range(100))))
        assert ledger.spending.calls <= 30
    assert 20 <= len(server.log) <= 30
    with Ledger(tmp_path / "ledger.sqlite", budget=Budget(calls=30)) as ledger:
        assert ledger.spending.calls == len(server.log)
        with pytest.raises(BudgetSpentError):
            list(ledger.ask(connect(stack, url), map(request_for, range(100, 200))))
    assert len(server.log) <= 30


def test_unreadable_replies_are_paid_for(stack: ExitStack, tmp_path: Path) -> None:
    server, url = start(stack, faults=["not json"], share=1.0, grace=1, most_times=100)
    with Ledger(tmp_path / "ledger.sqlite", budget=Budget(usd=0.5)) as ledger:
        engine = connect(stack, url, prices=PriceConfig(1000.0, 0.0), max_tokens=10)
        with pytest.raises(BudgetSpentError, match="USD"):
            list(ledger.ask(engine, map(request_for, range(100))))
        assert 0 < ledger.spending.cost_usd <= 0.5
    assert len(server.log) < 20


def test_embeddings_are_budgeted_and_never_asked_for_again(stack: ExitStack, tmp_path: Path) -> None:
    server, url = start(stack, share=0.0)
    texts = [f"text {number}" for number in range(64 * 5)]
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, budget=Budget(calls=3)) as ledger, EndpointEmbedder(url, "m", ledger=ledger) as embedder:
        with pytest.raises(BudgetSpentError, match="3 calls"):
            embedder.embed(texts)
        assert ledger.spending.calls == 3
    assert len(server.log) == 3
    with Ledger(path) as ledger, EndpointEmbedder(url, "m", ledger=ledger) as embedder:
        first = embedder.embed(texts)
        assert ledger.spending.calls == len(server.log) == 5
        assert ledger.spending.prompt_tokens > 0
    with Ledger(path) as ledger, EndpointEmbedder("http://127.0.0.1:9/v1", "m", ledger=ledger) as embedder:
        assert (embedder.embed(texts) == first).all()
