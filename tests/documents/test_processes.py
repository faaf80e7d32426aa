import sys
import tracemalloc

import pytest

from kdos.documents import UnreadableError, processes


def run(code, data=b""):
    return processes.run_reader([sys.executable, "-c", code], data)


def test_bytes_go_in_and_come_out_however_many_they_are():
    many = bytes(range(256)) * 20_000
    done = run("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.stderr.write('a ' * 99_999)", many)
    assert (done.status, done.output == many, done.said) == (0, True, ("a " * 320).strip()[-processes.SAID_CHARS :])


def test_one_that_ends_before_it_has_read_all_says_how():
    assert run("import sys; sys.stderr.write('no\\n heap'); sys.exit(3)", b"x" * 10**7) == (3, b"", "no heap")


def test_one_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(processes, "TIMEOUT_S", 0.5)
    with pytest.raises(UnreadableError, match="takes_too_long"):
        run("import time; time.sleep(600)")


def test_one_that_writes_without_end_is_ended(monkeypatch):
    monkeypatch.setattr(processes, "MOST_BYTES", 1 << 20)
    with pytest.raises(UnreadableError, match="too_large"):
        run("import sys\nwhile True: sys.stdout.write('x' * 65536)")


def test_what_it_may_write_takes_no_room_before_it_is_written():
    tracemalloc.start()
    try:
        run("print(1)")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
