"""The terminal: results on stdout, everything for the eye on stderr."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

console = Console(stderr=True, highlight=False)


def print_json(summary: Mapping[str, Any]) -> None:
    """One line of JSON on stdout."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(summary, option=options).decode() + "\n")
    sys.stdout.flush()


def print_status(text: str) -> None:
    """One line for the eye, on stderr; never markup."""
    console.print(text, markup=False, soft_wrap=True)


class Progress:
    """Stages with a bar, a rate and a note, on stderr; silent when that is no terminal."""

    def __init__(self) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description:<10}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )

    @contextmanager
    def stage(self, name: str, *, total: int | None = None) -> Generator[None]:
        """A stage that goes on while the block runs; `total` where it is known."""
        self._task = self._bars.add_task(name, total=total, note="")
        with self._bars:
            yield
            self._bars.update(self._task, total=self._bars.tasks[self._task].completed or 1)

    def update(self, done: int, note: str = "") -> None:
        """How far the stage is, and a note beside it."""
        self._bars.update(self._task, completed=done, note=note)
