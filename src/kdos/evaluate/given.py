"""A file of answers in, each answer by its question's id out."""

from pathlib import Path

from kdos.errors import InputError
from kdos.rows import list_table_files, read_records, record_error, row_unit


def read_given_answers(path: Path) -> dict[str, str | None]:
    """Answers by id; None where the file has the id but no answer."""
    answers: dict[str, str | None] = {}
    for file in list_table_files(path):
        unit = row_unit(file)
        for record in read_records(file):
            name = record.row.get("id")
            if name is None:
                message = f"no such field. There are: {', '.join(record.row)}"
                raise record_error(file, message, position=record.position, unit=unit, field="id")
            if str(name) in answers:
                message = f"must not come twice. Got {name!r} again"
                raise record_error(file, message, position=record.position, unit=unit, field="id")
            answer = record.row.get("answer")
            if answer is not None and not isinstance(answer, str):
                message = f"must be text. Got {str(answer)[:40]}"
                raise record_error(
                    file, message, position=record.position, unit=unit, field="answer"
                )
            answers[str(name)] = answer
    if not answers:
        raise InputError.at(path, "must hold at least one answer. Got none")
    return answers
