"""Keys: in no address, over no plain wire unsaid, out of every text; and what stands between us and a server."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from hostile_server import KEY_FORMS, ODD_WAITS
from hypothesis import given
from hypothesis import strategies as st

from kdos.cli import main
from kdos.config import EngineConfig
from kdos.errors import ConfigError, EngineError
from kdos.llm import HttpEngine
from kdos.llm.mock_server import serve_app
from kdos.llm.protocol import parse_wait, read_rate_limits, read_retry_after
from kdos.llm.scrubber import Scrubber
from kdos.llm.transport import find_proxy
from kdos.tasks import Prompt, Request

SECRET = "hunter2-CANARY-77"
CANARY = "sk-CANARYa8F3kQ9zLm27XwB1"
LEAKY = {
    "a login": f"http://user:{SECRET}@host/v1",
    "a login without a name": f"https://:{SECRET}@host/v1",
    "a query": f"http://host/v1?key={SECRET}",
    "a fragment": f"http://host/v1#{SECRET}",
    "a password with a #": f"http://user:{SECRET}#x@host/v1",
    "a bad port": f"http://host:{SECRET}/v1",
    "a bad port and a login": f"http://user:{SECRET}@host:99999/v1",
    "no scheme": f"user:{SECRET}@host/v1",
}


@pytest.mark.parametrize("command", ["run", "doctor"])
@pytest.mark.parametrize("key", ["url", "embed_url"])
@pytest.mark.parametrize("address", LEAKY.values(), ids=LEAKY)
def test_credentials_in_an_address_are_refused_before_anything_is_written(
    command: str, key: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.jsonl").write_text('{"text": "In 1836 the copper works of Bonn employed 91 people."}\n')
    other = "" if key == "url" else "url: http://127.0.0.1:9/v1, "
    Path("c.yaml").write_text(
        f"source: {{kind: text, path: d.jsonl}}\nengine: {{kind: http, {other}model: m, {key}: '{address}'}}\n"
    )
    assert main([command, "c.yaml", "--out", "out"]) == 2
    said = "".join(capsys.readouterr())
    assert f"engine.{key}" in said
    assert said.count("\n") == 1
    assert not any(SECRET[i : i + 8] in said for i in range(len(SECRET) - 7))
    assert {path.name for path in tmp_path.iterdir()} == {"c.yaml", "d.jsonl"}


@pytest.mark.parametrize("value", [f"'http://u:{SECRET}@h'", f"{{url: ['http://u:{SECRET}@h']}}"])
def test_a_wrong_value_with_a_password_in_it_is_not_shown(value: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "c.yaml").write_text(f"source: {{kind: text, path: d}}\nengine: {value}\n")
    assert main(["doctor", str(tmp_path / "c.yaml")]) == 2
    assert SECRET not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://10.0.0.7:8000/v1", True),
        ("http://models.example/v1", True),
        ("https://models.example/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://127.9.9.9/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://localhost/v1", False),
    ],
)
def test_a_key_over_a_plain_wire_is_said(url: str, warned: bool, monkeypatch, caplog) -> None:
    monkeypatch.setenv("A_KEY", SECRET)
    HttpEngine(EngineConfig(url=url, model="m", key_env="A_KEY")).close()
    lines = [record.getMessage() for record in caplog.records if "plain http" in record.getMessage()]
    assert len(lines) == warned
    assert SECRET not in caplog.text
    caplog.clear()
    HttpEngine(EngineConfig(url=url, model="m")).close()
    assert "plain http" not in caplog.text


# -- the scrubber

keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=80).map(
    lambda text: f"{text}7"
)
plain = st.text(max_size=60)


@given(keys, plain, plain, st.integers(0, 80), st.integers(8, 90))
def test_no_eight_characters_of_a_key_stay_wherever_it_is_cut(
    key: str, before: str, after: str, start: int, length: int
) -> None:
    part = key[start : start + length]
    clean = Scrubber([key]).scrub_bytes(f"{before}{part}{after}".encode()).decode()
    assert not [key[i : i + 8] for i in range(len(key) - 7) if key[i : i + 8] in clean]


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=16, max_size=60),
    st.sampled_from(list(KEY_FORMS)),
)
def test_no_form_of_a_key_stays(key: str, form: str) -> None:
    key = f"sk-{key}9"
    clean = Scrubber([key]).scrub_text(f'{{"said": "{KEY_FORMS[form](key)}"}}')
    assert not [key[i : i + 8] for i in range(len(key) - 7) if key[i : i + 8] in clean]
    for before in ("", "user:", "Bearer ", "a", "ab"):
        packed = base64.b64encode(f"{before}{key}".encode()).decode()
        assert packed[8:-8] not in clean


@given(keys)
def test_a_key_of_any_signs_that_is_repeated_in_json_does_not_stay(key: str) -> None:
    clean = Scrubber([key]).scrub_text(json.dumps({"said": f"Incorrect key {key}"}))
    for said in (clean, clean.replace("\\\\", "\\").replace('\\"', '"')):
        assert not [key[i : i + 8] for i in range(len(key) - 7) if key[i : i + 8] in said]


def write_in_encoding(encoding: str, status: int = 200) -> web.Response:
    message = {"choices": [{"message": {"content": f"The key is {CANARY}, yes."}}]}
    body = message if status == 200 else {"error": {"message": f"Incorrect key {CANARY}"}}
    return web.Response(body=json.dumps(body).encode(encoding), status=status, content_type="application/json")


def write_in_parts() -> web.Response:
    parts = [{"type": "text", "text": CANARY[i : i + 6]} for i in range(0, len(CANARY), 6)]
    return web.json_response({"choices": [{"message": {"content": parts}}]})


def write_as_stream(field: str) -> web.Response:
    pieces = [CANARY[i : i + 5] for i in range(0, len(CANARY), 5)]
    events = [{"choices": [{"delta": {field: piece}}]} for piece in pieces]
    events.append({"choices": [{"delta": {"content": "yes"}, "finish_reason": "stop"}]})
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return web.Response(text=text, content_type="text/event-stream")


@pytest.mark.parametrize(
    "answer",
    [
        *(lambda e=e: write_in_encoding(e) for e in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")),
        lambda: write_in_encoding("utf-16", 422),
        write_in_parts,
        lambda: write_as_stream("content"),
        lambda: write_as_stream("reasoning_content"),
    ],
)
def test_a_key_that_is_joined_or_recoded_before_it_is_read_does_not_stay(answer, monkeypatch) -> None:
    monkeypatch.setenv("A_KEY", CANARY)

    async def chat(_: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", chat)
    with serve_app(app) as url, HttpEngine(EngineConfig(url=url, model="m", key_env="A_KEY")) as engine:
        try:
            (reply,) = engine.complete([Request("a", Prompt("seed", "Say yes.", {}), {})])
            said = f"{reply.text}{reply.reasoning}{reply.finish}{reply.error}"
        except EngineError as error:
            said = str(error)
    assert said
    assert not [CANARY[i : i + 8] for i in range(len(CANARY) - 7) if CANARY[i : i + 8] in said]


@given(plain)
def test_what_holds_no_key_stays_as_it_is(text: str) -> None:
    scrubber = Scrubber(["sk-CANARY0123456789abcdef", "short", ""])
    assert scrubber.scrub_text(text) == text
    assert Scrubber().scrub_text(text) is text


def test_words_are_taken_out_whole_only() -> None:
    scrubber = Scrubber(["my-local-development-server"])
    assert scrubber.scrub_text("development of a server") == "development of a server"
    assert scrubber.scrub_text("Bearer my-local-development-server.") == "Bearer [key]."


@pytest.mark.parametrize(
    "text", ["sk-C" * 10**6, "\\" * 4_000_000 + "%41", "%41" * 10**6, "&#83;" * 10**6, "\\u0073" * 600_000]
)
def test_a_body_made_to_cost_time_costs_little(text: str) -> None:
    Scrubber(["sk-CANARY0123456789abcdef"]).scrub_text(text)  # quadratic it would take hours


# -- waiting


@given(st.sampled_from(ODD_WAITS) | st.text(max_size=80) | st.floats().map(str) | st.integers().map(str))
def test_any_waiting_time_is_read_and_capped(text: str) -> None:
    now = 1_764_500_000.0
    wait = parse_wait(text, now=now)
    assert wait is None or 0 <= wait <= 600
    assert 0 <= read_retry_after({"retry-after": text, "retry-after-ms": text}, now=now) <= 600
    limits = read_rate_limits({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": text}, now=now)
    assert 0 <= limits["x-ratelimit-remaining-tokens"].reset_seconds <= 600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("1m30s", 90),
        ("200ms", 0.2),
        ("1h", 600),
        ("1764500042", 42),
        ("1764500042000", 42),
        ("1764400000", 0),
        ("Sun, 30 Nov 2025 10:54:02 GMT", 42),
        ("2025-11-30T10:54:02Z", 42),
        ("-3", 0),
        ("soon", None),
        ("nan", None),
        ("5 apples", None),
    ],
)
def test_waiting_times_are_understood_in_every_form(text: str, seconds: float | None) -> None:
    assert parse_wait(text, now=1_764_500_000) == pytest.approx(seconds)


# -- the way to the server


def answer_app(seen: list[dict[str, str]]) -> web.Application:
    async def chat(request: web.Request) -> web.Response:
        seen.append({"path": str(request.raw_path), **request.headers})
        return web.json_response({"choices": [{"message": {"content": "yes"}}]})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", chat)
    return app


def test_a_proxy_with_a_netrc_entry_carries_the_key_to_the_server_alone(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".netrc").write_text("machine models.example login somebody password something\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("A_KEY", SECRET)
    seen: list[dict[str, str]] = []
    with serve_app(answer_app(seen)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.removesuffix("/v1").replace("://", "://me:pass%20word@"))
        with HttpEngine(EngineConfig(url="http://models.example/v1", model="m", key_env="A_KEY")) as engine:
            (reply,) = engine.complete([Request("a", Prompt("seed", "Say yes.", {}), {})])
    assert reply.text == "yes"
    assert seen[0]["path"] == "http://models.example/v1/chat/completions"
    assert seen[0]["Authorization"] == f"Bearer {SECRET}"
    assert seen[0]["Proxy-Authorization"] == f"Basic {base64.b64encode(b'me:pass word').decode()}"


@pytest.mark.parametrize("proxy", ["socks5://h:1", f"http://u:{SECRET}@h:port", "http://", "://"])
def test_a_proxy_that_is_none_is_one_line(proxy: str, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(ConfigError, match="http_proxy must be") as caught:
        find_proxy("http://models.example/v1")
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("no_proxy", "models.example")
    assert find_proxy("http://models.example/v1").address is None
    assert find_proxy("http://127.0.0.1:8000/v1").address is None


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
from kdos.config import EngineConfig
from kdos.errors import KdosError
from kdos.llm import HttpEngine
from kdos.tasks import Prompt, Request
try:
    with HttpEngine(EngineConfig(url=sys.argv[1], model="m", concurrency=64)) as engine:
        prompt = Prompt("seed", "Say yes.", {})
        requests = [Request(str(n), prompt, {"n": n}) for n in range(200)]
        print(sum(reply.text == "yes" for reply in engine.complete(requests)))
except KdosError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(("files", "code", "said"), [(64, 0, "200"), (36, 2, "ulimit -n")])
def test_too_few_files_lower_the_concurrency_or_are_one_line(files: int, code: int, said: str) -> None:
    async def chat(_: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.json_response({"choices": [{"message": {"content": "yes"}}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    with serve_app(app) as url:
        ended = subprocess.run(
            [sys.executable, "-c", LIMITED, url, str(files)],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ,
        )
    assert ended.returncode == code, ended.stderr
    assert said in ended.stdout
    assert "Traceback" not in ended.stderr
    assert ("in flight instead" in ended.stderr) == (code == 0)


@pytest.mark.parametrize(
    "engine",
    [
        {"extra": {"api_key": "canary0123456789"}},
        {"extra": {"headers": {"Authorization": "Bearer canary0123456789"}}},
        {"extra": {"note": "sk-canary0123456789"}},
        {"url": "http://127.0.0.1:9/v1;token=canary0123456789"},
        {"url": "http://127.0.0.1:9/sk-canary0123456789/v1"},
        {"url": "http://127.0.0.1:9/v1?api-version=1&sig=canary0123456789"},
        {"headers": {"api-key": "canary0123456789"}},
        {"headers": {"X-Goog-Api-Key": "canary0123456789"}},
        {"headers": {"X-Note": "Bearer canary0123456789"}},
        {"headers": {"sk-canary0123456789": "x"}},
        {"headers": {"X-Note": {"env": "canary 0123456789"}}},
        {"headers": {"X-Note": {"environment": "canary0123456789"}}},
        {"headers": {"X-Note": "canary\r\nX-Other: 0123456789"}},
        {"query": {"sig": "canary0123456789"}},
        {"key_header": "canary 0123456789"},
        {"key_env": "sk-canary0123456789"},
        {"key_env": "canary0123456789canary"},
    ],
)
def test_a_key_in_a_wrong_place_is_refused_and_shown_nowhere(engine, tmp_path, capsys):
    (tmp_path / "docs.jsonl").write_text('{"text": "In 1836 the copper works of Bonn employed 91 people."}\n')
    value = {
        "source": {"kind": "text", "path": str(tmp_path / "docs.jsonl")},
        "engine": {"kind": "http", "url": "http://127.0.0.1:9/v1", "model": "m"} | engine,
    }
    (tmp_path / "c.yaml").write_text(json.dumps(value))
    for command in (["run", "--out", str(tmp_path / "run")], ["doctor"]):
        assert main([command[0], str(tmp_path / "c.yaml"), *command[1:]]) != 0
        shown = capsys.readouterr()
        assert "canary" not in shown.out + shown.err
        assert "Traceback" not in shown.err
    assert not (tmp_path / "run").exists()


def test_a_line_that_is_no_yaml_is_not_shown(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("engine: {url: 'http://x/?key=canary0123456789}\n")
    assert main(["run", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert "canary" not in capsys.readouterr().err


@pytest.mark.parametrize("setting", [{"headers": {"Content-Length": "3"}}, {"key_header": "host"}])
def test_a_header_that_says_how_a_request_is_sent_is_refused(setting) -> None:
    with pytest.raises(ConfigError, match="what HTTP itself sets"):
        EngineConfig(kind="http", url="http://127.0.0.1:9/v1", model="m", **setting)
