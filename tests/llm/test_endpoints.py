"""Several servers of one model: who gets what, and what happens when one of them is gone."""

import asyncio
import gc
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from kdos.config import Config, EngineConfig, read_config
from kdos.errors import ConfigError, EngineError
from kdos.llm import Budget, HttpEngine, Ledger
from kdos.llm.concurrency import FAILURES_UNTIL_LEFT_OUT, AIMDController
from kdos.llm.dispatcher import RETRY
from kdos.llm.doctor import diagnose_endpoints
from kdos.llm.endpoint import Endpoint
from kdos.llm.endpoint_pool import EndpointPool
from kdos.llm.mock_server import start_app
from kdos.llm.transport import Access, EventLoopThread, HttpClient
from kdos.tasks import Exchange, Prompt, Reply, Request
from kdos.tasks.prompt import TEXT, an_object

MEMORY = Path(":memory:")
PROMPT = Prompt("seed", "Say the number twice.", an_object(answer=TEXT))
NUMBER = re.compile(r'number\\":(\d+)')
# A server that is killed while a client connects to it may leave that connection to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Server:
    """One server, whose behaviour a test may change: answer, hang, or fail with an HTTP status."""

    def __init__(self, thread: EventLoopThread) -> None:
        self.thread, self.port = thread, 0
        self.behaviour: Callable[[Server], str | int] = lambda _: "answer"
        self.headers: dict[str, str] = {}
        self.keeps_alive = True
        self.latency = 0.005
        self.asked: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self.runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def open(self) -> "Server":
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.chat)
        self.runner, self.port = self.thread.run_coroutine(start_app(app, self.port))
        return self

    def kill(self) -> None:
        """End it with all its connections."""
        if self.runner is not None:
            self.thread.run_coroutine(self.runner.cleanup())
            self.runner = None

    def refuse_connections(self) -> None:
        """Take no new connection; those that are open stay."""
        assert self.runner is not None
        for site in list(self.runner.sites):
            self.thread.run_coroutine(site.stop())

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.text()
        found = NUMBER.search(body)
        number = int(found.group(1)) if found else -1
        self.asked[number] += 1
        does = self.behaviour(self)
        if does == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency)
        if isinstance(does, int):
            error = {"error": {"message": "This failure was ordered."}}
            return web.json_response(error, status=does, headers=self.headers)
        self.answered[number] += 1
        choice = {"message": {"content": f'{{"answer": "{number}"}}'}, "finish_reason": "stop"}
        response = web.json_response({"choices": [choice]})
        if not self.keeps_alive:
            response.force_close()
        return response


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    thread = EventLoopThread("servers")
    opened = [Server(thread).open() for _ in range(3)]
    yield opened
    for server in opened:
        server.kill()
    thread.close()
    gc.collect()  # here, where it is no other test's fault


def request_for(number: int, *, passage: int | None = None) -> Request:
    shared = number if passage is None else passage
    return Request(f"seed/{number}", PROMPT, {"passages": [f"passage {shared}"], "number": number})


@contextmanager
def connected(servers: Iterable[Server], **settings: Any) -> Iterator[HttpEngine]:
    config = EngineConfig(urls=[server.url for server in servers], model="m", **({"concurrency": 8} | settings))
    with HttpEngine(config) as engine:
        yield engine


def ask_all(engine: HttpEngine, requests: Iterable[Request], ledger: Ledger | None = None) -> list[Reply]:
    with ledger or Ledger(MEMORY) as opened:
        replies = list(opened.ask(engine, requests))
    assert [reply.error for reply in replies] == [""] * len(replies)
    assert all(reply.text == f'{{"answer": "{reply.request.inputs["number"]}"}}' for reply in replies)
    return replies


def total(servers: Iterable[Server]) -> Counter[int]:
    return sum((server.answered for server in servers), Counter[int]())


# -- which server


def make_pool(count: int, *, concurrency: int = 8) -> EndpointPool:
    thread = EventLoopThread("unused")
    thread.close()
    config, access = EngineConfig(model="m"), Access()
    endpoints: list[Endpoint] = []
    for number in range(count):
        client = HttpClient(f"http://host{number}:1/v1", access=access, timeout=1.0, loop_thread=thread)
        controller = AIMDController(concurrency, has_answered=True)
        endpoints.append(Endpoint(config, client, controller, {}))
    return EndpointPool(endpoints)


def test_passages_rank_servers_alike_and_share_them_evenly() -> None:
    pool = make_pool(4)
    first = Counter(pool.rank(request_for(number))[0].root for number in range(400))
    assert min(first.values()) > 60
    for number in range(20):
        same = [pool.rank(request_for(100 * number + copy, passage=number)) for copy in range(5)]
        assert all(ranked == same[0] for ranked in same)


def test_a_server_more_or_less_moves_only_its_own_passages() -> None:
    pool = make_pool(4)
    fewer = EndpointPool(pool.endpoints[:3])
    for number in range(100):
        before, after = pool.rank(request_for(number)), fewer.rank(request_for(number))
        assert [endpoint for endpoint in before if endpoint is not pool.endpoints[3]] == list(after)


@given(st.lists(st.integers(0, 8), min_size=3, max_size=3), st.integers(0, 50))
def test_a_request_goes_to_its_own_server_within_the_bound_else_to_the_least_loaded(
    in_flight: list[int], number: int
) -> None:
    pool = make_pool(3)
    for endpoint, taken in zip(pool.endpoints, in_flight, strict=True):
        endpoint.controller.in_flight = taken
    ranked, free = pool.rank(request_for(number)), pool.open_endpoints(0.0)
    choices = list(pool.choices(ranked, free, None))
    if not free:
        assert not choices
        return
    own = ranked[0].controller.in_flight
    bound = 1.25 * (sum(in_flight) + 1) / 3
    assert (choices[0] == (ranked[0], True)) == (own < 8 and own < bound)
    assert [endpoint for endpoint, is_own in choices if not is_own] == free
    loads = [endpoint.controller.in_flight for endpoint in free]
    assert loads == sorted(loads)


def test_a_server_that_is_down_gets_nothing_but_a_probe() -> None:
    pool = make_pool(3)
    down = pool.endpoints[1]
    assert down.controller.mark_down(10.0)
    for number in range(30):
        choices = list(pool.choices(pool.rank(request_for(number)), pool.open_endpoints(10.1), None))
        assert down not in [endpoint for endpoint, _ in choices]
    due = down.controller.paused_until
    assert next(iter(pool.choices(pool.rank(request_for(1)), pool.open_endpoints(due), None))) == (down, True)


def test_a_request_goes_back_to_where_it_failed_only_if_all_others_are_down() -> None:
    pool = make_pool(2)
    failed, other = pool.endpoints
    for number in range(10):
        choices = list(pool.choices(pool.rank(request_for(number)), pool.open_endpoints(0.0), failed))
        assert {endpoint.root for endpoint, _ in choices} == {other.root}
    other.controller.mark_down(0.0)
    choices = list(pool.choices(pool.rank(request_for(1)), pool.open_endpoints(0.0), failed))
    assert (failed, True) in choices


def test_all_servers_are_used_and_nothing_is_asked_twice(servers: list[Server]) -> None:
    with connected(servers) as engine:
        assert len(ask_all(engine, map(request_for, range(200)))) == 200
        assert engine.take_busy() is not None
    assert total(servers) == Counter(range(200))
    assert all(len(server.answered) > 20 for server in servers)


def test_the_same_passage_goes_to_the_same_server(servers: list[Server]) -> None:
    requests = [request_for(number, passage=number % 30) for number in range(300)]
    with connected(servers) as engine:
        ask_all(engine, requests)
    at_home = 0
    for passage in range(30):
        counts = [sum(server.answered[n] for n in range(300) if n % 30 == passage) for server in servers]
        at_home += max(counts)
    assert (
        at_home / 300 > 0.6
    )  # on a busy machine too; by chance a half: of ten requests at three servers, the most at one


# -- one that is gone


def hang_after(count: int) -> Callable[[Server], str]:
    """The behaviour of a server that answers so many requests and no more."""
    return lambda server: "hang" if server.answered.total() >= count else "answer"


def receive_until(exchange: Exchange, given: list[Reply], holds: Callable[[], bool]) -> None:
    """Put the replies that come into `given`, until something holds."""
    while not holds():
        given += exchange.receive()
        time.sleep(0.001)


def ask_more(exchange: Exchange, given: list[Reply]) -> None:
    """Ask the next few, when all before them have come, and wait for their replies."""
    exchange.submit(map(request_for, range(len(given), len(given) + 20)))
    while replies := exchange.receive():
        given += replies


def test_one_that_is_killed_is_left_out_and_comes_back(
    servers: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    dying = servers[1]
    dying.behaviour = hang_after(10)
    given: list[Reply] = []
    with connected(servers) as engine, Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        exchange.submit(map(request_for, range(300)))
        receive_until(exchange, given, lambda: dying.asked.total() - dying.answered.total() >= 4)
        dying.kill()
        receive_until(exchange, given, lambda: len(given) == 300)
        assert not any(reply.error for reply in given)
        assert total(servers) == Counter(range(300))
        # What was still on its way there counts too, for nobody can know.
        assert ledger.spending.calls >= sum(server.asked.total() for server in servers)
        while not caplog.records:
            ask_more(exchange, given)
        dying.behaviour = lambda _: "answer"
        dying.open()
        before = dying.answered.total()
        while dying.answered.total() == before:
            ask_more(exchange, given)
    said = [record.getMessage() for record in caplog.records]
    assert [line.partition(" (")[0] for line in said] == [f"{dying.url} is left out", f"{dying.url} answers again"]
    assert "the others go on without it" in said[0]


def test_what_hangs_at_a_server_that_is_gone_is_asked_of_others(servers: list[Server]) -> None:
    gone = servers[0]
    gone.behaviour = lambda server: "hang" if 3 <= server.asked.total() <= 5 else "answer"
    gone.keeps_alive = False
    given: list[Reply] = []
    with (
        connected(servers, timeout=600.0) as engine,
        Ledger(MEMORY) as ledger,
        ledger.open_exchange(engine) as exchange,
    ):
        exchange.submit(map(request_for, range(60)))
        receive_until(exchange, given, lambda: gone.asked.total() > 5)
        gone.refuse_connections()
        exchange.submit(map(request_for, range(60, 400)))
        receive_until(exchange, given, lambda: len(given) == 400)
    assert not any(reply.error for reply in given)
    answered = total(servers)
    assert answered.keys() == set(range(400))
    # An answer that was on its way as the server went down is asked of another one, too.
    assert {number for number, times in answered.items() if times > 1} <= gone.answered.keys()
    assert answered.total() < 410


def test_where_all_are_down_the_run_waits_until_one_is_back(servers: list[Server]) -> None:
    with connected(servers) as engine, Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        exchange.submit(map(request_for, range(20)))
        given = list(exchange.receive())
        for server in servers:
            server.kill()
        exchange.submit(map(request_for, range(20, 60)))
        waiting = threading.Timer(1.0, servers[2].open)
        waiting.start()
        while replies := exchange.receive():
            given += replies
        waiting.join()
    assert sorted(reply.request.inputs["number"] for reply in given) == list(range(60))
    assert not any(reply.error for reply in given)


@pytest.mark.parametrize("status", [500, 404, 401, 400])
def test_one_that_fails_whatever_it_is_sent_is_left_out(
    servers: list[Server], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    failing = servers[0]
    failing.behaviour = lambda server: status if server.answered.total() >= 10 else "answer"
    given: list[Reply] = []
    with connected(servers) as engine, Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        while not any("the others go on" in record.getMessage() for record in caplog.records):
            ask_more(exchange, given)
        calls = ledger.spending.calls
    assert not any(reply.error for reply in given)
    assert total(servers) == Counter(range(len(given)))
    assert calls == sum(server.asked.total() for server in servers)
    # In other forms as well, and now and then as a probe.
    failed = failing.asked.total() - failing.answered.total()
    assert failed <= FAILURES_UNTIL_LEFT_OUT + 3 * 8 + 20


def test_what_two_servers_refuse_is_refused(servers: list[Server]) -> None:
    with connected(servers) as engine, Ledger(MEMORY) as ledger:
        ask_all(engine, map(request_for, range(30)))
        for server in servers:
            server.behaviour = lambda asked: 400 if asked.asked[7777] > asked.answered[7777] else "answer"
        (reply,) = ledger.ask(engine, [request_for(7777)])
    assert reply.error == "HTTP 400: This failure was ordered."
    assert sorted(server.asked[7777] > 0 for server in servers) == [False, True, True]


def test_where_none_works_for_us_the_last_one_says_why(servers: list[Server]) -> None:
    for server in servers:
        server.behaviour = lambda _: 404
    with connected(servers) as engine, pytest.raises(EngineError, match="404: This failure was ordered"):
        list(engine.complete(map(request_for, range(20))))


def test_where_none_can_be_reached_one_line_says_so(servers: list[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdos.llm.dispatcher.FIRST_CONTACT_SECONDS", 0.5)
    for server in servers:
        server.kill()
    with connected(servers) as engine, pytest.raises(EngineError, match="must be reachable"):
        list(engine.complete(map(request_for, range(20))))


def test_an_address_that_is_none_is_left_out_too(servers: list[Server]) -> None:
    urls = [servers[0].url, "http://no-such-host.invalid/v1"]
    with HttpEngine(EngineConfig(urls=urls, model="m", concurrency=4)) as engine:
        assert len(ask_all(engine, map(request_for, range(40)))) == 40


def test_what_one_server_has_no_time_for_another_takes_at_once(servers: list[Server]) -> None:
    servers[0].behaviour = lambda _: 429
    servers[0].headers = {"Retry-After": "600"}
    with connected(servers) as engine:
        assert len(ask_all(engine, map(request_for, range(100)))) == 100
    assert servers[0].asked.total() > 0


def test_where_all_ask_to_wait_that_is_done(servers: list[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdos.llm.dispatcher.RETRY", replace(RETRY, first_delay=0.001, max_attempts=4))
    with connected(servers) as engine:
        ask_all(engine, map(request_for, range(30)))
        until = time.monotonic() + 0.9
        for server in servers:
            server.behaviour = lambda _: "answer" if time.monotonic() > until else 429
            server.headers = {"Retry-After": "1"}
        ask_all(engine, map(request_for, range(30, 60)))
    assert max(sum((server.asked for server in servers), Counter[int]()).values()) <= 4


def test_a_cap_counts_the_attempts_at_every_server(servers: list[Server]) -> None:
    servers[0].behaviour = lambda _: 500
    with connected(servers) as engine:
        ledger = Ledger(MEMORY, budget=Budget(calls=60))
        given: list[Reply] = []
        with ledger, pytest.raises(Exception, match="budget of 60 calls is spent"):
            given.extend(ledger.ask(engine, map(request_for, range(200))))
        assert ledger.spending.calls <= 60
    assert sum(server.asked.total() for server in servers) <= 60


# -- each by its own habits


def test_each_server_is_asked_as_it_takes_it_and_that_is_remembered(servers: list[Server], tmp_path: Path) -> None:
    seen: list[bool] = []

    async def chat(request: web.Request) -> web.Response:
        body = await request.json()
        seen.append("response_format" in body)
        if seen[-1]:
            return web.json_response({"error": {"message": "response_format is no good"}}, status=400)
        number = NUMBER.search(await request.text())
        choice = {"message": {"content": f'{{"answer": "{number and number.group(1)}"}}'}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice]})

    plain = servers[0]
    plain.chat = chat  # type: ignore[method-assign]
    plain.kill()
    plain.open()
    with connected(servers) as engine:
        ask_all(engine, map(request_for, range(100)), Ledger(tmp_path / "l"))
    assert 0 < seen.count(True) <= 2
    assert seen.count(False) > 10
    before = seen.count(True)
    with connected(servers) as engine:
        ask_all(engine, map(request_for, range(100, 200)), Ledger(tmp_path / "l"))
    assert seen.count(True) == before


# -- settings


def engine_config(**settings: Any) -> EngineConfig:
    return read_config({"engine": {"kind": "http", "model": "m", **settings}, "source": {"kind": "pydocs"}}).engine


def config_with(engine: EngineConfig) -> Config:
    return replace(read_config({"source": {"kind": "pydocs"}}), engine=engine)


def test_addresses_of_several_servers_are_read() -> None:
    config = engine_config(urls=["http://a:1/v1", "http://b:1/v1"], concurrency=10)
    assert config.addresses == ["http://a:1/v1", "http://b:1/v1"]
    assert config.total_concurrency == 20
    one, two = (engine_config(urls=["http://a:1/v1", "http://b:1/v1"][:count], concurrency=999) for count in (1, 2))
    assert config_with(two).window == 2 * config_with(one).window
    assert engine_config(url="http://a:1/v1").addresses == ["http://a:1/v1"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "http://a/v1", "urls": ["http://b/v1"]}, "must have `url` or `urls`, not both"),
        ({"urls": ["http://a/v1", "a:8000"]}, r"engine.urls\[1\] must be the address of a server"),
        ({"urls": ["https://user:sk-secret@a/v1"]}, r"engine.urls\[0\] must hold no key"),
        ({"urls": ["http://a/v1", "http://a/v1/"]}, "must be different addresses"),
        ({"urls": ["http://a/v1", "http://b/v1"], "batch": True}, "engine.batch must have one server"),
        ({"urls": []}, "needs `url` and `model`"),
        ({"urls": "http://a/v1"}, "engine.urls"),
    ],
)
def test_addresses_that_cannot_be_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        engine_config(**settings)
    assert "sk-secret" not in str(caught.value)


def test_the_doctor_looks_at_each_server(servers: list[Server]) -> None:
    servers[1].behaviour = lambda _: 404
    config = EngineConfig(urls=[server.url for server in servers], model="m", concurrency=2)
    checks = list(diagnose_endpoints(config, calls=100))
    for server in servers:
        of_it = [check for check in checks if check.name.endswith(server.url)]
        assert {check.name.split(" of ")[0] for check in of_it} >= {"key", "server", "model"}
        assert all(check.ok for check in of_it if check.name.startswith("model")) == (server is not servers[1])
    one = list(diagnose_endpoints(replace(config, urls=[], url=servers[0].url), calls=100))
    assert [check.name for check in one][:3] == ["key", "server", "model"]
