"""Workers: small chunks, all of them busy, nothing lost when one fails."""

from concurrent.futures import Future

import pytest

from kdos.runner import MAX_CHUNK_REQUESTS, _PoolExchange  # pyright: ignore[reportPrivateUsage]
from kdos.tasks import Prompt, Reply, Request

PROMPT = Prompt("seed", "Say it.", {})


def ask(number: int) -> Request:
    return Request(f"seed/{number}", PROMPT, {"number": number})


class Workers:
    """Stands in for a pool: chunks are done when the test says so."""

    def __init__(self) -> None:
        self.chunks: list[tuple[list[Request], Future[list[Reply]]]] = []

    def begin(self, requests: list[Request]) -> Future[list[Reply]]:
        self.chunks.append((requests, Future()))
        return self.chunks[-1][1]

    def finish(self, number: int) -> None:
        requests, future = self.chunks[number]
        future.set_result([Reply(request) for request in requests])

    @property
    def sizes(self) -> list[int]:
        return [len(requests) for requests, _ in self.chunks]


def test_a_few_dozen_requests_are_shared_by_all_workers() -> None:
    workers = Workers()
    exchange = _PoolExchange(workers.begin, 4, lambda _: None)
    exchange.submit(map(ask, range(36)))
    assert len(workers.sizes) == 8  # two a worker
    assert max(workers.sizes) <= 5
    taken = 0
    while len(workers.chunks) > taken:
        workers.finish(taken)
        taken += 1
        exchange.receive()
    assert sum(workers.sizes) == 36
    assert workers.sizes[-1] == 1


def test_many_requests_go_in_large_chunks() -> None:
    workers = Workers()
    exchange = _PoolExchange(workers.begin, 2, lambda _: None)
    exchange.submit(map(ask, range(10_000)))
    assert workers.sizes == [MAX_CHUNK_REQUESTS] * 4
    assert exchange.room == 0


def test_replies_come_as_chunks_are_done_and_are_stored_first() -> None:
    workers, stored = Workers(), list[Reply]()
    exchange = _PoolExchange(workers.begin, 2, stored.extend)
    exchange.submit(map(ask, range(8)))
    workers.finish(2)
    came = exchange.receive()
    assert [reply.request for reply in came] == workers.chunks[2][0]
    assert stored == came


def test_leaving_cancels_what_has_not_begun_and_stores_what_is_done() -> None:
    workers, stored = Workers(), list[Reply]()
    with _PoolExchange(workers.begin, 2, stored.extend) as exchange:
        exchange.submit(map(ask, range(8)))
        workers.finish(1)
    assert [reply.request for reply in stored] == workers.chunks[1][0]
    assert [future.cancelled() for _, future in workers.chunks] == [True, False, True, True]


def test_where_a_chunk_fails_the_others_are_stored() -> None:
    workers, stored = Workers(), list[Reply]()
    exchange = _PoolExchange(workers.begin, 2, stored.extend)
    exchange.submit(map(ask, range(8)))
    workers.finish(0)
    workers.chunks[1][1].set_exception(RuntimeError("the worker died"))
    with pytest.raises(RuntimeError, match="the worker died"):
        exchange.receive()
    assert [reply.request for reply in stored] == workers.chunks[0][0]
