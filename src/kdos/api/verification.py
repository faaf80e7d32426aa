"""Verdicts on any question-answer table, from Python: what is wrong, and in how many rows."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from kdos.config import Config, EngineConfig, SourceConfig
from kdos.errors import UsageError
from kdos.llm import Ledger
from kdos.llm.reply_store import holds_paid_replies
from kdos.logic import ShapeCounts
from kdos.outputs import TABLE_SUFFIXES, VERIFICATION, check_output_file, claim_folder
from kdos.rows import SeveralPaths, list_file_states, read_question_rows, resolve_fields
from kdos.run import index_benchmarks, open_engine, read_benchmark_questions
from kdos.store import write_json
from kdos.terminal import Progress
from kdos.verify import (
    CheckedRow,
    VerdictTally,
    VerifyOptions,
    check_rows,
    find_conflicts,
    review_rows,
    summarise_verdicts,
    write_accepted_rows,
    write_verdicts,
)

IN_MEMORY = Path(":memory:")
LEDGER_NAME = "ledger.sqlite"


def verify(
    path: str | Path | SeveralPaths,
    *,
    fields: Mapping[str, str] | None = None,
    lang: str = "",
    limit: int | None = None,
    benchmarks: Sequence[str] = (),
    judges: int = 0,
    attempts: int = 0,
    engine: EngineConfig | None = None,
    out: str | Path | None = None,
    keep: str | Path | None = None,
) -> dict[str, Any]:
    """Check every row of a table of questions and answers; returns the error analysis.

    Args:
        path: A table, or a folder of tables.
        fields: Which field holds a part (`question`, `answers`, `passage`, ...) where its name does not say so.
        lang: The language that is wanted where no field says it; English by default.
        limit: Only the first so many rows.
        benchmarks: Files, folders or names of questions that nobody may train on.
        judges: How many judges are asked about each row that passes the free checks.
        attempts: How often its question is answered unseen, to compare.
        engine: Who judges and answers; the built-in rules by default.
        out: A folder for verdicts, ledger and summary.
        keep: A file for the accepted rows, as they were: .parquet, .jsonl or .csv.

    Raises:
        UsageError: No field holds the question or the answers, or an argument makes no sense.
    """
    source = path if isinstance(path, SeveralPaths) else Path(path)
    inputs = (*(path.parts if isinstance(path, SeveralPaths) else (path,)), *benchmarks)
    with _claim_if_given(out, inputs) as folder:
        if keep is not None:
            keep = check_output_file(keep, "--keep", TABLE_SUFFIXES, inputs=inputs)
        engine = engine or EngineConfig()
        states = list_file_states(source)
        options = VerifyOptions(resolve_fields(source, fields or {}), lang)
        _check_arguments(limit, judges, attempts, engine, options)
        index = index_benchmarks(read_benchmark_questions(benchmarks))
        conflicts = find_conflicts(read_question_rows(source, options.fields, limit=limit))
        options = VerifyOptions(options.fields, lang, index, conflicts)
        tally, shapes = VerdictTally(), ShapeCounts()
        checked = check_rows(read_question_rows(source, options.fields, limit=limit), options, shapes=shapes)
        if judges or attempts:
            checked = _review_rows(checked, judges, attempts, engine, source, folder)
        with Progress().stage("verify"):
            counted = tally.tally_rows(checked)
            if folder is None:
                deque(counted, maxlen=0)
            else:
                write_verdicts(folder / "verdicts.parquet", counted)
        summary: dict[str, Any] = summarise_verdicts(tally, shapes) | {"fields": options.fields.named}
        if keep is not None:
            write_accepted_rows(source, Path(keep), tally.accepted, states=states, fields=options.fields)
        if folder is not None:
            write_json(folder / "summary.json", summary)
        return summary


@contextmanager
def _claim_if_given(out: str | Path | None, inputs: Sequence[str | Path]) -> Generator[Path | None]:
    """Hold the folder for verdicts where one is named."""
    if out is None:
        yield None
        return
    ledger = Path(out) / LEDGER_NAME
    with claim_folder(out, VERIFICATION, inputs=inputs, is_kept=lambda: holds_paid_replies(ledger)) as folder:
        yield folder


def _check_arguments(
    limit: int | None, judges: int, attempts: int, engine: EngineConfig, options: VerifyOptions
) -> None:
    """Refuse what cannot be meant, before any row is read."""
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1. Got {limit}.")
    if judges < 0 or attempts < 0:
        raise UsageError("--judges and --attempts must not be negative.")
    if judges and not options.fields.passage:
        raise UsageError("--judges must have a passage to judge by. Give --passage FIELD.")
    if attempts and engine.kind == "rules":
        raise UsageError("--attempts must have a model to answer. Give --url and --model.")


def _review_rows(
    checked: Iterable[CheckedRow],
    judges: int,
    attempts: int,
    engine: EngineConfig,
    source: Path | SeveralPaths,
    out: Path | None,
) -> Iterator[CheckedRow]:
    """The items after judges and unseen attempts; replies are kept where a folder is given."""
    config = Config(SourceConfig("qa", str(source)), engine)
    ledger_path = IN_MEMORY if out is None else out / LEDGER_NAME
    with Ledger(ledger_path) as ledger, open_engine(config) as opened:
        ask = partial(ledger.ask, opened)
        yield from review_rows(checked, judges=judges, attempts=attempts, ask=ask)
