"""The verdicts on a table's rows as tables, and the accepted rows as they were."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.errors import UsageError
from kdos.pool import Refusal
from kdos.rows import InputPath, QuestionRow, TableFields, read_kept_rows, write_rows
from kdos.store import write_parquet

WRITE_BLOCK = 4096
"""Verdicts that are written together."""
ROW_VERDICT_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("accepted", pa.bool_()),
        ("reason", pa.string()),
        ("error_class", pa.string()),
        ("detail", pa.string()),
        ("passed", pa.map_(pa.string(), pa.float32())),
    ]
)
"""One row for each row of the table; `passed` is the share of judges by criterion."""


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row and what became of it; `passed` holds the share of judges by criterion."""

    row: QuestionRow
    refusal: Refusal | None
    passed: Mapping[str, float] = field(default_factory=dict[str, float])


def write_verdicts(path: Path, checked: Iterable[CheckedRow]) -> int:
    """Write a verdict for each row, as they come; returns how many."""
    return write_parquet(path, _verdict_batches(iter(checked)), ROW_VERDICT_SCHEMA)


def _verdict_batches(checked: Iterator[CheckedRow]) -> Iterator[pa.RecordBatch]:
    while held := list(islice(checked, WRITE_BLOCK)):
        yield pa.RecordBatch.from_pylist([_verdict_row(one) for one in held], ROW_VERDICT_SCHEMA)


def _verdict_row(one: CheckedRow) -> dict[str, Any]:
    refusal = one.refusal
    return {
        "row": one.row.row,
        "id": one.row.draft.id,
        "question": one.row.draft.question,
        "answer": one.row.draft.answer,
        "accepted": refusal is None,
        "reason": refusal.reason if refusal else "",
        "error_class": refusal.error_class.value if refusal else "",
        "detail": refusal.detail if refusal else "",
        "passed": list(one.passed.items()),
    }


def write_accepted_rows(
    path: InputPath, out: Path, accepted: Sequence[bool], *, states: Sequence[object], fields: TableFields
) -> int:
    """Write the accepted rows of a table as they were; returns how many. `states` as in `read_kept_rows`.

    Raises:
        InputError: A file was written to since then: its rows are no longer those that were checked.
        UsageError: No row was accepted.
    """
    table = read_kept_rows(path, accepted, states=states, fields=fields.columns)
    if not table.num_rows:
        raise UsageError(f"--keep must have a row to write. Every row of {path} was refused.")
    return write_rows(out, table, table.schema)
