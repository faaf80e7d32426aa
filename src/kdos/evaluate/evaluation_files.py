"""The files of an evaluation: benchmarks in the layouts they were published in, answers, scores."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kdos.errors import InputError, UsageError
from kdos.rows import (
    Record,
    candidate_fields,
    find_fields,
    find_table_fields,
    label_text,
    list_table_files,
    read_answers,
    read_first_rows,
    read_hub_records,
    read_records,
    record_error,
    row_unit,
    value_at_path,
)
from kdos.scoring import BenchmarkQuestion, compile_gold_pattern
from kdos.store import atomic_file, write_json, write_parquet


@dataclass(frozen=True, slots=True)
class HubDataset:
    """Where a benchmark is on the Hugging Face hub: data set, configuration, split."""

    path: str
    name: str = ""
    split: str = "test"


BENCHMARKS = {
    "webquestions": HubDataset("stanfordnlp/web_questions"),
    "nq_open": HubDataset("google-research-datasets/nq_open", split="validation"),
    "triviaqa": HubDataset("mandarjoshi/trivia_qa", "unfiltered.nocontext", "validation"),
    "simpleqa": HubDataset("basicv8vc/SimpleQA"),
    "simpleqa_verified": HubDataset("google/simpleqa-verified", split="eval"),
    "popqa": HubDataset("akariasai/PopQA"),
}
"""EntityQuestions is on no open hub: its authors' folder, a file a relation, is read instead."""
ANSWER_PARTS = ("answers", "answer_patterns")
QUESTION_PARTS = ("id", "question", *ANSWER_PARTS, "group", "benchmark")
SCORES_FILE = "scores.jsonl"
SUMMARY_FILE = "summary.json"
CELLS_FILE = "cells.parquet"
LEDGER_FILE = "ledger.sqlite"
_RELATION = re.compile(r"P\d+(?=\.\w+\.json)")


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
    return find_table_fields(Path(name), QUESTION_PARTS) if Path(name).exists() else {}


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
        for file in list_table_files(path):
            relation = _RELATION.match(file.name)
            fields = find_fields(read_first_rows(file), QUESTION_PARTS)
            source = RowSource(file, row_unit(file), benchmark, relation[0] if relation else "", fields)
            yield from ((source, record) for record in read_records(file))
    elif name in BENCHMARKS:
        where = BENCHMARKS[name]
        source = RowSource(where.path, "row", name)
        found = read_hub_records(where.path, name=where.name, split=where.split)
        yield from ((source, record) for record in found)
    else:
        known = ", ".join(BENCHMARKS)
        raise UsageError(f"{option} must be a file, a folder or one of {known}. Got {name!r}.")


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
    fields = fields or find_fields([row], QUESTION_PARTS)
    parts = {part: _first_value(row, part, fields) for part in QUESTION_PARTS}
    name, text = parts["id"], parts["question"]
    return BenchmarkQuestion(
        id="" if name is None else label_text(name),
        question=text if isinstance(text, str) else "",
        answers=read_answers(parts["answers"]),
        patterns=read_answers(parts["answer_patterns"]),
        benchmark=str(parts["benchmark"] or ""),
        group=str(parts["group"] or ""),
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


def read_given_answers(path: Path) -> dict[str, str | None]:
    """Answers by id; None where the file has the id but no answer."""
    answers: dict[str, str | None] = {}
    for file in list_table_files(path):
        unit = row_unit(file)
        for record in read_records(file):
            error = partial(record_error, file, position=record.position, unit=unit)
            name, answer = record.row.get("id"), record.row.get("answer")
            if name is None:
                raise error(f"no such field. There are: {', '.join(record.row)}", field="id")
            if label_text(name) in answers:
                raise error(f"must not come twice. Got {name!r} again", field="id")
            if answer is not None and not isinstance(answer, str):
                raise error(f"must be text. Got {str(answer)[:40]}", field="answer")
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
