"""The sections of the page, as records for the template."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from kdos.logic import Fault, parse
from kdos.pool import values
from kdos.pool.grouping import fact_key
from kdos.report.artefacts import Artefacts, Drawn, Loop
from kdos.report.atlas import coordinates
from kdos.report.charts import (
    FULLNESS,
    MET,
    BarGroup,
    Chart,
    Series,
    fullness_chart,
    fullness_shares,
    line_chart,
)
from kdos.report.drawing import Drawing, draw_logic
from kdos.report.picture import Panels, draw_panels, frame_around, ramp_steps
from kdos.report.wording import (
    ACCEPTED,
    CLASS_MEANINGS,
    OUTCOMES,
    STOP_REASONS,
    figure,
    outcome_of,
    percent,
    words,
)

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

CELLS_SHOWN = 6
EXAMPLES_SHOWN = 3
REASONS_SHOWN = 30
EXAMPLE_LENGTH = 140
FULL_BAR = 2.0
"""Multiple of the quota at which the bar of a cell is full."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the headline."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """What the run came to, or how far it is."""

    running: bool
    sentence: str
    done: float | None
    tiles: list[Tile]


@dataclass(frozen=True, slots=True)
class PanelRow:
    """The three panels of one pool."""

    title: str
    note: str
    panels: Panels


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


@dataclass(frozen=True, slots=True)
class Example:
    """A sample with its logic drawn, or the fault that keeps it from being drawn."""

    sample: Mapping[str, Any]
    drawing: Drawing | None
    fault: str


def headline(run: Artefacts) -> Headline:
    """The run in one sentence and a few figures."""
    last = run.loop.rounds[-1] if run.loop.rounds else None
    wanted = wanted_samples(run.config)
    samples = last["samples"] if last else 0
    return Headline(
        running=run.summary is None,
        sentence=sentence(run, last),
        done=samples / wanted if wanted else None,
        tiles=tiles(run, last) if last else [],
    )


def sentence(run: Artefacts, last: Mapping[str, Any] | None) -> str:
    """What the run came to, in words."""
    if run.summary is None:
        if last is None:
            return "The run is preparing: no round of synthesis is complete yet."
        return f"The run is going on: {last['samples']:,} samples after round {last['round']}."
    reason = str(run.summary["stop_reason"])
    return (
        f"{run.summary['samples']:,} samples in {len(run.loop.rounds)} rounds, steered to the "
        f"target {run.summary.get('target', '')}. "
        f"It stopped because {STOP_REASONS.get(reason, words(reason))}."
    )


def tiles(run: Artefacts, last: Mapping[str, Any]) -> list[Tile]:
    """The figures under the headline."""
    drafts = run.loop.fates.total()
    found = [
        Tile(f"{last['samples']:,}", "samples", f"{figure(last['knowledge_points'])} facts taught"),
        Tile(figure(last["kl"]), "KL to the target, nats", f"noise floor {figure(last['floor'])}"),
        Tile(figure(last["tv"]), "total variation", "0 is the target itself"),
    ]
    if run.blind and run.blind.rounds:
        blind = run.blind.rounds[-1]
        found.append(Tile(figure(blind["kl"]), "KL of the blind run", "same size, not steered"))
    if run.source:
        found.append(Tile(percent(share_taught(run)), "of the source taught", "distinct facts"))
    accepted = run.loop.fates[("", "")]
    found.append(Tile(percent(accepted / max(drafts, 1)), "accepted", f"of {drafts:,} drafts"))
    return found


def share_taught(run: Artefacts, loop: Loop | None = None) -> float:
    """The share of the source's distinct knowledge points that a loop's samples hold."""
    texts = values(run.source.table, "text") if run.source else []
    taught = (loop or run.loop).taught
    return sum(fact_key(text) in taught for text in texts) / max(len(texts), 1)


def wanted_samples(config: str) -> int | None:
    """The size that the pool is to reach, as the configuration says."""
    try:
        return int(yaml.safe_load(config)["budget"]["samples"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return None


def panel_rows(run: Artefacts) -> list[PanelRow]:
    """The source before and the pool after, on one frame and one ramp."""
    if run.source is None:
        return []
    source = coordinates(run.source)
    frame = frame_around(*source)
    density = run.source.table["log10_density"].to_numpy()
    low, high = (float(q) for q in np.quantile(density, [0.01, 0.99]))
    rows = [
        PanelRow(
            "Before",
            f"the {run.source.total:,} knowledge points of the source",
            draw_panels(
                frame.place(*source), np.ones(len(density)), ramp_steps(density, low, high)
            ),
        )
    ]
    after = pool_points(run)
    if after is not None:
        x, y, log10, weights = after
        note = f"{int(run.loop.held.sum()) or int(weights.sum()):,} facts taught by the samples"
        panels = draw_panels(frame.place(x, y), weights, ramp_steps(log10, low, high))
        rows.append(PanelRow("After", note, panels))
    return rows


def pool_points(run: Artefacts) -> tuple[Floats, Floats, Floats, Floats] | None:
    """Coordinates, log10 density and exposures of what the pool teaches.

    Before the run has written its pool's knowledge points, those of the source that are taught.
    """
    if run.loop.points is not None:
        table = run.loop.points.table
        log10, weights = table["log10_density"].to_numpy(), table["exposures"].to_numpy()
        return *coordinates(run.loop.points), log10, weights.astype(np.float64)
    if run.source is None or not run.loop.taught:
        return None
    taught = [run.loop.taught.get(fact_key(t)) for t in values(run.source.table, "text")]
    rows = [row for row, found in enumerate(taught) if found]
    if not rows:
        return None
    weights = np.array([found.times for found in taught if found], np.float64)
    x, y = coordinates(run.source)
    return x[rows], y[rows], run.source.table["log10_density"].to_numpy()[rows], weights


def kl_chart(run: Artefacts) -> Chart | None:
    """KL by round, with the noise floor and the blind run."""
    if not run.loop.rounds:
        return None
    lines = [series(run.loop, "kl", role="steered"), series(run.loop, "floor", role="floor")]
    if run.blind and run.blind.rounds:
        lines.insert(1, series(run.blind, "kl", role="blind"))
    return line_chart(lines, logarithmic=True)


def tv_chart(run: Artefacts) -> Chart | None:
    """Total variation by round."""
    if not run.loop.rounds:
        return None
    lines = [series(run.loop, "tv", role="steered")]
    if run.blind and run.blind.rounds:
        lines.append(series(run.blind, "tv", role="blind"))
    return line_chart(lines)


def series(loop: Loop, key: str, *, role: str) -> Series:
    """One figure of a loop by round; NaN where there is none."""
    numbers = [record[key] for record in loop.rounds]
    return Series(
        role,
        x=[record["round"] for record in loop.rounds],
        y=[math.nan if value is None else value for value in numbers],
    )


def fullness(run: Artefacts) -> list[BarGroup]:
    """How full the cells are, against the blind run where there is one."""
    if run.target is None or not run.loop.held.sum():
        return []
    quota = run.target["quota"].to_numpy().astype(np.float64)
    loops = [("steered", run.loop.held.astype(np.float64))]
    if run.blind and run.blind.held.sum():
        loops.append(("blind", run.blind.held.astype(np.float64)))
    return fullness_chart(loops, quota)


def comparison(run: Artefacts) -> list[tuple[str, str, str]]:
    """Measure, steered, blind."""
    if not (run.blind and run.blind.rounds and run.loop.rounds):
        return []
    both = [(run.loop, run.loop.rounds[-1]), (run.blind, run.blind.rounds[-1])]
    rows = [
        ("samples", [figure(last["samples"]) for _, last in both]),
        ("KL to the target (nats)", [figure(last["kl"]) for _, last in both]),
        ("KL as a multiple of the noise floor", [multiple(last) for _, last in both]),
        ("total variation", [figure(last["tv"]) for _, last in both]),
        ("target in cells that are met", [share_met(run, loop) for loop, _ in both]),
        ("source taught at least once", [percent(share_taught(run, loop)) for loop, _ in both]),
        ("drafts judged", [figure(loop.fates.total()) for loop, _ in both]),
        ("log10 density", [figure(last["log10_density"]) for _, last in both]),
    ]
    return [(name, steered, blind) for name, (steered, blind) in rows]


def multiple(last: Mapping[str, Any]) -> str:
    """KL in units of the noise floor."""
    return figure(last["kl"] / last["floor"]) if last["kl"] is not None and last["floor"] else "–"


def share_met(run: Artefacts, loop: Loop) -> str:
    """The share of the target whose cells hold about their quota."""
    if run.target is None:
        return "–"
    quota = run.target["quota"].to_numpy().astype(np.float64)
    shares = fullness_shares(loop.held.astype(np.float64), quota)
    return percent(float(shares[FULLNESS.index(MET[0])]))


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


@dataclass(frozen=True, slots=True)
class CellTable:
    """Some cells under a title that says which."""

    title: str
    note: str
    cells: list[Cell]


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
    count: Whole
    density: Floats

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


def examples(run: Artefacts) -> list[Example]:
    """Samples with their logic drawn."""
    found: list[Example] = []
    for sample in run.examples:
        logic = parse(sample["logic"] or "")
        if isinstance(logic, Fault):
            found.append(Example(sample, None, f"{words(logic.reason)}: {logic.detail}"))
        else:
            found.append(Example(sample, draw_logic(logic), ""))
    return found


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
