"""An exchange with an engine that only works while it is waited for, in the thread of the caller."""

from collections import deque
from collections.abc import Iterable, Iterator
from time import monotonic

from kdos.llm.engine import ClosingContext, Engine, StoreReplies
from kdos.tasks import Reply, Request

COMMIT_SECONDS = 0.1  # the first reply of a group waits at most this long for the others
QUEUED_REQUESTS = 1024  # wanted in the queue: engines that take many at once take a few dozen


class InlineExchange(ClosingContext):
    """Requests queue until `receive`, which answers them and stores the answers in groups."""

    def __init__(self, engine: Engine, store: StoreReplies) -> None:
        self._engine = engine
        self._store = store
        self._queue: deque[Request] = deque()
        self._replies: Iterator[Reply] = iter(())

    @property
    def room(self) -> int:
        """How many more requests are wanted in the queue."""
        return max(0, QUEUED_REQUESTS - len(self._queue))

    def submit(self, requests: Iterable[Request]) -> None:
        """Put requests into the queue."""
        self._queue.extend(requests)

    def receive(self) -> list[Reply]:
        """The replies to what is in the queue, stored together: as many as come within `COMMIT_SECONDS`."""
        group: list[Reply] = []
        due = monotonic() + COMMIT_SECONDS
        try:
            while (reply := self._next_reply()) is not None:
                group.append(reply)
                if monotonic() >= due:
                    break
        finally:
            # Also where the engine raises: what was answered is not lost.
            self._store(group)
        return group

    def close(self) -> None:
        """Forget what is in the queue."""
        self._queue.clear()

    def _next_reply(self) -> Reply | None:
        """The engine's next reply; None where it has none to what is in the queue."""
        reply = next(self._replies, None)
        if reply is None and self._queue:
            self._replies = iter(self._engine.complete(self._take_queued()))
            reply = next(self._replies, None)
        return reply

    def _take_queued(self) -> Iterator[Request]:
        while self._queue:
            yield self._queue.popleft()
