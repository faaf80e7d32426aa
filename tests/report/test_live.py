from pathlib import Path

import pytest

from kdos.report import LivePage, live, write_report


class Clock:
    """Seconds that pass when a page is written, or when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, writing: float) -> None:
        self.now, self.writing, self.pages = 100.0, writing, 0
        monkeypatch.setattr(live, "monotonic", lambda: self.now)
        monkeypatch.setattr(live, "write_report", self.write)

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
    assert clock.pages * clock.writing <= live.MOST_SHARE * 1000 + clock.writing
