"""A window of work in flight over one exchange with a model: started in order, given back in order.

A piece of work is a generator that yields requests and is sent their replies. It touches nothing else, so that it can
be played with a list; what is asked first when the model has room is the work that was started first.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

from kdos.errors import BudgetSpentError, EngineError
from kdos.tasks import Exchange, Reply, Request

Item = TypeVar("Item")
Result = TypeVar("Result")
PickWork = Generator[Sequence[Request], Sequence[Reply], Result]
"""Yields requests that go out together, is sent their replies in the same order, and returns what it came to."""


@dataclass(slots=True, eq=False)
class _Slot(Generic[Item, Result]):
    """Work in flight: the requests that it waits for, and the replies that have come, by id."""

    number: int
    item: Item
    work: PickWork[Result]
    asked: Sequence[Request] = ()
    replies: dict[str, Reply] = field(default_factory=dict[str, Reply])
    result: Result | None = None
    is_finished: bool = False


class Window(Generic[Item, Result]):
    """Work in flight, each with the item that it is about; ids of requests must differ."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._slots: deque[_Slot[Item, Result]] = deque()
        self._started = 0
        self._asked_by: dict[str, _Slot[Item, Result]] = {}
        # By the number of their work: a request has no order of its own.
        self._unsent: list[tuple[int, int, Request]] = []
        self._sent = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def items(self) -> list[Item]:
        """What the work in flight is about, the first started first."""
        return [slot.item for slot in self._slots]

    def finished(self) -> Iterator[Result]:
        """What work in flight came to that only waits for the work before it, the first started first."""
        return (slot.result for slot in self._slots if slot.result is not None)

    def start(self, item: Item, work: PickWork[Result]) -> None:
        """Begin a piece of work."""
        slot = _Slot(self._started, item, work)
        self._started += 1
        self._slots.append(slot)
        self._advance(slot, None)
        self._send()

    def finish_oldest(self) -> tuple[Item, Result]:
        """What the first of those in flight came to; the others go on meanwhile.

        Raises:
            BudgetSpentError: A cap keeps it from being finished.
            EngineError: A request was left without a reply.
        """
        oldest = self._slots[0]
        while not oldest.is_finished:
            self._send()
            replies = self._receive(oldest)
            if not replies:
                raise EngineError(f"an engine must answer every request. No reply to {oldest.asked[0].id}.")
            for reply in replies:
                self._deliver(reply)
        self._slots.popleft()
        assert oldest.result is not None
        return oldest.item, oldest.result

    def _send(self) -> None:
        """Send what waits, of the oldest work first, as far as the model has room."""
        while self._unsent and (room := self._exchange.room) > 0:
            count = min(room, len(self._unsent))
            self._exchange.submit([heappop(self._unsent)[2] for _ in range(count)])

    def _receive(self, oldest: _Slot[Item, Result]) -> Sequence[Reply]:
        try:
            return self._exchange.receive()
        except BudgetSpentError:
            # There is no room once a cap holds anything back, but what is kept costs nothing: a run that a spent
            # budget ends again must come as far as it did before.
            unsent = [heappop(self._unsent)[2] for _ in range(sum(each[0] == oldest.number for each in self._unsent))]
            if not unsent:
                raise
        self._exchange.submit(unsent)
        return self._exchange.receive()

    def _deliver(self, reply: Reply) -> None:
        slot = self._asked_by.pop(reply.request.id, None)
        if slot is None:  # it has come before
            return
        slot.replies[reply.request.id] = reply
        if len(slot.replies) == len(slot.asked):
            replies = [slot.replies[request.id] for request in slot.asked]
            slot.replies.clear()
            self._advance(slot, replies)

    def _advance(self, slot: _Slot[Item, Result], replies: Sequence[Reply] | None) -> None:
        """Let a piece of work go on to its next requests, or to its end."""
        try:
            # It may have nothing to ask at some step: then it goes on at once.
            while not (asked := next(slot.work) if replies is None else slot.work.send(replies)):
                replies = ()
        except StopIteration as end:
            slot.asked, slot.result, slot.is_finished = (), end.value, True
            return
        slot.asked = asked
        for request in asked:
            self._asked_by[request.id] = slot
            heappush(self._unsent, (slot.number, self._sent, request))
            self._sent += 1
