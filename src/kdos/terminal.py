"""The terminal: results on stdout, everything for the eye on stderr; foreign text moves nothing there."""

import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
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
from rich.table import Table
from rich.text import Text

from kdos.printable import ascii_json, printable_line, replace_surrogates

MOST_CELL_CHARS = 200
"""Characters of a table's cell."""
LINE_SECONDS = 60.0
"""Between two lines about a stage in a file or a pipe: some hundred for a run of hours."""
_console = Console(stderr=True, highlight=False, emoji=False)


def print_json(summary: Mapping[str, Any]) -> None:
    """One line of JSON on stdout, in ASCII."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    try:
        text = orjson.dumps(summary, option=options)
    except orjson.JSONEncodeError:
        # A name of a file that is no UTF-8 holds surrogates, which orjson refuses.
        text = orjson.dumps(replace_surrogates(summary), option=options)
    sys.stdout.write(ascii_json(text.decode()) + "\n")
    sys.stdout.flush()


def print_status(text: str) -> None:
    """One line for the eye, on stderr; never markup."""
    _console.print(printable_line(text), markup=False, soft_wrap=True)


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: bool = False) -> None:
    """A table for the eye, on stderr; its title stands in the middle, or on the left."""
    table = Table(title=_cell(title), title_justify="left" if left else "center")
    for heading in headings:
        table.add_column(_cell(heading))
    for row in rows:
        table.add_row(*map(_cell, row))
    _console.print(table)


def _cell(text: str) -> Text:
    return Text(printable_line(text, most=MOST_CELL_CHARS))


class Progress:
    """Stages with a bar, a rate and a note, on stderr; where that is no terminal, a line now and then."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description:<10}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=_console,
            disable=not _console.is_terminal,
        )

    @contextmanager
    def stage(self, name: str, *, total: int | None = None) -> Generator[None]:
        """A stage that goes on while the block runs; `total` where it is known."""
        self._task = self._bars.add_task(printable_line(name), total=total, note="")
        self._name, self._of_total = name, "" if total is None else f" of {total:,}"
        self._line_due = self._clock() + LINE_SECONDS
        with self._bars:
            yield
            self._bars.update(self._task, total=self._bars.tasks[self._task].completed or 1)

    def update(self, done: int, note: str = "") -> None:
        """How far the stage is, and a note beside it."""
        self._bars.update(self._task, completed=done, note=printable_line(note, most=MOST_CELL_CHARS))
        if self._bars.disable and (now := self._clock()) >= self._line_due:
            self._line_due = now + LINE_SECONDS
            print_status("; ".join(filter(None, [f"{self._name}: {done:,}{self._of_total}", note])))
