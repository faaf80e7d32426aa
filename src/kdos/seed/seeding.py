"""Documents in; passages, seeds and refusals out as Arrow tables, in the order of the documents."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa

from kdos.config import SourceConfig
from kdos.pool import Document, Passage, Refusal, Seed, record_fields
from kdos.seed.domains import name_domains
from kdos.seed.own_questions import SeedRecord, join_own_questions
from kdos.seed.passages import PASSAGE_SIZE, cut_passages
from kdos.seed.questions import open_questions
from kdos.seed.sources import open_source
from kdos.tasks import ORDER_WINDOW, Ask, Reply, Request, ask_seeds, pair_replies_in_order, read_seeds

DOCUMENTS = pa.schema([(name, pa.string()) for name in ("id", "title", "text", "domain", "source", "licence", "lang")])
PASSAGES = pa.schema(
    [(name, pa.string()) for name in ("id", "document", "title", "domain", "lang")]
    + [("start", pa.int64()), ("end", pa.int64()), ("text", pa.string()), ("heading", pa.string())]
    + [("page", pa.int64())]
)
SEEDS = pa.schema(
    [("id", pa.string()), ("question", pa.string()), ("answers", pa.list_(pa.string()))]
    + [(name, pa.string()) for name in ("passage", "document", "domain", "lang")]
    + [("start", pa.int64()), ("end", pa.int64())]
)
REFUSALS = pa.schema([(name, pa.string()) for name in ("stage", "reason", "error_class", "detail")])

SEED_BATCH_ROWS = 8192
"""Rows of a batch's longest table: roughly what a shard of the run holds."""
_SeedRows = dict[type[SeedRecord], list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class SeedBatch:
    """Some documents with all that was made of them, in the order of the source.

    `refusals` holds what was left out, with the stage: ``document`` or ``seed``.
    """

    documents: pa.Table
    passages: pa.Table
    seeds: pa.Table
    refusals: pa.Table


def make_seeds(
    documents: Iterable[Document | Refusal],
    *,
    ask: Ask,
    per_passage: int,
    size: int = PASSAGE_SIZE,
    window: int = ORDER_WINDOW,
    batch_rows: int = SEED_BATCH_ROWS,
) -> Iterator[SeedBatch]:
    """At most `per_passage` seeds for each passage of `size` characters, in batches.

    The batches are the same whatever the order of the replies.
    """
    asked = _ask_for_seeds(documents, ask=ask, per_passage=per_passage, size=size, window=window)
    return batch_seed_records(asked, batch_rows=batch_rows)


def _ask_for_seeds(
    documents: Iterable[Document | Refusal], *, ask: Ask, per_passage: int, size: int, window: int = ORDER_WINDOW
) -> Iterator[tuple[str, SeedRecord]]:
    """Every document with its passages and what was made of them, each with its stage."""
    steps = pair_replies_in_order(_requests_by_document(documents, per_passage, size), ask=ask, window=window)
    return chain.from_iterable(_records_of_step(step, reply) for step, reply in steps)


def _records_of_step(step: Document | Passage | Refusal, reply: Reply | None) -> Iterator[tuple[str, SeedRecord]]:
    yield "document", step
    if isinstance(step, Passage) and reply is not None:
        seeds, refusals = read_seeds(reply, step)
        yield from (("seed", made) for made in (*seeds, *refusals))


def _requests_by_document(
    documents: Iterable[Document | Refusal], per_passage: int, size: int
) -> Iterator[tuple[Document | Passage | Refusal, Request | None]]:
    """Each document, then its passages, each with what is asked about it."""
    for document in documents:
        yield document, None
        if isinstance(document, Document):
            for passage in cut_passages(document, size=size):
                yield passage, ask_seeds(passage, per_passage=per_passage)


def gather_seeds(
    settings: SourceConfig,
    *,
    ask: Ask,
    per_passage: int,
    size: int = PASSAGE_SIZE,
    own: Sequence[SeedRecord] = (),
    domains: Mapping[str, str] | None = None,
) -> Iterator[SeedBatch]:
    """All seeds of a source: those given (kind `qa`), or those asked for, passage by passage.

    After them come the user's own, as `read_own_questions` gave them. `domains`, by `domain_key`, stand in place of
    those that the source gives.
    """
    if settings.kind == "qa":
        records = (("seed", record) for record in open_questions(settings))
    else:
        records = _ask_for_seeds(open_source(settings), ask=ask, per_passage=per_passage, size=size)
    joined = join_own_questions(records, own)
    return batch_seed_records(joined if domains is None else name_domains(joined, domains))


def batch_seed_records(
    records: Iterable[tuple[str, SeedRecord]], *, batch_rows: int = SEED_BATCH_ROWS
) -> Iterator[SeedBatch]:
    """Records, each with the stage that made it, as tables of about `batch_rows` rows."""
    rows = _empty_rows()
    for stage, record in records:
        rows[type(record)].append(_row_of(record, stage))
        if max(map(len, rows.values())) >= batch_rows:
            yield _build_batch(rows)
            rows = _empty_rows()
    if any(rows.values()):
        yield _build_batch(rows)


def _row_of(record: SeedRecord, stage: str) -> tuple[object, ...]:
    match record:
        case Refusal():
            return stage, *record_fields(record).values()
        case Document():
            return tuple(getattr(record, name) for name in DOCUMENTS.names)  # its sections are in its passages
        case _:
            return tuple(record_fields(record).values())


def _empty_rows() -> _SeedRows:
    return {Document: [], Passage: [], Seed: [], Refusal: []}


def _build_batch(rows: _SeedRows) -> SeedBatch:
    return SeedBatch(
        documents=_rows_to_table(rows[Document], DOCUMENTS),
        passages=_rows_to_table(rows[Passage], PASSAGES),
        seeds=_rows_to_table(rows[Seed], SEEDS),
        refusals=_rows_to_table(rows[Refusal], REFUSALS),
    )


def records_to_table(records: Iterable[Document | Passage | Seed], schema: pa.Schema) -> pa.Table:
    """One row a record, its fields being the schema's columns in the same order."""
    return _rows_to_table([tuple(record_fields(record).values()) for record in records], schema)


def _rows_to_table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema
    )
