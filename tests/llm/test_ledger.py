"""The ledger: nothing asked twice, nothing lost, one reply for each request."""

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.errors import EngineError, StoreError
from kdos.llm import Failure, Ledger, ScriptedEngine
from kdos.llm.reply_store import KeyBloomFilter
from kdos.tasks import Prompt, Reply, Request, Usage

MEMORY = Path(":memory:")
PROMPT = Prompt(task="seed", text="Say the number.", schema={"type": "object"})


def ask_for(number: int, *, name: str = "") -> Request:
    return Request(id=f"seed/{name or number}", prompt=PROMPT, inputs={"number": number})


def echo(request: Request) -> Reply:
    return Reply(request, text=str(request.inputs["number"]), usage=Usage(10, 5, 0.25))


def test_every_request_gets_its_own_reply() -> None:
    engine = ScriptedEngine(echo)
    with Ledger(MEMORY) as ledger:
        replies = list(ledger.ask(engine, [ask_for(number) for number in range(100)]))
    assert [reply.request.id for reply in replies] == [f"seed/{number}" for number in range(100)]
    assert [reply.text for reply in replies] == [str(number) for number in range(100)]


def test_a_kept_reply_is_never_asked_for_again(tmp_path: Path) -> None:
    first, second = ScriptedEngine(echo), ScriptedEngine(echo)
    requests = [ask_for(number) for number in range(10)]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        before = list(ledger.ask(first, requests[:6]))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        after = list(ledger.ask(second, requests))
        assert ledger.spending.calls == 10
        assert ledger.spending.cached == 6
        assert ledger.spending.tokens == 150
        assert ledger.spending.cost_usd == 2.5
    assert (first.asked, second.asked) == (6, 4)
    assert after[:6] == before


def test_the_id_shapes_no_reply_but_the_engine_does(tmp_path: Path) -> None:
    one, other = ScriptedEngine(echo, name="one"), ScriptedEngine(echo, name="other")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        list(ledger.ask(one, [ask_for(1)]))
        (renamed,) = ledger.ask(one, [ask_for(1, name="again")])
        list(ledger.ask(other, [ask_for(1)]))
    assert renamed.request.id == "seed/again"
    assert (one.asked, other.asked) == (1, 1)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_identical_requests_in_flight_are_asked_once(numbers: list[int]) -> None:
    engine = ScriptedEngine(echo)
    requests = [ask_for(number, name=str(i)) for i, number in enumerate(numbers)]
    with Ledger(MEMORY) as ledger:
        replies = list(ledger.ask(engine, requests))
    assert sorted(r.request.id for r in replies) == sorted(r.id for r in requests)
    assert all(r.text == str(r.request.inputs["number"]) for r in replies)
    assert engine.asked == len(set(numbers))


def test_a_reply_is_on_disk_before_it_is_yielded(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        for reply in ledger.ask(ScriptedEngine(echo), [ask_for(number) for number in range(5)]):
            copy = tmp_path / "copy"
            copy.mkdir(exist_ok=True)
            for file in path.parent.glob("ledger.sqlite*"):
                (copy / file.name).write_bytes(file.read_bytes())
            query = "SELECT text FROM replies WHERE request = ?"
            with sqlite3.connect(copy / "ledger.sqlite") as connection:
                assert connection.execute(query, (reply.request.id,)).fetchone() == (reply.text,)
            connection.close()


def test_a_passing_failure_is_asked_again_and_a_lasting_one_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    passing = ScriptedEngine(lambda _: Failure("server down", transient=True))
    lasting = ScriptedEngine(lambda _: Failure("too long"))
    healed = ScriptedEngine(echo)
    with Ledger(path) as ledger:
        (first,) = ledger.ask(passing, [ask_for(1)])
        (second,) = ledger.ask(healed, [ask_for(1)])
        (third,) = ledger.ask(lasting, [ask_for(2)])
        (fourth,) = ledger.ask(healed, [ask_for(2)])
        assert ledger.spending.failed == 2
    assert (first.error, second.error, second.text) == ("server down", "", "1")
    assert (third.error, fourth.error, healed.asked) == ("too long", "too long", 1)


def test_requests_are_drawn_as_the_engine_has_room(tmp_path: Path) -> None:
    drawn: list[int] = []

    def requests() -> Iterator[Request]:
        for number in range(100_000):
            drawn.append(number)
            yield ask_for(number)

    with Ledger(MEMORY) as ledger:
        replies = ledger.ask(ScriptedEngine(echo), requests())
        next(replies)
        assert len(drawn) <= 5000
        replies.close()


def test_kept_replies_reach_the_reader_before_all_requests_are_drawn() -> None:
    drawn: list[int] = []

    def requests() -> Iterator[Request]:
        for number in range(12_000):
            drawn.append(number)
            yield ask_for(number % 7)

    with Ledger(MEMORY) as ledger:
        list(ledger.ask(ScriptedEngine(echo), [ask_for(number) for number in range(7)]))
        replies = ledger.ask(ScriptedEngine(echo), requests())
        next(replies)
        assert len(drawn) < 5000
        assert sum(1 for _ in replies) == 11_999


def test_an_engine_that_drops_a_request_is_found_out() -> None:
    class Lossy(ScriptedEngine):
        def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
            return (reply for reply in super().complete(requests) if reply.text != "3")

    with Ledger(MEMORY) as ledger, pytest.raises(EngineError, match="seed/3"):
        list(ledger.ask(Lossy(echo), [ask_for(number) for number in range(5)]))


def test_what_arrived_before_an_engine_broke_is_kept(tmp_path: Path) -> None:
    class Breaks(ScriptedEngine):
        def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
            for reply in super().complete(requests):
                if reply.text == "3":
                    raise EngineError("wrong key")
                yield reply

    engine = ScriptedEngine(echo)
    requests = [ask_for(number) for number in range(5)]
    with Ledger(tmp_path / "ledger.sqlite") as ledger, pytest.raises(EngineError):
        list(ledger.ask(Breaks(echo), requests))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert len(list(ledger.ask(engine, requests))) == 5
    assert engine.asked == 2


def test_a_second_process_gets_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    script = "import sys; from pathlib import Path; from kdos.llm import Ledger; "
    script += "Ledger(Path(sys.argv[1]))"
    with Ledger(path) as ledger:
        list(ledger.ask(ScriptedEngine(echo), [ask_for(1)]))
        other = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert "StoreError" in other.stderr
    assert "Another process is using it" in other.stderr


def test_a_file_that_is_no_ledger_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no ledger at all. " * 100)
    with pytest.raises(StoreError, match="must be a ledger of kdos"):
        Ledger(path)


def test_a_ledger_of_another_format_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="format is 99"):
        Ledger(path)


def test_the_filter_lets_every_key_through_and_few_others():
    def keys(kind, count):
        return [hashlib.sha256(f"{kind} {n}".encode()).digest()[:16] for n in range(count)]

    held = KeyBloomFilter()
    for key in keys("in", 20_000):
        held.add(key)
    assert all(map(held.may_hold, keys("in", 20_000)))
    assert sum(map(held.may_hold, keys("out", 20_000))) < 20
