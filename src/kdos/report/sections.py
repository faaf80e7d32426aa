"""The page's headline, pictures, charts and examples, as records for the template."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from kdos.arrays import Float64Array
from kdos.logic import Fault, parse
from kdos.pool import values
from kdos.pool.grouping import fact_key
from kdos.report.artefacts import Artefacts, Loop
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
    STOP_REASONS,
    figure,
    percent,
    words,
)


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


def pool_points(
    run: Artefacts,
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array] | None:
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
