"""`kdos export --push`: the folder on a Hub that this test serves; nothing leaves the machine."""

import base64
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kdos.cli import main
from kdos.llm.mock_server import serve_app

if importlib.util.find_spec("huggingface_hub") is None:
    pytest.skip("huggingface_hub is not installed: pip install 'kdos[export]'", allow_module_level=True)

TOKEN = "hf_thisIsNobodysToken"
NAME = "ida/towns"


class FakeHub:
    """What the Hub answers to the library, and what it holds: whether a data set is private, and its files."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.tokens: set[str | None] = set()
        self.refuses_commits = False

    def build_app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 26, middlewares=[self.check_token])
        at = "/api/datasets/{owner}/{name}"
        app.router.add_post("/api/repos/create", self.create)
        app.router.add_post("/api/validate-yaml", self.validate)
        app.router.add_get(at, self.describe)
        app.router.add_get(at + "/revision/{revision}", self.describe)
        app.router.add_get(at + "/tree/{revision}", self.list_files)
        app.router.add_get(at + "/tree/{revision}/", self.list_files)
        app.router.add_post(at + "/preupload/{revision}", self.say_how)
        app.router.add_post(at + "/commit/{revision}", self.commit)
        return app

    @web.middleware
    async def check_token(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.tokens.add(request.headers.get("Authorization"))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "Invalid username or password."}, status=401)
        return await handler(request)

    async def create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.private:
            told = {"error": "You already created this dataset repo", "url": f"{request.url.origin()}/datasets/{name}"}
            return web.json_response(told, status=409)
        assert asked["type"] == "dataset"
        self.private[name] = asked.get("visibility") == "private" or asked.get("private") is True
        self.files[name] = {".gitattributes": b""}
        return web.json_response({"url": f"{request.url.origin()}/datasets/{name}", "id": name})

    async def validate(self, request: web.Request) -> web.Response:
        return web.json_response({"errors": [], "warnings": []})

    async def describe(self, request: web.Request) -> web.Response:
        name = self.name_of(request)
        siblings = [{"rfilename": path} for path in self.files[name]]
        return web.json_response({"id": name, "private": self.private[name], "sha": "0" * 40, "siblings": siblings})

    async def list_files(self, request: web.Request) -> web.Response:
        held = self.files[self.name_of(request)]
        found = [{"type": "file", "path": path, "size": len(data), "oid": "0" * 40} for path, data in held.items()]
        return web.json_response(found)

    async def say_how(self, request: web.Request) -> web.Response:
        asked = (await request.json())["files"]
        return web.json_response(
            {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]}
        )

    async def commit(self, request: web.Request) -> web.Response:
        if self.refuses_commits:
            return web.json_response({"error": f"no room for {TOKEN}"}, status=403)
        held = self.files[self.name_of(request)]
        for line in (await request.text()).splitlines():
            step = json.loads(line)
            if step["key"] == "file":
                held[step["value"]["path"]] = base64.b64decode(step["value"]["content"])
            elif step["key"] == "deletedFile":
                del held[step["value"]["path"]]
        url = f"{request.url.origin()}/datasets/{self.name_of(request)}/commit/{'1' * 40}"
        return web.json_response({"commitUrl": url, "commitOid": "1" * 40, "success": True})

    @staticmethod
    def name_of(request: web.Request) -> str:
        return f"{request.match_info['owner']}/{request.match_info['name']}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    hub = FakeHub()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serve_app(hub.build_app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url.removesuffix("/v1"))
        yield hub


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "towns.jsonl"
    rows = [{"question": f"Who founded town {n}?", "answer": f"Ida {n}"} for n in range(9)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def push(table: Path, out: Path, *flags: str, name: str = NAME) -> int:
    return main(["export", str(table), "--format", "datasets", "--out", str(out), "--json", "--push", name, *flags])


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert TOKEN not in shown.err + shown.out
    return shown.err


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("flags", [[], ["--public"]])
def test_a_folder_is_pushed_whole_and_private_unless_asked(hub, table, tmp_path, capsys, flags) -> None:
    assert push(table, tmp_path / "out", *flags) == 0
    shown = capsys.readouterr()
    assert hub.files[NAME] == written(tmp_path / "out") | {".gitattributes": b""}
    assert hub.private[NAME] is not bool(flags)
    said = json.loads(shown.out)["pushed"]
    assert said == {"address": f"{said['address'].partition('/datasets')[0]}/datasets/{NAME}", "private": not flags}
    assert hub.tokens - {None} == {f"Bearer {TOKEN}"}  # the library asks for things of its own without
    assert TOKEN not in shown.out + shown.err
    assert not [name for name, data in written(tmp_path).items() if TOKEN.encode() in data]


def test_the_next_export_takes_the_place_of_the_last_one_and_leaves_the_users_files(hub, table, tmp_path) -> None:
    assert push(table, tmp_path / "one") == 0
    hub.files[NAME] |= {"train-00001-of-00002.parquet": b"of a larger export", "notes.md": b"mine"}
    assert push(table, tmp_path / "two", "--test-share", "0.5", "--similar", "1") == 0
    assert hub.files[NAME] == written(tmp_path / "two") | {".gitattributes": b"", "notes.md": b"mine"}


def test_what_is_public_already_gets_nothing_that_was_to_be_private(hub, table, tmp_path, capsys) -> None:
    hub.private[NAME], hub.files[NAME] = False, {}
    assert push(table, tmp_path / "out") == 2
    assert f"{NAME} is public; nothing was sent" in one_line(capsys)
    assert hub.files[NAME] == {}


def test_a_refusal_of_the_hub_is_one_line_without_the_token_and_the_folder_stays(hub, table, tmp_path, capsys) -> None:
    hub.refuses_commits = True
    assert push(table, tmp_path / "out") == 1
    shown = one_line(capsys)
    assert "no room for the token" in shown
    assert f"hf upload {NAME} {tmp_path}/out --repo-type dataset" in shown
    assert (tmp_path / "out/README.md").is_file()


def test_a_hub_that_nobody_serves_is_one_line(hub, table, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert push(table, tmp_path / "out") == 1
    assert f"the Hub must take {NAME}" in one_line(capsys)


@pytest.mark.parametrize("name", ["towns", "ida/towns/x", "ida/", "/towns", "i da/x", "ida/to--wns", "ida/x.git", ""])
def test_a_name_that_is_none_is_told_before_any_work(hub, table, tmp_path, capsys, name) -> None:
    assert push(table, tmp_path / "out", name=name) == 2
    assert "--push must be OWNER/NAME on the Hub" in one_line(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("token", [None, "", " ", "hf_two words", "hf_ü"])
def test_a_token_must_be_in_the_environment(hub, table, tmp_path, capsys, monkeypatch, token) -> None:
    monkeypatch.delenv("HF_TOKEN") if token is None else monkeypatch.setenv("HF_TOKEN", token)
    assert push(table, tmp_path / "out") == 2
    shown = one_line(capsys)
    assert "in the environment variable HF_TOKEN" in shown
    assert not token or not token.strip() or token not in shown
    assert not (tmp_path / "out").exists()
    assert hub.tokens == set()


def test_the_library_must_be_installed(hub, table, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["kdos.export.hub"], "find_spec", lambda name: None)
    assert push(table, tmp_path / "out") == 1
    assert "pip install 'kdos[export]'" in one_line(capsys)
    assert not (tmp_path / "out").exists()
