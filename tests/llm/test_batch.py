"""Batch files: submitted, waited for, read, found again after a crash."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kdos.config import PriceConfig
from kdos.errors import EngineError
from kdos.llm import HttpEngine, Ledger, ScriptedEngine
from kdos.llm.batch import POLLING
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.llm.protocol import price_tokens
from kdos.tasks import Request

Connect = Callable[..., HttpEngine]
Ask = Callable[[int], Request]


@dataclass
class Server:
    url: str
    mock: MockServer


@pytest.fixture
def start(stack: ExitStack, ask_for: Ask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    quick = replace(POLLING, first_delay=0.01)
    monkeypatch.setattr("kdos.llm.batch.POLLING", quick)

    def start(faults: InjectedFaults | None = None) -> Server:
        engine = ScriptedEngine(lambda request: {"answer": str(request.inputs["number"])})
        mock = MockServer(engine, [ask_for(0).prompt], faults=faults, batches=True)
        return Server(stack.enter_context(serve_app(mock.build_app())), mock)

    return start


def test_every_request_gets_its_answer_at_half_the_price(
    start: Callable[..., Server], connect: Connect, ask_for: Ask, tmp_path: Path
) -> None:
    server = start()
    prices = PriceConfig(prompt=100.0, completion=100.0)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        engine = connect(server.url, batch=True, prices=prices)
        replies = list(ledger.ask(engine, map(ask_for, range(50))))
        spending = ledger.spending
    assert [reply.text for reply in replies] == [f'{{"answer":"{n}"}}' for n in range(50)]
    assert len(server.mock.batches) == 1
    assert spending.cost_usd == pytest.approx(price_tokens(prices, spending.tokens, 0).cost_usd / 2)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        list(ledger.ask(connect(server.url, batch=True), map(ask_for, range(50))))
    assert len(server.mock.batches) == 1


def test_rows_that_fail_or_are_lost_are_asked_again(
    start: Callable[..., Server], connect: Connect, ask_for: Ask
) -> None:
    server = start(InjectedFaults(fail={500: 0.2}, hang=0.2))
    with Ledger(Path(":memory:")) as ledger:
        replies = list(ledger.ask(connect(server.url, batch=True), map(ask_for, range(100))))
    assert len({reply.request.id for reply in replies}) == 100
    failed = [reply for reply in replies if reply.error]
    assert all(reply.transient for reply in failed)
    assert len(failed) < 15
    assert server.mock.stats.answered_twice == 0
    assert len(server.mock.batches) == 3


def test_a_batch_under_way_is_found_again(
    start: Callable[..., Server], connect: Connect, ask_for: Ask, tmp_path: Path
) -> None:
    server = start()

    class Crash(BaseException):
        pass

    def crash(_: float) -> None:
        raise Crash

    requests = [ask_for(number) for number in range(20)]
    with Ledger(tmp_path / "ledger.sqlite") as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdos.llm.batch.time.sleep", crash)
        with pytest.raises(Crash):
            list(ledger.ask(connect(server.url, batch=True), requests))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        replies = list(ledger.ask(connect(server.url, batch=True), requests))
    assert len(replies) == 20
    assert len(server.mock.batches) == 1


def test_a_server_without_schemas_gets_the_rows_again_in_another_form(
    start: Callable[..., Server], connect: Connect, ask_for: Ask
) -> None:
    server = start(InjectedFaults(schema=False))
    with Ledger(Path(":memory:")) as ledger:
        replies = list(ledger.ask(connect(server.url, batch=True), map(ask_for, range(10))))
    assert [reply.error for reply in replies] == [""] * 10


def test_a_server_without_batches_says_so(stack: ExitStack, connect: Connect, ask_for: Ask) -> None:
    mock = MockServer(ScriptedEngine(lambda _: {"answer": "1"}), [])
    url = stack.enter_context(serve_app(mock.build_app()))
    with pytest.raises(EngineError, match=r"must have /files and /batches.*404.*Leave engine.batch out"):
        list(connect(url, batch=True).complete([ask_for(1)]))
