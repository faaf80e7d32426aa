"""A program that reads a document: bytes in, bytes out, bounded in time and in what it may say."""

import subprocess
from collections.abc import Sequence
from tempfile import TemporaryFile
from threading import Event, Timer
from typing import IO, NamedTuple

from kdos.documents.errors import UnreadableError

MOST_BYTES = 1 << 30
"""What it may write: a text of 10 million characters, with all that is said of its places, takes a tenth."""
TIMEOUT_S, TIMEOUT_S_A_MEGABYTE = 60.0, 30.0
"""For hangs, and what grows with the square of its size; a book, and 500 pages, take seconds."""
READ_BYTES = 1 << 16
SAID_CHARS = 160


class Finished(NamedTuple):
    """How a program ended: its exit status, what it wrote, and the end of what it complained of."""

    status: int
    output: bytes
    said: str


def run_reader(command: Sequence[str], data: bytes) -> Finished:
    """Run a program on bytes.

    Raises:
        UnreadableError: It takes longer than it may, or writes more than `MOST_BYTES`.
    """
    # A file takes the bytes in: nothing waits for the program to read them while it waits to be read.
    with TemporaryFile() as given, TemporaryFile() as complaints:
        given.write(data)
        given.seek(0)
        with subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=complaints) as running:  # noqa: S603
            output = _read_within(running, TIMEOUT_S + TIMEOUT_S_A_MEGABYTE * len(data) / 1e6)
            status = running.wait()
        complaints.seek(0, 2)
        complaints.seek(max(0, complaints.tell() - 4 * SAID_CHARS))
        said = " ".join(complaints.read().decode(errors="replace").split())[-SAID_CHARS:]
    return Finished(status, output, said)


def _read_within(running: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """What a program writes; it is killed where that takes too long, or is too much."""
    late = Event()

    def stop() -> None:
        late.set()
        running.kill()

    timer = Timer(seconds, stop)
    timer.start()
    try:
        output = _read_at_most(running.stdout, MOST_BYTES + 1) if running.stdout else b""
    finally:
        timer.cancel()
    if late.is_set():
        raise UnreadableError("takes_too_long", f"more than {seconds:.0f} s")
    if len(output) > MOST_BYTES:
        running.kill()
        raise UnreadableError("too_large", f"more than {MOST_BYTES >> 20} MiB of text and places")
    return output


def _read_at_most(stream: IO[bytes], most: int) -> bytes:
    # Piece by piece: what is asked for at once takes its room before a byte is there.
    output = bytearray()
    while len(output) < most and (piece := stream.read(min(READ_BYTES, most - len(output)))):
        output += piece
    return bytes(output)
