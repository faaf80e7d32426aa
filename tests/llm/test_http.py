"""The `http` engine against mock servers: every fault, and what is said about it."""

import asyncio
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kdos.config import EngineConfig
from kdos.errors import ConfigError, EngineError
from kdos.llm import HttpEngine, Ledger
from kdos.llm.http import engine_fingerprint
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app, start_app
from kdos.llm.transport import KEY_HEADERS
from kdos.tasks import Reply, Request, ask_through

MEMORY = Path(":memory:")
Start = Callable[..., tuple[MockServer, str]]
Connect = Callable[..., HttpEngine]
Ask = Callable[[int], Request]


def answers(replies: list[Reply]) -> dict[str, bool]:
    """By request, whether its answer is the right one."""
    return {reply.request.id: f'"{reply.request.inputs["number"]} and' in reply.text for reply in replies}


def test_every_request_gets_its_answer(start: Start, connect: Connect, ask_for: Ask) -> None:
    server, url = start(InjectedFaults(latency=0.02))
    engine = connect(url, concurrency=32)
    with Ledger(MEMORY) as ledger:
        replies = list(ledger.ask(engine, map(ask_for, range(300))))
    assert len(replies) == 300
    assert all(answers(replies).values())
    assert server.stats.requests == 300
    assert 16 <= server.stats.most_in_flight <= 32
    assert all(reply.usage.prompt_tokens > 0 and reply.latency > 0.01 for reply in replies)


def test_requests_are_drawn_as_there_is_room(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.01))
    engine = connect(url, concurrency=4)
    drawn: list[int] = []

    def requests() -> Any:
        for number in range(10_000):
            drawn.append(number)
            yield ask_for(number)

    replies = engine.complete(requests())
    for _ in range(20):
        next(replies)
    assert len(drawn) < 120
    replies.close()  # type: ignore[attr-defined]


def test_mixed_faults_lose_nothing_and_pay_nothing_twice(start: Start, connect: Connect, ask_for: Ask) -> None:
    faults = InjectedFaults(
        latency=0.005, fail={429: 0.05, 500: 0.05}, truncate=0.05, garble=0.05, hang=0.02, reset=0.05, retry_after=0.2
    )
    server, url = start(faults)
    engine = connect(url, concurrency=64, timeout=1.0)
    with Ledger(MEMORY) as ledger:
        replies = list(ledger.ask(engine, map(ask_for, range(600))))
        spending = ledger.spending
    assert len(answers(replies)) == 600
    good = sum(1 for reply in replies if not reply.error)
    refused = [reply.error for reply in replies if reply.error]
    assert good >= 590
    assert all("cut off" in reason for reason in refused)
    counts = server.stats
    assert counts.answered_twice == 0
    assert counts.requests == spending.calls
    assert counts.requests == counts.answered + sum(counts.faults[fault] for fault in ("429", "500", "hang", "reset"))


def test_a_cut_off_answer_gets_more_room_and_a_garbled_one_its_fault_told(
    connect: Connect, ask_for: Ask, stack: ExitStack
) -> None:
    seen: list[dict[str, Any]] = []

    async def chat(request: web.Request) -> web.Response:
        body = await request.json()
        seen.append(body)
        number = len(seen)
        text = {1: '{"answer": "on', 2: '{"reply": "one"}', 3: '{"answer": "one"}'}[number]
        choice = {"message": {"content": text}, "finish_reason": "length" if number == 1 else "stop"}
        return web.json_response({"choices": [choice]})

    engine = connect(stack.enter_context(serve_app(app_of(chat))), max_tokens=50)
    with Ledger(MEMORY) as ledger:
        request = ask_for(1)
        (reply,) = ledger.ask(engine, [request])
        assert reply.text == '{"answer": "one"}'
        assert reply.request is request
        assert ledger.spending.calls == 3
        (again,) = ledger.ask(engine, [request])
        assert again.text == reply.text
    assert [body["max_tokens"] for body in seen] == [50, 100, 100]
    assert "answer is missing" in seen[2]["messages"][-1]["content"]


def test_a_server_without_schemas_is_asked_in_another_form_and_remembered(
    start: Start, connect: Connect, ask_for: Ask, tmp_path: Path
) -> None:
    server, url = start(InjectedFaults(schema=False))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert len(list(ledger.ask(connect(url), map(ask_for, range(10))))) == 10
        assert server.stats.requests == 11
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        list(ledger.ask(connect(url), map(ask_for, range(10, 20))))
    assert server.stats.requests == 21


def test_rate_limits_in_headers_are_respected(connect: Connect, ask_for: Ask, stack: ExitStack) -> None:
    times: list[float] = []

    async def chat(_: web.Request) -> web.Response:
        times.append(time.monotonic())
        left = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
        return web.json_response(complete_with('{"answer": "1"}'), headers=left)

    engine = connect(stack.enter_context(serve_app(app_of(chat))))
    assert len(list(engine.complete(map(ask_for, range(3))))) == 3
    assert times[1] - times[0] >= 0.29


def test_a_server_that_goes_away_is_waited_for(ask_for: Ask, caplog: Any) -> None:
    from kdos.llm.transport import EventLoopThread

    loop_thread = EventLoopThread("server")

    async def chat(_: web.Request) -> web.Response:
        return web.json_response(complete_with('{"answer": "1"}'))

    runner, port = loop_thread.run_coroutine(start_app(app_of(chat), 0))
    try:
        with HttpEngine(EngineConfig(url=f"http://127.0.0.1:{port}/v1", model="m")) as engine:
            assert len(list(engine.complete(map(ask_for, range(5))))) == 5
            loop_thread.run_coroutine(runner.cleanup())
            replies: list[Reply] = []
            reader = threading.Thread(target=lambda: replies.extend(engine.complete(map(ask_for, range(5, 25)))))
            reader.start()
            time.sleep(1.2)
            assert not replies
            runner, _ = loop_thread.run_coroutine(start_app(app_of(chat), port))
            reader.join(20)
            assert [reply.error for reply in replies] == [""] * 20
    finally:
        loop_thread.run_coroutine(runner.cleanup())
        loop_thread.close()
    said = [record.getMessage() for record in caplog.records]
    assert any("waiting until it is back" in line for line in said)
    assert any("answers again" in line for line in said)


def test_a_single_bad_request_is_refused_and_the_others_go_on(
    connect: Connect, ask_for: Ask, stack: ExitStack
) -> None:
    async def chat(request: web.Request) -> web.Response:
        body = await request.text()
        if '\\"number\\":7' in body:
            return web.json_response({"error": {"message": "context too long"}}, status=400)
        return web.json_response(complete_with('{"answer": "1"}'))

    engine = connect(stack.enter_context(serve_app(app_of(chat))))
    with Ledger(MEMORY) as ledger:
        replies = list(ledger.ask(engine, map(ask_for, range(20))))
    errors = {reply.request.id: reply.error for reply in replies if reply.error}
    assert errors == {"seed/7": "HTTP 400: context too long"}


def test_nothing_is_held_after_close(start: Start, ask_for: Ask) -> None:
    _, url = start()
    before = threading.active_count()
    engine = HttpEngine(EngineConfig(url=url, model="m"))
    list(engine.complete([ask_for(1)]))
    assert threading.active_count() > before
    engine.close()
    engine.close()
    assert threading.active_count() == before


def test_the_reader_may_leave_early(start: Start, connect: Connect, ask_for: Ask) -> None:
    server, url = start(InjectedFaults(latency=0.05))
    engine = connect(url, concurrency=8)
    kept: list[Reply] = []
    replies = ask_through(lambda: engine.open_exchange(kept.extend), map(ask_for, range(1000)))
    first = next(replies)
    replies.close()  # type: ignore[attr-defined]
    assert first in kept
    assert server.stats.requests < 40
    assert len(list(engine.complete(map(ask_for, range(3))))) == 3


def test_an_error_in_the_requests_reaches_the_caller(start: Start, connect: Connect) -> None:
    _, url = start()

    def requests() -> Any:
        yield from ()
        raise RuntimeError("the source is broken")

    with pytest.raises(RuntimeError, match="the source is broken"):
        list(connect(url).complete(requests()))


def test_an_error_in_keeping_reaches_the_caller(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start()

    def keep(_: Any) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        list(ask_through(lambda: connect(url).open_exchange(keep), [ask_for(1)]))


def test_replies_are_kept_while_the_reader_is_busy(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.01))
    engine = connect(url, concurrency=16)
    kept: list[Reply] = []
    replies = ask_through(lambda: engine.open_exchange(kept.extend), map(ask_for, range(100)))
    next(replies)
    time.sleep(0.5)
    assert len(kept) >= 16
    replies.close()  # type: ignore[attr-defined]


# -- what is said when nothing can be done


def app_of(chat: Any) -> web.Application:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    return app


def complete_with(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}


def complaint(engine: HttpEngine, ask_for: Ask) -> str:
    """The one line that the user sees."""
    with pytest.raises(EngineError) as caught:
        list(engine.complete(map(ask_for, range(50))))
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 500
    return line


def test_a_wrong_key_stops_at_once_and_does_not_show(
    start: Start, connect: Connect, ask_for: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-wrong-key-12345")
    server, url = start(key="sk-right")
    line = complaint(connect(url, key_env="A_KEY"), ask_for)
    assert "401" in line
    assert "Incorrect API key" in line
    assert "key_env" in line
    assert "sk-wrong" not in line
    assert server.stats.requests == len(KEY_HEADERS)  # in each header that servers take keys in, and no more


def test_the_key_is_scrubbed_from_everything_that_is_kept(
    connect: Connect, ask_for: Ask, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "sk-very-secret-12345"

    async def chat(request: web.Request) -> web.Response:
        if (await request.text()).count('number\\":2'):
            return web.json_response({"error": f"not with {secret}"}, status=400)
        return web.json_response(complete_with(f'{{"answer": "your key is {secret}"}}'))

    monkeypatch.setenv("A_KEY", secret)
    engine = connect(stack.enter_context(serve_app(app_of(chat))), key_env="A_KEY")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        replies = list(ledger.ask(engine, map(ask_for, range(4))))
    assert any("[key]" in reply.text for reply in replies)
    assert any("[key]" in reply.error for reply in replies)
    assert secret not in repr(engine.config) + repr(vars(engine))
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_a_key_may_be_in_a_file_that_the_environment_names(
    start: Start, connect: Connect, ask_for: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("sk-in-a-file\n")
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    _, url = start(key="sk-in-a-file")
    assert len(list(connect(url, key_env="A_KEY").complete([ask_for(1)]))) == 1


def test_a_key_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    settings = EngineConfig(url="http://127.0.0.1:1/v1", model="m", key_env="NO_SUCH_KEY")
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        HttpEngine(settings)


@pytest.mark.parametrize(
    ("status", "raw", "words"),
    [
        (404, b'{"error": {"message": "The model `m` does not exist"}}', "does not exist"),
        (403, b'{"error": {"message": "no access"}}', "no access"),
        (400, b'{"error": {"message": "bad temperature"}}', "bad temperature"),
        (429, b'{"error": {"code": "insufficient_quota", "message": "too much"}}', "too much"),
        (200, b"<html><title>Welcome</title></html>", "OpenAI-compatible server; it sent a web"),
        (200, b'{"hello": "world"}', "OpenAI-compatible server"),
    ],
)
def test_a_server_that_refuses_is_quoted(
    connect: Connect, ask_for: Ask, stack: ExitStack, status: int, raw: bytes, words: str
) -> None:
    async def chat(_: web.Request) -> web.Response:
        return web.Response(status=status, body=raw)

    url = stack.enter_context(serve_app(app_of(chat)))
    line = complaint(connect(url), ask_for)
    assert words in line
    assert url in line


def test_another_kind_of_server_and_another_path(connect: Connect, ask_for: Ask, start: Start) -> None:
    _, url = start()
    assert "404" in complaint(connect(url.removesuffix("/v1")), ask_for)


def test_no_such_host(connect: Connect, ask_for: Ask) -> None:
    assert "no such host" in complaint(connect("http://no-such-host.invalid/v1"), ask_for)


def test_nobody_listens(connect: Connect, ask_for: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdos.llm.dispatcher.FIRST_CONTACT_SECONDS", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "must be reachable" in complaint(connect(f"http://127.0.0.1:{port}/v1"), ask_for)


def test_tls_that_cannot_be_trusted(connect: Connect, ask_for: Ask, tmp_path: Path, stack: ExitStack) -> None:
    from kdos.llm.transport import EventLoopThread

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl here")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop_thread = EventLoopThread("tls")
    stack.callback(loop_thread.close)

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        await server.wait_closed()

    server = loop_thread.run_coroutine(listen())
    stack.callback(lambda: loop_thread.run_coroutine(stop(server)))
    port = server.sockets[0].getsockname()[1]
    assert "TLS failed" in complaint(connect(f"https://127.0.0.1:{port}/v1"), ask_for)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a/v1", "http://", "http://a:x/v1"])
def test_what_is_no_address(url: str, ask_for: Ask) -> None:
    with pytest.raises(ConfigError, match="must be the address of a server"):
        HttpEngine(EngineConfig(url=url, model="m"))


def test_a_key_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        HttpEngine(EngineConfig(url="https://user:sk-secret@a/v1", model="m"))
    assert "sk-secret" not in str(caught.value)


def test_the_fingerprint_never_changes_for_ledgers_know_their_replies_by_it() -> None:
    plain = EngineConfig(kind="http", url="http://a/v1", model="m")
    other = EngineConfig(model="m", temperature=0.3, max_tokens=77, extra={"top_p": 0.5, "a": [1]})
    assert engine_fingerprint(plain) == "http/m/c40c390a7a0867ed"
    assert engine_fingerprint(other) == "http/m/db429063731596b9"
