"""Rows of any question-answer table as drafts that the checks understand."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from kdos.pool import Draft, Evidence, Passage
from kdos.rows import Rows, read_table_rows
from kdos.verify.fields import Fields

DEFAULT_LANG = "en"


@dataclass(frozen=True, slots=True)
class Item:
    """One row: its number from 0, its draft, every form of its answer, its passage if any."""

    row: int
    draft: Draft
    answers: tuple[str, ...]
    passage: Passage | None
    lang: str


def read_items(path: Path, fields: Fields, *, limit: int | None = None) -> Iterator[Item]:
    """The rows of a table, at most `limit` of them."""
    return islice(_items(path, fields), limit)


def _items(path: Path, fields: Fields) -> Iterator[Item]:
    start = 0
    for rows in read_table_rows(path, columns=fields.columns):
        columns = {name: _column(rows, name) for name in fields.columns}
        for place in range(len(rows.positions)):
            values = {name: column[place] for name, column in columns.items()}
            yield _item(values, fields, row=start + place)
        start += len(rows.positions)


def _column(rows: Rows, name: str) -> list[Any]:
    """A column as Python values; a list of structs is none of ours."""
    values = rows.batch.column(name).to_pylist()
    for place, value in enumerate(values):
        if isinstance(value, dict) or any(isinstance(part, dict) for part in _listed(value)):
            raise rows.row_error(place, "must be text or a list of texts. Got a struct", field=name)
    return values


def _item(values: dict[str, Any], fields: Fields, *, row: int) -> Item:
    """One row's draft; without evidence of its own, its whole passage is the evidence."""
    answers = _texts(values[fields.answers])
    name = next(iter(_texts(values.get(fields.id))), str(row))
    lang = next(iter(_texts(values.get(fields.lang))), DEFAULT_LANG)
    text = "\n\n".join(_texts(values.get(fields.passage)))
    passage = Passage(f"{name}#", name, "", "", lang, 0, len(text), text) if text else None
    draft = Draft(
        id=name,
        question=" ".join(_texts(values[fields.question])[:1]),
        answer=answers[0] if answers else "",
        topic_entities=_texts(values.get(fields.topic_entities)),
        knowledge_points=_texts(values.get(fields.knowledge_points)),
        logic=" ".join(_texts(values.get(fields.logic))),
        distractors=_texts(values.get(fields.distractors)),
        evidence=(Evidence(passage.id, text),) if passage else (),
    )
    return Item(row, draft, answers, passage, lang)


def _texts(value: Any) -> tuple[str, ...]:
    """A value, or each one of a list, as text; blank ones are left out."""
    return tuple(text for part in _listed(value) if (text := str(part).strip()))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return [part for part in value if part is not None] if isinstance(value, list) else [value]
