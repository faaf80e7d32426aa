"""A table's rows as questions with answers: the one reading of them for every command that takes a table of such."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from itertools import islice
from typing import Any

from kdos.errors import UsageError
from kdos.pool import Draft, Evidence, Passage
from kdos.rows.answers import read_answers
from kdos.rows.files import InputPath
from kdos.rows.table import (
    Rows,
    asks_for_articles,
    check_fields,
    find_table_fields,
    list_table_fields,
    read_table_rows,
    require_first_rows,
)

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


ALL_PARTS = tuple(part.name for part in dataclass_fields(TableFields))


def resolve_fields(path: InputPath, given: Mapping[str, str], parts: Iterable[str] = ALL_PARTS) -> TableFields:
    """The fields the user gave, and for the other `parts` those that the table's first rows show.

    Raises:
        UsageError: No field holds the question or the answers.
        InputError: The table has no such field as was given.
    """
    found = find_table_fields(path, parts, given)
    for part in NEEDED_PARTS:
        if part not in found:
            names = ", ".join(list_table_fields(path)) or "none"
            raise UsageError(f"a field must hold the {part}. There are: {names}. Give --{part} FIELD.")
    named = [field for part, field in given.items() if part not in NEEDED_PARTS]
    check_fields(path, named, require_first_rows(path, articles=asks_for_articles(given.values())))
    return TableFields(**found)


def read_question_rows(path: InputPath, fields: TableFields, *, limit: int | None = None) -> Iterator[QuestionRow]:
    """The rows of a table, at most `limit` of them; a file may lack all fields but question and answers."""
    return islice(_read_rows(path, fields), limit)


def _read_rows(path: InputPath, fields: TableFields) -> Iterator[QuestionRow]:
    start = 0
    optional = set(fields.columns) - {fields.question, fields.answers}
    for rows in read_table_rows(path, columns=fields.columns, labels={fields.id}, optional=optional):
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
