"""Given questions in, seeds out, with the passages they came with where there are any."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kdos.config import SourceConfig
from kdos.documents import detect_language
from kdos.errors import InputError
from kdos.pool import Document, ErrorClass, Passage, Refusal, Seed
from kdos.rows import (
    Rows,
    asks_for_articles,
    list_field_paths,
    list_input_paths,
    read_answers,
    read_table_rows,
    require_first_rows,
)
from kdos.seed.files import SOURCE_LANG, choose_fields, find_document_fields, path_below, source_input
from kdos.seed.passages import passage_of_span
from kdos.seed.sources import say_what_is_left_out
from kdos.tasks import json_digest

_PARTS = ("question", "answers", "passage", "id", "title", "domain")
_QuestionRow = Mapping[str, Any]


def open_questions(
    settings: SourceConfig, *, name_documents: bool = False
) -> Iterator[Document | Passage | Seed | Refusal]:
    """The seeds of a table of questions, each after its passage where that is new.

    Where its rows may `name_documents` of another source, a seed without a passage carries that name.
    """
    say_what_is_left_out(settings)
    known: set[str] = set()
    seeds = refused = 0
    for row in _read_question_rows(settings, (*_PARTS, "document") if name_documents else _PARTS):
        for record in _row_to_records(row, settings, known):
            seeds += isinstance(record, Seed)
            refused += isinstance(record, Refusal)
            yield record
        if seeds == settings.limit > 0:
            return
    if not seeds:
        message = f"must hold at least one question with an answer. Got none in {refused} rows"
        raise InputError.at(str(source_input(settings)), message)


def find_source_fields(settings: SourceConfig) -> dict[str, str]:
    """The field that each part of a source was read from; none where it is no table, or not there any more."""
    if settings.kind != "qa":
        return find_document_fields(settings) if settings.kind in ("files", "text", "wikipedia") else {}
    return _choose_question_fields(settings, _PARTS) if list_input_paths(source_input(settings)) else {}


def _choose_question_fields(settings: SourceConfig, wanted: Sequence[str]) -> dict[str, str]:
    articles = asks_for_articles((settings.question, settings.answers))
    rows = require_first_rows(source_input(settings), articles=articles)
    fields = choose_fields(settings, rows, wanted)
    for part in ("question", "answers"):
        if part not in fields:
            message = f"no field holds the {part}. There are: {', '.join(list_field_paths(rows))}. Set source.{part}"
            raise InputError.at(str(source_input(settings)), message)
    return fields


def _read_question_rows(settings: SourceConfig, wanted: Sequence[str]) -> Iterator[_QuestionRow]:
    """Each question's parts by name, and under ``where`` the place it stands in."""
    source = source_input(settings)
    fields = _choose_question_fields(settings, wanted)
    others = {field for part, field in fields.items() if part in ("question", "passage", "answers")}
    labels = set(fields.values()) - others
    for rows in read_table_rows(source, columns=list(dict.fromkeys(fields.values())), labels=labels):
        name = path_below(rows.path, source)
        columns = {part: _read_part(rows, part, field) for part, field in fields.items()}
        for number, place in enumerate(rows.positions):
            parts = {part: column[number] for part, column in columns.items()}
            yield {"where": f"{name}:{place}", "source": name, **parts}


def _read_part(rows: Rows, part: str, field: str) -> list[Any]:
    if part in ("question", "passage"):
        return rows.text_column(field).to_pylist()
    if part != "answers":
        return rows.label_column(field).to_pylist()
    return list(map(read_answers, rows.values(field)))


def _row_to_records(
    row: _QuestionRow, settings: SourceConfig, known: set[str]
) -> Iterator[Document | Passage | Seed | Refusal]:
    """What one row makes: a refusal, or a seed, or its passage and a seed."""
    name = row.get("id") or row["where"]
    answers = row["answers"]
    refusal = _refuse_row(row, name, answers, known)
    if refusal:
        yield refusal
        return
    known.add(f"seed {name}")
    lang = settings.lang or row.get("lang") or _language_of(row)
    document = _passage_document(row, settings, lang)
    if document and f"document {document.id}" not in known:
        known.add(f"document {document.id}")
        yield document
        # However long it is: the question was asked about all of it.
        yield passage_of_span(document, 0, len(document.text))
    yield _row_to_seed(row, name, answers, document=document, lang=lang)


def _language_of(row: _QuestionRow) -> str:
    """That of the passage, or of a question in letters that tell it."""
    return detect_language(row.get("passage") or row["question"], default=SOURCE_LANG)


def _refuse_row(row: _QuestionRow, name: str, answers: Sequence[str], known: set[str]) -> Refusal | None:
    if row["question"] is None:
        return Refusal("no_question", ErrorClass.QUESTION, name)
    if not answers:
        return Refusal("no_answer", ErrorClass.ANSWER, name)
    if f"seed {name}" in known:
        return Refusal("duplicate_id", ErrorClass.FORMAT_MISMATCH, name)
    return None


def _passage_document(row: _QuestionRow, settings: SourceConfig, lang: str) -> Document | None:
    """The passage that a question came with, as a document of its own, named by its content."""
    text = row.get("passage")
    if text is None:
        return None
    return Document(
        id=f"passage-{json_digest(text)[:16]}",
        title=row.get("title") or "",
        text=text,
        domain=row.get("domain") or "",
        source=row["source"],
        licence=settings.licence,
        lang=lang,
    )


def _row_to_seed(
    row: _QuestionRow, name: str, answers: tuple[str, ...], *, document: Document | None, lang: str
) -> Seed:
    places = [document.text.find(answer) for answer in answers] if document else []
    found = next((number for number, place in enumerate(places) if place >= 0), None)
    start = -1 if found is None else places[found]
    return Seed(
        id=name,
        question=row["question"],
        answers=answers,
        passage=f"{document.id}#0" if document else "",
        document=document.id if document else row.get("document") or "",
        domain=row.get("domain") or "",
        lang=lang,
        start=start,
        end=-1 if found is None else start + len(answers[found]),
    )
