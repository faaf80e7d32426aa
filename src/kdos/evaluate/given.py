"""A file of answers in, each answer by its question's id out."""

from pathlib import Path

from kdos.errors import InputError
from kdos.rows import bad_record, read_records, table_files, unit_of


def read_given(path: Path) -> dict[str, str | None]:
    """Answers by id; None where the file has the id but no answer."""
    answers: dict[str, str | None] = {}
    for file in table_files(path):
        unit = unit_of(file)
        for record in read_records(file):
            name = record.row.get("id")
            if name is None:
                message = f"no such field. There are: {', '.join(record.row)}"
                raise bad_record(file, message, place=record.place, unit=unit, field="id")
            if str(name) in answers:
                message = f"must not come twice. Got {name!r} again"
                raise bad_record(file, message, place=record.place, unit=unit, field="id")
            answer = record.row.get("answer")
            if answer is not None and not isinstance(answer, str):
                message = f"must be text. Got {str(answer)[:40]}"
                raise bad_record(file, message, place=record.place, unit=unit, field="answer")
            answers[str(name)] = answer
    if not answers:
        raise InputError.at(path, "must hold at least one answer. Got none")
    return answers
