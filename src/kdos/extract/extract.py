"""Ask for each seed's knowledge points and merge those that say the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from kdos.pool import Extraction, Passage, Refusal, Seed, fields_of, group_texts, values
from kdos.tasks import Ask, Request, ask_extraction, in_order, read_extraction

EXTRACTIONS = pa.schema(
    [
        ("seed", pa.string()),
        ("topic_entities", pa.list_(pa.string())),
        ("knowledge_points", pa.list_(pa.string())),
        ("logic", pa.string()),
    ]
)
KNOWLEDGE_POINTS = pa.schema(
    [("text", pa.string()), ("multiplicity", pa.int64()), ("seeds", pa.list_(pa.string()))]
)


def extract(
    seeds: Iterable[Seed],
    *,
    ask: Ask,
    passage: Callable[[str], Passage],
) -> Iterator[tuple[Seed, Extraction | Refusal]]:
    """Each seed with its extraction or why there is none, in the order of the seeds."""
    asked = ((seed, _request(seed, passage)) for seed in seeds)
    for seed, reply in in_order(asked, ask=ask):
        assert reply is not None
        yield seed, read_extraction(reply)


def extraction_table(pairs: Sequence[tuple[Seed, Extraction]]) -> pa.Table:
    """Extractions as a table, a row for each seed."""
    rows = [{"seed": seed.id, **fields_of(extraction)} for seed, extraction in pairs]
    return pa.Table.from_pylist(rows, EXTRACTIONS)


def merge_points(extractions: pa.Table) -> pa.Table:
    """Every distinct knowledge point: first wording, how often it occurred, in which seeds."""
    lists = values(extractions, "knowledge_points")
    texts = [text for points in lists for text in points]
    grouping = group_texts(texts)
    seeds: list[list[str]] = [[] for _ in grouping.first]
    names = (
        n for n, points in zip(values(extractions, "seed"), lists, strict=True) for _ in points
    )
    for group, name in zip(grouping.group, names, strict=True):
        seeds[group].append(name)
    columns = ([texts[i] for i in grouping.first], grouping.size, seeds)
    arrays = [pa.array(c, kind) for c, kind in zip(columns, KNOWLEDGE_POINTS.types, strict=True)]
    return pa.table(arrays, schema=KNOWLEDGE_POINTS)


def _request(seed: Seed, passage: Callable[[str], Passage]) -> Request:
    passages = [passage(seed.passage)] if seed.passage else []
    return ask_extraction(
        seed.id, question=seed.question, answer=seed.answers[0], passages=passages
    )
