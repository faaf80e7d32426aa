"""Ask for each seed's knowledge points and merge those that say the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.arrays import Float32Array
from kdos.pool import (
    Extraction,
    Grouping,
    Passage,
    Refusal,
    Seed,
    Tally,
    column_values,
    group_paraphrases,
    group_texts,
    record_fields,
)
from kdos.pool.wording import fact_key
from kdos.tasks import Ask, Request, ask_extraction, pair_replies_in_order, read_extraction

_TEXTS = pa.list_(pa.string())
_EXTRACTIONS = pa.schema(
    {"seed": pa.string(), "topic_entities": _TEXTS, "knowledge_points": _TEXTS, "logic": pa.string()}
)
KNOWLEDGE_POINTS = pa.schema({"text": pa.string(), "multiplicity": pa.int64(), "seeds": _TEXTS, "wordings": _TEXTS})
"""One row a knowledge point; `wordings` are the other wordings that were merged into it."""


def extract_seeds(
    seeds: Iterable[Seed], *, ask: Ask, passage: Callable[[str], Passage]
) -> Iterator[tuple[Seed, Extraction | Refusal]]:
    """Each seed with its extraction or why there is none, in the order of the seeds."""
    asked = ((seed, _extraction_request(seed, passage)) for seed in seeds)
    for seed, reply in pair_replies_in_order(asked, ask=ask):
        assert reply is not None
        yield seed, read_extraction(reply)


def collect_extractions(
    seeds: Iterable[Seed], *, ask: Ask, passage: Callable[[str], Passage], tally: Tally, note: Callable[[Tally], None]
) -> tuple[list[tuple[Seed, Extraction]], dict[str, str]]:
    """Each seed with its extraction, and an example of each reason why others have none.

    Both are counted in `tally`, which `note` is shown after each seed.
    """
    examples = dict[str, str]()
    pairs: list[tuple[Seed, Extraction]] = []
    for seed, extraction in extract_seeds(seeds, ask=ask, passage=passage):
        if isinstance(extraction, Refusal):
            tally.refused[extraction.reason] += 1
            examples.setdefault(extraction.reason, extraction.detail)
        elif not extraction.knowledge_points:
            tally.refused["no_knowledge_point"] += 1
        else:
            tally.accepted += 1
            pairs.append((seed, extraction))
        note(tally)
    return pairs, examples


def extraction_table(pairs: Sequence[tuple[Seed, Extraction]]) -> pa.Table:
    """Extractions as a table, a row for each seed."""
    rows = [{"seed": seed.id, **record_fields(extraction)} for seed, extraction in pairs]
    return pa.Table.from_pylist(rows, _EXTRACTIONS)


def merge_points(extractions: pa.Table) -> pa.Table:
    """Every distinct knowledge point: first wording, how often it occurred, in which seeds."""
    lists = column_values(extractions, "knowledge_points")
    texts = [text for points in lists for text in points]
    grouping = group_texts(texts)
    seeds: list[list[str]] = [[] for _ in grouping.first]
    names = zip(column_values(extractions, "seed"), lists, strict=True)
    owners = (name for name, points in names for _ in points)
    for group, name in zip(grouping.group, owners, strict=True):
        seeds[group].append(name)
    first = [texts[i] for i in grouping.first]
    return _points_table(first, grouping.size, seeds, [[] for _ in first])


def merge_paraphrases(points: pa.Table, grouping: Grouping) -> pa.Table:
    """The knowledge points with each group in the row of its first."""
    texts, seeds = column_values(points, "text"), column_values(points, "seeds")
    merged_seeds: list[list[str]] = [[] for _ in grouping.first]
    wordings: list[list[str]] = [[] for _ in grouping.first]
    times = np.zeros(len(grouping.first), np.int64)
    np.add.at(times, grouping.group, points["multiplicity"].to_numpy())
    for row, group in enumerate(grouping.group.tolist()):
        merged_seeds[group] += seeds[row]
        if row != grouping.first[group]:
            wordings[group].append(texts[row])
    return _points_table([texts[i] for i in grouping.first], times, merged_seeds, wordings)


def merge_wordings(points: pa.Table, vectors: Float32Array) -> tuple[pa.Table, Grouping]:
    """The knowledge points with all wordings of one fact in one row; vectors of shape (n_points, n_features)."""
    grouping = group_paraphrases(column_values(points, "text"), unit_vectors(vectors))
    return merge_paraphrases(points, grouping), grouping


def unit_vectors(vectors: Float32Array) -> Float32Array:
    """The vectors scaled to unit length, shape (n, n_features)."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def spell_points(lists: Iterable[Sequence[str]], points: pa.Table) -> list[list[str]]:
    """Lists of knowledge points, each in the one wording that its row of the merged `points` has, once a list."""
    rows = zip(column_values(points, "text"), column_values(points, "wordings"), strict=True)
    spelled = {fact_key(wording): text for text, wordings in rows for wording in (text, *wordings)}
    return [list(dict.fromkeys(spelled[fact_key(point)] for point in each)) for each in lists]


def _points_table(*columns: Any) -> pa.Table:
    arrays = [pa.array(c, kind) for c, kind in zip(columns, KNOWLEDGE_POINTS.types, strict=True)]
    return pa.table(arrays, schema=KNOWLEDGE_POINTS)


def _extraction_request(seed: Seed, passage: Callable[[str], Passage]) -> Request:
    passages = [passage(seed.passage)] if seed.passage else []
    answer = seed.answers[0]
    return ask_extraction(seed.id, question=seed.question, answer=answer, passages=passages)
