"""A ledger whose bytes have changed: every reply is the one that was paid for, or one line says what is wrong."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kdos.errors import DamageError
from kdos.llm import Ledger, ScriptedEngine
from kdos.llm.reply_store import FORMER_SPENDING_VALUES, ReplyStore, row_checksum
from kdos.tasks import Prompt, Reply, Request, Usage

PROMPT = Prompt(task="seed", text="Say the number.", schema={})
REPLIES = 300


def requests() -> list[Request]:
    return [Request(f"seed/{n}", PROMPT, {"number": n, "passage": f"passage {n} " * 40}) for n in range(REPLIES)]


def answer(request: Request) -> Reply:
    text = f"answer {request.inputs['number']} " * 20
    return Reply(request, text, usage=Usage(10, 5, 0.25), reasoning="so I thought")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with Ledger(path) as ledger:
        assert len(list(ledger.ask(ScriptedEngine(answer), requests()))) == REPLIES
    return path


def flip_bit(data: bytearray, draw: random.Random) -> bytes:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def overwrite_stretch(data: bytearray, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    data[start : start + 64] = draw.randbytes(len(data[start : start + 64]))
    return bytes(data)


def truncate(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(1, len(data))])


def replace_by_text(data: bytearray, draw: random.Random) -> bytes:
    return draw.choice([b"[]", b"{}\n", draw.randbytes(5000), b"SQLite format 3\x00" + draw.randbytes(5000)])


@pytest.mark.parametrize("damage", [flip_bit, overwrite_stretch, truncate, replace_by_text])
def test_a_changed_ledger_gives_its_replies_or_one_line(
    written: Path, tmp_path: Path, damage: Callable[[bytearray, random.Random], bytes]
) -> None:
    expected = sorted(answer(request).text for request in requests())
    noticed = 0
    for seed in range(60):
        draw, path = random.Random(seed), tmp_path / "ledger.sqlite"
        path.write_bytes(damage(bytearray(written.read_bytes()), draw))
        engine = ScriptedEngine(answer)
        try:
            with Ledger(path) as ledger:
                assert ledger.spending.cost_usd == 0.25 * REPLIES
                found = sorted(reply.text for reply in ledger.ask(engine, requests()))
            assert found == expected
            assert engine.asked == 0
            store = ReplyStore(path, exclusive=True)
            noticed += bool(store.count_damaged_replies())
            store.close()
        except DamageError as error:
            noticed += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
        finally:
            for file in tmp_path.glob("ledger.sqlite*"):
                file.unlink()
    assert noticed > 30


def test_damage_is_counted_in_replies_that_nobody_asks_for(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    shutil.copy(written, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE replies SET text = 'other' WHERE request = 'seed/7'")
    connection.execute("UPDATE replies SET inputs = '{}' WHERE request = 'seed/8'")
    connection.commit()
    connection.close()
    store = ReplyStore(path, exclusive=True)
    assert store.count_damaged_replies() == 2
    store.close()


def refuses_halved_totals(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE spending SET cost_usd = cost_usd / 2")
    connection.commit()
    connection.close()
    with pytest.raises(DamageError, match=r"ledger\.sqlite must be a ledger of kdos, as it was written"):
        Ledger(path)


def test_changed_totals_are_noticed_before_they_are_counted_on(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    shutil.copy(written, path)
    refuses_halved_totals(path)


def older_ledger(written: Path, tmp_path: Path, version: int) -> Path:
    """A ledger as an older version of kdos wrote it."""
    path = tmp_path / "ledger.sqlite"
    shutil.copy(written, path)
    connection = sqlite3.connect(path)
    connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
    connection.execute("ALTER TABLE spending DROP COLUMN cached_tokens")
    connection.execute(f"UPDATE spending SET checksum = row_checksum({FORMER_SPENDING_VALUES})")
    if version == 1:
        for column in ("said_checksum", "asked_checksum"):
            connection.execute(f"ALTER TABLE replies DROP COLUMN {column}")
        connection.execute("ALTER TABLE spending DROP COLUMN checksum")
        connection.execute("DROP TABLE vectors")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("version", [1, 3])
def test_a_ledger_of_an_older_format_keeps_what_was_paid_for(written: Path, tmp_path: Path, version: int) -> None:
    path = older_ledger(written, tmp_path, version)
    engine = ScriptedEngine(answer)
    with Ledger(path) as ledger:
        assert len(list(ledger.ask(engine, requests()))) == REPLIES
        assert ledger.spending.calls == REPLIES
    assert engine.asked == 0
    store = ReplyStore(path, exclusive=True)
    assert store.count_damaged_replies() == 0
    store.close()


def test_totals_that_were_damaged_in_an_older_format_are_still_noticed(written: Path, tmp_path: Path) -> None:
    path = older_ledger(written, tmp_path, 3)
    refuses_halved_totals(path)
