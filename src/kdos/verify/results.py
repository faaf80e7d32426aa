"""What verifying leaves: a table of verdicts, the error analysis, the rows that stay."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.checks import count_error_classes, count_refusal_reasons, make_refusal
from kdos.errors import UsageError
from kdos.logic import ShapeCounts
from kdos.pool import Tally
from kdos.rows import read_table_rows
from kdos.store import write_parquet
from kdos.verify.check import CheckedRow

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
WRITE_BLOCK = 4096


@dataclass(slots=True)
class VerdictTally:
    """What became of all rows so far; `accepted` says so row by row."""

    rows: Tally = field(default_factory=Tally)
    judged: int = 0
    disputed: int = 0
    accepted: list[bool] = field(default_factory=list[bool])

    def tally_rows(self, checked: Iterable[CheckedRow]) -> Iterator[CheckedRow]:
        """Count each row on its way."""
        for one in checked:
            self.accepted.append(one.refusal is None)
            if one.refusal:
                self.rows.refused[one.refusal.reason] += 1
            else:
                self.rows.accepted += 1
            self.judged += bool(one.passed)
            self.disputed += any(0 < share < 1 for share in one.passed.values())
            yield one


def write_verdicts(path: Path, checked: Iterable[CheckedRow]) -> int:
    """Write a verdict for each item, as they come; returns how many."""
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


def summarise_verdicts(tally: VerdictTally, shapes: ShapeCounts) -> dict[str, Any]:
    """The error analysis: how many rows were accepted, and refused by class and by reason."""
    refusals = [make_refusal(reason) for reason in tally.rows.refused.elements()]
    summary: dict[str, Any] = {
        "rows": tally.rows.received,
        "accepted": tally.rows.accepted,
        "refused": len(refusals),
        "by_class": count_error_classes(refusals),
        "by_reason": count_refusal_reasons(refusals),
    }
    if tally.judged:
        summary |= {"judged": tally.judged, "disputed": tally.disputed}
    if shapes.counts:
        summary["effective_shapes"] = round(shapes.effective_number(), 2)
    return summary


def write_accepted_rows(path: Path, out: Path, accepted: list[bool]) -> int:
    """Write the accepted rows of a table as they were; returns how many."""
    tables: list[pa.Table] = []
    start = 0
    for rows in read_table_rows(path):
        mask = accepted[start : start + len(rows.positions)]
        start += len(rows.positions)
        kept = pa.Table.from_batches([rows.batch.slice(0, len(mask)).filter(pa.array(mask))])
        tables.append(kept)
    table: Any = pa.concat_tables(tables, promote_options="permissive")
    if not table.num_rows:
        raise UsageError(f"--keep must have a row to write. Every row of {path} was refused.")
    return write_parquet(out, table, table.schema)
