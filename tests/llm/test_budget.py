"""Caps: checked before spending, a clean stop that loses nothing, and a run that goes on."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from kdos.config import PriceConfig
from kdos.errors import ConfigError
from kdos.llm import Budget, BudgetSpentError, Engine, HttpEngine, Ledger, ScriptedEngine
from kdos.llm.mock_server import InjectedFaults, MockServer
from kdos.tasks import Reply, Request

Start = Callable[..., tuple[MockServer, str]]
Connect = Callable[..., HttpEngine]
Ask = Callable[[int], Request]


def spend(ledger: Ledger, engine: Engine, requests: Iterable[Request], what: str) -> list[Reply]:
    """The replies that came before the budget was spent; asserts that it was."""
    replies: list[Reply] = []
    with pytest.raises(BudgetSpentError, match=what):
        replies.extend(ledger.ask(engine, requests))
    return replies


def test_calls_stop_at_the_cap_and_the_run_goes_on(ask_for: Ask, tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda request: str(request.inputs["number"]))
    requests = [ask_for(number) for number in range(10)]
    with Ledger(tmp_path / "l", budget=Budget(calls=4)) as ledger:
        seen = spend(ledger, engine, requests, "budget of 4 calls is spent")
        assert [reply.text for reply in seen] == ["0", "1", "2", "3"]
        assert ledger.spending.calls == 4
    with Ledger(tmp_path / "l", budget=Budget(calls=10)) as ledger:
        assert len(list(ledger.ask(engine, requests))) == 10
    assert engine.asked == 10


def test_what_is_kept_costs_nothing(ask_for: Ask, tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda request: "x")
    requests = [ask_for(number) for number in range(5)]
    with Ledger(tmp_path / "l") as ledger:
        list(ledger.ask(engine, requests))
    with Ledger(tmp_path / "l", budget=Budget(calls=5)) as ledger:
        assert len(list(ledger.ask(engine, requests))) == 5


@pytest.mark.parametrize("cap", ["tokens", "usd"])
def test_tokens_and_money_are_never_overspent(cap: str, start: Start, connect: Connect, ask_for: Ask) -> None:
    server, url = start(InjectedFaults(latency=0.01))
    prices = PriceConfig(prompt=100.0, completion=1000.0)
    engine = connect(url, concurrency=16, max_tokens=50, prices=prices)
    budget = Budget(tokens=5000) if cap == "tokens" else Budget(usd=0.5)
    requests = [ask_for(number) for number in range(500)]
    with Ledger(Path(":memory:"), budget=budget) as ledger:
        seen = spend(ledger, engine, requests, cap.upper() if cap == "usd" else cap)
        spending = ledger.spending
    assert len(seen) == spending.calls == server.stats.answered
    assert spending.tokens <= 5000 if cap == "tokens" else spending.cost_usd <= 0.5
    share = spending.tokens / 5000 if cap == "tokens" else spending.cost_usd / 0.5
    assert share > 0.9


def test_time_is_a_cap_even_when_the_server_hangs(start: Start, connect: Connect, ask_for: Ask) -> None:
    _, url = start(InjectedFaults(latency=0.01, hang=0.3))
    engine = connect(url, concurrency=4, timeout=0.5)
    began = time.monotonic()
    with Ledger(Path(":memory:"), budget=Budget(seconds=1.0)) as ledger:
        seen = spend(ledger, engine, map(ask_for, range(100_000)), "1 seconds")
        assert time.monotonic() - began < 60
        assert ledger.spending.calls >= len(seen) > 0
    assert not any(reply.error for reply in seen)


def test_a_cap_on_money_needs_a_price(connect: Connect, ask_for: Ask) -> None:
    engine = connect("http://127.0.0.1:9/v1")
    with (
        Ledger(Path(":memory:"), budget=Budget(usd=1.0)) as ledger,
        pytest.raises(ConfigError, match=r"engine\.prices is not set"),
    ):
        list(ledger.ask(engine, [ask_for(1)]))
