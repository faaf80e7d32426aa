"""One SQLite file of replies: each prompt once, a row for each reply, totals, engines' state."""

# ruff: noqa: S608 (statements are put together from the names of columns below, and from nothing else)
import operator
import sqlite3
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import orjson

from kdos.arrays import Float32Array
from kdos.errors import DamageError, StoreError
from kdos.llm.engine import NamedModel
from kdos.tasks import Reply, Request, Usage

LEDGER_FORMAT = 4
PAGE_BYTES = 16384  # rows have 2-4 KB: a fifth less file than with pages of 4096
EMBED_TASK = "embed"
"""What vectors cost is put down under this name."""
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
    prompt_tokens INTEGER, completion_tokens INTEGER, cost_usd REAL, checksum INTEGER,
    cached_tokens INTEGER DEFAULT 0, PRIMARY KEY (engine, task)
) WITHOUT ROWID;
CREATE TABLE replies (
    id INTEGER PRIMARY KEY, key BLOB UNIQUE, engine INTEGER REFERENCES engines,
    prompt TEXT REFERENCES prompts, request TEXT, error TEXT, passing INTEGER, finish TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, cost_usd REAL, latency REAL,
    attempts INTEGER, params TEXT, inputs TEXT, reasoning TEXT, text TEXT,
    said_checksum INTEGER, asked_checksum INTEGER
);
CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB, checksum INTEGER) WITHOUT ROWID
"""
SAID_VALUES = "error, passing, finish, prompt_tokens, completion_tokens, cost_usd, latency, attempts, reasoning, text"
ASKED_VALUES = "engine, prompt, request, params, inputs"
"""The columns of a reply beside its key. Said and asked have a checksum each: who looks a reply up need not read
its request, which is the longer part."""
REPLY_VALUES = f"key, {SAID_VALUES}, said_checksum, {ASKED_VALUES}, asked_checksum"
REPLY_PLACEHOLDERS = f"({', '.join('?' * (REPLY_VALUES.count(',') + 1))})"
INSERT_REPLIES = f"INSERT OR REPLACE INTO replies ({REPLY_VALUES}) VALUES "
SELECT_REPLY = f"SELECT {SAID_VALUES}, said_checksum FROM replies WHERE key = ?"
FORMER_SPENDING_VALUES = "engine, task, calls, failed, prompt_tokens, completion_tokens, cost_usd"
SPENDING_VALUES = f"{FORMER_SPENDING_VALUES}, cached_tokens"
INSERT_SPENDING = f"INSERT OR REPLACE INTO spending ({SPENDING_VALUES}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
SELECT_SPENDING = f"SELECT {SPENDING_VALUES}, checksum FROM spending"
UPGRADES = {
    1: (
        "ALTER TABLE replies ADD COLUMN said_checksum INTEGER",
        "ALTER TABLE replies ADD COLUMN asked_checksum INTEGER",
        f"UPDATE replies SET said_checksum = row_checksum(key, {SAID_VALUES}), "
        f"asked_checksum = row_checksum(key, {ASKED_VALUES})",
        "ALTER TABLE spending ADD COLUMN checksum INTEGER",
        f"UPDATE spending SET checksum = row_checksum({FORMER_SPENDING_VALUES})",
    ),
    2: ("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB, checksum INTEGER) WITHOUT ROWID",),
    3: (
        "ALTER TABLE spending ADD COLUMN cached_tokens INTEGER DEFAULT 0",
        # What was damaged before is so after it: its checksum is left as it is.
        f"UPDATE spending SET checksum = row_checksum({SPENDING_VALUES}) "
        f"WHERE checksum IS row_checksum({FORMER_SPENDING_VALUES})",
    ),
}
"""What makes a ledger of an older format one of the next: what was paid for then is good now."""
COUNT_DAMAGED_REPLIES = (
    f"SELECT count(*) FROM replies WHERE said_checksum IS NOT row_checksum(key, {SAID_VALUES}) "
    f"OR asked_checksum IS NOT row_checksum(key, {ASKED_VALUES})"
)
OUTSIDE_CODES = frozenset(
    {
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR),
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL),
    }
)
"""What SQLite says of a disk, not of a file's content. Our statements are fixed: any other error is the file's."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was asked and paid for. USD.

    `calls` counts the requests that an engine was asked, `failed` those of them that got no answer;
    both, like tokens and money, over all runs that shared the file. `cached` counts the requests of
    this run that a stored reply answered, `cached_tokens` the tokens of prompts that servers had read before.
    """

    calls: int = 0
    failed: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    cached_tokens: int = 0

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
            cached_tokens=sum(reply.usage.cached_tokens for reply in replies),
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
        one, other = self._bit_places(key)
        return bool(self._bytes[one >> 3] >> (one & 7) & self._bytes[other >> 3] >> (other & 7) & 1)

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
        with _explained_errors(path):
            self._connection = _open_database(path, exclusive=exclusive)
        # SQLite gives up Python's lock for each look, and a caller waits up to 5 ms to win it back
        # from a busy event loop; without a filter 256 requests in flight made 2,340 rows a second,
        # with it 2,976. Only for a file that nobody else adds to.
        self._filter = KeyBloomFilter() if exclusive else None
        if self._filter:
            with _explained_errors(path):
                for (key,) in self._connection.execute("SELECT key FROM replies"):
                    self._filter.add(key)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find_reply(self, key: bytes, request: Request) -> Reply | None:
        """The stored reply to `request`, whose key is `key`; a transient failure is none.

        Raises:
            DamageError: The reply is not what was stored.
        """
        if self._filter and not self._filter.may_hold(key):
            return None
        with self._lock, _explained_errors(self.path):
            row = self._connection.execute(SELECT_REPLY, (key,)).fetchone()
        if row is None:
            return None
        self._check_row((key, *row[:-1]), row[-1])
        error, passing, finish, prompt_tokens, completion_tokens, cost_usd, latency, attempts, reasoning, text, _ = row
        if passing:
            return None
        usage = Usage(prompt_tokens, completion_tokens, cost_usd)
        return Reply(request, text, error, False, reasoning, finish, usage, latency, attempts)

    def store_replies(self, engine: NamedModel, replies: Sequence[KeyedReply], spent: Mapping[str, Spending]) -> None:
        """Commit replies, and by task what they cost; when this returns they survive a crash.

        Raises:
            DamageError: The file is not what was written.
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
                self._add_spending(connection, number, task, spending)

    def find_vectors(self, keys: Sequence[bytes]) -> dict[bytes, Float32Array]:
        """The stored vectors of these keys, shape (dim,) each.

        Raises:
            DamageError: One is not what was stored.
        """
        found: dict[bytes, Float32Array] = {}
        for start in range(0, len(keys), ROWS_PER_STATEMENT):
            part = keys[start : start + ROWS_PER_STATEMENT]
            query = f"SELECT key, vector, checksum FROM vectors WHERE key IN ({', '.join('?' * len(part))})"
            with self._lock, _explained_errors(self.path):
                rows = self._connection.execute(query, part).fetchall()
            for key, vector, checksum in rows:
                self._check_row((key, vector), checksum)
                found[key] = np.frombuffer(vector, "<f4")
        return found

    def store_vectors(self, model: NamedModel, vectors: Mapping[bytes, Float32Array], spent: Spending) -> None:
        """Commit vectors by their keys, and what they cost.

        Raises:
            StoreError: The file cannot be written.
        """
        number = self.engine_number(model)
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self._lock, self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", [(*row, row_checksum(*row)) for row in rows]
            )
            self._add_spending(connection, number, EMBED_TASK, spent)

    def engine_number(self, engine: NamedModel) -> int:
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
        with self._lock, _explained_errors(self.path):
            return dict(self._connection.execute(query, (engine,)).fetchall())

    def write_engine_state(self, engine: int, name: str, value: str | None) -> None:
        """Remember one thing that an engine found out, or forget it (None)."""
        with self._lock, self._transaction() as connection:
            connection.execute("DELETE FROM findings WHERE engine = ? AND name = ?", (engine, name))
            if value is not None:
                connection.execute("INSERT INTO findings VALUES (?, ?, ?)", (engine, name, value))

    def total_spending(self) -> Spending:
        """Totals over all runs so far.

        Raises:
            DamageError: They are not what was stored.
        """
        with self._lock, _explained_errors(self.path):
            rows = self._connection.execute(SELECT_SPENDING).fetchall()
        return sum((self._read_spending(row) for row in rows), Spending())

    def count_damaged_replies(self) -> int:
        """How many replies are not what was stored, used or not: it reads the whole file."""
        with self._lock, _explained_errors(self.path):
            return self._connection.execute(COUNT_DAMAGED_REPLIES).fetchone()[0]

    def _add_spending(self, connection: sqlite3.Connection, engine: int, task: str, more: Spending) -> None:
        held = connection.execute(f"{SELECT_SPENDING} WHERE engine = ? AND task = ?", (engine, task)).fetchone()
        calls, failed, _, *amounts = astuple(self._read_spending(held) + more if held else more)
        row = (engine, task, calls, failed, *amounts)
        values = (*row, row_checksum(*row))
        connection.execute(INSERT_SPENDING, values)

    def _read_spending(self, row: Sequence[Any]) -> Spending:
        self._check_row(row[:-1], row[-1])
        _, _, calls, failed, *amounts, _ = row
        return Spending(calls, failed, 0, *amounts)

    def _check_row(self, values: Sequence[Any], checksum: int | None) -> None:
        if row_checksum(*values) != checksum:
            raise _damage_error(self.path, "A row of it is not what was written")

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
            failure = _explain_failure(self.path, error)
            if isinstance(failure, DamageError):
                raise failure from error
            raise StoreError(
                f"{self.path} must take every reply before it is used. {error}. "
                "Make room or mend the disk and run the same command again."
            ) from error


def _open_database(path: Path, *, exclusive: bool) -> sqlite3.Connection:
    timeout = 0.0 if exclusive else BUSY_SECONDS
    # No isolation level: transactions are ours (`_transaction`), not Python's.
    connection = sqlite3.connect(path, timeout, isolation_level=None, check_same_thread=False)
    try:
        _prepare_database(connection, exclusive=exclusive)
    except BaseException:
        connection.close()
        raise
    return connection


def holds_paid_replies(path: Path) -> bool:
    """Whether a ledger that nobody has open holds a reply that did not come from the built-in rules."""
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            query = "SELECT 1 FROM replies JOIN engines ON engines.id = replies.engine WHERE engines.name != 'rules'"
            return connection.execute(f"{query} LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True  # what cannot be read is not known to be worthless


def _prepare_database(connection: sqlite3.Connection, *, exclusive: bool) -> None:
    """Set the pragmas, and make the tables if the file is new."""
    if exclusive:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    # Looked at before anything is set: a database of the user's that was named by mistake keeps every byte.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        raise sqlite3.DatabaseError("It is a database of something else")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # before the first table
    # With a write-ahead log a commit is one write and one fsync; FULL makes it survive power loss.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in TABLES.split(";"):
            connection.execute(statement)
    elif version < LEDGER_FORMAT:
        for older in range(version, LEDGER_FORMAT):
            for statement in UPGRADES[older]:
                connection.execute(statement)
    elif version != LEDGER_FORMAT:
        raise sqlite3.DatabaseError(f"Its format is {version}, this kdos reads {LEDGER_FORMAT} and older")
    connection.execute(f"PRAGMA user_version = {LEDGER_FORMAT}")
    connection.execute("COMMIT")
    # Rows have checksums; this finds those that can no longer be found, which would be paid for again.
    if exclusive and (faults := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(faults)


def row_checksum(*values: Any) -> int:
    """CRC-32 of a row's values: it differs after any flip of up to 32 bits in a row, after others but for 2^-32."""
    text = "\x1f".join(["%s"] * len(values)) % values  # an eighth faster than `map(str, values)`, same text
    return zlib.crc32(text.encode(errors="surrogatepass"))


@contextmanager
def _explained_errors(path: Path) -> Generator[None]:
    """Whatever SQLite says of a file that it cannot read becomes one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain_failure(path, error) from error


def _explain_failure(path: Path, error: sqlite3.Error) -> StoreError:
    """The error of a file that is in use, of one out of reach, or of one whose content is wrong."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            f"{path} must be ours alone. Another process is using it. "
            "Wait until that run has ended, or give this one another folder."
        )
    if code in OUTSIDE_CODES:
        return StoreError(f"{path} must be a file that can be read and written. {error}. Mend that, or give another.")
    return _damage_error(path, str(error))


def _damage_error(path: Path, found: str) -> DamageError:
    return DamageError(
        f"{path} must be a ledger of kdos, as it was written. {' '.join(found.split())}. "
        "Restore it from a backup, or move it away to start a new one: what it held is then asked and paid for again."
    )


def _reply_row(key: bytes, engine: int, reply: Reply) -> tuple[Any, ...]:
    """The columns of a reply, in the order of the table."""
    request, usage, error = reply.request, reply.usage, _storable_text(reply.error)
    tokens = (int(usage.prompt_tokens), int(usage.completion_tokens), float(usage.cost_usd))
    outcome = (error, int(reply.transient), reply.finish, *tokens, float(reply.latency), reply.attempts)
    said = (*outcome, _storable_text(reply.reasoning), _storable_text(reply.text))
    params, inputs = _json_text(_stored_params(request)), _json_text(request.inputs)
    asked = (engine, request.prompt.hash, request.id, params, inputs)
    return (key, *said, row_checksum(key, *said), *asked, row_checksum(key, *asked))


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
