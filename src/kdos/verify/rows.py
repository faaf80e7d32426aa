"""A table's rows as drafts that the checks understand, and the verdicts on them as tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.errors import InputError, UsageError
from kdos.pool import Draft, Evidence, Passage, Refusal
from kdos.rows import (
    InputPath,
    Rows,
    find_table_fields,
    join_tables,
    list_file_states,
    list_table_fields,
    read_answers,
    read_table_rows,
    write_rows,
)
from kdos.store import write_parquet

DEFAULT_LANG = "en"
NEEDED_PARTS = ("question", "answers")
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
class TableFields:
    """The field of each part; empty where the table has none."""

    question: str
    answers: str
    passage: str = ""
    knowledge_points: str = ""
    topic_entities: str = ""
    logic: str = ""
    distractors: str = ""
    lang: str = ""
    id: str = ""

    @property
    def named(self) -> dict[str, str]:
        """The field of each part that there is."""
        return {part: name for part, name in asdict(self).items() if name}

    @property
    def columns(self) -> list[str]:
        """The fields that are there, each once."""
        return list(dict.fromkeys(self.named.values()))


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One row: its number from 0, its draft, every form of its answer, its passage if any."""

    row: int
    draft: Draft
    answers: tuple[str, ...]
    passage: Passage | None
    lang: str


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row and what became of it; `passed` holds the share of judges by criterion."""

    row: QuestionRow
    refusal: Refusal | None
    passed: Mapping[str, float] = field(default_factory=dict[str, float])


def resolve_fields(path: InputPath, given: Mapping[str, str]) -> TableFields:
    """The fields the user gave, and for the other parts of a table those that its first rows show.

    Raises:
        UsageError: No field holds the question or the answers.
    """
    found = find_table_fields(path, (part.name for part in dataclass_fields(TableFields)), given)
    for part in NEEDED_PARTS:
        if part not in found:
            names = ", ".join(list_table_fields(path)) or "none"
            raise UsageError(f"a field must hold the {part}. There are: {names}. Give --{part} FIELD.")
    return TableFields(**found)


def read_question_rows(path: InputPath, fields: TableFields, *, limit: int | None = None) -> Iterator[QuestionRow]:
    """The rows of a table, at most `limit` of them."""
    return islice(_read_rows(path, fields), limit)


def _read_rows(path: InputPath, fields: TableFields) -> Iterator[QuestionRow]:
    start = 0
    for rows in read_table_rows(path, columns=fields.columns, labels={fields.id}):
        columns = {name: _column_values(rows, name, is_answer=name == fields.answers) for name in fields.columns}
        for place in range(len(rows.positions)):
            values = {name: column[place] for name, column in columns.items()}
            yield _question_row(values, fields, row=start + place)
        start += len(rows.positions)


def _column_values(rows: Rows, name: str, *, is_answer: bool) -> list[Any]:
    """A column as Python values; a list of structs is none of ours."""
    values = rows.values(name)
    if is_answer:
        return list(map(read_answers, values))
    for place, value in enumerate(values):
        if isinstance(value, dict) or any(isinstance(part, dict) for part in _as_list(value)):
            raise rows.row_error(place, "must be text or a list of texts. Got a struct", field=name)
    return values


def _question_row(values: dict[str, Any], fields: TableFields, *, row: int) -> QuestionRow:
    """One row's draft; without evidence of its own, its whole passage is the evidence."""
    answers = _text_values(values[fields.answers])
    name = next(iter(_text_values(values.get(fields.id))), str(row))
    lang = next(iter(_text_values(values.get(fields.lang))), DEFAULT_LANG)
    text = "\n\n".join(_text_values(values.get(fields.passage)))
    passage = Passage(f"{name}#", name, "", "", lang, 0, len(text), text) if text else None
    draft = Draft(
        id=name,
        question=" ".join(_text_values(values[fields.question])[:1]),
        answer=answers[0] if answers else "",
        topic_entities=_text_values(values.get(fields.topic_entities)),
        knowledge_points=_text_values(values.get(fields.knowledge_points)),
        logic=" ".join(_text_values(values.get(fields.logic))),
        distractors=_text_values(values.get(fields.distractors)),
        evidence=(Evidence(passage.id, text),) if passage else (),
    )
    return QuestionRow(row, draft, answers, passage, lang)


def _text_values(value: Any) -> tuple[str, ...]:
    """A value, or each one of a list, as text; blank ones are left out."""
    return tuple(text for part in _as_list(value) if (text := str(part).strip()))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return [part for part in value if part is not None] if isinstance(value, list | tuple) else [value]


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
    path: InputPath, out: Path, accepted: list[bool], *, states: Sequence[object], articles: bool = False
) -> int:
    """Write the accepted rows of a table as they were; returns how many.

    `articles` says that rows are SQuAD's articles. `states` is what `kdos.rows.list_file_states` gave before the rows
    were checked.

    Raises:
        InputError: A file was written to since then: its rows are no longer those that were checked.
        UsageError: No row was accepted.
    """
    tables: list[pa.Table] = []
    start = 0
    for rows in read_table_rows(path, articles=articles):
        mask = accepted[start : start + len(rows.positions)]
        start += len(rows.positions)
        kept = pa.Table.from_batches([rows.batch.slice(0, len(mask)).filter(pa.array(mask))])
        tables.append(kept)
    if list_file_states(path) != states:
        raise InputError.at(str(path), "must stay as it is while it is verified. It was written to. Verify it again")
    table = join_tables(tables, str(path))
    if not table.num_rows:
        raise UsageError(f"--keep must have a row to write. Every row of {path} was refused.")
    return write_rows(out, table, table.schema)
