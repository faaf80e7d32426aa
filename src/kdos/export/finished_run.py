"""What a finished run left to export."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.artifacts import RunFolder
from kdos.export.card import DatasetCard
from kdos.pool import column_values
from kdos.store import read_json_file, read_parquet

SUMMARY_FIELDS = (
    *("target", "space", "stop_reason", "distinct", "coverage", "order", "filled", "kl", "tv", "log10_density"),
    "unreachable_mass",
    *("effective_shapes", "drafts", "llm_calls", "cost_usd"),
)
"""What the summary and the card call by one name."""


def read_samples(run: Path) -> pa.Table:
    """The samples of a finished run, in the order of the pool.

    Raises:
        InputError: The folder is no run, or one that has not ended.
        DamageError: A file of the run is not as it was written.
    """
    return RunFolder(run).read_samples()


def read_seed_documents(run: Path) -> dict[str, str]:
    """The document of each seed of the run; empty for a run that kept none."""
    path = RunFolder(run).seeds
    if not path.is_file():
        return {}
    table = read_parquet(path, ["id", "document"])
    return {row["id"]: row["document"] for row in table.to_pylist()}


def read_card(run: Path, *, summary: Mapping[str, Any] | None = None) -> DatasetCard:
    """The dataset card's facts, from the artefacts of a run that has ended.

    `summary` stands in for ``summary.json``, which a run writes last of all: it says that
    everything else is there, its dataset and card among them.
    """
    folder = RunFolder(run)
    facts = read_json_file(folder.summary) if summary is None else summary
    usage = facts.get("usage") or {}
    return DatasetCard(
        name=run.resolve().name,
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        refused=_count_refused_drafts(folder),
        benchmarks=_read_benchmarks_kept_out(folder),
        licences=_count_licences(folder.documents),
        **{name: facts[name] for name in SUMMARY_FIELDS if name in facts},
    )


def _count_licences(documents: Path) -> Counter[str]:
    held = read_parquet(documents, ["licence"]) if documents.is_file() else None
    return Counter(column_values(held, "licence") if held else [])


def _count_refused_drafts(folder: RunFolder) -> Counter[str]:
    classes: Counter[str] = Counter()
    for one in folder.complete_parts():
        classes.update(read_json_file(one.facts)["classes"])
    return classes


def _read_benchmarks_kept_out(folder: RunFolder) -> dict[str, tuple[int, int]]:
    """For each benchmark its questions, and the drafts that were one of them."""
    if not folder.decontamination.is_file():
        return {}
    found = read_json_file(folder.decontamination)["benchmarks"]
    return {name: (each["questions"], each["drafts"]) for name, each in found.items()}
