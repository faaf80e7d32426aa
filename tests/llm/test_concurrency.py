"""The AIMD controller: fewer in flight when the server is full, more again when it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdos.llm.concurrency import AIMDController, BusyMeter
from kdos.llm.protocol import RateLimit


def proven(most: int) -> AIMDController:
    controller = AIMDController(most)
    controller.record_answer(0.1, 0.0)
    return controller


def feed(controller: AIMDController, *, epochs: int, latency: float, away: float, start: float = 0.0) -> float:
    """Epochs of replies of which a share `away` was turned away; gives the time after them."""
    now = start
    for _ in range(epochs):
        count = int(max(16, controller.limit)) + 1
        for number in range(count):
            now += latency / max(1.0, controller.limit)
            if number < away * count:
                controller.record_rejection(now)
            else:
                controller.record_answer(latency, now)
    return now


def test_one_request_goes_first() -> None:
    controller = AIMDController(64)
    assert controller.free_slots(0) == 1
    controller.record_answer(0.1, 0.1)
    assert controller.free_slots(0.2) == 64
    controller.in_flight = 60
    assert controller.free_slots(0.2) == 4


def test_a_full_server_gets_fewer_and_then_more_again() -> None:
    controller = proven(64)
    now = feed(controller, epochs=6, latency=0.1, away=0.5)
    assert controller.limit < 16
    feed(controller, epochs=40, latency=0.1, away=0.0, start=now)
    assert controller.limit == 64


def test_single_refusals_are_noise() -> None:
    controller = proven(64)
    feed(controller, epochs=20, latency=0.1, away=0.1)
    assert controller.limit == 64


def test_replies_that_few_were_asked_for_say_nothing_of_the_server() -> None:
    # The end of one stage and the begin of the next: few in flight, the slow ones, and then a pause.
    controller = proven(64)
    controller.in_flight = 64
    now = feed(controller, epochs=5, latency=0.1, away=0.0)
    controller.in_flight = 10
    feed(controller, epochs=5, latency=1.0, away=0.0, start=now)
    assert controller.limit == 64


def test_slower_replies_with_less_done_lower_the_limit() -> None:
    controller = proven(64)
    controller.in_flight = 64
    now = feed(controller, epochs=5, latency=0.1, away=0.0)
    feed(controller, epochs=5, latency=1.0, away=0.0, start=now)
    assert controller.limit < 64


def test_slower_replies_with_as_much_done_do_not() -> None:
    controller = AIMDController(256)
    controller.record_answer(0.1, 0.0)
    controller.limit = 16
    now = feed(controller, epochs=3, latency=0.1, away=0.0)
    for _ in range(60):  # a batching server: latency grows with the batch, throughput holds
        now = feed(controller, epochs=1, latency=0.1 * controller.limit / 16, away=0.0, start=now)
    assert controller.limit == 256


def test_it_never_stands_still() -> None:
    controller = proven(4)
    feed(controller, epochs=50, latency=0.1, away=1.0)
    assert controller.free_slots(1e9) == 1


def test_a_rate_limit_closes_the_gate_until_it_is_full_again() -> None:
    controller = proven(8)
    controller.apply_rate_limits({"requests": RateLimit(0, 5.0), "tokens": RateLimit(900, 60.0)}, 10.0)
    assert controller.free_slots(14.9) == 0
    assert controller.free_slots(15.0) == 8


def test_a_dead_server_is_probed_ever_more_rarely() -> None:
    controller = proven(8)
    assert [controller.record_connection_failure(1.0) for _ in range(3)] == [False, False, True]
    assert controller.free_slots(1.0) == 0
    waits: list[float] = []
    now = controller.paused_until
    for _ in range(8):
        assert controller.free_slots(now) == 1
        controller.record_connection_failure(now)
        waits.append(controller.paused_until - now)
        now = controller.paused_until
    assert waits == sorted(waits)
    assert waits[-1] == 30
    assert controller.record_answer(0.1, now)
    assert controller.free_slots(now) == 8


def test_the_mean_in_flight_is_taken_from_the_first_sent_to_the_last_ended() -> None:
    meter = BusyMeter()
    assert meter.take() is None
    meter.change(1, 100.0)
    meter.change(1, 101.0)
    meter.change(-1, 104.0)
    meter.change(-1, 110.0)
    assert meter.take() == (1 + 2 * 3 + 6) / 10
    assert meter.take() is None  # the time until the next is sent is nobody's


def test_what_is_in_flight_when_the_mean_is_taken_counts_on() -> None:
    meter = BusyMeter()
    meter.change(2, 0.0)
    assert meter.take() is None
    meter.change(-1, 4.0)
    assert meter.take() == 2.0
    meter.change(1, 6.0)
    meter.change(-2, 8.0)
    assert meter.take() == (1 * 2 + 2 * 2) / 4


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 10)), min_size=1, max_size=20))
def test_the_mean_is_the_sum_of_the_times_over_the_whole(requests: list[tuple[float, float]]) -> None:
    meter = BusyMeter()
    for at, by in sorted([(at, 1) for at, _ in requests] + [(at + took, -1) for at, took in requests]):
        meter.change(by, at)
    whole = max(at + took for at, took in requests) - min(at for at, _ in requests)
    assert meter.take() == pytest.approx(sum(took for _, took in requests) / whole)
