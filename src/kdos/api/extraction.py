"""The knowledge points of any question-answer table, from Python: what its rows say, for the graph and for density."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.checks import check_fields_filled
from kdos.config import Config, EngineConfig, SourceConfig
from kdos.embed import embed_in_blocks, load_embedder
from kdos.embed.static import STATIC
from kdos.errors import EmptyRunError, InputError, UsageError
from kdos.extract import collect_extractions, extraction_table, merge_points, merge_wordings, spell_points
from kdos.llm import Ledger
from kdos.outputs import check_output_file
from kdos.pool import Extraction, Passage, Seed, Tally, column_values
from kdos.rows import (
    InputPath,
    QuestionRow,
    SeveralPaths,
    TableFields,
    check_parquet_form,
    list_file_states,
    read_kept_rows,
    read_question_rows,
    read_whole_schema,
    resolve_fields,
    write_rows,
)
from kdos.run import open_engine
from kdos.tasks import Ask, json_digest
from kdos.terminal import Progress

POINTS_COLUMN = "knowledge_points"
SUFFIXES = (".parquet", ".jsonl")
"""What holds lists of texts as they are."""
PARTS = ("question", "answers", "passage")
IN_MEMORY = Path(":memory:")
EXAMPLE_CHARS = 160


def extract(
    path: str | Path | SeveralPaths,
    out: str | Path,
    *,
    fields: Mapping[str, str] | None = None,
    limit: int | None = None,
    engine: EngineConfig | None = None,
) -> dict[str, Any]:
    """Add to each row of a table the knowledge points that its question rests on; returns what that came to.

    The rows stay as they were, with a list of texts `knowledge_points` after their columns. What says the same in
    several rows is written alike in all of them. Replies of a server are kept in a ledger beside `out`, so that the
    same call goes on where it was interrupted.

    Args:
        path: A table, or a folder of tables.
        out: A new file for the rows: .parquet or .jsonl.
        fields: Which field holds a part (`question`, `answers`, `passage`) where its name does not say so.
        limit: Only the first so many rows.
        engine: Who is asked; the built-in rules by default.

    Raises:
        UsageError: No field holds the question or the answers, the rows have knowledge points already, or the file
            may not be written.
        EmptyRunError: No row has a knowledge point.
    """
    source = path if isinstance(path, SeveralPaths) else Path(path)
    inputs = path.parts if isinstance(path, SeveralPaths) else (path,)
    written = check_output_file(out, "--out", SUFFIXES, inputs=inputs, is_new=True)
    engine = engine or EngineConfig()
    ledger_path = IN_MEMORY if engine.kind == "rules" else check_output_file(_beside(written), "--out", inputs=inputs)
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1. Got {limit}.")
    states = list_file_states(source)
    found = resolve_fields(source, fields or {}, PARTS)
    _check_columns(source, found, written)
    config, tally = Config(SourceConfig("qa", str(source)), engine), Tally()
    with open_engine(config) as opened, Ledger(ledger_path) as ledger:
        rows = read_question_rows(source, found, limit=limit)
        pairs, examples = _ask_for_points(rows, partial(ledger.ask, opened), tally)
    if not pairs:
        raise _nothing_found(source, tally, examples)
    distinct, lists = _merge_points(pairs)
    numbers = {int(seed.id) for seed, _ in pairs}
    kept = [row in numbers for row in range(tally.received)]
    table = read_kept_rows(source, kept, states=states, fields=found.columns)
    table = table.append_column(POINTS_COLUMN, pa.array(lists, pa.list_(pa.string())))
    write_rows(written, table, table.schema)
    return {
        "rows": tally.received,
        "extracted": tally.accepted,
        "refused": tally.refused.total(),
        "by_reason": dict(tally.refused.most_common()),
        "knowledge_points": sum(map(len, lists)),
        "distinct": distinct,
        "fields": found.named,
        "out": str(written),
        "ledger": None if ledger_path is IN_MEMORY else str(ledger_path),
    }


def _beside(out: Path) -> Path:
    """The ledger of an output, whatever the output is written as."""
    return out.with_suffix(".ledger.sqlite")


def _check_columns(source: InputPath, fields: TableFields, out: Path) -> None:
    """Refuse, before anything is asked, rows that cannot be written with a new column."""
    schema = read_whole_schema(source, fields=fields.columns)
    if there := next((name for name in schema.names if name.lower() == POINTS_COLUMN), None):
        message = "must not be there yet: a row's own stays as it is, and `kdos graph` reads it. Rename or drop it"
        raise InputError.at(str(source), f"{message} to extract others", field=there)
    if out.suffix.lower() == ".parquet":
        check_parquet_form(out, schema)


def _ask_for_points(
    rows: Iterable[QuestionRow], ask: Ask, tally: Tally
) -> tuple[list[tuple[Seed, Extraction]], dict[str, str]]:
    """Each row that has knowledge points, as a seed named by its number, and examples of why others have none."""
    passages: dict[str, Passage] = {}
    progress = Progress()
    with progress.stage("extract"):
        return collect_extractions(
            _rows_as_seeds(rows, passages, tally),
            ask=ask,
            passage=passages.pop,
            tally=tally,
            note=lambda tally: progress.update(tally.received, f"{tally.accepted:,} extracted"),
        )


def _rows_as_seeds(rows: Iterable[QuestionRow], passages: dict[str, Passage], tally: Tally) -> Iterator[Seed]:
    """The rows that hold a question and an answer; each puts its passage into `passages` before it is asked about."""
    for row in rows:
        if (refusal := check_fields_filled(row.draft)) is not None:
            tally.refused[refusal.reason] += 1
            continue
        name = ""
        if row.passage is not None:
            # Named by its text: what was asked of a row is known again wherever the row stands.
            name = f"passage-{json_digest(row.passage.text)[:16]}"
            passages[name] = replace(row.passage, id=name)
        yield Seed(str(row.row), row.draft.question, row.answers, name, "", "", row.lang)


def _merge_points(pairs: Sequence[tuple[Seed, Extraction]]) -> tuple[int, list[list[str]]]:
    """How many facts the rows state, and the knowledge points of each row, one fact in one wording."""
    points = merge_points(extraction_table(pairs))
    embedder = load_embedder(STATIC)
    assert embedder is not None
    points, _ = merge_wordings(points, embed_in_blocks(embedder, column_values(points, "text")))
    return points.num_rows, spell_points((found.knowledge_points for _, found in pairs), points)


def _nothing_found(source: InputPath, tally: Tally, examples: Mapping[str, str]) -> EmptyRunError:
    counts = ", ".join(f"{count:,} {reason}" for reason, count in tally.refused.most_common())
    example = " ".join(next(iter(examples.values()), "").split())[:EXAMPLE_CHARS]
    shown = f", as in {example!r}" if example else ""
    return EmptyRunError(
        f"some row of {source} must have knowledge points. All {tally.received:,} rows were refused: {counts}{shown}. "
        "Look at the rows, or ask another --model."
    )
