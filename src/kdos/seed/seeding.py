"""Documents in, seeds out: cut, ask, read; in the order of the documents."""

from collections.abc import Iterable, Iterator
from itertools import chain

from kdos.config import SourceConfig
from kdos.pool import Document, Passage, Refusal, Seed
from kdos.seed.passages import SIZE, cut
from kdos.seed.questions import open_questions
from kdos.seed.sources import open_source
from kdos.seed.tables import Harvest, SeedBatch
from kdos.tasks import (
    ORDER_WINDOW,
    Ask,
    Reply,
    Request,
    ask_seeds,
    pair_replies_in_order,
    read_seeds,
)

BATCH_ROWS = 8192
"""Rows of a batch's longest table: roughly what a shard of the run holds."""
Record = Document | Passage | Seed | Refusal


def make_seeds(
    documents: Iterable[Document | Refusal],
    *,
    ask: Ask,
    per_passage: int,
    size: int = SIZE,
    window: int = ORDER_WINDOW,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[SeedBatch]:
    """At most `per_passage` seeds for each passage of `size` characters, in batches.

    The batches are the same whatever the order of the replies.
    """
    steps = pair_replies_in_order(_steps(documents, per_passage, size), ask=ask, window=window)
    grown = chain.from_iterable(_grown(step, reply) for step, reply in steps)
    return in_batches(grown, batch_rows=batch_rows)


def _grown(step: Document | Passage | Refusal, reply: Reply | None) -> Iterator[tuple[str, Record]]:
    yield "document", step
    if isinstance(step, Passage) and reply is not None:
        seeds, refusals = read_seeds(reply, step)
        yield from (("seed", made) for made in (*seeds, *refusals))


def _steps(
    documents: Iterable[Document | Refusal], per_passage: int, size: int
) -> Iterator[tuple[Document | Passage | Refusal, Request | None]]:
    """Each document, then its passages, each with what is asked about it."""
    for document in documents:
        yield document, None
        if isinstance(document, Document):
            for passage in cut(document, size=size):
                yield passage, ask_seeds(passage, per_passage=per_passage)


def gather_seeds(
    settings: SourceConfig, *, ask: Ask, per_passage: int, size: int = SIZE
) -> Iterator[SeedBatch]:
    """All seeds of a source: those given (kind `qa`), or those asked for, passage by passage."""
    if settings.kind == "qa":
        return in_batches(("seed", record) for record in open_questions(settings))
    return make_seeds(open_source(settings), ask=ask, per_passage=per_passage, size=size)


def in_batches(
    records: Iterable[tuple[str, Record]], *, batch_rows: int = BATCH_ROWS
) -> Iterator[SeedBatch]:
    """Records, each with the stage that made it, as tables of about `batch_rows` rows."""
    harvest = Harvest()
    for stage, record in records:
        harvest.add(record, stage=stage)
        if len(harvest) >= batch_rows:
            yield harvest.table()
            harvest = Harvest()
    if len(harvest):
        yield harvest.table()
