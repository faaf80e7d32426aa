"""A table of questions and answers in, a verdict on every row and the error analysis out."""

from kdos.verify.check import CheckedRow, VerifyOptions, check_rows, review_rows
from kdos.verify.results import (
    ROW_VERDICT_SCHEMA,
    VerdictTally,
    summarise_verdicts,
    write_accepted_rows,
    write_verdicts,
)
from kdos.verify.rows import QuestionRow, TableFields, read_question_rows, resolve_fields

__all__ = [
    "ROW_VERDICT_SCHEMA",
    "CheckedRow",
    "QuestionRow",
    "TableFields",
    "VerdictTally",
    "VerifyOptions",
    "check_rows",
    "read_question_rows",
    "resolve_fields",
    "review_rows",
    "summarise_verdicts",
    "write_accepted_rows",
    "write_verdicts",
]
