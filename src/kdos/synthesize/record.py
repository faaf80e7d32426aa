"""A part as tables, and what the next parts need of it back from them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kdos.logic import LEVELS
from kdos.pool import Inventory, Sample, Verdict, column_values, record_fields
from kdos.sampler import Pick
from kdos.synthesize.context import Library
from kdos.synthesize.loop import Candidate, Part, PartOutcome, level_requests, levelled

EVIDENCE_TYPE = pa.list_(pa.struct([("passage", pa.string()), ("quote", pa.string())]))
SAMPLE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("topic_entities", pa.list_(pa.string())),
        ("knowledge_points", pa.list_(pa.string())),
        ("answering_point", pa.string()),
        ("logic", pa.string()),
        ("shape", pa.string()),
        ("difficulty", pa.string()),
        ("difficulty_asked", pa.string()),
        ("enhanced_from", pa.string()),
        ("distractors", pa.list_(pa.string())),
        ("domain", pa.string()),
        ("lang", pa.string()),
        ("document", pa.string()),
        ("answer_start", pa.int64()),
        ("answer_end", pa.int64()),
        ("evidence", EVIDENCE_TYPE),
        ("seeds", pa.list_(pa.string())),
        ("cells", pa.list_(pa.int32())),
        ("engine", pa.string()),
        ("prompt_hash", pa.string()),
        ("part", pa.int32()),
    ]
)
VERDICT_SCHEMA = pa.schema(
    [
        ("draft", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("accepted", pa.bool_()),
        ("reason", pa.string()),
        ("error_class", pa.string()),
        ("detail", pa.string()),
        ("cells", pa.list_(pa.int32())),
        ("deficit", pa.float64()),
        ("domain", pa.string()),
        ("difficulty", pa.string()),
        ("difficulty_asked", pa.string()),
        ("again", pa.bool_()),
        ("passed", pa.map_(pa.string(), pa.float32())),
    ]
)
ROWS_TYPE = pa.list_(pa.int64())
PICK_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("cell", pa.int32()),
        ("seeds", ROWS_TYPE),
        ("use", pa.list_(ROWS_TYPE)),
        ("avoid", ROWS_TYPE),
        ("variant", pa.int64()),
        ("is_short", pa.bool_()),
        ("difficulty", pa.string()),
    ]
)
"""The picks that were chosen in a part; those of a run so far that are not decided are its last ones."""
NEW_POINT_SCHEMA = pa.schema([("text", pa.string()), ("cell", pa.int32()), ("point", pa.list_(pa.float32()))])
PART_SCHEMAS: Mapping[str, pa.Schema] = {
    "samples": SAMPLE_SCHEMA,
    "verdicts": VERDICT_SCHEMA,
    "picks": PICK_SCHEMA,
    "new_knowledge_points": NEW_POINT_SCHEMA,
}


def part_tables(
    part: Part, *, library: Library, inventory: Inventory, known: int, engine: str, prompts: str
) -> dict[str, pa.Table]:
    """The part's tables by name; `known` is how many knowledge points there were before it."""
    fresh = zip(inventory.texts[known:], inventory.cells[known:], inventory.points[known:], strict=True)
    rows: dict[str, Sequence[dict[str, Any]]] = {
        "samples": [
            _sample_row(candidate, part.number, library, inventory, engine, prompts) for candidate in part.accepted
        ],
        "verdicts": [
            _verdict_row(candidate, verdict, library)
            for candidate, verdict in zip(part.candidates, part.verdicts, strict=True)
        ],
        "picks": [record_fields(pick) for pick in part.chosen],
        "new_knowledge_points": [
            {"text": text, "cell": int(cell), "point": point.tolist()} for text, cell, point in fresh
        ],
    }
    return {name: pa.Table.from_pylist(rows[name], schema) for name, schema in PART_SCHEMAS.items()}


def _sample_row(
    candidate: Candidate, part: int, library: Library, inventory: Inventory, engine: str, prompts: str
) -> dict[str, Any]:
    """The sample that an accepted candidate becomes."""
    draft, extraction, place = candidate.draft, candidate.extraction, candidate.place
    seeds = [library.seed(row) for row in candidate.pick.seeds]
    assert extraction is not None
    assert place is not None
    sample = Sample(
        id=draft.id,
        question=draft.question,
        answer=draft.answer,
        answers=(draft.answer,),
        topic_entities=extraction.topic_entities,
        knowledge_points=extraction.knowledge_points,
        answering_point=candidate.says,
        logic=extraction.logic,
        shape=candidate.shape,
        difficulty=_level_name(candidate),
        difficulty_asked=candidate.pick.difficulty,
        enhanced_from=candidate.enhanced_from,
        distractors=draft.distractors,
        domain=seeds[0].domain,
        lang=seeds[0].lang,
        document=place.document,
        answer_start=place.start,
        answer_end=place.end,
        evidence=draft.evidence,
        seeds=tuple(seed.id for seed in seeds),
        cells=tuple(inventory.cells[list(candidate.points)].tolist()),
        engine=engine,
        prompt_hash=prompts,
        part=part,
    )
    return record_fields(sample) | {"evidence": [record_fields(quote) for quote in sample.evidence]}


def _level_name(candidate: Candidate) -> str:
    """The level of difficulty that was found; empty where nobody read the draft, or its logic could not be read."""
    return "" if candidate.level is None else LEVELS[candidate.level]


def _verdict_row(candidate: Candidate, verdict: Verdict, library: Library) -> dict[str, Any]:
    draft, refusal = candidate.draft, verdict.refusal
    return {
        "draft": verdict.draft,
        "question": draft.question,
        "answer": draft.answer,
        "accepted": refusal is None,
        "reason": refusal.reason if refusal else "",
        "error_class": refusal.error_class.value if refusal else "",
        "detail": refusal.detail if refusal else "",
        "cells": list(verdict.cells),
        "deficit": verdict.deficit,
        "domain": library.seed(candidate.pick.seeds[0]).domain,
        "difficulty": _level_name(candidate),
        "difficulty_asked": candidate.pick.difficulty,
        "again": candidate.again,
        "passed": list(candidate.passed.items()),
    }


def read_picks(table: pa.Table) -> list[Pick]:
    """The picks that a part chose."""
    return [
        Pick(
            row["id"],
            row["cell"],
            tuple(row["seeds"]),
            use=tuple(map(tuple, row["use"])),
            avoid=tuple(row["avoid"]),
            variant=row["variant"],
            is_short=row["is_short"],
            difficulty=row["difficulty"],
        )
        for row in table.to_pylist()
    ]


def read_part_outcome(
    tables: Mapping[str, pa.Table], picks: Sequence[Pick], inventory: Inventory, discipline_of: Callable[[Pick], int]
) -> PartOutcome:
    """What later parts need of a part that decided `picks`; its new knowledge points join the inventory."""
    fresh = tables["new_knowledge_points"]
    if fresh.num_rows:
        inventory.append_new(
            column_values(fresh, "text"),
            points=np.array(column_values(fresh, "point"), np.float32),
            cells=fresh["cell"].to_numpy().astype(np.int32),
        )
    # Rows of the inventory are not on disk: parts are read in order, each new text takes the row
    # that it had, and texts are looked up again.
    samples = tables["samples"]
    places = {pick.id: place for place, pick in enumerate(picks)}
    answering = [inventory.rows([text] if text else []) for text in column_values(samples, "answering_point")]
    sources = [places[name.partition("/")[0]] for name in column_values(samples, "id")]
    found = zip(sources, column_values(samples, "difficulty_asked"), column_values(samples, "difficulty"), strict=True)
    return PartOutcome(
        asked=[pick.use for pick in picks],
        samples=[inventory.rows(texts) for texts in column_values(samples, "knowledge_points")],
        answering=[rows[0] if rows else None for rows in answering],
        sources=sources,
        requests=level_requests(picks, discipline_of),
        levels=[levelled(discipline_of(picks[source]), asked, came) for source, asked, came in found],
    )
