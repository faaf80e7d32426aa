import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from kdos.report import LivePage, write_report
from kdos.report import page as page_module
from kdos.report.page import D3_MODULES, render_page
from kdos.report.saved_run import read_saved_run

VOID = {"meta", "link", "br", "img", "input", "hr"}
# Elements and attributes that would fetch or run something.
ACTIVE = {"img", "iframe", "object", "embed", "link", "base", "form", "audio", "video", "source"}


class Reader(HTMLParser):
    """The tags of a page with their attributes, and what is wrong with their nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.tags if tag == name)


@pytest.fixture(scope="module")
def finished(finished_run: Path) -> str:
    return render_page(read_saved_run(finished_run))


@pytest.fixture(scope="module")
def hostile(hostile_run: Path) -> str:
    return render_page(read_saved_run(hostile_run))


def test_the_page_is_well_formed(finished: str) -> None:
    page = Reader(finished)
    assert page.faults == []
    assert page.open == []
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))


def test_the_page_has_every_section(finished: str) -> None:
    page = Reader(finished)
    sections = {attributes["id"] for attributes in page.all("section")}
    assert sections == {*("spread", "gap", "blind", "drafts", "cells", "map", "samples", "books", "setup")}
    links = {a["href"] for a in page.all("a")}
    assert links == {f"#{name}" for name in sections | {"main"}}


def test_pictures_have_words_and_tables_have_heads(finished: str) -> None:
    page = Reader(finished)
    ids = {attributes.get("id") for _, attributes in page.tags}
    for drawing in page.all("svg"):
        labels = (drawing.get("aria-labelledby") or "").split()
        assert drawing.get("aria-hidden") or drawing.get("aria-label") or labels
        assert set(labels) <= ids
    tables = len(list(page.all("table")))
    assert tables == finished.count("<thead>") >= 6
    assert all(head.get("scope") in {"col", "row"} for head in page.all("th"))
    assert not any("style" in attributes for _, attributes in page.tags)


def test_the_policy_allows_this_page_s_own_style_and_scripts_alone(finished: str) -> None:
    page = Reader(finished)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    inline = re.findall(r"<(style|script)>(.*?)</\1>", finished, re.DOTALL)
    assert [name for name, _ in inline] == ["style", "script", "script"]
    for _, text in inline:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_the_page_needs_nothing_from_outside(finished: str) -> None:
    page = Reader(finished)
    assert not {tag for tag, _ in page.tags} & ACTIVE
    assert all("src" not in attributes for _, attributes in page.tags)
    style = next(iter(re.findall(r"<style>(.*?)</style>", finished, re.DOTALL)))
    assert "url(" not in style
    assert "@import" not in style


def test_a_page_is_small_and_equal_for_equal_artefacts(finished: str, finished_run: Path) -> None:
    assert len(finished.encode()) < 1_000_000
    assert render_page(read_saved_run(finished_run)) == finished


def test_hostile_text_stays_text(hostile: str, finished: str) -> None:
    page = Reader(hostile)
    assert page.faults == []
    assert not {tag for tag, _ in page.tags} & ACTIVE
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    known = {tag for tag, _ in Reader(finished).tags}
    assert {tag for tag, _ in page.tags} <= known | {"pre"}
    assert [s.get("type") for s in page.all("script")] == ["application/octet-stream", None, None]
    text = "".join(page.text)
    assert "<script>window.hacked = 1</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "a<b>&\"'" in text


def test_hostile_text_in_the_map_is_packed_away(hostile: str) -> None:
    data = re.search(r'id="points">([^<]*)</script>', hostile)
    assert data is not None
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", data[1])


def test_only_a_run_that_goes_on_loads_itself_again(finished: str, running_run: Path) -> None:
    running = render_page(read_saved_run(running_run))
    refreshes = [
        [m["content"] for m in Reader(page).all("meta") if m.get("http-equiv") == "refresh"]
        for page in (finished, running)
    ]
    assert refreshes == [[], ["10"]]
    assert 'role="status"' in running


def test_a_run_that_has_only_begun_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("target: uniform\n")
    page = Reader(render_page(read_saved_run(tmp_path)))
    assert page.faults == []
    assert [attributes["id"] for attributes in page.all("section")] == ["setup"]
    assert "The run is preparing" in "".join(page.text)


def test_the_library_is_as_it_was_published() -> None:
    folder = files("kdos.report") / "vendor"
    sums = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in sums} == {f"{name}.min.js" for name in D3_MODULES}
    for digest, name in sums:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


class Clock:
    """Seconds that pass when a page is written, or when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, writing: float) -> None:
        self.now, self.writing, self.pages = 100.0, writing, 0
        monkeypatch.setattr(page_module, "monotonic", lambda: self.now)
        monkeypatch.setattr(page_module, "write_report", self.write)

    def write(self, run: Path) -> None:
        write_report(run)
        self.now += self.writing
        self.pages += 1


def test_a_page_is_written_at_once_and_then_as_often_as_it_reloads(
    running_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, writing=0.1)
    page = LivePage(running_run)
    for _ in range(10):
        page.refresh()
        clock.now += 4
    assert clock.pages == 4
    assert "The run is going on" in (running_run / "report" / "index.html").read_text()


def test_a_page_that_is_slow_to_write_is_written_less_often(
    running_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, writing=5)
    page, begun = LivePage(running_run), clock.now
    while clock.now < begun + 1000:
        page.refresh()
        clock.now += 1
    assert clock.pages * clock.writing <= page_module.MAX_WRITING_SHARE * 1000 + clock.writing
