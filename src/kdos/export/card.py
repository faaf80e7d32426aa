"""The dataset card: what a dataset holds, where it comes from and how it was steered."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import yaml

from kdos.targets import format_gap

# The part of the Hub's list of licence identifiers that text is published under
# (https://huggingface.co/docs/hub/repositories-licenses); any other is "other" plus its name.
HUB_LICENCES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "unlicense"),
    *("gfdl", "gpl-3.0", "lgpl-3.0", "mpl-2.0"),
    *("cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    *("odbl", "odc-by", "pddl"),
}
# The Hub's size categories: a dataset of n rows has the first whose bound is above n.
SIZE_CATEGORIES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)
LARGEST_CATEGORY = "1B<n<10B"
DOMAINS_SHOWN = 20
INTRODUCTION = """\
Question-answer samples synthesised with kdos, which measures how the knowledge in a pool of
samples is distributed and steers synthesis towards a target distribution.
"""
TABLE_INTRODUCTION = """\
Rows of {sources}, laid out by kdos: {read:,} were read, {left_out:,} of them are left out.
"""
SOURCES_SHOWN = 20
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]+)*", re.ASCII)
_NOT_IDENTIFIER = re.compile(r"[^a-z0-9.]+")
COLUMN_MEANINGS = {
    "question": "the question",
    "answer": "the answer",
    "answers": "every accepted form of the answer",
    "topic_entities": "what the question is about",
    "knowledge_points": "the 3 to 5 facts that lead to the answer",
    "logic": "how the knowledge points lead to the answer, as a Mermaid diagram",
    "shape": "the name of the diagram's shape: equal where two samples reason alike",
    "difficulty": "what has to be joined to answer it, as it was found: D1 (one knowledge point) to D5",
    "difficulty_asked": "the level that was asked for, if any was",
    "enhanced_from": "the draft that was too easy and was rewritten as this one",
    "distractors": "plausible wrong answers from the same source",
    "domain": "the part of the source that it belongs to",
    "lang": "language (BCP 47)",
    "document": "the source document; `answer_start` and `answer_end` are offsets in it",
    "evidence": "passages and the quotes from them that hold the answer",
    "seeds": "the seed questions it was made from",
    "cells": "the cells of the space that its knowledge points fall in",
    "engine": "the model that wrote it",
    "prompt_hash": "the wording of all prompts that the run asked with, and of the samples that it showed",
    "part": "the part of the loop in which it was accepted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard:
    """What a card says beyond what stands in the rows; None or empty where it is not known.

    `space` is the space's fingerprint; `distinct` knowledge points of the source are held, `coverage` is their share,
    and `filled` exposures of an `order` of so many. `kl` is in nats, `log10_density` in log10, `refused` counts
    drafts by error class, `licences` counts source documents by licence. `benchmarks` holds, for
    each whose questions were kept out, how many these are and how many drafts were one of them.

    Of rows that no run made `sources` are the files, `fields` where question and answer were read, `rows_read` how
    many there were and `rows_left_out` those that are not here, by reason.
    """

    name: str
    target: str = ""
    space: str = ""
    stop_reason: str = ""
    distinct: int | None = None
    coverage: float | None = None
    order: int | None = None
    filled: int | None = None
    kl: float | None = None
    tv: float | None = None
    log10_density: float | None = None
    unreachable_mass: float | None = None
    effective_shapes: float | None = None
    drafts: int | None = None
    llm_calls: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    licences: Mapping[str, int] = field(default_factory=dict)
    benchmarks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sources: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    rows_read: int = 0
    rows_left_out: Mapping[str, int] = field(default_factory=dict)


def render_card(card: DatasetCard, splits: Mapping[str, pa.Table]) -> str:
    """The card as Markdown under YAML front matter; `splits` holds the rows by split name."""
    front = yaml.safe_dump(_build_front_matter(card, splits), sort_keys=False, allow_unicode=True)
    parts = [f"---\n{front}---\n", f"# {_escape_markdown(card.name)}\n", _introduce(card)]
    parts += [section for section in _render_sections(card, splits) if section]
    return "\n".join(parts)


def _introduce(card: DatasetCard) -> str:
    if not card.sources:
        return INTRODUCTION
    shown = [_escape_markdown(name) for name in card.sources[:SOURCES_SHOWN]]
    if more := len(card.sources) - len(shown):
        shown.append(f"{more:,} other files")
    left_out = sum(card.rows_left_out.values())
    return TABLE_INTRODUCTION.format(sources=", ".join(shown), read=card.rows_read, left_out=left_out)


def _build_front_matter(card: DatasetCard, splits: Mapping[str, pa.Table]) -> dict[str, Any]:
    n_rows = sum(table.num_rows for table in splits.values())
    return {
        "pretty_name": _join_lines(card.name),
        "language": sorted(lang for lang in _count_values(splits, "lang") if _names_language(lang, card)),
        **_build_licence_keys(card.licences),
        "size_categories": [next((name for bound, name in SIZE_CATEGORIES if n_rows < bound), LARGEST_CATEGORY)],
        "task_categories": ["question-answering", "text-generation"],
        "tags": ["kdos"] if card.sources else ["kdos", "synthetic", "knowledge-density"],
        "configs": [
            {"config_name": "default", "data_files": [{"split": name, "path": f"{name}-*.parquet"} for name in splits]}
        ],
    }


def _names_language(lang: str, card: DatasetCard) -> bool:
    """Whether it can stand in the front matter; a user's own column of that name may hold anything."""
    return bool(_LANGUAGE.fullmatch(lang) if card.sources else lang)


def _build_licence_keys(licences: Mapping[str, int]) -> dict[str, Any]:
    names = sorted({_NOT_IDENTIFIER.sub("-", name.casefold()).strip("-") for name in licences})
    known = [name for name in names if name in HUB_LICENCES]
    others = [name for name in names if name and name not in HUB_LICENCES]
    keys: dict[str, Any] = {"license": known + ["other"] * bool(others) or ["unknown"]}
    if others:
        keys["license_name"] = "-and-".join(others)
    return keys


def _render_sections(card: DatasetCard, splits: Mapping[str, pa.Table]) -> list[str]:
    domains = _rank_counts(_count_values(splits, "domain"), DOMAINS_SHOWN)
    names = () if card.sources else next(iter(splits.values())).column_names
    columns = [name for name in names if name in COLUMN_MEANINGS]
    rows = [(name, f"{table.num_rows:,}") for name, table in splits.items()]
    return [
        _render_section("Rows", ("split", "rows"), rows),
        _render_section("Knowledge", ("measure", "value"), _list_measures(card)),
        _render_section("Domains", ("domain", "samples"), domains),
        _render_section("Difficulty", ("level", "samples"), sorted(_rank_counts(_count_values(splits, "difficulty")))),
        _render_section("Licences of the sources", ("licence", "documents"), _rank_counts(card.licences)),
        _render_section("Benchmarks kept out", ("benchmark", "questions", "drafts removed"), _list_benchmarks(card)),
        _render_section("Refused drafts", ("error class", "drafts"), _rank_counts(card.refused)),
        _render_section("Fields", ("part", "field of the source"), [*map(_escape_pair, card.fields.items())]),
        _render_section("Rows left out", ("reason", "rows"), _rank_counts(card.rows_left_out)),
        _render_section("Cost", ("measure", "value"), _list_costs(card)),
        _render_section("Columns", ("column", "meaning"), [(f"`{n}`", COLUMN_MEANINGS[n]) for n in columns]),
    ]


def _list_measures(card: DatasetCard) -> list[tuple[str, str]]:
    wanted = None if card.order is None or card.filled is None else card.order - card.filled
    return [
        ("target", _escape_markdown(card.target)),
        ("space", f"`{_escape_markdown(card.space)}`" if card.space else ""),
        ("stopped by", _escape_markdown(card.stop_reason)),
        ("distinct knowledge points of the source", _format_number(card.distinct)),
        ("coverage of the source", _format_number(card.coverage)),
        ("exposures still wanted of what can be reached", _format_number(wanted)),
        ("KL divergence to the target (nats)", _format_gap(card.kl)),
        ("total variation to the target", _format_gap(card.tv)),
        ("log10 density (comparable inside this space only)", _format_number(card.log10_density)),
        ("share of the target out of reach", _format_number(card.unreachable_mass)),
        ("effective number of shapes of logic", _format_number(card.effective_shapes)),
    ]


def _list_benchmarks(card: DatasetCard) -> list[tuple[str, str, str]]:
    held = card.benchmarks.items()
    return [(_escape_markdown(name), f"{asked:,}", f"{removed:,}") for name, (asked, removed) in held]


def _list_costs(card: DatasetCard) -> list[tuple[str, str]]:
    return [
        ("drafts", _format_number(card.drafts)),
        ("calls to the model", _format_number(card.llm_calls)),
        ("prompt tokens", _format_number(card.prompt_tokens)),
        ("completion tokens", _format_number(card.completion_tokens)),
        ("cost (USD)", _format_number(card.cost_usd)),
    ]


def _escape_pair(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[0], _escape_markdown(pair[1])


def _format_gap(distance: float | None) -> str:
    return "" if distance is None else format_gap(distance)


def _format_number(value: float | None) -> str:
    """A number to print: counts in full, measurements to four significant digits."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _render_section(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A titled Markdown table of the rows that have a value, or nothing where none has."""
    known = [row for row in rows if row[-1]]
    if not known:
        return ""
    lines = [header, ["---"] * len(header), *known]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {title}\n\n{table}\n"


def _rank_counts(counts: Mapping[str, int], limit: int | None = None) -> list[tuple[str, str]]:
    """Names with their counts, the largest first; past `limit` the rest are summed in one row."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [(_escape_markdown(name) or "not stated", f"{n:,}") for name, n in ranked[:limit]]
    rest = ranked[len(rows) :]
    if rest:
        rows.append((f"{len(rest):,} others", f"{sum(n for _, n in rest):,}"))
    return rows


def _count_values(splits: Mapping[str, pa.Table], column: str) -> Counter[str]:
    """How often each text in `column` occurs over all splits; empty without that column, or if it holds others."""
    counts: Counter[str] = Counter()
    for table in splits.values():
        if column in table.column_names and _holds_texts(table.schema.field(column).type):
            found = table[column].value_counts()
            names: list[Any] = found.field("values").to_pylist()
            times: list[Any] = found.field("counts").to_pylist()
            for name, n in zip(names, times, strict=True):
                counts[name or ""] += n
    return counts


def _holds_texts(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _escape_markdown(value: str) -> str:
    """Text from data as one line of Markdown in which nothing is markup."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", _join_lines(value))


def _join_lines(value: str) -> str:
    return " ".join(value.split())
