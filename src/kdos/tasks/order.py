"""Replies in the order of their requests, whatever the order in which they come."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

from kdos.errors import EngineError
from kdos.tasks.request import Ask, Reply, Request

Item = TypeVar("Item")
ORDER_WINDOW = 4096
"""How far the asking may run ahead of the oldest reply that is still out: our choice."""


def pair_replies_in_order(
    items: Iterable[tuple[Item, Request | None]], *, ask: Ask, window: int = ORDER_WINDOW
) -> Iterator[tuple[Item, Reply | None]]:
    """Each item with the reply to its request (None where it has none), in the items' order.

    At most `window` items are held. While one reply is late the others go on, until the window is
    full; then the asking ends, and starts again when all that is out has come back.
    """
    waiting: deque[tuple[Item, Request | None]] = deque()
    replies: dict[str, Reply] = {}
    source = iter(items)
    while True:
        drawn = False
        for reply in ask(_take_requests(source, waiting, window)):
            drawn = True
            replies[reply.request.id] = reply
            yield from _take_answered(waiting, replies)
        drawn = drawn or bool(waiting)
        yield from _take_answered(waiting, replies)
        if waiting:
            raise EngineError(f"an engine must answer every request. No reply to {waiting[0][1]}.")
        if not drawn:
            return


def _take_requests(
    source: Iterator[tuple[Item, Request | None]],
    waiting: deque[tuple[Item, Request | None]],
    window: int,
) -> Iterator[Request]:
    """The requests of the next items, which join those that are waiting."""
    while len(waiting) < window:
        item = next(source, None)
        if item is None:
            return
        waiting.append(item)
        if item[1] is not None:
            yield item[1]


def _take_answered(
    waiting: deque[tuple[Item, Request | None]], replies: dict[str, Reply]
) -> Iterator[tuple[Item, Reply | None]]:
    """The items at the front that wait for nothing more."""
    while waiting and (waiting[0][1] is None or waiting[0][1].id in replies):
        item, request = waiting.popleft()
        yield item, None if request is None else replies.pop(request.id)
