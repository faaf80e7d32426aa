"""Requests out while replies come in: through the ledger, with every kind of engine."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kdos.config import PriceConfig
from kdos.errors import EngineError
from kdos.llm import Budget, BudgetSpentError, Engine, HttpEngine, Ledger, ScriptedEngine
from kdos.llm.batch import POLLING
from kdos.llm.dispatcher import RequestDispatcher
from kdos.llm.engine import StoreReplies, store_nothing
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.pool import Passage
from kdos.rules import RulesEngine
from kdos.runner import ProcessPoolEngine
from kdos.tasks import Exchange, Reply, Request, ask_seeds
from kdos.tasks.reading import read_value

MEMORY = Path(":memory:")
STEPS = 3
Start = Callable[..., tuple[MockServer, str]]
Connect = Callable[..., HttpEngine]
Ask = Callable[[int], Request]


def drain(exchange: Exchange) -> list[Reply]:
    """Every reply that is still to come."""
    replies: list[Reply] = []
    while came := exchange.receive():
        replies += came
    return replies


def echo(request: Request) -> dict[str, str]:
    return {"answer": str(request.inputs["number"])}


def follow_chains(exchange: Exchange, ask: Callable[[int, int, str], Request], *, chains: int) -> dict[str, str]:
    """Chains of requests, each asked when the reply before it has come; the texts by request."""
    texts: dict[str, str] = {}
    exchange.submit(ask(chain, 0, "") for chain in range(chains))
    while replies := exchange.receive():
        for reply in replies:
            assert reply.request.id not in texts
            assert not reply.error
            texts[reply.request.id] = reply.text
            chain, step = map(int, reply.request.id.split("/"))
            if step + 1 < STEPS:
                exchange.submit([ask(chain, step + 1, reply.text)])
    return texts


@pytest.fixture
def ask_next(ask_for: Ask) -> Callable[[int, int, str], Request]:
    """The request of a chain's step, which holds the reply before it."""

    def ask(chain: int, step: int, before: str) -> Request:
        asked = ask_for(10 * chain + step)
        return replace(asked, id=f"{chain}/{step}", inputs={**asked.inputs, "before": before})

    return ask


def test_each_reply_may_lead_to_a_request_of_an_engine_in_this_process(
    ask_next: Callable[[int, int, str], Request],
) -> None:
    engine = ScriptedEngine(echo)
    with Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        texts = follow_chains(exchange, ask_next, chains=20)
    assert len(texts) == engine.asked == 20 * STEPS


def test_each_reply_may_lead_to_a_request_of_a_server(
    start: Start, connect: Connect, ask_next: Callable[[int, int, str], Request]
) -> None:
    server, url = start(InjectedFaults(latency=0.005))
    with Ledger(MEMORY) as ledger, ledger.open_exchange(connect(url, concurrency=8)) as exchange:
        texts = follow_chains(exchange, ask_next, chains=20)
    assert len(texts) == server.stats.requests == 20 * STEPS


def test_a_batch_holds_all_that_waits_when_replies_are_wanted(
    stack: ExitStack,
    connect: Connect,
    ask_for: Ask,
    ask_next: Callable[[int, int, str], Request],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kdos.llm.batch.POLLING", replace(POLLING, first_delay=0.01))
    mock = MockServer(ScriptedEngine(echo), [ask_for(0).prompt], batches=True)
    engine = connect(stack.enter_context(serve_app(mock.build_app())), batch=True)
    with Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        texts = follow_chains(exchange, ask_next, chains=20)
    assert len(texts) == 20 * STEPS
    assert len(mock.batches) == STEPS


def test_each_reply_may_lead_to_a_request_of_worker_processes() -> None:
    def ask(chain: int, step: int, before: str) -> Request:
        text = f"In {1800 + 10 * chain + step} the works of Bonn employed {len(before)} people."
        passage = Passage("p", "d", "Works", "", "en", 0, len(text), text)
        return replace(ask_seeds(passage, per_passage=2), id=f"{chain}/{step}")

    found: dict[bool, dict[str, str]] = {}
    with closing(ProcessPoolEngine(RulesEngine(), 2)) as pool:
        for engine in (pool, RulesEngine()):
            with Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
                found[engine is pool] = follow_chains(exchange, ask, chains=20)
    assert found[True] == found[False]
    assert len(set(found[True].values())) > 20


def test_requests_reach_a_server_while_earlier_ones_are_in_flight(
    connect: Connect, ask_for: Ask, stack: ExitStack
) -> None:
    came = asyncio.Event()

    async def chat(request: web.Request) -> web.Response:
        body = await request.text()
        if 'number\\":2' in body:
            came.set()
        elif 'number\\":1' in body:
            await came.wait()
        choice = {"message": {"content": '{"answer": "1"}'}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    engine = connect(stack.enter_context(serve_app(app)), timeout=60.0)
    with Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        exchange.submit([ask_for(0), ask_for(1)])
        assert [reply.request.id for reply in exchange.receive()] == ["seed/0"]
        exchange.submit([ask_for(2)])
        assert {reply.request.id for reply in drain(exchange)} == {"seed/1", "seed/2"}
        assert exchange.receive() == []


def test_a_loop_that_is_busy_is_told_once_of_all_that_is_submitted(
    start: Start, connect: Connect, ask_for: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = start()
    with connect(url).open_exchange(store_nothing) as exchange:
        assert isinstance(exchange, RequestDispatcher)
        busy, told = threading.Event(), list[str]()
        tell = exchange.loop_thread.call_soon

        def note(function: Callable[..., object], *arguments: object) -> None:
            told.append(function.__name__)
            tell(function, *arguments)

        tell(busy.wait, 60.0)
        monkeypatch.setattr(exchange.loop_thread, "call_soon", note)
        for number in range(20):
            exchange.submit([ask_for(number)])
        assert told == ["_enqueue_requests"]
        busy.set()
        assert len(drain(exchange)) == 20
        exchange.submit([ask_for(20)])
        assert [reply.request.id for reply in drain(exchange)] == ["seed/20"]
    assert server.stats.requests == 21


def test_a_reply_is_read_once_by_the_ledger_and_who_asked(
    start: Start, connect: Connect, ask_for: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = start()
    read = list[str]()

    def note(text: str, schema: Mapping[str, Any]) -> Any:
        read.append(text)
        return read_value(text, schema)

    monkeypatch.setattr("kdos.tasks.request.read_value", note)
    with Ledger(MEMORY) as ledger:
        replies = list(ledger.ask(connect(url), map(ask_for, range(5))))
    assert {reply.value["answer"][0] for reply in replies} == set("01234")
    assert sorted(read) == sorted(reply.text for reply in replies)


def test_what_is_stored_is_given_at_once_and_asked_of_nobody(start: Start, connect: Connect, ask_for: Ask) -> None:
    server, url = start(InjectedFaults(latency=0.01))
    engine = connect(url)
    with Ledger(MEMORY) as ledger:
        list(ledger.ask(engine, map(ask_for, range(5))))
        with ledger.open_exchange(engine) as exchange:
            exchange.submit(map(ask_for, range(6)))
            assert [reply.request.id for reply in exchange.receive()] == [f"seed/{n}" for n in range(5)]
            assert [reply.request.id for reply in exchange.receive()] == ["seed/5"]
        assert ledger.spending.cached == 5
    assert server.stats.requests == 6


@pytest.mark.parametrize("remote", [False, True])
def test_identical_requests_that_are_out_are_asked_once(
    remote: bool, start: Start, connect: Connect, ask_for: Ask
) -> None:
    server, url = start(InjectedFaults(latency=0.01))
    scripted = ScriptedEngine(echo)
    engine: Engine = connect(url) if remote else scripted
    with Ledger(MEMORY) as ledger, ledger.open_exchange(engine) as exchange:
        for copy in range(10):
            exchange.submit(replace(ask_for(number), id=f"{number}/{copy}") for number in range(3))
        replies = drain(exchange)
    assert sorted(reply.request.id for reply in replies) == sorted(
        f"{n}/{copy}" for n in range(3) for copy in range(10)
    )
    assert (server.stats.requests if remote else scripted.asked) == 3


def test_what_a_cap_holds_back_is_sent_when_others_have_come_to_less(
    start: Start, connect: Connect, ask_for: Ask
) -> None:
    server, url = start(InjectedFaults(latency=0.005))
    engine = connect(url, max_tokens=1000, prices=PriceConfig(1.0, 1.0))
    # Room for the most that ten can come to: each comes to far less, so that all of them are answered.
    with Ledger(MEMORY, budget=Budget(tokens=12_000)) as ledger, ledger.open_exchange(engine) as exchange:
        exchange.submit(map(ask_for, range(40)))
        assert exchange.room == 0
        replies = drain(exchange)
        assert exchange.room > 0
        assert ledger.spending.tokens < 12_000
    assert len(replies) == server.stats.requests == 40
    assert server.stats.most_in_flight <= 12


def test_a_spent_cap_is_said_after_the_last_reply(ask_for: Ask, tmp_path: Path) -> None:
    engine = ScriptedEngine(echo)
    given: list[str] = []
    with Ledger(tmp_path / "l", budget=Budget(calls=4)) as ledger, ledger.open_exchange(engine) as exchange:
        exchange.submit(map(ask_for, range(3)))
        exchange.submit(map(ask_for, range(3, 10)))
        with pytest.raises(BudgetSpentError, match="budget of 4 calls is spent"):
            while True:
                given += [reply.request.id for reply in exchange.receive()]
        exchange.submit([replace(ask_for(0), id="again")])  # stored: it costs nothing
        given += [reply.request.id for reply in exchange.receive()]
    assert given == [f"seed/{number}" for number in range(4)] + ["again"]
    with Ledger(tmp_path / "l", budget=Budget(calls=10)) as ledger:
        assert len(list(ledger.ask(engine, map(ask_for, range(10))))) == 10
    assert engine.asked == 10


def test_the_deadline_ends_an_exchange(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.01))
    engine = connect(url, concurrency=4)
    given: list[Reply] = []
    with Ledger(MEMORY, budget=Budget(seconds=0.5)) as ledger, ledger.open_exchange(engine) as exchange:

        def go_on() -> None:
            for number in range(1_000_000):
                exchange.submit([ask_for(number)])
                given.extend(exchange.receive())

        with pytest.raises(BudgetSpentError, match=r"budget of 0 seconds is spent"):
            go_on()
        assert ledger.spending.calls == len(given) > 0


def test_leaving_keeps_what_has_come_and_reserves_nothing(
    start: Start, connect: Connect, ask_for: Ask, tmp_path: Path
) -> None:
    server, url = start(InjectedFaults(latency=0.02))
    engine = connect(url, concurrency=4)
    with Ledger(tmp_path / "l", budget=Budget(calls=100)) as ledger:
        with ledger.open_exchange(engine) as exchange:
            exchange.submit(map(ask_for, range(100)))
            first = exchange.receive()
        assert 0 < len(first) <= ledger.spending.calls < 100
        asked = server.stats.requests
        assert asked < 100
        before = ledger.spending.calls
        assert len(list(ledger.ask(engine, map(ask_for, range(before))))) == before
    assert server.stats.answered_twice == 0


def test_an_error_of_the_reader_leaves_the_engine_fit_for_use(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.01))
    engine = connect(url)
    with Ledger(MEMORY) as ledger:
        with pytest.raises(RuntimeError, match="mine"), ledger.open_exchange(engine) as exchange:
            exchange.submit(map(ask_for, range(50)))
            raise RuntimeError("mine")
        assert len(list(ledger.ask(engine, map(ask_for, range(50))))) == 50


def test_an_engine_that_drops_a_request_is_found_out(ask_for: Ask) -> None:
    class Lossy(ScriptedEngine):
        def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
            return (reply for reply in super().complete(requests) if "3" not in reply.text)

    given: list[Reply] = []
    with Ledger(MEMORY) as ledger, ledger.open_exchange(Lossy(echo)) as exchange:
        exchange.submit(map(ask_for, range(5)))
        with pytest.raises(EngineError, match="1 unanswered, the first of them seed/3"):
            while True:
                given += exchange.receive()
    assert len(given) == 4


class Counting:
    """An exchange that notes what it is asked to do, with a room of `most`."""

    def __init__(self, most: int) -> None:
        self.out: list[Request] = []
        self.most, self.seen = most, 0

    def __enter__(self) -> "Counting":
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def room(self) -> int:
        return max(0, self.most - len(self.out))

    def submit(self, requests: Iterable[Request]) -> None:
        self.out += requests
        self.seen = max(self.seen, len(self.out))

    def receive(self) -> list[Reply]:
        came, self.out = self.out[:3], self.out[3:]
        return [Reply(request) for request in came]


def test_a_stream_fills_the_room_and_no_more(ask_for: Ask) -> None:
    from kdos.tasks import ask_through

    exchange = Counting(10)
    replies = list(ask_through(lambda: exchange, map(ask_for, range(100))))
    assert [reply.request.id for reply in replies] == [f"seed/{number}" for number in range(100)]
    assert exchange.seen == 10


def test_replies_of_a_slow_reader_are_stored_meanwhile(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.01))
    stored: list[Reply] = []
    store: StoreReplies = stored.extend
    with connect(url, concurrency=8).open_exchange(store) as exchange:
        exchange.submit(map(ask_for, range(40)))
        until = time.monotonic() + 30
        while len(stored) < 40 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(stored) == 40
        assert len(drain(exchange)) == 40


def test_a_server_says_how_busy_it_was_kept(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.02))
    engine = connect(url, concurrency=4)
    assert engine.take_busy() is None
    list(engine.complete(map(ask_for, range(40))))
    busy = engine.take_busy()
    assert busy is not None
    assert 0.25 <= busy <= 1.0
    assert engine.take_busy() is None
    for number in range(40, 50):  # one at a time, with pauses between
        list(engine.complete([ask_for(number)]))
    busy = engine.take_busy()
    assert busy is not None
    assert 0 < busy <= 0.25
