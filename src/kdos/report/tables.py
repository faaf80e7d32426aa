"""The page's headline and tables: drafts, cells, balance of the stages, cost, the blind run.

Also what the page calls things, and how it writes numbers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from kdos.cost import Cost, describe_costs, format_usd, look_at_costs
from kdos.logic import LEVELS
from kdos.pool import ErrorClass, column_values
from kdos.report.charts import FULLNESS_EDGES, MET_RANGE, compute_fullness_shares
from kdos.report.saved_run import LoopRecord, RandomRows, SavedRun
from kdos.targets import format_gap

ACCEPTED = "accepted"
OUTCOME_NAMES = {
    ACCEPTED: "accepted",
    ErrorClass.DISTRIBUTION.value: "not needed",
    ErrorClass.KNOWLEDGE_GAP.value: "knowledge gap",
    ErrorClass.QUESTION.value: "question error",
    ErrorClass.ANSWER.value: "answer error",
    ErrorClass.KNOWLEDGE_POINTS.value: "knowledge points error",
    ErrorClass.KNOWLEDGE_LOGIC.value: "knowledge logic error",
    ErrorClass.FORMAT_MISMATCH.value: "format mismatch",
}
"""What can become of a draft: accepted, or refused in an error class."""

CLASS_MEANINGS = {
    ErrorClass.DISTRIBUTION.value: "sound, but what it knows is crowded already or wanted no more",
    ErrorClass.KNOWLEDGE_GAP.value: "the source does not support what it says",
    ErrorClass.QUESTION.value: "the question gives its answer away, is unclear or a copy",
    ErrorClass.ANSWER.value: "the answer is wrong or not in the source",
    ErrorClass.KNOWLEDGE_POINTS.value: "knowledge points are missing, too many or contradictory",
    ErrorClass.KNOWLEDGE_LOGIC.value: "the diagram cannot be read or does not lead to the answer",
    ErrorClass.FORMAT_MISMATCH.value: "the reply did not have the form that was asked for",
}

STOP_REASON_TEXTS = {
    "covered": "98 % of what can be reached is held, as near to the target as independent draws from it would be, or "
    "nothing more can be asked for",
    "budget": "the samples that were asked for are there, or the budget was spent",
    "no_gain": "the last picks brought next to nothing",
    "unreachable": "what is missing was asked for in vain",
}

UNKNOWN = "–"
"""Stands for a number that nothing says."""
WHOLE_FROM = 100
"""From here on the fraction of an amount says nothing."""
COST_NAMES = {
    "calls": "calls to the model",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
    "usd": "cost in USD",
    "seconds": "seconds",
}
"""The amounts of a cost, and what they are called."""

DISCIPLINES_SHOWN = 20
SHADES = 8
"""Of the heat map, from none to as much as any cell has."""
CELLS_SHOWN = 6
POINTS_SHOWN = 3
REASONS_SHOWN = 30
MAX_QUESTION_LENGTH = 140
MAX_BAR_MULTIPLE = 2.0
"""Multiple of the quota at which the bar of a cell is full."""


@dataclass(frozen=True, slots=True)
class LevelCell:
    """Samples of one discipline and level; `shade`, from 0, by their share of the discipline's."""

    samples: int
    share: float
    shade: int


@dataclass(frozen=True, slots=True)
class LevelRow:
    """The samples of a discipline by level, in the order of `LEVELS`."""

    name: str
    samples: int
    cells: tuple[LevelCell, ...]


@dataclass(frozen=True, slots=True)
class LevelTable:
    """Samples by discipline and level, all together first; `wanted` are the shares asked for, None where none were."""

    rows: tuple[LevelRow, ...]
    wanted: tuple[float, ...] | None
    more: int


@dataclass(frozen=True, slots=True)
class HeadlineTile:
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
    tiles: list[HeadlineTile]


def build_headline(run: SavedRun) -> Headline:
    """The run in one sentence and a few figures."""
    last = run.loop.parts[-1] if run.loop.parts else None
    wanted = read_wanted_samples(run.config)
    samples = last["samples"] if last else 0
    return Headline(
        running=run.summary is None,
        sentence=_compose_headline(run, last),
        done=samples / wanted if wanted else None,
        tiles=_build_headline_tiles(run, last) if last else [],
    )


def _compose_headline(run: SavedRun, last: Mapping[str, Any] | None) -> str:
    if run.summary is None:
        if last is None:
            return "The run is preparing: no part of the synthesis is complete yet."
        costs = look_at_costs(run.loop.parts)
        told = f" {text[0].upper()}{text[1:]}." if costs and (text := describe_costs(costs)) else ""
        return f"The run is going on: {last['samples']:,} samples after part {last['part']}.{told}"
    reason = str(run.summary["stop_reason"])
    return (
        f"{run.summary['samples']:,} samples in {len(run.loop.parts)} parts, steered to the "
        f"target {run.summary.get('target', '')}{_compose_coverage(run, last)}. "
        f"It stopped because {STOP_REASON_TEXTS.get(reason, spell_out_name(reason))}."
    )


def _compose_coverage(run: SavedRun, last: Mapping[str, Any] | None) -> str:
    if run.source is None or last is None or "distinct" not in last:
        return ""
    share = format_share(last["distinct"] / run.source.total)
    blind = _last_round(run.blind)
    beside = f" (the blind run {format_share(blind['distinct'] / run.source.total)})" if "distinct" in blind else ""
    return f", hold {last['distinct']:,} knowledge points, {share} of the source's{beside}"


def _last_round(loop: LoopRecord | None) -> Mapping[str, Any]:
    """What a loop came to; empty without a part."""
    return loop.parts[-1] if loop and loop.parts else {}


def _build_headline_tiles(run: SavedRun, last: Mapping[str, Any]) -> list[HeadlineTile]:
    drafts = run.loop.verdict_counts.total()
    facts, floor = format_number(last["knowledge_points"]), format_distance(last["floor"])
    found = [
        (f"{last['samples']:,}", "samples", f"{facts} facts taught"),
        *_list_coverage_tiles(run, last),
        (format_distance(last["kl"]), "KL to the target, nats", f"noise floor {floor}"),
        (format_distance(last["tv"]), "total variation", "0 is the target itself"),
        (format_share(last.get("unreachable_mass") or 0.0), "of the target out of reach", "KL and TV leave it out"),
    ]
    if run.blind and run.blind.parts:
        kl = format_distance(run.blind.parts[-1]["kl"])
        found.append((kl, "KL of the blind run", "same size, not steered"))
    accepted = format_share(run.loop.verdict_counts["", ""] / max(drafts, 1))
    found.append((accepted, "accepted", f"of {drafts:,} drafts"))
    return [HeadlineTile(*tile) for tile in found]


def _list_coverage_tiles(run: SavedRun, last: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Distinct knowledge points, coverage and deficit; none of a run of an older kdos, whose parts do not say."""
    if run.source is None or "distinct" not in last:
        return []
    total, left, blind = run.source.total, last["order"] - last["filled"], _last_round(run.blind).get("distinct")
    beside = ("", "") if blind is None else (f", blind {blind:,}", f"blind {format_share(blind / total)}")
    return [
        (f"{last['distinct']:,}", "distinct knowledge points", f"of {total:,} in the source{beside[0]}"),
        (format_share(last["distinct"] / total), "of the source covered", beside[1]),
        (f"{left:,}", "exposures still wanted", f"of {last['order']:,} within reach"),
    ]


def read_wanted_samples(config: str) -> int | None:
    """The size that the pool is to reach, as the configuration says."""
    try:
        return int(yaml.safe_load(config)["budget"]["samples"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return None


def compare_with_blind_run(run: SavedRun) -> list[tuple[str, str, str]]:
    """Rows of (measure, steered, blind); empty without a blind run."""
    if not (run.blind and run.blind.parts and run.loop.parts):
        return []
    both = [(run.loop, run.loop.parts[-1]), (run.blind, run.blind.parts[-1])]
    rows = [
        ("samples", [format_number(last["samples"]) for _, last in both]),
        ("distinct knowledge points of the source", [format_number(last.get("distinct")) for _, last in both]),
        ("coverage of the source", [_format_coverage(run, last) for _, last in both]),
        ("KL to the target (nats)", [format_distance(last["kl"]) for _, last in both]),
        ("KL as a multiple of the noise floor", [_format_floor_multiple(last) for _, last in both]),
        ("total variation", [format_distance(last["tv"]) for _, last in both]),
        ("target in cells that are met", [_format_met_share(run, loop) for loop, _ in both]),
        ("drafts judged", [format_number(loop.verdict_counts.total()) for loop, _ in both]),
        ("drafts for a sample", [_format_drafts_a_sample(loop, last) for loop, last in both]),
        ("log10 density", [format_number(last["log10_density"]) for _, last in both]),
    ]
    return [(name, steered, blind) for name, (steered, blind) in rows]


def _format_coverage(run: SavedRun, last: Mapping[str, Any]) -> str:
    if run.source is None or "distinct" not in last:
        return "–"
    return format_share(last["distinct"] / run.source.total)


def _format_drafts_a_sample(loop: LoopRecord, last: Mapping[str, Any]) -> str:
    return format_number(loop.verdict_counts.total() / last["samples"] if last["samples"] else None)


def _format_floor_multiple(last: Mapping[str, Any]) -> str:
    known = last["kl"] is not None and last["floor"]
    return format_number(last["kl"] / last["floor"] if known else None)


def _format_met_share(run: SavedRun, loop: LoopRecord) -> str:
    if run.target is None:
        return "–"
    quota = run.target["quota"].to_numpy().astype(np.float64)
    shares = compute_fullness_shares(loop.points_by_cell.astype(np.float64), quota)
    return format_share(float(shares[FULLNESS_EDGES.index(MET_RANGE[0])]))


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """What became of some drafts: a reason, an outcome's total, or all that stayed."""

    outcome: str
    reason: str
    meaning: str
    drafts: int
    share: float
    example: str = ""


@dataclass(frozen=True, slots=True)
class CellRow:
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
    cells: list[CellRow]


@dataclass(frozen=True, slots=True)
class StageBalance:
    """The balance of one stage."""

    name: str
    rows_in: int
    rows_out: int
    refused: list[tuple[str, int]]

    @property
    def unaccounted_rows(self) -> int:
        """Rows that are neither out nor refused."""
        return self.rows_in - self.rows_out - sum(count for _, count in self.refused)


def tabulate_draft_outcomes(loop: LoopRecord) -> list[DraftOutcome]:
    """Every draft by what became of it: accepted first, then classes with their reasons."""
    total = max(loop.verdict_counts.total(), 1)
    by_outcome: Counter[str] = Counter()
    for (_, error), count in loop.verdict_counts.items():
        by_outcome[find_outcome_key(error)] += count
    examples = _find_first_questions(loop.drafts)
    rows: list[DraftOutcome] = []
    for key in OUTCOME_NAMES:
        if by_outcome[key]:
            count = by_outcome[key]
            meaning = CLASS_MEANINGS.get(key, "joined the pool")
            rows.append(DraftOutcome(OUTCOME_NAMES[key], "", meaning, count, count / total))
        counts = loop.verdict_counts.items()
        reasons = [(r, n) for (r, e), n in counts if r and find_outcome_key(e) == key]
        for reason, count in sorted(reasons, key=lambda item: (-item[1], item[0]))[:REASONS_SHOWN]:
            example = examples.get(reason, "")
            rows.append(DraftOutcome("", spell_out_name(reason), "", count, count / total, example))
    return rows


def _find_first_questions(drafts: RandomRows | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if drafts is not None:
        table = drafts.table
        reasons, questions = column_values(table, "reason"), column_values(table, "question")
        for reason, question in zip(reasons, questions, strict=True):
            found.setdefault(reason or ACCEPTED, question or "")
    return {reason: _shorten_question(question) for reason, question in found.items()}


def _shorten_question(text: str) -> str:
    return text if len(text) <= MAX_QUESTION_LENGTH else text[: MAX_QUESTION_LENGTH - 1] + "…"


def tabulate_cells(run: SavedRun) -> list[CellTable]:
    """The thinnest and the most crowded cells of the source, and those with the largest deficit."""
    if run.source is None or run.target is None:
        return []
    own = run.source.table["cell"].to_numpy()
    quota = run.target["quota"].to_numpy()
    # A cell's density is the mean over the source's knowledge points in it; empty cells have none.
    count = np.bincount(own, minlength=len(quota))
    log10 = run.source.table["log10_density"].to_numpy()
    density = np.bincount(own, log10, minlength=len(quota)) / np.maximum(count, 1)
    filled = np.flatnonzero(count)
    by_density = filled[np.argsort(density[filled], kind="stable")]
    deficit = quota - run.loop.points_by_cell
    largest = np.argsort(-deficit, kind="stable")[:CELLS_SHOWN]
    tables = [
        ("Thinnest", "where the source says least", by_density[:CELLS_SHOWN]),
        ("Most crowded", "where the source repeats itself", by_density[::-1][:CELLS_SHOWN]),
        ("Still short", "what is missing most at the end", largest[deficit[largest] > 0]),
    ]
    return [
        CellTable(title, note, [_describe_cell(run, int(n), float(density[n])) for n in numbers])
        for title, note, numbers in tables
        if len(numbers)
    ]


def _describe_cell(run: SavedRun, number: int, log10_density: float) -> CellRow:
    assert run.source is not None
    assert run.target is not None
    rows = np.flatnonzero(run.source.table["cell"].to_numpy() == number)
    quota = int(run.target["quota"][number].as_py())
    held = int(run.loop.points_by_cell[number])
    return CellRow(
        number=number,
        log10_density=log10_density,
        source=len(rows),
        quota=quota,
        held=held,
        fill=min(held / quota, MAX_BAR_MULTIPLE) if quota else 0.0,
        reachable=bool(run.target["reachable"][number].as_py()),
        examples=column_values(run.source.table.take(rows[:POINTS_SHOWN]), "text"),
    )


def tabulate_stages(summary: Mapping[str, Any] | None) -> list[StageBalance]:
    """Rows in, out and refused at every stage."""
    stages = (summary or {}).get("stages") or {}
    return [
        StageBalance(
            spell_out_name(name),
            tally["in"],
            tally["out"],
            [(spell_out_name(reason), count) for reason, count in tally["refused"].items()],
        )
        for name, tally in stages.items()
    ]


def tabulate_costs(run: SavedRun) -> list[tuple[str, str, str, str]]:
    """Rows of (measure, in all so far, for each sample in the loop, and in all for a sample or still to come)."""
    costs = look_at_costs(run.loop.parts)
    each = costs.a_sample if costs else None
    if run.summary:
        # What was in flight at the end is paid for, and in no part.
        each = Cost(**run.summary["a_sample"]) if run.summary.get("a_sample") else each
        whole = _read_whole_cost(run.summary)
        last = whole.times(1 / max(run.summary["samples"], 1))
    elif costs:
        whole, last = costs.spent, costs.to_come
    else:
        return []
    columns = (whole, each, last)
    rows = [(name, *(_format_amount(cost, key) for cost in columns)) for key, name in COST_NAMES.items()]
    return [(name, total, each, left) for name, total, each, left in rows if total != UNKNOWN]


def _read_whole_cost(summary: Mapping[str, Any]) -> Cost:
    """What a run that has ended came to."""
    usage = summary.get("usage") or {}
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return Cost(summary.get("llm_calls", 0), prompt, completion, summary.get("cost_usd"), summary.get("seconds"))


def _format_amount(cost: Cost | None, key: str) -> str:
    """One amount of a cost: money in cents, counts in full where they are whole."""
    amount: float | None = None if cost is None else getattr(cost, key)
    if amount is None:
        return UNKNOWN
    if key == "usd":
        return format_usd(amount)
    return format_number(amount if amount % 1 and amount < WHOLE_FROM else round(amount))


# Words and numbers as the page writes them


def find_outcome_key(error_class: str | None) -> str:
    """The key in `OUTCOME_NAMES` of an error class; an unknown class is a format mismatch."""
    if not error_class:
        return ACCEPTED
    return error_class if error_class in OUTCOME_NAMES else ErrorClass.FORMAT_MISMATCH.value


def format_number(value: float | None) -> str:
    """A number to read: counts in full, measurements to three significant digits."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}"


def format_distance(distance: float | None) -> str:
    """A KL divergence or a total variation to read."""
    return "–" if distance is None else format_gap(distance)


def format_share(share: float) -> str:
    """A share as a percentage with a useful number of digits."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.1f} %"


def spell_out_name(name: str) -> str:
    """A name of the code as words."""
    return name.replace("_", " ")


def sum_levels(parts: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """Samples by discipline and level of difficulty, over all parts."""
    counts: dict[str, Counter[str]] = {}
    for facts in parts:
        for name, found in facts.get("levels", {}).items():
            counts.setdefault(name, Counter()).update(found)
    return counts


def tabulate_levels(run: SavedRun) -> LevelTable | None:
    """The samples by discipline and level; None before there are any, and in runs of an older kdos."""
    counts = sum_levels(run.loop.parts)
    if not counts:
        return None
    settings = yaml.safe_load(run.config)
    wanted = settings.get("difficulty") if isinstance(settings, dict) else None
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1].total(), pair[0]))
    named = [(name, found) for name, found in ordered if name]
    rows = [_level_row("all", sum(counts.values(), Counter[str]()))]
    rows += [_level_row(name, found) for name, found in named[:DISCIPLINES_SHOWN]]
    shares = tuple(float(wanted.get(level, 0.0)) for level in LEVELS) if wanted else None
    return LevelTable(tuple(rows), shares, more=max(len(named) - DISCIPLINES_SHOWN, 0))


def _level_row(name: str, counts: Counter[str]) -> LevelRow:
    total = max(counts.total(), 1)
    shares = [counts[level] / total for level in LEVELS]
    most = max(shares) or 1.0
    shades = [round(share / most * (SHADES - 1)) for share in shares]
    cells = [
        LevelCell(counts[level], *pair) for level, pair in zip(LEVELS, zip(shares, shades, strict=True), strict=True)
    ]
    return LevelRow(name, counts.total(), tuple(cells))
