"""A table of questions and answers in, a verdict on every row and the error analysis out."""

from kdos.verify.fields import TableFields, resolve_fields
from kdos.verify.items import QuestionRow, read_question_rows
from kdos.verify.judges import ReviewPanel, review_rows
from kdos.verify.verify import CheckedRow, VerifyOptions, check_rows
from kdos.verify.write import (
    ROW_VERDICT_SCHEMA,
    VerdictTally,
    summarise_verdicts,
    write_accepted_rows,
    write_verdicts,
)

__all__ = [
    "ROW_VERDICT_SCHEMA",
    "CheckedRow",
    "QuestionRow",
    "ReviewPanel",
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
