"""One SQLite file of replies: each prompt once, a row for each reply, totals, engines' state."""

import operator
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

import orjson

from kdos.errors import StoreError
from kdos.llm.engine import Engine
from kdos.tasks import Reply, Request, Usage

LEDGER_FORMAT = 1
PAGE_BYTES = 16384  # rows have 2-4 KB: a fifth less file than with pages of 4096
BUSY_SECONDS = 60.0  # how long to wait for another process that writes to a shared file

# Rows that one INSERT takes. SQLite works without Python's lock only inside a statement, so a
# statement a row would wait for the lock as often as the event loop holds it.
ROWS_PER_STATEMENT = 64

TABLES = """
CREATE TABLE prompts (hash TEXT PRIMARY KEY, task TEXT, text TEXT, schema TEXT) WITHOUT ROWID;
CREATE TABLE engines (id INTEGER PRIMARY KEY, fingerprint TEXT UNIQUE, name TEXT);
CREATE TABLE findings (
    engine INTEGER REFERENCES engines, name TEXT, value TEXT, PRIMARY KEY (engine, name)
) WITHOUT ROWID;
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
REPLY_COLUMNS = 16
REPLY_PLACEHOLDERS = "(NULL" + ", ?" * REPLY_COLUMNS + ")"
INSERT_REPLIES = "INSERT OR REPLACE INTO replies VALUES "
SELECT_REPLY = """
SELECT text, error, reasoning, finish, prompt_tokens, completion_tokens, cost_usd, latency, attempts
FROM replies WHERE key = ? AND NOT passing
"""
ADD_SPENDING = """
INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    calls = calls + excluded.calls, failed = failed + excluded.failed,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens,
    completion_tokens = completion_tokens + excluded.completion_tokens,
    cost_usd = cost_usd + excluded.cost_usd
"""
SELECT_SPENDING = """
SELECT sum(calls), sum(failed), sum(prompt_tokens), sum(completion_tokens), sum(cost_usd)
FROM spending
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was asked and paid for. USD.

    `calls` counts the requests that an engine was asked, `failed` those of them that got no answer;
    both, like tokens and money, over all runs that shared the file. `cached` counts the requests of
    this run that a stored reply answered.
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
        return Spending(*map(operator.add, astuple(self), astuple(other)))

    @classmethod
    def of_replies(cls, replies: Sequence[Reply]) -> "Spending":
        """What these replies of an engine cost."""
        return cls(
            calls=len(replies),
            failed=sum(1 for reply in replies if reply.error),
            prompt_tokens=sum(reply.usage.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.usage.completion_tokens for reply in replies),
            cost_usd=sum(reply.usage.cost_usd for reply in replies),
        )


KeyedReply = tuple[bytes, Reply]
"""A reply with its 16-byte key."""


class KeyBloomFilter:
    """Which keys may be in a file, in 4 MB whatever its size: what it denies is not there.

    A Bloom filter with two bits a key. Of keys that are not there it lets through one in 300 at a
    million in the file, one in five at ten million; a set of the keys would take 100 MB a million.
    """

    BITS = 1 << 25

    def __init__(self) -> None:
        self._bytes = bytearray(self.BITS // 8)

    def add(self, key: bytes) -> None:
        """Let this key through from now on."""
        for place in self._bit_places(key):
            self._bytes[place >> 3] |= 1 << (place & 7)

    def may_hold(self, key: bytes) -> bool:
        """Whether the key may have been added."""
        return all(self._bytes[place >> 3] >> (place & 7) & 1 for place in self._bit_places(key))

    def _bit_places(self, key: bytes) -> tuple[int, int]:
        # Keys are hashes already: their own bits are as good as two hash functions.
        number = int.from_bytes(key[:8])
        return number % self.BITS, (number >> 32) % self.BITS


class ReplyStore:
    """An open file of replies. Any thread may use it.

    `exclusive`: no other process may open it meanwhile.
    """

    def __init__(self, path: Path, *, exclusive: bool) -> None:
        self.path = path
        self._lock = RLock()
        self._prompts: set[str] = set()
        self._engines: dict[str, int] = {}
        self._connection = _open_database(path, exclusive=exclusive)
        # SQLite gives up Python's lock for each look, and a caller waits up to 5 ms to win it back
        # from a busy event loop; without a filter 256 requests in flight made 2,340 rows a second,
        # with it 2,976. Only for a file that nobody else adds to.
        self._filter = KeyBloomFilter() if exclusive else None
        if self._filter:
            for (key,) in self._connection.execute("SELECT key FROM replies"):
                self._filter.add(key)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find_reply(self, key: bytes, request: Request) -> Reply | None:
        """The stored reply to `request`, whose key is `key`; a transient failure is none."""
        if self._filter and not self._filter.may_hold(key):
            return None
        with self._lock:
            row = self._connection.execute(SELECT_REPLY, (key,)).fetchone()
        if row is None:
            return None
        text, error, reasoning, finish, *usage, latency, attempts = row
        reply = Reply(request, text, error, reasoning=reasoning, finish=finish, usage=Usage(*usage))
        return replace(reply, latency=latency, attempts=attempts)

    def store_replies(self, engine: Engine, replies: Sequence[KeyedReply], spent: Mapping[str, Spending]) -> None:
        """Commit replies, and by task what they cost; when this returns they survive a crash.

        Raises:
            StoreError: The file cannot be written.
        """
        number = self.engine_number(engine)
        rows = [_reply_row(key, number, reply) for key, reply in replies]
        with self._lock, self._transaction() as connection:
            for key, reply in replies:
                self._insert_prompt(reply.request)
                if self._filter:
                    self._filter.add(key)
            for start in range(0, len(rows), ROWS_PER_STATEMENT):
                part = rows[start : start + ROWS_PER_STATEMENT]
                values = ", ".join([REPLY_PLACEHOLDERS] * len(part))
                connection.execute(INSERT_REPLIES + values, list(chain.from_iterable(part)))
            for task, spending in spent.items():
                calls, failed, _, *amounts = astuple(spending)
                connection.execute(ADD_SPENDING, (number, task, calls, failed, *amounts))

    def engine_number(self, engine: Engine) -> int:
        """The number that stands for an engine in this file."""
        number = self._engines.get(engine.fingerprint)
        if number is None:
            with self._lock, self._transaction() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO engines (fingerprint, name) VALUES (?, ?)",
                    (engine.fingerprint, engine.name),
                )
                query = "SELECT id FROM engines WHERE fingerprint = ?"
                number = connection.execute(query, (engine.fingerprint,)).fetchone()[0]
                self._engines[engine.fingerprint] = number
        return number

    def read_engine_state(self, engine: int) -> dict[str, str]:
        """What an engine found out about its server."""
        query = "SELECT name, value FROM findings WHERE engine = ?"
        with self._lock:
            return dict(self._connection.execute(query, (engine,)).fetchall())

    def write_engine_state(self, engine: int, name: str, value: str | None) -> None:
        """Remember one thing that an engine found out, or forget it (None)."""
        with self._lock, self._transaction() as connection:
            connection.execute("DELETE FROM findings WHERE engine = ? AND name = ?", (engine, name))
            if value is not None:
                connection.execute("INSERT INTO findings VALUES (?, ?, ?)", (engine, name, value))

    def total_spending(self) -> Spending:
        """Totals over all runs so far."""
        with self._lock:
            row = self._connection.execute(SELECT_SPENDING).fetchone()
        calls, failed, prompt, completion, cost = (value or 0 for value in row)
        return Spending(calls, failed, 0, prompt, completion, float(cost))

    def _insert_prompt(self, request: Request) -> None:
        """Store the prompt's text the first time it is used."""
        prompt = request.prompt
        if prompt.hash not in self._prompts:
            self._connection.execute(
                "INSERT OR IGNORE INTO prompts VALUES (?, ?, ?, ?)",
                (prompt.hash, prompt.task, prompt.text, _json_text(prompt.schema)),
            )
            self._prompts.add(prompt.hash)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        connection = self._connection
        try:
            # IMMEDIATE takes the write lock at once: a transaction that begins by reading could
            # not be upgraded when another process has written meanwhile (SQLITE_BUSY, no waiting).
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path} must take every reply before it is used. {error}. "
                "Make room or mend the disk and run the same command again."
            ) from error


def _open_database(path: Path, *, exclusive: bool) -> sqlite3.Connection:
    timeout = 0.0 if exclusive else BUSY_SECONDS
    try:
        # No isolation level: transactions are ours (`_transaction`), not Python's.
        connection = sqlite3.connect(path, timeout, isolation_level=None, check_same_thread=False)
        _prepare_database(connection, exclusive=exclusive)
    except sqlite3.DatabaseError as error:
        raise StoreError(_explain_open_failure(path, error)) from error
    return connection


def _prepare_database(connection: sqlite3.Connection, *, exclusive: bool) -> None:
    """Set the pragmas, and make the tables if the file is new."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # before the first table
    if exclusive:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    # With a write-ahead log a commit is one write and one fsync; FULL makes it survive power loss.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {LEDGER_FORMAT}")
    elif version != LEDGER_FORMAT:
        raise sqlite3.DatabaseError(f"Its format is {version}, this kdos reads {LEDGER_FORMAT}")
    connection.execute("COMMIT")


def _explain_open_failure(path: Path, error: sqlite3.DatabaseError) -> str:
    if "locked" in str(error):
        return (
            f"{path} must be ours alone. Another process is using it. "
            "Wait until that run has ended, or give this one another folder."
        )
    return f"{path} must be a ledger of kdos. {error}. Move it away to start a new one."


def _reply_row(key: bytes, engine: int, reply: Reply) -> tuple[Any, ...]:
    """The columns of a reply, in the order of the table."""
    request, usage, error = reply.request, reply.usage, _storable_text(reply.error)
    names = (key, engine, request.prompt.hash, request.id)
    outcome = (error, reply.transient, reply.finish)
    tokens = (usage.prompt_tokens, usage.completion_tokens, usage.cost_usd)
    asked = (_json_text(_stored_params(request)), _json_text(request.inputs))
    said = (_storable_text(reply.reasoning), _storable_text(reply.text))
    return (*names, *outcome, *tokens, reply.latency, reply.attempts, *asked, *said)


def _stored_params(request: Request) -> dict[str, Any]:
    """What shapes the reply beside prompt and inputs."""
    params = dict(request.params)
    if request.max_tokens_factor > 1:
        params["room"] = request.max_tokens_factor
    if request.failed_attempt:
        params["earlier"] = request.failed_attempt
    return params


def _storable_text(text: str) -> str:
    """The text with nothing in it that has no UTF-8 form (a surrogate without its partner)."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _json_text(value: object) -> str:
    return orjson.dumps(value).decode()
