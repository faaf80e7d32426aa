"""The records that cross the LLM's edge, and how they meet the Arrow columns of bulk data."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import pyarrow as pa


class ErrorClass(StrEnum):
    """Why a draft was refused: the classes of KDoS Fig. 7, and one of ours.

    The paper's text names class 2 with its four parts and class 3; class 1 is lost in the public
    text, and `KNOWLEDGE_GAP` is our reading. `DISTRIBUTION` is no error of the draft at all: it is
    sound, but what it knows is crowded or already there.
    """

    KNOWLEDGE_GAP = "knowledge_gap"
    QUESTION = "question"
    ANSWER = "answer"
    KNOWLEDGE_POINTS = "knowledge_points"
    KNOWLEDGE_LOGIC = "knowledge_logic"
    FORMAT_MISMATCH = "format_mismatch"
    DISTRIBUTION = "distribution"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something did not go on to the next stage: a short `reason`, its class, and details."""

    reason: str
    error_class: ErrorClass
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document's text, from `start` to `end`: what stands under one heading, on one page.

    `heading` names those above it too, ``Chapter > Part``; `page` counts from 1, 0 where there are no pages.
    """

    start: int
    end: int
    heading: str = ""
    page: int = 0
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """One source text. Offsets everywhere count characters of `text`; no `sections` are one without a heading."""

    id: str
    title: str
    text: str
    domain: str = ""
    source: str = ""
    licence: str = ""
    lang: str = "en"
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of one document, `text == document.text[start:end]`, short enough for a prompt.

    It begins under `heading` and on `page`, as in `Section`.
    """

    id: str
    document: str
    title: str
    domain: str
    lang: str
    start: int
    end: int
    text: str
    heading: str = ""
    page: int = 0


@dataclass(frozen=True, slots=True)
class Seed:
    """A seed question with its answers; `start` and `end` are the answer's offsets in the document.

    Both are -1 where the question was given without a document that holds its answer.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    passage: str
    document: str
    domain: str
    lang: str = "en"
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a question needs to be answered (KDoS, extraction prompt): entities, KPs, logic."""

    topic_entities: tuple[str, ...]
    knowledge_points: tuple[str, ...]
    logic: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a draft says its answer stands: a passage and a quote from it, word for word."""

    passage: str
    quote: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A synthesised question-answer sample that has not been judged yet."""

    id: str
    question: str
    answer: str
    topic_entities: tuple[str, ...]
    knowledge_points: tuple[str, ...]
    logic: str
    distractors: tuple[str, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a draft: `refusal` is None where it was accepted.

    `cells` are the cells of its knowledge points and `deficit` their mean log deficit (nats) at
    the moment of the decision; both are empty or NaN for a draft that was refused before.
    """

    draft: str
    refusal: Refusal | None
    cells: tuple[int, ...] = ()
    deficit: float = float("nan")


@dataclass(frozen=True, slots=True)
class Sample:
    """A draft that was accepted, with all that is needed to trace it back.

    `answering_point` is the one of its knowledge points that the answer rests on; empty where that is unclear.
    `difficulty` is the level that was found, ``D1`` to ``D5``, `difficulty_asked` the one asked for, if any was;
    `enhanced_from` names the draft that was too easy, where this one was written in its place.
    """

    id: str
    question: str
    answer: str
    answers: tuple[str, ...]
    topic_entities: tuple[str, ...]
    knowledge_points: tuple[str, ...]
    answering_point: str
    logic: str
    shape: str
    difficulty: str
    difficulty_asked: str
    enhanced_from: str
    distractors: tuple[str, ...]
    domain: str
    lang: str
    document: str
    answer_start: int
    answer_end: int
    evidence: tuple[Evidence, ...]
    seeds: tuple[str, ...]
    cells: tuple[int, ...]
    engine: str
    prompt_hash: str
    part: int


def column_values(table: pa.Table, column: str) -> list[Any]:
    """One column, row by row."""
    return table[column].to_pylist()


def row_values(table: pa.Table, row: int) -> dict[str, Any]:
    """One row, by column name."""
    return table.slice(row, 1).to_pylist()[0]


def record_fields(record: Any) -> dict[str, Any]:
    """A record's fields by name, as they are; `dataclasses.asdict` copies each of them."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
