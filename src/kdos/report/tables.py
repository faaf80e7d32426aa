"""The page's tables: what became of drafts, cells, the balance of the stages, the cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdos.arrays import Float64Array, Int64Array
from kdos.pool import values
from kdos.report.artefacts import Artefacts, Drawn, Loop
from kdos.report.wording import ACCEPTED, CLASS_MEANINGS, OUTCOMES, figure, outcome_of, words

CELLS_SHOWN = 6
EXAMPLES_SHOWN = 3
REASONS_SHOWN = 30
EXAMPLE_LENGTH = 140
FULL_BAR = 2.0
"""Multiple of the quota at which the bar of a cell is full."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of some drafts: a reason, an outcome's total, or all that stayed."""

    outcome: str
    reason: str
    meaning: str
    drafts: int
    share: float
    example: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the space with what it holds."""

    number: int
    log10_density: float
    source: int
    quota: int
    held: int
    fill: float
    reachable: bool
    examples: list[str]


@dataclass(frozen=True, slots=True)
class CellTable:
    """Some cells under a title that says which."""

    title: str
    note: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Stage:
    """The balance of one stage."""

    name: str
    rows_in: int
    rows_out: int
    refused: list[tuple[str, int]]

    @property
    def missing(self) -> int:
        """Rows that are neither out nor refused."""
        return self.rows_in - self.rows_out - sum(count for _, count in self.refused)


def fates(loop: Loop) -> list[Fate]:
    """Every draft by what became of it: accepted first, then classes with their reasons."""
    total = max(loop.fates.total(), 1)
    by_outcome: Counter[str] = Counter()
    for (_, error), count in loop.fates.items():
        by_outcome[outcome_of(error)] += count
    examples = first_examples(loop.drafts)
    rows: list[Fate] = []
    for key in OUTCOMES:
        if by_outcome[key]:
            count = by_outcome[key]
            meaning = CLASS_MEANINGS.get(key, "joined the pool")
            rows.append(Fate(OUTCOMES[key], "", meaning, count, count / total))
        reasons = [(r, n) for (r, e), n in loop.fates.items() if r and outcome_of(e) == key]
        for reason, count in sorted(reasons, key=lambda item: (-item[1], item[0]))[:REASONS_SHOWN]:
            example = examples.get(reason, "")
            rows.append(Fate("", words(reason), "", count, count / total, example))
    return rows


def first_examples(drafts: Drawn | None) -> dict[str, str]:
    """For each reason the first question that was refused for it."""
    found: dict[str, str] = {}
    if drafts is not None:
        table = drafts.table
        for reason, question in zip(
            values(table, "reason"), values(table, "question"), strict=True
        ):
            found.setdefault(reason or ACCEPTED, shortened(question or ""))
    return found


def shortened(text: str) -> str:
    """A text of at most `EXAMPLE_LENGTH` letters."""
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"


def cell_tables(run: Artefacts) -> list[CellTable]:
    """The thinnest and the most crowded cells of the source, and those that lack most."""
    if run.source is None or run.target is None:
        return []
    own = run.source.table["cell"].to_numpy()
    quota = run.target["quota"].to_numpy()
    count = np.bincount(own, minlength=len(quota))
    log10 = run.source.table["log10_density"].to_numpy()
    density = np.bincount(own, log10, minlength=len(quota)) / np.maximum(count, 1)
    filled = np.flatnonzero(count)
    by_density = filled[np.argsort(density[filled], kind="stable")]
    lack = quota - run.loop.held
    most = np.argsort(-lack, kind="stable")[:CELLS_SHOWN]
    shelf = Shelf(run, count, density)
    tables = [
        ("Thinnest", "where the source says least", by_density[:CELLS_SHOWN]),
        ("Most crowded", "where the source repeats itself", by_density[::-1][:CELLS_SHOWN]),
        ("Still short", "what is missing most at the end", most[lack[most] > 0]),
    ]
    return [
        CellTable(title, note, [shelf.cell(int(n)) for n in numbers])
        for title, note, numbers in tables
        if len(numbers)
    ]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is known of every cell: source `count` and mean log10 `density`, shape (n_cells,)."""

    run: Artefacts
    count: Int64Array
    density: Float64Array

    def cell(self, number: int) -> Cell:
        """One cell with examples of its knowledge points."""
        source, target = self.run.source, self.run.target
        assert source is not None
        assert target is not None
        rows = np.flatnonzero(source.table["cell"].to_numpy() == number)[:EXAMPLES_SHOWN]
        quota, held = int(target["quota"][number].as_py()), int(self.run.loop.held[number])
        return Cell(
            number=number,
            log10_density=float(self.density[number]),
            source=int(self.count[number]),
            quota=quota,
            held=held,
            fill=min(held / quota, FULL_BAR) if quota else 0.0,
            reachable=bool(target["reachable"][number].as_py()),
            examples=values(source.table.take(rows), "text"),
        )


def balance(summary: Mapping[str, Any] | None) -> list[Stage]:
    """Rows in and out of every stage."""
    stages = (summary or {}).get("stages") or {}
    return [
        Stage(
            words(name),
            tally["in"],
            tally["out"],
            [(words(reason), count) for reason, count in tally["refused"].items()],
        )
        for name, tally in stages.items()
    ]


def costs(summary: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """Measure, in all, and for each sample that was accepted."""
    if not summary:
        return []
    usage = summary.get("usage") or {}
    amounts: Sequence[tuple[str, float | None]] = (
        ("calls to the model", summary.get("llm_calls")),
        ("prompt tokens", usage.get("prompt_tokens")),
        ("completion tokens", usage.get("completion_tokens")),
        ("cost in USD", summary.get("cost_usd")),
        ("drafts", summary.get("drafts")),
        ("seconds", summary.get("seconds")),
    )
    samples = max(summary["samples"], 1)
    return [
        (name, figure(amount), figure(float(amount) / samples))
        for name, amount in amounts
        if amount is not None
    ]
