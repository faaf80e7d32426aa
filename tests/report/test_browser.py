"""The page in a browser, opened from a file; skipped where there is no Chromium."""

import asyncio
import itertools
import json
import re
import shutil
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kdos.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-background-networking",
    "--remote-debugging-port=0",
    "--window-size=1280,900",
)
PATIENCE = 60
"""Seconds to wait for the browser, on a machine that has other work."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

COLOURS = """(() => {
  const canvas = document.getElementById("canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(data.buffer)).size;
})()"""
SEARCH = """(() => {
  const field = document.getElementById("search");
  field.value = %s;
  field.dispatchEvent(new Event("input"));
  return [document.getElementById("count").textContent,
          [...document.querySelectorAll("#found button")].map((button) => button.textContent)];
})()"""
HOVER = """(() => {
  document.querySelector("#found button").click();
  const tip = document.getElementById("tip");
  return [tip.hidden, tip.textContent];
})()"""
CLICK_THE_MIDDLE = """(() => {
  const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
  const middle = {clientX: box.left + box.width / 2, clientY: box.top + box.height / 2};
  canvas.dispatchEvent(new MouseEvent("click", {...middle, bubbles: true}));
  return document.getElementById("tip").textContent;
})()"""
CHOOSE = """(() => {
  const field = document.getElementById(%s);
  field.value = %s;
  field.dispatchEvent(new Event("change"));
  return [...document.querySelectorAll("#legend button")].map((button) => button.textContent);
})()"""


class Page:
    """A page of a browser, driven by its own protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.numbers = itertools.count(1)
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.loaded = asyncio.Event()

    async def read(self) -> None:
        async for message in self.socket:
            event = json.loads(message.data)
            if "id" in event:
                self.waiting.pop(event["id"]).set_result(event)
                continue
            self.events.append(event)
            if event["method"] == "Page.loadEventFired":
                self.loaded.set()

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self.numbers)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        reply = await asyncio.wait_for(self.waiting[number], PATIENCE)
        assert "error" not in reply, reply
        return reply["result"]

    async def open(self, path: Path) -> None:
        for part in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{part}.enable")
        await self.call("Page.navigate", url=path.as_uri())
        await asyncio.wait_for(self.loaded.wait(), PATIENCE)
        await self.until("document.querySelectorAll('#legend button').length > 0")

    async def run(self, code: str) -> Any:
        result = await self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, code: str) -> None:
        for _ in range(PATIENCE * 10):
            if await self.run(code):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"never came true: {code}")

    def complaints(self) -> list[str]:
        bad = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [
            json.dumps(event)
            for event in self.events
            if event["method"] in bad
            and event["params"].get("entry", {}).get("source") != "rendering"  # advice on speed
        ]

    def requests(self) -> list[str]:
        sent = (e for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in sent]


@asynccontextmanager
async def a_page(profile: Path) -> AsyncGenerator[Page]:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        address = await asyncio.wait_for(address_of(process), PATIENCE)
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://{address}/json") as answer:
                targets = await answer.json(content_type=None)
            url = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
            async with http.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                reading = asyncio.create_task(page.read())
                yield page
                reading.cancel()
    finally:
        process.kill()
        await process.communicate()


async def address_of(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if found := re.search(rb"ws://([^/]+)/devtools", line):
            return found[1].decode()
    raise AssertionError("the browser did not start")


def in_browser(run: Path, profile: Path, steps: Callable[[Page], Coroutine[Any, Any, None]]) -> None:
    """Open the report of a run, take the steps, and hold that nothing was asked or complained."""

    async def visit() -> None:
        written = write_report(run)
        async with a_page(profile) as page:
            await page.open(written.page)
            await steps(page)
            assert page.complaints() == []
            assert page.requests() == [written.page.as_uri()]

    asyncio.run(visit())


def test_the_map_is_drawn_searched_and_read(finished_run: Path, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{COLOURS} > 4")
        count, found = await page.run(SEARCH % '"MTU"')
        assert re.fullmatch(r"\d+ of 420 hold “mtu”\.", count)
        assert found
        assert all("MTU" in text for text in found)
        hidden, text = await page.run(HOVER)
        assert not hidden
        assert text.startswith(found[0])
        assert "log10 density" in text
        legend = await page.run(CHOOSE % ('"colour"', '"1"'))
        assert any(entry.startswith("Perkins ") for entry in legend)
        legend = await page.run(CHOOSE % ('"layer"', '"1"'))
        assert any(entry.startswith("accepted ") for entry in legend)

    in_browser(finished_run, tmp_path, steps)


def test_the_keyboard_and_the_wheel_move_the_map(finished_run: Path, tmp_path: Path) -> None:
    picture = 'document.getElementById("canvas").toDataURL()'
    press = 'document.getElementById("canvas").dispatchEvent(new KeyboardEvent("keydown", {key: %s, bubbles: true}))'

    async def steps(page: Page) -> None:
        await page.until(f"{COLOURS} > 4")
        whole = await page.run(picture)
        await page.run(press % '"+"')
        await page.until(f"{picture} !== {json.dumps(whole)}")
        nearer = await page.run(picture)
        await page.run(press % '"ArrowLeft"')
        await page.until(f"{picture} !== {json.dumps(nearer)}")
        await page.run(press % '"0"')
        await page.until(f"{picture} === {json.dumps(whole)}")

    in_browser(finished_run, tmp_path, steps)


def test_a_turned_phone_keeps_its_place_and_needs_no_sideways_scrolling(finished_run: Path, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.run(SEARCH % '"MTU"')
        _, text = await page.run(HOVER)
        canvas = "document.getElementById('canvas').clientWidth"
        for width, height in ((390, 844), (844, 390)):
            metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
            was = await page.run(canvas)
            await page.call("Emulation.setDeviceMetricsOverride", **metrics)
            await page.until(f"{canvas} !== {was} && document.getElementById('tip').hidden")
            assert await page.run("document.documentElement.scrollWidth") == width
            assert await page.run(CLICK_THE_MIDDLE) == text

    in_browser(finished_run, tmp_path, steps)


def test_hostile_text_runs_nowhere(hostile_run: Path, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{COLOURS} > 4")
        for words in ("<script>", "onerror", "{{ 7", "שלום"):
            _, found = await page.run(SEARCH % json.dumps(words))
            assert found
            hidden, text = await page.run(HOVER)
            assert not hidden
            assert words in text
        assert await page.run("typeof window.hacked") == "undefined"
        assert await page.run("document.querySelectorAll('img, #main svg script').length") == 0
        assert await page.run("getComputedStyle(document.body).display") == "block"

    in_browser(hostile_run, tmp_path, steps)
