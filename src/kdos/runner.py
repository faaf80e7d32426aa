"""The worker pool: an engine spread over processes, replies in the order of the requests."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import Protocol

from kdos.tasks import Reply, Request

# Requests sent to a worker at once: enough that sending them costs little beside the work.
CHUNK_REQUESTS = 64

# Chunks under way for each worker.
CHUNKS_AHEAD = 4


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
        """One reply for each request, in order; reads at most AHEAD chunks a worker ahead."""
        waiting: deque[Future[list[Reply]]] = deque()
        for chunk in _request_chunks(requests):
            waiting.append(self._pool.submit(_complete_chunk, self._engine, chunk))
            if len(waiting) >= CHUNKS_AHEAD * self._workers:
                yield from waiting.popleft().result()
        yield from chain.from_iterable(future.result() for future in waiting)

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown(cancel_futures=True)


def _request_chunks(requests: Iterable[Request]) -> Iterator[tuple[Request, ...]]:
    source = iter(requests)
    return iter(lambda: tuple(islice(source, CHUNK_REQUESTS)), ())


def _complete_chunk(engine: CompletionEngine, requests: tuple[Request, ...]) -> list[Reply]:
    return list(engine.complete(requests))


def exit_with_parent() -> None:
    """A worker must not outlive a parent that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
