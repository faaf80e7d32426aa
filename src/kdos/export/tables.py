"""Any table in: its questions and answers, or its texts, as what a trainer learns, and what its card says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.checks import check_fields_filled
from kdos.errors import UsageError
from kdos.export.card import DatasetCard
from kdos.rows import (
    InputPath,
    TableFields,
    asks_for_articles,
    check_fields,
    check_parquet_form,
    common_folder,
    find_table_fields,
    list_file_states,
    list_table_files,
    read_kept_rows,
    read_question_rows,
    read_table_rows,
    require_first_rows,
    resolve_fields,
)

QUESTION_PARTS = ("question", "answers", "knowledge_points")
GROUP_PARTS = ("document", "title", "passage")
"""What rows are kept together by, the first that a table has: whole documents rather than their passages."""
_KINDS = {"question": pa.large_string(), "answer": pa.large_string(), "knowledge_points": pa.list_(pa.string())}


@dataclass(frozen=True)
class TableRows:
    """The rows of a table that can be learnt from: `rows` of question, answer and knowledge points, or of text.

    `kept` says of each row that was read whether it is here, in order; the others are counted in `refused`, by reason.
    `states` is what the files were before.
    """

    source: InputPath
    states: Sequence[object]
    fields: Mapping[str, str]
    rows: pa.Table
    kept: Sequence[bool]
    refused: Counter[str]

    @property
    def texts(self) -> list[Any]:
        """What the rows ask, or say."""
        return self.rows.column(0).to_pylist()

    def read_whole(self, out: Path) -> pa.Table:
        """The same rows as they were, to be written to `out` as Parquet."""
        table = read_kept_rows(self.source, self.kept, states=self.states, fields=list(self.fields.values()))
        check_parquet_form(out, table.schema)
        return table

    def find_group_field(self, given: str | None) -> str | None:
        """The field whose values keep rows together: the given one, else the table's document; None if it has none."""
        if given is None:
            return next(iter(find_table_fields(self.source, GROUP_PARTS, self.fields).values()), None)
        check_fields(self.source, [given], require_first_rows(self.source, articles=self._are_articles))
        return given

    def read_documents(self, field: str | None) -> list[str | None]:
        """What each row is kept together by; None for a row that stands for itself."""
        if field is None:
            return [None] * self.rows.num_rows
        found: list[str | None] = []
        for rows in read_table_rows(self.source, columns=[field], optional=[field], articles=self._are_articles):
            found += [None if value in (None, "", []) else str(value) for value in rows.values(field)]
        return list(compress(found, self.kept))

    def describe(self) -> DatasetCard:
        """What a card says of them; files are named below the folder that was given, not by their whole paths."""
        root = common_folder(self.source).absolute()
        files = [file.absolute() for file in list_table_files(self.source)]
        return DatasetCard(
            name=files[0].stem if len(files) == 1 else root.name,
            sources=[str(file.relative_to(root)) if file.is_relative_to(root) else file.name for file in files],
            fields=self.fields,
            rows_read=len(self.kept),
            rows_left_out=self.refused,
        )

    @property
    def _are_articles(self) -> bool:
        return asks_for_articles(self.fields.values())


def read_table(source: InputPath, given: Mapping[str, str], *, as_text: bool) -> TableRows:
    """The rows of a table; `as_text` takes the text of one that has no questions and answers.

    Raises:
        UsageError: No field holds what is wanted, or no row does.
    """
    states = list_file_states(source)
    text = _find_text_field(source, given, as_text=as_text)
    if text:
        fields: Mapping[str, str] = {"text": text}
        rows, kept, refused = _read_texts(source, text)
    else:
        found = resolve_fields(source, given, QUESTION_PARTS)
        fields = found.named
        rows, kept, refused = _read_questions(source, found)
    if not rows.num_rows:
        raise UsageError(f"some row of {source} must hold what is exported. All were refused: {dict(refused)}.")
    return TableRows(source, states, fields, rows, kept, refused)


def _find_text_field(source: InputPath, given: Mapping[str, str], *, as_text: bool) -> str:
    """The field that is written as it is; empty where questions and answers are exported."""
    if "text" in given and not as_text:
        raise UsageError("a field is written as it is by --format text only. Give --question and --answers.")
    if given or not as_text:
        return given.get("text", "")
    found = find_table_fields(source, ("question", "answers", "text"))
    return "" if {"question", "answers"} <= found.keys() else found.get("text", "")


Read = tuple[pa.Table, list[bool], Counter[str]]


def _read_texts(source: InputPath, field: str) -> Read:
    found: list[str | None] = []
    for rows in read_table_rows(source, columns=[field]):
        found += rows.text_column(field).to_pylist()
    kept = [text is not None for text in found]
    refused = Counter("no_text" for is_kept in kept if not is_kept)
    return pa.table({"text": pa.array(list(compress(found, kept)), pa.large_string())}), kept, refused


def _read_questions(source: InputPath, fields: TableFields) -> Read:
    kept: list[bool] = []
    refused: Counter[str] = Counter()
    columns: dict[str, list[Any]] = {name: [] for name in _KINDS}
    for row in read_question_rows(source, fields):
        refusal = check_fields_filled(row.draft)
        kept.append(refusal is None)
        if refusal is not None:
            refused[refusal.reason] += 1
            continue
        for name, values in columns.items():
            values.append(getattr(row.draft, name))
    return pa.table({name: pa.array(values, _KINDS[name]) for name, values in columns.items()}), kept, refused
