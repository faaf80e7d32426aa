"""Records in, Arrow tables out: what the seed stage writes, column by column."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from kdos.pool import Document, Passage, Refusal, Seed, fields_of

DOCUMENTS = pa.schema(
    [(name, pa.string()) for name in ("id", "title", "text", "domain", "source", "licence", "lang")]
)
PASSAGES = pa.schema(
    [(name, pa.string()) for name in ("id", "document", "title", "domain", "lang")]
    + [("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())]
)
SEEDS = pa.schema(
    [("id", pa.string()), ("question", pa.string()), ("answers", pa.list_(pa.string()))]
    + [(name, pa.string()) for name in ("passage", "document", "domain", "lang")]
    + [("start", pa.int64()), ("end", pa.int64())]
)
REFUSALS = pa.schema([(name, pa.string()) for name in ("stage", "reason", "error_class", "detail")])


@dataclass(frozen=True, slots=True)
class SeedBatch:
    """Some documents with all that was made of them, in the order of the source.

    `refusals` holds what was left out, with the stage: ``document`` or ``seed``.
    """

    documents: pa.Table
    passages: pa.Table
    seeds: pa.Table
    refusals: pa.Table


@dataclass(slots=True)
class Harvest:
    """The same as records, while it grows."""

    documents: list[Document] = field(default_factory=list[Document])
    passages: list[Passage] = field(default_factory=list[Passage])
    seeds: list[Seed] = field(default_factory=list[Seed])
    refusals: list[tuple[str, Refusal]] = field(default_factory=list[tuple[str, Refusal]])

    def __len__(self) -> int:
        """The rows of its longest table."""
        return max(map(len, (self.documents, self.passages, self.seeds, self.refusals)))

    def add(self, item: Document | Passage | Seed | Refusal, *, stage: str) -> None:
        """Put one more record where it belongs."""
        match item:
            case Document():
                self.documents.append(item)
            case Passage():
                self.passages.append(item)
            case Seed():
                self.seeds.append(item)
            case Refusal():
                self.refusals.append((stage, item))

    def table(self) -> SeedBatch:
        """What has grown so far."""
        return SeedBatch(
            documents=to_table(self.documents, DOCUMENTS),
            passages=to_table(self.passages, PASSAGES),
            seeds=to_table(self.seeds, SEEDS),
            refusals=_columns(
                [(stage, *fields_of(why).values()) for stage, why in self.refusals], REFUSALS
            ),
        )


def to_table(records: Iterable[Document | Passage | Seed], schema: pa.Schema) -> pa.Table:
    """One row a record, its fields being the schema's columns in the same order."""
    return _columns([tuple(fields_of(record).values()) for record in records], schema)


def _columns(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)],
        schema=schema,
    )
