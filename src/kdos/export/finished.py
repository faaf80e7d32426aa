"""What a finished run left to export."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.errors import InputError
from kdos.export.card import Card
from kdos.store import read_json_file, read_parquet


def read_samples(run: Path) -> pa.Table:
    """The samples of a finished run, in the order of the pool."""
    if not (run / "run.yaml").is_file():
        raise InputError(f"RUN must be the folder of a run. {run} holds no run.yaml.")
    shards = sorted((run / "dataset").glob("train-*.parquet"))
    if not shards:
        raise InputError(
            f"RUN must be finished. {run} holds no dataset yet. Run the same `kdos run` again."
        )
    return pa.concat_tables([read_parquet(shard) for shard in shards])


def read_seed_documents(run: Path) -> dict[str, str]:
    """The document of each seed of the run; empty for a run that kept none."""
    path = run / "seed" / "seeds.parquet"
    if not path.is_file():
        return {}
    table = read_parquet(path, ["id", "document"])
    return {row["id"]: row["document"] for row in table.to_pylist()}


def read_card(run: Path) -> Card:
    """What the run's artefacts say for the dataset card."""
    summary = read_json_file(run / "summary.json")
    rounds = sorted((run / "synthesize").glob("round-*/round.json"))
    classes: Counter[str] = Counter()
    for path in rounds:
        classes.update(read_json_file(path)["classes"])
    documents = run / "seed" / "documents.parquet"
    licences = read_parquet(documents, ["licence"]).to_pylist() if documents.is_file() else []
    return describe(
        summary,
        name=run.resolve().name,
        refused=classes,
        licences=Counter(row["licence"] for row in licences),
    )


def describe(
    summary: Mapping[str, Any],
    *,
    name: str,
    refused: Mapping[str, int],
    licences: Mapping[str, int],
) -> Card:
    """The card of a run with this summary; `refused` by error class, `licences` by document."""
    usage = summary.get("usage") or {}
    keys = ("stop_reason", "kl", "tv", "log10_density", "unreachable_mass", "drafts", "llm_calls")
    return Card(
        name=name,
        target=summary.get("target", ""),
        space=summary.get("space", ""),
        cost_usd=summary.get("cost_usd"),
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        refused=refused,
        licences=licences,
        **{key: summary[key] for key in keys if key in summary},
    )
