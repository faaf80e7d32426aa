"""The ledger: every reply is kept in one SQLite file before anyone uses it.

The file is cache and checkpoint at once: a request that was answered before, in this run or an
earlier one, is answered from it and never paid for again. One process writes a ledger at a time.
Each prompt's text is stored once; inputs and replies are plain text (compressing them would save
a quarter of the file and take three times as long as writing them).
"""

import hashlib
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self

import orjson

from kdos.errors import EngineError, StoreError
from kdos.llm.engine import Engine
from kdos.tasks import Reply, Request, Usage

FORMAT = 1
COMMIT_SECONDS = 0.1  # a reply waits at most this long before it is on disk
COMMIT_REPLIES = 4096
READY_REPLIES = 4096  # kept replies that may pile up before the reader gets them
TABLES = """
CREATE TABLE prompts (hash TEXT PRIMARY KEY, task TEXT, text TEXT, schema TEXT) WITHOUT ROWID;
CREATE TABLE engines (id INTEGER PRIMARY KEY, fingerprint TEXT UNIQUE, name TEXT);
CREATE TABLE spending (
    engine INTEGER REFERENCES engines, task TEXT, calls INTEGER, failed INTEGER,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost_usd REAL, PRIMARY KEY (engine, task)
) WITHOUT ROWID;
CREATE TABLE replies (
    id INTEGER PRIMARY KEY, key BLOB UNIQUE, engine INTEGER REFERENCES engines,
    prompt TEXT REFERENCES prompts, request TEXT, error TEXT, passing INTEGER, finish TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost_usd REAL, latency REAL,
    attempts INTEGER, params TEXT, inputs TEXT, reasoning TEXT, text TEXT
);
"""
KEEP = "INSERT OR REPLACE INTO replies VALUES (NULL" + ", ?" * 16 + ")"
FIND = """
SELECT text, error, reasoning, finish, prompt_tokens, completion_tokens, cost_usd, latency, attempts
FROM replies WHERE key = ? AND NOT passing
"""
SPEND = """
INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    calls = calls + excluded.calls, failed = failed + excluded.failed,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    cost_usd = cost_usd + excluded.cost_usd
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was asked and paid for. USD.

    `calls` counts the requests an engine was asked, `failed` those of them that got no answer;
    both, like tokens and money, over all runs that shared the ledger. `cached` counts the requests
    of this run that a kept reply answered.
    """

    calls: int = 0
    failed: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            calls=self.calls + other.calls,
            failed=self.failed + other.failed,
            cached=self.cached + other.cached,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    @classmethod
    def on(cls, replies: Sequence[Reply]) -> "Spending":
        """What these replies of an engine cost."""
        return cls(
            calls=len(replies),
            failed=sum(1 for reply in replies if reply.error),
            prompt_tokens=sum(reply.usage.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.usage.completion_tokens for reply in replies),
            cost_usd=sum(reply.usage.cost_usd for reply in replies),
        )


class Ledger:
    """An open ledger file; `Path(":memory:")` keeps it in memory only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._prompts: set[str] = set()
        self._cached = 0
        self._connection = connect(path)
        self._spending = self._restored()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything that was yielded is in it."""
        self._connection.close()

    @property
    def spending(self) -> Spending:
        """Totals so far."""
        return replace(self._spending, cached=self._cached)

    def ask(self, engine: Engine, requests: Iterable[Request]) -> Iterator[Reply]:
        """One reply for each request, in the order in which they are ready.

        What was answered before comes from the file; every new reply is committed before it is
        yielded; identical requests are asked once. Requests are drawn as the engine has room.
        """
        asking = _Asking(self, engine, iter(requests))
        while not asking.over:
            try:
                for reply in engine.complete(asking.fresh()):
                    asking.land(reply)
                    if asking.due():
                        yield from asking.settle()
            finally:
                asking.commit()
            yield from asking.settle()
        asking.check_all_answered()

    def find(self, key: bytes, request: Request) -> Reply | None:
        """The kept reply to `request`, whose ledger key is `key`."""
        with self._lock:
            row = self._connection.execute(FIND, (key,)).fetchone()
        if row is None:
            return None
        self._cached += 1
        text, error, reasoning, finish, prompt, completion, cost, latency, attempts = row
        return Reply(
            request=request,
            text=text,
            error=error,
            reasoning=reasoning,
            finish=finish,
            usage=Usage(prompt, completion, cost),
            latency=latency,
            attempts=attempts,
        )

    def keep(self, engine: int, replies: Sequence[tuple[bytes, Reply]]) -> None:
        """Commit replies with their keys; when this returns they survive a crash."""
        by_task: dict[str, list[Reply]] = {}
        for _, reply in replies:
            by_task.setdefault(reply.request.task, []).append(reply)
        spent = {task: Spending.on(those) for task, those in by_task.items()}
        with self._lock, transaction(self._connection) as connection:
            for _, reply in replies:
                self._keep_prompt(reply.request)
            connection.executemany(KEEP, [as_row(key, engine, reply) for key, reply in replies])
            connection.executemany(
                SPEND, [spending_row(engine, task, spending) for task, spending in spent.items()]
            )
        self._spending = sum(spent.values(), self._spending)

    def register(self, engine: Engine) -> int:
        """The number that stands for the engine in this file."""
        with self._lock:
            self._connection.execute(
                "INSERT OR IGNORE INTO engines (fingerprint, name) VALUES (?, ?)",
                (engine.fingerprint, engine.name),
            )
            query = "SELECT id FROM engines WHERE fingerprint = ?"
            return self._connection.execute(query, (engine.fingerprint,)).fetchone()[0]

    def _keep_prompt(self, request: Request) -> None:
        """Store the prompt's text the first time it is used."""
        prompt = request.prompt
        if prompt.hash not in self._prompts:
            self._connection.execute(
                "INSERT OR IGNORE INTO prompts VALUES (?, ?, ?, ?)",
                (prompt.hash, prompt.task, prompt.text, as_json(prompt.schema)),
            )
            self._prompts.add(prompt.hash)

    def _restored(self) -> Spending:
        """Totals over all runs before."""
        query = """
        SELECT sum(calls), sum(failed), sum(prompt_tokens), sum(completion_tokens), sum(cost_usd)
        FROM spending
        """
        row = self._connection.execute(query).fetchone()
        calls, failed, prompt, completion, cost = (value or 0 for value in row)
        return Spending(
            calls=calls,
            failed=failed,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_usd=float(cost),
        )


@dataclass(slots=True)
class _Asking:
    """The state of one `Ledger.ask`: who waits for which key, and what is ready to be yielded."""

    ledger: Ledger
    engine: Engine
    source: Iterator[Request]
    over: bool = False
    number: int = field(init=False)
    salt: bytes = field(init=False)
    waiting: dict[str, list[Request]] = field(default_factory=dict[str, list[Request]])
    landed: list[Reply] = field(default_factory=list[Reply])
    ready: deque[Reply] = field(default_factory=deque[Reply])
    committed_at: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.number = self.ledger.register(self.engine)
        self.salt = hashlib.blake2b(self.engine.fingerprint.encode(), digest_size=32).digest()

    def key(self, request: Request) -> bytes:
        """16 bytes that depend on the engine and on everything that shapes the reply."""
        return hashlib.blake2b(request.key.encode(), key=self.salt, digest_size=16).digest()

    def fresh(self) -> Iterator[Request]:
        """The requests that the engine must answer.

        It ends early when many kept replies are ready, so that they reach the reader; the engine
        is called again with the rest.
        """
        for request in self.source:
            if request.key in self.waiting:
                self.waiting[request.key].append(request)
            elif kept := self.ledger.find(self.key(request), request):
                self.ready.append(kept)
                if len(self.ready) >= READY_REPLIES:
                    return
            else:
                self.waiting[request.key] = [request]
                yield request
        self.over = True

    def land(self, reply: Reply) -> None:
        """Take a reply from the engine; it is not to be used before `settle`."""
        self.landed.append(reply)

    def due(self) -> bool:
        """Whether the reader should get something now."""
        if self.ready or len(self.landed) >= COMMIT_REPLIES:
            return True
        return monotonic() - self.committed_at >= COMMIT_SECONDS

    def commit(self) -> None:
        """Put what has landed on disk and make it ready, once for each request that waits."""
        rows = [(self.key(reply.request), reply) for reply in self.landed]
        if rows:
            self.ledger.keep(self.number, rows)
        for reply in self.landed:
            first, *others = self.waiting.pop(reply.request.key)
            self.ready.append(reply if reply.request is first else replace(reply, request=first))
            self.ready.extend(replace(reply, request=request) for request in others)
        self.landed.clear()
        self.committed_at = monotonic()

    def settle(self) -> Iterator[Reply]:
        """Commit, then give out everything that is ready."""
        self.commit()
        while self.ready:
            yield self.ready.popleft()

    def check_all_answered(self) -> None:
        """Fail if the engine dropped a request: no row is ever lost in silence."""
        if self.waiting:
            name = next(iter(self.waiting.values()))[0].id
            raise EngineError(
                f"An engine must answer every request. {self.engine.name} left "
                f"{len(self.waiting)} unanswered, the first of them {name}."
            )


class transaction:  # noqa: N801 - reads as a statement
    """All or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def connect(path: Path) -> sqlite3.Connection:
    """The open file, made if it is new; ours alone until it is closed."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        prepare(connection)
    except sqlite3.DatabaseError as error:
        raise StoreError(complaint(path, error)) from error
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Set the file's ways, and its tables if it is new."""
    connection.execute("PRAGMA page_size = 16384")  # rows of 2-4 KB: a fifth less file than at 4096
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        elif version != FORMAT:
            raise sqlite3.DatabaseError(f"its format is {version}, this kdos reads {FORMAT}")


def complaint(path: Path, error: sqlite3.DatabaseError) -> str:
    """What to tell about a ledger that cannot be opened."""
    if "locked" in str(error):
        return (
            f"{path} must be ours alone. Another process is using it. "
            "Wait until that run has ended, or give this one another --out."
        )
    return f"{path} must be a ledger of kdos. {error}. Move it away to start a new one."


def as_row(key: bytes, engine: int, reply: Reply) -> tuple[Any, ...]:
    """A reply as its row of `replies`."""
    request, usage = reply.request, reply.usage
    return (
        key,
        engine,
        request.prompt.hash,
        request.id,
        reply.error,
        reply.passing,
        reply.finish,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cost_usd,
        reply.latency,
        reply.attempts,
        as_json(request.params),
        as_json(request.inputs),
        reply.reasoning,
        reply.text,
    )


def spending_row(engine: int, task: str, spending: Spending) -> tuple[Any, ...]:
    """What one commit adds to the totals of a task."""
    return (
        engine,
        task,
        spending.calls,
        spending.failed,
        spending.prompt_tokens,
        spending.completion_tokens,
        spending.cost_usd,
    )


def as_json(value: object) -> str:
    """JSON text."""
    return orjson.dumps(value).decode()
