"""The folder of an evaluation: what was scored, and the summary."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kdos.errors import InputError
from kdos.rows import read_records
from kdos.store import atomic_file, write_json, write_parquet

SCORES_FILE = "scores.jsonl"
SUMMARY_FILE = "summary.json"
CELLS_FILE = "cells.parquet"
LEDGER_FILE = "ledger.sqlite"


def write_evaluation(
    folder: Path,
    rows: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any],
    *,
    cells: pa.Table | None = None,
) -> None:
    """Write a row a question, the summary and the cells if there are any, each file whole."""
    with atomic_file(folder / SCORES_FILE) as file:
        file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    if cells is not None:
        write_parquet(folder / CELLS_FILE, cells, cells.schema)
    write_json(folder / SUMMARY_FILE, summary)


def read_evaluation(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The rows that an evaluation wrote, by the id of their question."""
    path = folder / SCORES_FILE
    if not path.is_file():
        raise InputError.at(folder, f"must be the folder of an evaluation. It has no {SCORES_FILE}")
    return {str(record.row["id"]): record.row for record in read_records(path)}
