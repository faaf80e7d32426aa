"""The worker pool: an engine spread over processes, replies as their chunks are done."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from queue import SimpleQueue
from typing import Protocol, Self

from kdos.tasks import Exchange, Reply, Request, ask_through

MAX_CHUNK_REQUESTS = 64
"""Requests sent to a worker at once: enough that sending them costs little beside the work."""
CHUNKS_AHEAD = 2
"""Chunks under way for each worker: one that it works on and one that it finds when that is done."""

StoreReplies = Callable[[Sequence[Reply]], None]


class CompletionEngine(Protocol):
    """The part of an engine that does the work."""

    @property
    def name(self) -> str:
        """What to show."""
        ...

    @property
    def fingerprint(self) -> str:
        """What shapes its replies."""
        ...

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request."""
        ...


class ProcessPoolEngine:
    """An engine that computes in this process, spread over `workers` processes; close when done.

    It answers exactly as `engine` does: name, fingerprint and replies are the same.
    """

    def __init__(self, engine: CompletionEngine, workers: int) -> None:
        self._engine = engine
        self._workers = workers
        self._pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=exit_with_parent
        )

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._engine.name

    @property
    def fingerprint(self) -> str:
        """The engine's fingerprint."""
        return self._engine.fingerprint

    def complete(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, as their chunks are done."""
        return ask_through(lambda: self.open_exchange(lambda _: None), requests)

    def open_exchange(self, store: StoreReplies) -> AbstractContextManager[Exchange]:
        """An exchange that stores each reply before it gives it."""
        return _PoolExchange(self._begin_chunk, self._workers, store)

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(cancel_futures=True)

    def _begin_chunk(self, requests: list[Request]) -> "Chunk":
        return self._pool.submit(_complete_chunk, self._engine, requests)


Chunk = Future[list[Reply]]


class _PoolExchange:
    """Requests go to the workers in chunks, the smaller the fewer wait, so that all workers are busy to the end."""

    def __init__(self, begin: Callable[[list[Request]], Chunk], workers: int, store: StoreReplies) -> None:
        self._begin = begin
        self._most_chunks = CHUNKS_AHEAD * workers
        self._store = store
        self._queue: deque[Request] = deque()
        self._under_way: set[Chunk] = set()
        self._done: SimpleQueue[Chunk] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel the chunks that have not begun; what is done is stored."""
        for chunk in self._under_way:
            chunk.cancel()
        self._read_replies([chunk for chunk in self._take_done() if not chunk.cancelled()])

    @property
    def room(self) -> int:
        """How many more requests would make the largest chunks."""
        return max(0, self._most_chunks * MAX_CHUNK_REQUESTS - len(self._queue))

    def submit(self, requests: Iterable[Request]) -> None:
        """Send requests to the workers, as these have room for chunks."""
        self._queue.extend(requests)
        self._begin_chunks()

    def receive(self) -> list[Reply]:
        """The replies of the chunks that are done, at least one chunk; none where nothing is out."""
        if not self._under_way:
            return []
        done = self._take_done() or [self._done.get()]
        self._under_way.difference_update(done)
        self._begin_chunks()
        return self._read_replies(done)

    def _begin_chunks(self) -> None:
        while self._queue and len(self._under_way) < self._most_chunks:
            size = min(MAX_CHUNK_REQUESTS, -(-len(self._queue) // self._most_chunks))
            chunk = self._begin([self._queue.popleft() for _ in range(size)])
            self._under_way.add(chunk)
            chunk.add_done_callback(self._done.put)

    def _take_done(self) -> list[Chunk]:
        """The chunks that are done and not received yet."""
        done: list[Chunk] = []
        while not self._done.empty():
            done.append(self._done.get())
        return done

    def _read_replies(self, done: list[Chunk]) -> list[Reply]:
        """The replies of chunks, stored; where one failed, those of the others are not lost."""
        replies: list[Reply] = []
        try:
            for chunk in done:
                replies += chunk.result()
        finally:
            self._store(replies)
        return replies


def _complete_chunk(engine: CompletionEngine, requests: Sequence[Request]) -> list[Reply]:
    return list(engine.complete(requests))


def exit_with_parent() -> None:
    """A worker must not outlive a parent that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
