"""The files of an evaluation: benchmarks in the layouts they were published in, answers, scores."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kdos.errors import InputError, UsageError
from kdos.evaluate.exam_prompts import CMMLU_SUBJECTS
from kdos.rows import (
    Record,
    candidate_fields,
    find_fields,
    label_text,
    list_table_files,
    read_answers,
    read_choices,
    read_hub_records,
    read_records,
    record_error,
    recount_choices,
    row_unit,
    value_at_path,
)
from kdos.rows.table import SAMPLED_ROWS
from kdos.scoring import BenchmarkQuestion, compile_gold_pattern
from kdos.store import atomic_file, write_json, write_parquet


@dataclass(frozen=True, slots=True)
class HubDataset:
    """Where a benchmark is on the Hugging Face hub: data set, configuration, split; or its `subjects`, one each."""

    path: str
    name: str = ""
    split: str = "test"
    subjects: Sequence[str] = ()


BENCHMARKS = {
    "webquestions": HubDataset("stanfordnlp/web_questions"),
    "nq_open": HubDataset("google-research-datasets/nq_open", split="validation"),
    "triviaqa": HubDataset("mandarjoshi/trivia_qa", "unfiltered.nocontext", "validation"),
    "simpleqa": HubDataset("basicv8vc/SimpleQA"),
    "simpleqa_verified": HubDataset("google/simpleqa-verified", split="eval"),
    "popqa": HubDataset("akariasai/PopQA"),
    "mmlu": HubDataset("cais/mmlu", "all"),
    "cmmlu": HubDataset("haonan-li/cmmlu", subjects=tuple(CMMLU_SUBJECTS)),
}
"""EntityQuestions is on no open hub: its authors' folder, a file a relation, is read instead."""
ANSWER_PARTS = ("answers", "answer_patterns")
QUESTION_PARTS = ("id", "question", *ANSWER_PARTS, "group", "benchmark")
TABLE_PARTS = (*QUESTION_PARTS, "choices")
EXAM_PARTS = ("subject", "discipline")
"""Parts of a question that has choices; elsewhere a subject may be what a question is about."""
SCORES_FILE = "scores.jsonl"
SUMMARY_FILE = "summary.json"
CELLS_FILE = "cells.parquet"
LEDGER_FILE = "ledger.sqlite"
_RELATION = re.compile(r"P\d+(?=\.\w+\.json)")
_SPLIT_NAME = re.compile(r"_(?:test|dev|val|validation|train)$")


@dataclass(frozen=True, slots=True)
class RowSource:
    """What a file or data set says of all its rows."""

    place: Path | str
    unit: str
    benchmark: str
    group: str = ""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


def find_benchmark_fields(name: str) -> dict[str, str]:
    """The field of each part of a benchmark's questions; none for a benchmark that is on no disk."""
    if not Path(name).exists():
        return {}
    with closing(read_records(list_table_files(Path(name))[0])) as records:
        return _resolve_fields(records)[0]


def _resolve_fields(records: Iterator[Record]) -> tuple[dict[str, str], Iterator[Record]]:
    """The fields of a table by its first rows, and all its rows."""
    first = list(islice(records, SAMPLED_ROWS))
    rows = [record.row for record in first]
    fields = find_fields(rows, TABLE_PARTS)
    if "choices" not in fields:
        return fields, chain(first, records)
    first += records
    exam = find_fields(rows, EXAM_PARTS)
    if "subject" not in exam and "discipline" in exam:
        exam = {"subject": exam["discipline"]}
    # Whether numbers count from 1 one row among thousands may tell.
    fields["answers"] = recount_choices([record.row for record in first], fields["choices"], fields["answers"])
    return fields | exam, iter(first)


def open_benchmark(name: str, *, limit: int = 0, option: str = "--benchmark") -> list[BenchmarkQuestion]:
    """The questions of a named benchmark, or of a file or folder; the first `limit`, 0 for all.

    `option` is the flag that the name came from, for messages.
    """
    questions = list(islice(_checked_questions(_benchmark_rows(name, option)), limit or None))
    if not questions:
        raise InputError.at(name, "must hold at least one question. Got none")
    known: set[str] = set()
    for question in questions:
        if question.id in known:
            message = f"each question must have an id of its own. Got {question.id!r} twice"
            raise InputError.at(name, message, field="id")
        known.add(question.id)
    return questions


def _benchmark_rows(name: str, option: str) -> Iterator[tuple[RowSource, Record]]:
    path = Path(name)
    if path.exists():
        benchmark = path.name.partition(".")[0]
        files = list_table_files(path)
        for file in files:
            fields, records = _resolve_fields(read_records(file))
            group = _group_of_file(file, fields) if len(files) > 1 else ""
            source = RowSource(file, row_unit(file), benchmark, group, fields)
            yield from ((source, record) for record in records)
    elif name in BENCHMARKS:
        where = BENCHMARKS[name]
        for part in where.subjects or (where.name,):
            fields, records = _resolve_fields(read_hub_records(where.path, name=part, split=where.split))
            source = RowSource(where.path, "row", name, part if where.subjects else "", fields)
            yield from ((source, record) for record in records)
    else:
        known = ", ".join(BENCHMARKS)
        raise UsageError(f"{option} must be a file, a folder or one of {known}. Got {name!r}.")


def _group_of_file(file: Path, fields: Mapping[str, str]) -> str:
    """What a file among several is all about: its relation, or its subject as MMLU's and CMMLU's authors have them."""
    if relation := _RELATION.match(file.name):
        return relation[0]
    return _SPLIT_NAME.sub("", file.name.partition(".")[0]) if "choices" in fields else ""


def _checked_questions(rows: Iterable[tuple[RowSource, Record]]) -> Iterator[BenchmarkQuestion]:
    for source, record in rows:
        question = read_question_row(record.row, source.fields)
        if not question.question.strip():
            raise _row_error(source, record, "question", "must be text")
        if not any(source.fields.get(part) or candidate_fields(part, list(record.row)) for part in ANSWER_PARTS):
            raise _row_error(source, record, "answers", "no such field")
        _check_patterns(question.patterns, source, record)
        # Files of one relation each count their rows anew.
        place = f"{source.group}-{record.position}" if source.group else str(record.position)
        yield replace(
            question,
            id=question.id or place,
            benchmark=question.benchmark or source.benchmark,
            group=question.group or source.group,
        )


def read_question_row(row: Mapping[str, Any], fields: Mapping[str, str] | None = None) -> BenchmarkQuestion:
    """A row of any published layout, its `fields` those of its table where that is known; what is missing is empty."""
    fields = fields or find_fields([row], TABLE_PARTS)
    parts = {part: _first_value(row, part, fields) for part in QUESTION_PARTS}
    name, text = parts["id"], parts["question"]
    found = BenchmarkQuestion(
        id="" if name is None else label_text(name),
        question=text if isinstance(text, str) else "",
        answers=read_answers(parts["answers"]),
        patterns=read_answers(parts["answer_patterns"]),
        benchmark=str(parts["benchmark"] or ""),
        group=str(parts["group"] or ""),
    )
    return _with_choices(found, row, fields) if "choices" in fields else found


def _with_choices(question: BenchmarkQuestion, row: Mapping[str, Any], fields: Mapping[str, str]) -> BenchmarkQuestion:
    """The question with its choices; its answer is the text of the right one."""
    found = read_choices(row, fields["choices"], fields["answers"])
    subject, discipline = (value_at_path(row, fields[part]) if part in fields else None for part in EXAM_PARTS)
    return replace(
        question,
        answers=() if found.right is None else (found.texts[found.right],),
        patterns=(),
        group=label_text(subject) if subject is not None else question.group,
        discipline="" if discipline is None else label_text(discipline),
        choices=found.texts,
        labels=found.labels,
        right=found.right,
        fault=found.fault,
    )


def _first_value(row: Mapping[str, Any], part: str, fields: Mapping[str, str]) -> Any:
    names = dict.fromkeys([*filter(None, [fields.get(part)]), *candidate_fields(part, list(row))])
    found = (value_at_path(row, name) for name in names)
    return next((value for value in found if value not in (None, "")), None)


def _check_patterns(patterns: Iterable[str], source: RowSource, record: Record) -> None:
    for pattern in patterns:
        try:
            compile_gold_pattern(pattern)
        except ValueError as error:
            message = f"must be a regular expression ({error})"
            raise _row_error(source, record, "answer_regex", message) from error


def _row_error(source: RowSource, record: Record, field: str, message: str) -> InputError:
    got = f"{message}. There are: {', '.join(record.row)}"
    return record_error(source.place, got, position=record.position, unit=source.unit, field=field)


def read_given_answers(path: Path, *, are_choices: bool = False) -> dict[str, str | int | None]:
    """Answers by id; None where the file has the id but no answer. Numbers are answers only of multiple choice."""
    answers: dict[str, Any] = {}
    for file in list_table_files(path):
        unit = row_unit(file)
        for record in read_records(file):
            error = partial(record_error, file, position=record.position, unit=unit)
            name, answer = record.row.get("id"), record.row.get("answer")
            if are_choices and isinstance(answer, float) and answer.is_integer():
                answer = int(answer)  # a table with gaps makes 1.0 of 1
            is_number = are_choices and isinstance(answer, int) and not isinstance(answer, bool)
            if name is None:
                raise error(f"no such field. There are: {', '.join(record.row)}", field="id")
            if label_text(name) in answers:
                raise error(f"must not come twice. Got {name!r} again", field="id")
            if answer is not None and not isinstance(answer, str) and not is_number:
                wanted = "text, or the number of a choice" if are_choices else "text"
                raise error(f"must be {wanted}. Got {str(answer)[:40]}", field="answer")
            answers[label_text(name)] = answer
    if not answers:
        raise InputError.at(path, "must hold at least one answer. Got none")
    return answers


def write_evaluation(
    folder: Path, rows: Iterable[Mapping[str, Any]], summary: Mapping[str, Any], *, cells: pa.Table | None = None
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
    return {label_text(record.row["id"]): record.row for record in read_records(path)}
