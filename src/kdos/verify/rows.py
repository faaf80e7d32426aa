"""Which field of a table holds what, and its rows as drafts that the checks understand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from itertools import islice
from pathlib import Path
from typing import Any

from kdos.errors import UsageError
from kdos.pool import Draft, Evidence, Passage
from kdos.rows import Rows, read_table_rows, resolve_field

DEFAULT_LANG = "en"
NEEDED_PARTS = ("question", "answers")


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
    def columns(self) -> list[str]:
        """The fields that are there, each once."""
        return list(dict.fromkeys(filter(None, asdict(self).values())))


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One row: its number from 0, its draft, every form of its answer, its passage if any."""

    row: int
    draft: Draft
    answers: tuple[str, ...]
    passage: Passage | None
    lang: str


def resolve_fields(names: Sequence[str], given: Mapping[str, str]) -> TableFields:
    """The fields the user gave, and for the other parts those with a usual name.

    Raises:
        UsageError: No field holds the question or the answers.
    """
    found = {
        part.name: given.get(part.name) or resolve_field(part.name, names)
        for part in dataclass_fields(TableFields)
    }
    for part in NEEDED_PARTS:
        if not found[part]:
            raise UsageError(
                f"a field must hold the {part}. There are: {', '.join(names)}. Give --{part} FIELD."
            )
    return TableFields(**found)


def read_question_rows(
    path: Path, fields: TableFields, *, limit: int | None = None
) -> Iterator[QuestionRow]:
    """The rows of a table, at most `limit` of them."""
    return islice(_read_rows(path, fields), limit)


def _read_rows(path: Path, fields: TableFields) -> Iterator[QuestionRow]:
    start = 0
    for rows in read_table_rows(path, columns=fields.columns):
        columns = {name: _column_values(rows, name) for name in fields.columns}
        for place in range(len(rows.positions)):
            values = {name: column[place] for name, column in columns.items()}
            yield _question_row(values, fields, row=start + place)
        start += len(rows.positions)


def _column_values(rows: Rows, name: str) -> list[Any]:
    """A column as Python values; a list of structs is none of ours."""
    values = rows.batch.column(name).to_pylist()
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
    return [part for part in value if part is not None] if isinstance(value, list) else [value]
