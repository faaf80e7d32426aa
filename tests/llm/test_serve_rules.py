"""`kdos serve-rules` and `kdos doctor`, as commands."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdos.cli import main
from kdos.config import EngineConfig
from kdos.llm import HttpEngine, Ledger
from kdos.pool import Passage
from kdos.rules import RulesEngine
from kdos.tasks import ask_seeds

TEXT = "The Eiffel Tower was built in Paris in 1889. It is 330 metres high."


@contextmanager
def served(*flags: str) -> Generator[str]:
    """A server of its own process; gives its address."""
    command = [sys.executable, "-c", "import sys; from kdos.cli import main; sys.exit(main())"]
    server = subprocess.Popen(
        [*command, "serve-rules", "--port", "0", *flags], stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    assert server.stdout
    try:
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130
        server.stdout.close()


def heed_interrupts() -> None:
    """A shell's background jobs ignore interrupts, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def passage(number: int) -> Passage:
    title = f"Tower {number}"
    return Passage(id=f"p{number}", document="d", title=title, domain="", lang="en", start=0, end=len(TEXT), text=TEXT)


def test_replies_over_http_are_those_of_the_engine_in_process() -> None:
    requests = [ask_seeds(passage(number), per_passage=3) for number in range(5)]
    direct = {reply.request.id: reply.text for reply in RulesEngine().complete(requests)}
    faults = ("--fail", "500:0.2", "--reset", "0.1", "--no-schema")
    with (
        served(*faults) as url,
        HttpEngine(EngineConfig(url=url, model="rules")) as engine,
        Ledger(Path(":memory:")) as ledger,
    ):
        replies = {reply.request.id: reply.text for reply in ledger.ask(engine, requests)}
    assert replies == direct
    assert any("1889" in text for text in replies.values())


def test_batch_files_are_served_too() -> None:
    requests = [ask_seeds(passage(number), per_passage=3) for number in range(3)]
    with (
        served() as url,
        HttpEngine(EngineConfig(url=url, model="rules", batch=True)) as engine,
        Ledger(Path(":memory:")) as ledger,
    ):
        assert [reply.error for reply in ledger.ask(engine, requests)] == [""] * 3


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--fail", "429"], "STATUS:SHARE"),
        (["--hang", "2"], "--hang must be at most 1"),
        (["--hang", "0.6", "--reset", "0.6"], "at most 1"),
    ],
)
def test_wrong_flags_are_one_line_and_exit_code_2(
    flags: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve-rules", *flags]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def doctor(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit code, and by check what was found."""
    code = main(["doctor", str(config), "--out", str(config.parent / "run")])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["ok"] is (code == 0)
    return code, {check["name"]: f"{check['found']} {check['advice']}" for check in report["checks"]}


def write(path: Path, engine: str) -> Path:
    (path.parent / "a.txt").write_text(TEXT)
    source = f"{{kind: text, path: '{path.parent}/a.txt'}}"
    path.write_text(f"source: {source}\nengine: {engine}\nbudget: {{samples: 1000}}\n")
    return path


@pytest.mark.parametrize(
    ("engine", "code", "complaint"),
    [
        ("{kind: http, url: 'http://127.0.0.1:9/v1', model: m, key_env: NO_SUCH_KEY}", 2, "NO_SUCH"),
        ("{kind: http, url: 'http://no-such-host.invalid/v1', model: m}", 1, "no such host"),
        ("{kind: http, url: 'http://127.0.0.1:9/v1'}", 2, "needs `url` and `model`"),
        ("{kind: http, url: 'nowhere', model: m}", 2, "address of a server"),
        ("{kind: http, url: 'http://127.0.0.1:9/v1', model: m}", 2, "engine.prices is not set"),
    ],
)
def test_a_run_that_cannot_begin_says_why_in_one_line(
    engine: str, code: int, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    budget = "{usd: 1}" if "prices" in complaint else "{samples: 9}"
    path = tmp_path / "c.yaml"
    path.write_text(f"source: {{kind: text, path: '{tmp_path}/a.txt'}}\nengine: {engine}\nbudget: {budget}\n")
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == code
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_the_doctor_finds_all_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served("--latency", "0.02") as url:
        engine = f"{{kind: http, url: '{url}', model: rules, prices: {{prompt: 1, completion: 2}}}}"
        code, found = doctor(write(tmp_path / "c.yaml", engine), capsys)
    assert code == 0
    assert "JSON schema" in found["structured output"]
    assert "s a call" in found["speed"]
    assert "USD" in found["price"]
    assert "GB free" in found["disk"]


def test_the_doctor_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served() as url:
        engine = f"{{kind: http, url: '{url}', model: rulez}}"
        code, found = doctor(write(tmp_path / "c.yaml", engine), capsys)
    assert code == 0  # it answers, whatever it lists
    assert "'rules' is nearest" in found["model"]
    engine = f"{{kind: http, url: '{url}', model: rules, key_env: NO_SUCH_KEY}}"
    assert "NO_SUCH_KEY" in doctor(write(tmp_path / "c.yaml", engine), capsys)[1]["key"]
    engine = f"{{kind: http, url: '{url}', model: rules}}"
    assert "refused" in doctor(write(tmp_path / "c.yaml", engine), capsys)[1]["server"]
    assert os.environ.get("NO_SUCH_KEY") is None


def test_the_built_in_engine_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(tmp_path / "c.yaml", "{kind: rules}")
    towns = {"Bonn": 1836, "Trier": 1841, "Mainz": 1850, "Worms": 1862}
    works = (f"In {year} the copper works of {town} employed {year - 1750} people." for town, year in towns.items())
    (tmp_path / "a.txt").write_text(" ".join(works))
    code, found = doctor(config, capsys)
    assert code == 0
    assert "no cost" in found["engine"]
