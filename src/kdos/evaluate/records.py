"""The folder of an evaluation: what was scored, and the summary."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from kdos.errors import InputError
from kdos.evaluate.marking import Mark
from kdos.rows import read_records
from kdos.store import whole_file, write_json

SCORES = "scores.jsonl"
SUMMARY = "summary.json"
LEDGER = "ledger.sqlite"


def write_evaluation(folder: Path, marks: Iterable[Mark], summary: Mapping[str, Any]) -> None:
    """Write a row a question and the summary, each whole or not at all."""
    with whole_file(folder / SCORES) as file:
        file.writelines(
            orjson.dumps(mark.row(), option=orjson.OPT_APPEND_NEWLINE) for mark in marks
        )
    write_json(folder / SUMMARY, summary)


def read_evaluation(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The rows that an evaluation wrote, by the id of their question."""
    path = folder / SCORES
    if not path.is_file():
        message = f"must be the folder of an evaluation. It has no {SCORES}"
        raise InputError.at(folder, message)
    return {str(record.row["id"]): record.row for record in read_records(path)}
