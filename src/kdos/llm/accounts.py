"""What is kept and what was spent: a run's own book, and one that several runs share."""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from time import monotonic

from kdos.llm.book import KeyedReply, ReplyStore, Spending
from kdos.llm.budget import Budget
from kdos.llm.engine import Engine
from kdos.tasks import Reply, Request

BORROWED = 512  # replies out of the cache that are written into the run's own file at once


class Accounts:
    """Replies by key, totals, and the budget they count against.

    `shared` is a second file: what it holds is not asked again, what this run asks goes into it.
    """

    def __init__(self, path: Path, *, shared: Path | None, budget: Budget) -> None:
        self.budget = budget
        self._own = ReplyStore(path, alone=True)
        self._shared = ReplyStore(shared, alone=False) if shared else None
        self._borrowed: list[tuple[Engine, KeyedReply]] = []
        self._lock = Lock()
        self._cached = 0
        self._spending = self._own.total_spending()
        self._opened = monotonic()

    def close(self) -> None:
        """Close the files."""
        self._write_borrowed()
        self._own.close()
        if self._shared:
            self._shared.close()

    @property
    def spending(self) -> Spending:
        """Totals so far."""
        return replace(self._spending, cached=self._cached)

    @property
    def seconds(self) -> float:
        """How long the ledger has been open."""
        return monotonic() - self._opened

    @property
    def until(self) -> float:
        """When the budget's time is spent, on the monotonic clock."""
        return self._opened + (float("inf") if self.budget.seconds is None else self.budget.seconds)

    def find(self, engine: Engine, key: bytes, request: Request) -> Reply | None:
        """The kept reply to `request`, whose key is `key`."""
        reply = self._own.find_reply(key, request)
        if reply is None and self._shared:
            reply = self._shared.find_reply(key, request)
            if reply is not None:
                self._borrowed.append((engine, (key, reply)))
                if len(self._borrowed) >= BORROWED:
                    self._write_borrowed()
        self._cached += reply is not None
        return reply

    def keep(self, engine: Engine, replies: Sequence[KeyedReply]) -> None:
        """Commit replies with their keys; when this returns they survive a crash."""
        by_task: dict[str, list[Reply]] = {}
        for _, reply in replies:
            by_task.setdefault(reply.request.task, []).append(reply)
        spent = {task: Spending.of_replies(those) for task, those in by_task.items()}
        self._own.store_replies(self._own.engine_number(engine), replies, spent)
        if self._shared:
            self._shared.store_replies(self._shared.engine_number(engine), replies, spent)
        with self._lock:
            self._spending = sum(spent.values(), self._spending)

    def findings(self, engine: Engine) -> "Findings":
        """What the engine found out, here and in earlier runs; what it adds is kept at once."""
        return Findings(self._own, self._own.engine_number(engine))

    def _write_borrowed(self) -> None:
        """Write what came out of the cache into the run's own file: it cost nothing here."""
        engines = {engine.fingerprint: engine for engine, _ in self._borrowed}
        for fingerprint, engine in engines.items():
            kept = [one for other, one in self._borrowed if other.fingerprint == fingerprint]
            self._own.store_replies(self._own.engine_number(engine), kept, {})
        self._borrowed.clear()


class Findings(MutableMapping[str, str]):
    """What one engine found out about its server, on disk as soon as it is set."""

    def __init__(self, book: ReplyStore, engine: int) -> None:
        self._book = book
        self._engine = engine
        self._known = book.read_server_state(engine)

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def __setitem__(self, name: str, value: str) -> None:
        if self._known.get(name) != value:
            self._known[name] = value
            self._book.write_server_state(self._engine, name, value)

    def __delitem__(self, name: str) -> None:
        del self._known[name]
        self._book.write_server_state(self._engine, name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._known))

    def __len__(self) -> int:
        return len(self._known)
