"""Attack kdos from outside for as long as one likes, and count what must never happen.

    python tests/hostile/soak.py --seconds 600
    python tests/hostile/soak.py --random-seed 17 --episodes 1       # one episode again
    python tests/hostile/soak.py --kills 200

An episode is drawn from its random seed: a run against a server (hostile, or well but failing) that is killed and
resumed; files of every format, damaged; folders with hostile names; a finished run whose files changed. What must
hold after each: every command ends within its limit with 0, 1, 2 or 130 and without a traceback; the run's folder is
sound, in = out + refused; no byte of the user's has changed; the key that the server echoes is in no file or stream,
nor any eight characters of it; a run that was killed gives the bytes of one that was not; and no reply is paid again
that was kept. The time limits are for hangs only. The last line is a JSON object with the figures.
"""

import argparse
import base64
import gzip
import hashlib
import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from aiohttp import web
from hostile_folders import build_hostile_folder, compare_trees, snapshot_tree
from hostile_server import CHAT_FAULTS, HostileServer

from kdos.commands.serve_rules import PROMPTS
from kdos.llm.mock_server import InjectedFaults, MockServer, serve_app
from kdos.rules import RulesEngine

LIMIT_SECONDS = 300.0  # of one command: it takes seconds, and a busy machine some times as long
KEPT_AFTER_SECONDS = 1.0  # a reply that was delivered so long before a kill must have been kept
PROGRESS_EPISODES = 10  # between two looks at the figures
GOOD_EXITS = frozenset({0, 1, 2, 130})
KEY_VARIABLE = "KDOS_SOAK_KEY"
SAID_PLAINLY = frozenset({b"traceback (most", b"fatal python error"})
PLACES = ("Lisbon", "Porto", "Braga", "Coimbra", "Faro")
TRADES = ("bridge", "library", "theatre", "market")
SLOW_FAULTS = frozenset({"odd wait", "odd rate limit", "hang"})
"""Faults that hold a run for minutes by design: it waits as long as the server asks."""

# A process that runs commands one after the other and says on stdout when each begins and how it ended.
COMMANDS_RUNNER = """
import json, sys, traceback
import kdos.llm.batch as batch
from kdos.llm.protocol import RetryPolicy
batch.POLLING = RetryPolicy(max_attempts=3, first_delay=0.05, max_delay=0.2, growth=1.5)
from kdos.cli import main
for number, command in enumerate(json.loads(sys.stdin.read())):
    try:
        code = main(command)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    print(f"\\n\\x00ended {number} {code}", flush=True)
sys.exit(code if number == 0 else 0)
"""


class WatchedServer(MockServer):
    """The mock server that notes when it delivered which reply or vector to which client, for what is paid twice."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.client = 0
        self.killed: list[float] = []
        self.delivered: dict[Any, tuple[float, int]] = {}
        self.paid_twice = 0
        self.paid_twice_though_kept = 0
        self.replies = 0

    def note_kill(self) -> None:
        """The present client is dead; what comes now is the next one's."""
        self.killed.append(time.monotonic())
        self.client += 1

    def note_delivery(self, what: Any) -> None:
        """Count a reply, and whether an earlier client had it for so long that it must have kept it."""
        now = time.monotonic()
        self.replies += 1
        at, client = self.delivered.get(what, (now, self.client))
        if client < self.client:
            self.paid_twice += 1
            self.paid_twice_though_kept += self.killed[client] - at > KEPT_AFTER_SECONDS
        self.delivered[what] = (now, self.client)

    def deliver_answer(self, request: web.Request, body: bytes, fault: str | int) -> web.Response:
        """The answer, noted where it is one."""
        response = super().deliver_answer(request, body, fault)
        if response.status == 200 and fault == "":
            self.note_delivery(hashlib.sha256(body).digest())
        return response

    async def _handle_embeddings(self, request: web.Request) -> web.Response:
        asked = await request.json()
        for text in [asked["input"]] if isinstance(asked["input"], str) else asked["input"]:
            self.note_delivery(text)
        return await super()._handle_embeddings(request)


class Soak:
    """The figures of all episodes, and what was violated: lines with the random seed that repeats them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.violations: list[str] = []

    def run_episode(self, random_seed: int, kind: str = "") -> None:
        """One episode; `kind` is drawn where none is given."""
        rng = random.Random(random_seed)
        drawn = rng.choices(list(EPISODES), weights=(4, 2, 1, 1))[0]
        home = self.folder / f"episode-{random_seed}"
        home.mkdir(parents=True)
        before = len(self.violations)
        episode = Episode(self, home, random_seed, kind or drawn, rng)
        try:
            EPISODES[kind or drawn](episode)
        except Exception:  # a fault of the soak's own is told as one, and the next episode goes on
            episode.violate(f"the episode itself failed: {traceback.format_exc()}")
        self.counts["episodes"] += 1
        self.counts[f"{kind or drawn} episodes"] += 1
        if len(self.violations) == before:
            shutil.rmtree(home, ignore_errors=True)

    def summarise(self) -> dict[str, Any]:
        """The figures."""
        return {**self.counts, "faults": self.met.total(), "kinds_of_fault": len(self.met)} | {
            "violations": len(self.violations)
        }


class Episode:
    """One episode: its folder, its chance, its key, and what must hold after each of its commands."""

    def __init__(self, soak: Soak, home: Path, random_seed: int, kind: str, rng: random.Random) -> None:
        self.soak, self.home, self.random_seed, self.kind, self.rng = soak, home, random_seed, kind, rng
        self.key = f"sk-CANARY{rng.randbytes(12).hex()}"
        self.environment = os.environ | {KEY_VARIABLE: self.key}
        self.mine = home / "mine"

    def violate(self, what: str) -> None:
        """Count and print what must not have happened."""
        line = f"--random-seed {self.random_seed} --kind {self.kind} --episodes 1: {what}"
        self.soak.violations.append(line)
        print(f"VIOLATION {line}", file=sys.stderr, flush=True)

    # -- commands

    def start(self, commands: Sequence[Sequence[str]], name: str) -> subprocess.Popen[bytes]:
        """A process that runs the commands, both of its streams into files."""
        self.soak.counts["commands"] += len(commands)
        streams = self.home / "streams"
        streams.mkdir(exist_ok=True)
        with (streams / f"{name}.out").open("wb") as out, (streams / f"{name}.err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-c", COMMANDS_RUNNER],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=self.home,
                env=self.environment,
                start_new_session=True,
            )
        assert process.stdin
        process.stdin.write(json.dumps(commands).encode())
        process.stdin.close()
        return process

    def finish(
        self, process: subprocess.Popen[bytes], commands: Sequence[Sequence[str]], name: str
    ) -> tuple[list[int], str]:
        """Wait for the commands' end and check it; gives each exit code, and what they said on stderr."""
        try:
            process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(process)
        said = (self.home / "streams" / f"{name}.out").read_bytes().decode(errors="replace")
        codes = [int(line.split()[-1]) for line in said.splitlines() if line.startswith("\0ended")]
        errors = (self.home / "streams" / f"{name}.err").read_bytes().decode(errors="replace")
        if len(codes) < len(commands):
            how = "did not end" if process.returncode == -signal.SIGKILL else f"died of {process.returncode}"
            self.violate(f"{how}: {commands[len(codes)]}\n{errors[-3000:]}")
        for command, code in zip(commands, codes, strict=False):
            if code not in GOOD_EXITS:
                self.violate(f"exit code {code}: {command}\n{errors[-3000:]}")
        if any(words in errors.lower().encode() for words in SAID_PLAINLY) and all(c in GOOD_EXITS for c in codes):
            self.violate(f"a traceback: {commands}\n{errors[-3000:]}")
        return codes, errors

    def run(self, *commands: Sequence[str], name: str = "commands") -> tuple[list[int], str]:
        """Run the commands to their end."""
        return self.finish(self.start(commands, name), commands, name)

    # -- what must hold

    def check_key(self, *folders: Path) -> None:
        """No eight characters of the key, in any file, however it is packed."""
        needles = [self.key[at : at + 8].encode() for at in range(len(self.key) - 7)]
        forms = (f"Bearer {self.key}", self.key, f"user:{self.key}")
        needles += [base64.b64encode(form.encode()).rstrip(b"=")[:-1] for form in forms]
        for folder in (*folders, self.home / "streams"):
            for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
                self.soak.counts["files"] += 1
                found = {needle for needle in needles for text in unpack_file(path) if needle in text}
                if found:
                    self.violate(f"{len(found)} parts of the key in {path.relative_to(self.home)}: {min(found)!r}")

    def check_untouched(self, before: dict[str, str], *, allowed_new: Sequence[str] = ()) -> None:
        """No byte of the user's has changed."""
        lines = compare_trees(before, snapshot_tree(self.mine), allowed_new=allowed_new)
        if lines:
            self.violate(f"the user's files: {lines[:5]}")

    def check_sound(self, run: Path) -> None:
        """`kdos doctor` finds the run whole and balanced."""
        codes, _ = self.run(["doctor", str(run), "--json"], name="doctor")
        if codes != [0]:
            said = (self.home / "streams" / "doctor.out").read_text(errors="replace")
            self.violate(f"kdos doctor ends with {codes}: {said[-1500:]}")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and its workers."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unpack_file(path: Path) -> Iterator[bytes]:
    """What is in a file, as bytes: as it is, and the values of its columns where it is packed."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        try:
            yield repr(pq.read_table(path).to_pylist()).encode(errors="replace")
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            return
    if path.suffix == ".gz":
        try:
            yield gzip.decompress(path.read_bytes())
        except (OSError, EOFError):
            return
    if path.suffix == ".sqlite":
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as ledger:
                yield "\n".join(ledger.iterdump()).encode(errors="replace")
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return


# -- runs that are killed and resumed


def write_corpus(path: Path, rng: random.Random) -> None:
    """Three documents of plain facts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for i, place in enumerate(rng.sample(PLACES, 3)):
            text = " ".join(
                f"The {trade} of {place} was opened in {1700 + 13 * i + 7 * j}. It was designed by Maria "
                f"{place}{trade.title()} for {1000 + 37 * i + j} crowns."
                for j, trade in enumerate(TRADES)
            )
            file.write(json.dumps({"id": place, "text": text}) + "\n")


def write_config(episode: Episode, url: str, *, batch: bool, embed: str, seconds: float | None = None) -> Path:
    """The configuration of a small run at a server."""
    engine: dict[str, Any] = {"kind": "rules"}
    if url:
        engine = {"kind": "http", "url": url, "model": "rules", "key_env": KEY_VARIABLE, "batch": batch}
        engine |= {"concurrency": episode.rng.choice((1, 4, 16)), "timeout": 5.0}
    value = {
        "source": {"kind": "text", "path": str(episode.mine / "corpus.jsonl")},
        "engine": engine,
        "embed": embed,
        "exposures": 8,
        "budget": {"samples": 6, **({"seconds": seconds} if seconds else {})},
        "space": {"cells": 3, "dim": 8},
        "synthesize": {"window": 4},
    }
    path = episode.mine / "c.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


def hash_dataset(run: Path) -> str:
    """The digest of a run's dataset, empty where there is none."""
    paths = sorted((run / "dataset").glob("*.parquet"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest() if paths else ""


def run_and_kill(
    episode: Episode, server: WatchedServer | None, config: Path, *, kills: int, longest: float
) -> tuple[list[int], str]:
    """Run, kill after a random time, resume, so often; then to the end."""
    command = ["run", str(config), "--out", str(episode.home / "run")]
    for number in range(kills):
        process = episode.start([command], f"killed-{number}")
        try:
            process.wait(episode.rng.uniform(0.2, longest))
        except subprocess.TimeoutExpired:
            kill_group(process)
            episode.soak.counts["kills"] += 1
            if server:
                server.note_kill()
            continue
        return episode.finish(process, [command], f"killed-{number}")
    return episode.run(command, name="last")


def attack_well_server(episode: Episode, *, kills: int, batch: bool, embed: str, share: float) -> None:
    """A server that fails and hangs up but never lies: the killed run's bytes are those of one that was not."""
    write_corpus(episode.mine / "corpus.jsonl", episode.rng)
    share = share / 10 if batch else share  # a row of a batch is asked three times, a request ten times
    fail = {500: share / 3, 429: share / 3, 503: share / 3}
    faults = InjectedFaults(latency=0.03, fail=fail, reset=0 if batch else share / 3, retry_after=0.05)
    options: dict[str, Any] = {"key": episode.key, "batches": batch}
    with ExitStack() as stack:
        clean = WatchedServer(RulesEngine(), PROMPTS, **options)
        server = WatchedServer(RulesEngine(), PROMPTS, faults=faults, **options)
        urls = [stack.enter_context(serve_app(one.build_app())) for one in (clean, server)]
        config = write_config(episode, urls[0], batch=batch, embed=embed)
        before = snapshot_tree(episode.mine)
        began = time.monotonic()
        codes, errors = episode.run(["run", str(config), "--out", str(episode.home / "clean")], name="clean")
        seconds = time.monotonic() - began
        episode.check_untouched(before)
        config.write_text(config.read_text().replace(urls[0], urls[1]))
        before = snapshot_tree(episode.mine)
        killed, killed_errors = run_and_kill(episode, server, config, kills=kills, longest=0.7 * seconds)
    counts = episode.soak.counts
    counts["requests"] += clean.replies + server.replies + server.stats.faults.total()
    counts["replies"] += server.replies
    counts["paid_twice_in_flight"] += server.paid_twice - server.paid_twice_though_kept
    counts["paid_twice_though_kept"] += server.paid_twice_though_kept
    episode.soak.met.update(server.stats.faults)
    if codes != [0] or killed != [0]:
        episode.violate(f"a well server ends a run with {codes} and {killed}: {errors[-800:]} {killed_errors[-800:]}")
    if hash_dataset(episode.home / "run") != hash_dataset(episode.home / "clean"):
        episode.violate("the killed run's dataset differs from the clean run's")
    counts["datasets_compared"] += 1
    if server.paid_twice_though_kept:
        episode.violate(f"{server.paid_twice_though_kept} replies were kept and paid again")
    check_run(episode, before)


def attack_hostile_server(episode: Episode) -> None:
    """A server that lies, echoes and hangs: whatever it says, the run ends, is sound, and holds no key."""
    rng = episode.rng
    write_corpus(episode.mine / "corpus.jsonl", rng)
    batch, embed = rng.random() < 0.4, rng.choice(("lexical", "static", "endpoint:rules"))
    slow = rng.random() < 0.2
    few = rng.sample([fault for fault in CHAT_FAULTS if slow or fault not in SLOW_FAULTS], 8)
    echoes = ["echo in reply", "echo in header", "echo in error", "row echo", "row odd field", "embedding integer"]
    server = HostileServer(
        RulesEngine(),
        PROMPTS,
        random_seed=episode.random_seed,
        share=rng.choice((0.1, 0.3, 0.6)),
        faults=[*few, *echoes, *rng.sample(["row missing", "row twice", "row cut", "row not json", "row deep"], 2)],
        grace=rng.choice((0, 1, 5)),
        slow_seconds=0.001,
        endless_bytes=2**26,
        key=episode.key,
        batches=True,
    )
    with serve_app(server.build_app()) as url:
        config = write_config(episode, url, batch=batch, embed=embed, seconds=30.0)
        before = snapshot_tree(episode.mine)
        run_and_kill(episode, None, config, kills=rng.choice((0, 0, 1, 3)), longest=6.0)
    episode.soak.counts["requests"] += len(server.log)
    episode.soak.met.update(server.met)
    check_run(episode, before)


def check_run(episode: Episode, before: dict[str, str]) -> None:
    """What must hold of every run, ended well or not."""
    episode.check_untouched(before)
    run = episode.home / "run"
    if (run / "run.yaml").exists() and (run / "ledger.sqlite").exists():
        episode.check_sound(run)
    episode.check_key(episode.home / "run", episode.home / "clean")


def attack_run(episode: Episode) -> None:
    """A run at a server, hostile or only failing, killed at random."""
    rng = episode.rng
    if rng.random() < 0.5:
        attack_hostile_server(episode)
        return
    embed = rng.choice(("lexical", "endpoint:rules"))
    kills, batch = rng.randrange(1, 5), rng.random() < 0.4
    attack_well_server(episode, kills=kills, batch=batch, embed=embed, share=rng.choice((0.0, 0.1, 0.3)))


# -- hostile files

ROWS = [
    {
        "id": str(number),
        "question": f"Who built the {trade} of {place}?",
        "answers": [f"Maria {place}"],
        "answer": f"Maria {place}",
        "text": f"The {trade} of {place} was built by Maria {place} in {1700 + number}.",
        "passage": f"The {trade} of {place} was built by Maria {place} in {1700 + number}.",
        "knowledge_points": [place, trade, f"{place} {trade}"],
    }
    for number, (place, trade) in enumerate((place, trade) for place in PLACES for trade in TRADES)
]


def build_good_file(suffix: str) -> bytes:
    """The same rows in one of the formats that are read."""
    lines = "\n".join(json.dumps(row) for row in ROWS).encode()
    if suffix == ".jsonl":
        return lines
    if suffix == ".jsonl.gz":
        return gzip.compress(lines, mtime=0)
    if suffix == ".json":
        return json.dumps(ROWS).encode()
    if suffix == ".csv":
        head = ",".join(ROWS[0]).encode()
        return head + b"\n" + b"\n".join(",".join(json.dumps(str(v)) for v in row.values()).encode() for row in ROWS)
    if suffix == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(ROWS), sink)
        return sink.getvalue().to_pybytes()
    if suffix == ".npy":
        vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {vectors.shape}, }}"
        padded = header.ljust(117) + "\n"
        return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode() + vectors.tobytes()
    return "\n\n".join(row["text"] for row in ROWS).encode()


TABLE_SUFFIXES = (".parquet", ".jsonl", ".csv")
SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".csv", ".parquet", ".npy", ".txt", ".md")
Damaging = Callable[[bytes, random.Random], bytes]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """One to twenty bits are others."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 20))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def insert_deep(data: bytes, rng: random.Random) -> bytes:
    """A line of JSON that nests deeply."""
    depth = rng.choice((50, 1000, 100_000))
    deep = rng.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth))
    return data + b"\n" + rng.choice((deep, b'{"id": "d", "text": ' + deep + b"}"))


def insert_odd_value(data: bytes, rng: random.Random) -> bytes:
    """A row whose fields are of odd kinds."""
    odd = rng.choice((b"null", b"1e999", b"NaN", b"[[[]]]", b'{"a": {}}', b"true", b"1" + b"0" * 400, b'"\\ud800"'))
    field = rng.choice((b"id", b"question", b"answers", b"text", b"knowledge_points", b"answer"))
    return data + b'\n{"id": "odd", "' + field + b'": ' + odd + b"}\n"


DAMAGES: tuple[Damaging, ...] = (
    flip_bits,
    insert_deep,
    insert_odd_value,
    lambda data, rng: data[: rng.randrange(len(data))],
    lambda data, rng: b"",
    lambda data, rng: rng.randbytes(rng.randrange(1, 3000)),
    lambda data, rng: data + b'\n{"id": "x", "text": "' + b"long " * 400_000 + b'"}',
    lambda data, rng: data * 2,
    lambda data, rng: data.replace(b'"', b"'", 7),
    lambda data, rng: b"\xef\xbb\xbf" + data,
    lambda data, rng: data.decode("latin-1").encode("utf-16"),
    lambda data, rng: data.replace(b"a", b"\x00"),
    lambda data, rng: data.replace(b"o", b"\x1b]52;c;eHg=\x07", 3),
    lambda data, rng: data,
)


def build_file_commands(path: Path, out: Path, good: Path, rng: random.Random) -> list[list[str]]:
    """Every command that reads a file, on this one."""
    config = path.parent / f"{path.name}.yaml"
    source = {"kind": "text", "path": str(path)}
    config.write_text(yaml.safe_dump({"source": source, "embed": "lexical", "budget": {"samples": 2}}))
    commands = [
        ["density", str(path), "--embed", "lexical", "--points", str(out / f"points{rng.choice(('.csv', '.jsonl'))}")],
        ["select", str(path), "--embed", "lexical", "--budget", "3", "--out", str(out / "chosen.parquet")],
        ["verify", str(path), "--out", str(out / "verdicts")],
        ["evaluate", "--benchmark", str(path), "--answers", str(good), "--out", str(out / "scores")],
        ["evaluate", "--benchmark", str(good), "--answers", str(path), "--out", str(out / "scores-2")],
        ["graph", str(path), "--paths", "3", "--out", str(out / "paths.jsonl")],
        ["run", str(config), "--out", str(out / "run")],
        ["run", str(path), "--out", str(out / "run-2")],
    ]
    return rng.sample(commands, 4)


def attack_files(episode: Episode) -> None:
    """Files of every format, damaged or misnamed, into every command that reads files."""
    rng = episode.rng
    episode.mine.mkdir()
    good = episode.mine / "good.jsonl"
    good.write_bytes(build_good_file(".jsonl"))
    commands: list[list[str]] = []
    for number in range(3):
        suffix = rng.choice(SUFFIXES)
        named = suffix if rng.random() < 0.7 else rng.choice(SUFFIXES)
        path = episode.mine / f"file-{number}{named}"
        path.write_bytes(rng.choice(DAMAGES)(build_good_file(suffix), rng))
        out = episode.home / f"out-{number}"
        out.mkdir()
        commands += build_file_commands(path, out, good, rng)
        episode.soak.counts["hostile_files"] += 1
    before = snapshot_tree(episode.mine)
    episode.run(*commands)
    episode.check_untouched(before)


# -- hostile folders


def attack_folders(episode: Episode) -> None:
    """Folders full of odd names, as a source and as the place to write to: nothing in them is touched."""
    rng = episode.rng
    build_hostile_folder(episode.mine, episode.random_seed, entries=20)
    names = [path for path in sorted(episode.mine.rglob("*")) if "\0" not in str(path)]
    config = episode.home / "c.yaml"
    source = {"kind": "text", "path": str(rng.choice([episode.mine, *names]))}
    config.write_text(
        yaml.safe_dump({"source": source, "embed": "lexical", "budget": {"samples": 2}}, allow_unicode=False)
    )
    good = episode.home / "good.jsonl"
    good.write_bytes(build_good_file(".jsonl"))
    commands = [["density", os.fspath(episode.mine), "--embed", "lexical"], ["run", str(config), "--out", "out"]]
    for path in rng.sample(names, min(3, len(names))):
        commands += [
            ["run", str(config), "--out", str(path)],
            ["select", str(good), "--embed", "lexical", "--budget", "3", "--out", str(path)],
            ["density", str(good), "--embed", "lexical", "--points", str(path)],
            ["verify", str(good), "--out", str(path)],
            ["evaluate", "--benchmark", str(good), "--answers", str(good), "--out", str(path)],
            ["graph", str(path)],
            ["doctor", str(path)],
            ["report", str(path)],
        ]
    before = snapshot_tree(episode.mine)
    episode.soak.counts["hostile_files"] += len(names)
    chosen = [rng.choice(commands) for _ in range(10)]
    episode.run(*chosen, commands[1])
    # A table that a command was told by its name to write is that command's; a link is written through.
    named = [command[-1] for command in chosen if command[0] in {"select", "density"}]
    tables = {os.path.realpath(path) for path in named if path.endswith(TABLE_SUFFIXES)}
    after = snapshot_tree(episode.mine)
    real_home = os.path.realpath(episode.mine)
    for table in tables:
        name = os.path.relpath(table, real_home)
        after.pop(name, None)
        if name in before:
            after[name] = before[name]
    lines = compare_trees(before, after, allowed_new=list(new_outputs(before, episode.mine)))
    if lines:
        episode.violate(f"the user's files: {lines[:5]}")


def new_outputs(before: dict[str, str], folder: Path) -> Iterator[str]:
    """New names that a command was told to write to: where there was nothing, or an empty folder."""
    for name in snapshot_tree(folder):
        parents = [str(parent) for parent in Path(name).parents if str(parent) != "."]
        empty = [
            one for one in parents if before.get(one) == "folder" and not any(b.startswith(f"{one}/") for b in before)
        ]
        if name not in before and (empty or not all(one in before for one in parents)):
            yield name


# -- finished runs that changed


def attack_finished_run(episode: Episode) -> None:
    """A finished run with damaged files: its own dataset again, or one line; the doctor says what."""
    rng = episode.rng
    write_corpus(episode.mine / "corpus.jsonl", rng)
    config = write_config(episode, "", batch=False, embed="lexical")
    run = episode.home / "run"
    again = ["run", str(config), "--out", str(run)]
    episode.run(again, name="first")
    expected = hash_dataset(run)
    shutil.copytree(run, episode.home / "whole")
    files = sorted(p.relative_to(run) for p in run.rglob("*") if p.is_file() and p.name not in {".lock", ".kdos"})
    for number in range(4):
        inside = rng.choice([path for path in files if path.parts[0] != "report"])
        shutil.rmtree(run)
        shutil.copytree(episode.home / "whole", run)
        data = (run / inside).read_bytes() or b"{}"
        (run / inside).write_bytes(rng.choice([*DAMAGES[:6], lambda data, rng: b"[]"])(data, rng))
        readers = [["doctor", str(run), "--json"], ["report", str(run)], ["target", str(run), "--json"]]
        exported = episode.home / f"text-{number}"
        readers.append(["export", str(run), "--format", "text", "--out", str(exported)])
        codes, _ = episode.run(*rng.sample(readers, 2), again, name=f"damaged-{number}")
        if codes[-1:] == [0] and hash_dataset(run) != expected:
            episode.violate(f"another dataset, exit code 0, after damage to {inside}")
        episode.soak.counts["hostile_files"] += 1


EPISODES: dict[str, Callable[[Episode], None]] = {
    "run": attack_run,
    "files": attack_files,
    "folders": attack_folders,
    "damaged": attack_finished_run,
}


def kill_runs(soak: Soak, kills: int, random_seed: int) -> None:
    """Runs over http, batches and embeddings until so many kills have happened."""
    number = 0
    while soak.counts["kills"] < kills:
        home = soak.folder / f"kills-{number}"
        home.mkdir(parents=True)
        rng = random.Random(random_seed + number)
        episode = Episode(soak, home, random_seed + number, "kills", rng)
        batch, embed = ((False, "lexical"), (True, "lexical"), (False, "endpoint:rules"), (True, "endpoint:rules"))[
            number % 4
        ]
        most = min(8, kills - soak.counts["kills"])
        attack_well_server(episode, kills=most, batch=batch, embed=embed, share=rng.choice((0.0, 0.1)))
        soak.counts["episodes"] += 1
        print(json.dumps(soak.summarise()), file=sys.stderr, flush=True)
        number += 1


def main() -> None:
    """Soak until the time is over or so many episodes are done; exit code 1 where anything was violated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--episodes", type=int, help="so many instead of a time")
    parser.add_argument("--random-seed", type=int, default=0, help="of the first episode; the next has the next")
    parser.add_argument("--kind", choices=list(EPISODES), default="", help="only episodes of this kind")
    parser.add_argument("--kills", type=int, help="only runs that are killed, so often in all")
    args = parser.parse_args()
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # the servers' own: their clients hang up and are killed
    soak, began, number = Soak(Path(tempfile.mkdtemp(prefix="kdos-soak-"))), time.monotonic(), 0
    if args.kills:
        kill_runs(soak, args.kills, args.random_seed)
    while not args.kills and (
        number < args.episodes if args.episodes is not None else time.monotonic() - began < args.seconds
    ):
        soak.run_episode(args.random_seed + number, args.kind)
        number += 1
        if number % PROGRESS_EPISODES == 0:
            print(json.dumps(soak.summarise()), file=sys.stderr, flush=True)
    if soak.violations:
        print(f"what the violations left is in {soak.folder}", file=sys.stderr)
    else:
        shutil.rmtree(soak.folder)
    print(json.dumps(soak.summarise() | {"seconds": round(time.monotonic() - began, 1)}))
    raise SystemExit(1 if soak.violations else 0)


if __name__ == "__main__":
    main()
