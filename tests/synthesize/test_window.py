"""Work in flight: whatever order replies come in, what was started first is asked and given back first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.errors import BudgetSpentError, EngineError
from kdos.synthesize.window import Window
from kdos.tasks import SYNTHESIZE_PROMPT, Reply, Request


class ScriptedExchange:
    """Gives replies back in an order of its own: `draw(n)` names the next of n that are out."""

    def __init__(self, draw, *, room=1000):
        self.draw, self.room = draw, room
        self.out, self.sent = [], []

    def submit(self, requests):
        requests = list(requests)
        self.out += requests
        self.sent += [request.id for request in requests]
        self.room -= len(requests)

    def receive(self):
        if not self.out:
            return []
        request = self.out.pop(self.draw(len(self.out)))
        self.room += 1
        return [Reply(request, text=request.id)]


def ask(name):
    return Request(name, SYNTHESIZE_PROMPT, {})


def work(number, steps):
    """Asks `steps` times, some together, and returns all that it heard."""
    heard = []
    for step, together in enumerate(steps):
        replies = yield [ask(f"{number}/{step}/{each}") for each in range(together)]
        heard += [reply.text for reply in replies]
    return heard


def wanted(number, steps):
    return [f"{number}/{step}/{each}" for step, together in enumerate(steps) for each in range(together)]


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=8), st.data(), st.integers(1, 20))
def test_results_come_in_order_whatever_comes_first(plans, data, room):
    exchange = ScriptedExchange(lambda n: data.draw(st.integers(0, n - 1)), room=room)
    window = Window(exchange)
    for number, steps in enumerate(plans):
        window.start(number, work(number, steps))
    assert window.items == list(range(len(plans)))
    for number, steps in enumerate(plans):
        assert window.finish_oldest() == (number, wanted(number, steps))
    assert len(window) == 0
    assert sorted(exchange.sent) == sorted(
        name for number, steps in enumerate(plans) for name in wanted(number, steps)
    )


def test_the_oldest_work_is_asked_first_when_there_is_room():
    exchange = ScriptedExchange(lambda _: 0, room=1)
    window = Window(exchange)
    for number in range(3):
        window.start(number, work(number, [1, 1]))
    for _ in range(3):
        window.finish_oldest()
    assert exchange.sent == ["0/0/0", "0/1/0", "1/0/0", "1/1/0", "2/0/0", "2/1/0"]


def test_what_is_finished_and_waits_for_older_work_can_be_looked_at():
    exchange = ScriptedExchange(lambda n: n - 1)  # the newest first
    window = Window(exchange)
    for number in range(4):
        window.start(number, work(number, [1]))
    assert list(window.finished()) == []
    assert window.finish_oldest() == (0, ["0/0/0"])
    assert list(window.finished()) == [["1/0/0"], ["2/0/0"], ["3/0/0"]]
    assert [window.finish_oldest()[0] for _ in range(3)] == [1, 2, 3]


def test_a_reply_that_never_comes_is_an_error_that_names_it():
    exchange = ScriptedExchange(lambda _: 0)
    window = Window(exchange)
    window.start(0, work(0, [1]))
    exchange.out.clear()
    with pytest.raises(EngineError, match="No reply to 0/0/0"):
        window.finish_oldest()


def test_a_reply_that_comes_twice_counts_once():
    exchange = ScriptedExchange(lambda _: 0)
    window = Window(exchange)
    window.start(0, work(0, [2, 1]))
    again = list(exchange.out)
    exchange.out[1:1] = again[:1]
    assert window.finish_oldest() == (0, wanted(0, [2, 1]))


class SpentExchange(ScriptedExchange):
    """Answers what is `kept` alone: the budget is spent, and whatever else is sent closes it for more."""

    def __init__(self, kept):
        super().__init__(lambda _: 0)
        self.kept, self.ready = kept, []

    def submit(self, requests):
        for request in requests:
            self.sent.append(request.id)
            if request.id in self.kept:
                self.ready.append(Reply(request, text=request.id))
            else:
                self.room = 0

    def receive(self):
        if not self.ready:
            raise BudgetSpentError("spent")
        replies, self.ready = self.ready, []
        return replies


def test_what_is_kept_is_given_though_the_budget_is_spent():
    exchange = SpentExchange({"0/0/0", "0/1/0", "1/0/0"})
    window = Window(exchange)
    for number in range(3):
        window.start(number, work(number, [1, 1]))
    assert window.finish_oldest() == (0, ["0/0/0", "0/1/0"])
    with pytest.raises(BudgetSpentError):
        window.finish_oldest()
    assert exchange.sent == ["0/0/0", "1/0/0", "2/0/0", "0/1/0", "1/1/0"]
