"""A table of questions and answers in, a verdict on every row and the error analysis out."""

from kdos.rows import read_question_rows, resolve_fields
from kdos.verify.check import VerdictTally, VerifyOptions, check_rows, review_rows, summarise_verdicts
from kdos.verify.conflicts import find_conflicts
from kdos.verify.rows import CheckedRow, write_accepted_rows, write_verdicts

__all__ = [
    "CheckedRow", "VerdictTally", "VerifyOptions", "check_rows", "find_conflicts", "read_question_rows",
    "resolve_fields", "review_rows", "summarise_verdicts", "write_accepted_rows", "write_verdicts",
]  # fmt: skip
