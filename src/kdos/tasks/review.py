"""A judgement and a fresh reading of drafts that share their passages, in one request (our design).

Judge and re-extraction look at the same draft and the same passages: asked apart, both are paid for twice. What is
given up for that: the reader of knowledge points sees the draft's logic and distractors, and the judgement before it,
where a call of its own would see the question, the answer and what is claimed; and drafts that are shown together may
be compared. The judgement is what a draft falls by. So it is written first, with its quotes, from what a judge alone
would see: the reading can follow the judgement, the judgement cannot follow the reading.

Claimed knowledge points go by a name, in the request and in the reply: a few tokens instead of a sentence, and the
wording is kept letter for letter. A reply that writes them out is read alike.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from kdos.logic import Fault, abbreviate_texts, fill_in_texts, parse
from kdos.pool import Draft, Extraction, Passage, Refusal
from kdos.tasks.extract import EXTRACT_SCHEMA
from kdos.tasks.judge import CHECKS, CRITERIA, CRITERION, QUOTED_CRITERIA, Judgement
from kdos.tasks.prompt import FLAG, a_list, an_object, list_passages, load_prompt
from kdos.tasks.reading import read_part, read_parts, unreadable_refusal
from kdos.tasks.request import Reply, Request

ANSWER_NAME = "ANSWER"
"""Stands for the answer in a diagram."""
POINT_NAME = re.compile(r"KP\d++")
NAME_BEFORE = re.compile(rf"^\s*+{POINT_NAME.pattern}\s*+[:.)–-]\s*+(?=\S)")
"""What a model may put before a knowledge point that it writes out, as in "KP1: …"."""

READING: dict[str, Any] = EXTRACT_SCHEMA["properties"]
JUDGED = dict.fromkeys(CHECKS, FLAG)
REVIEW_SCHEMA = an_object(
    reviews=a_list(
        an_object(
            draft={"type": "string"},
            **JUDGED,
            **{name: CRITERION if name in QUOTED_CRITERIA else FLAG for name in CRITERIA},
            **READING,
        )
    )
)
REVIEW_PROMPT = load_prompt("review", REVIEW_SCHEMA)
# Read alike with a quote where none was asked for; without one, a criterion that wants it fails on the look-up.
PART_SCHEMA = an_object(**JUDGED, **{name: {"anyOf": [CRITERION, FLAG]} for name in CRITERIA}, **READING)


@dataclass(frozen=True, slots=True)
class Review:
    """What a second look at a draft says: its judgement, and what the question holds by a fresh reading."""

    judgement: Judgement
    extraction: Extraction


def ask_review(drafts: Sequence[Draft], *, passages: Sequence[Passage], name: str) -> Request:
    """Ask for a review of each of `drafts`, all held against `passages`."""
    shown = [_show_draft(draft, f"d{number}") for number, draft in enumerate(drafts, 1)]
    return Request(f"review/{name}", REVIEW_PROMPT, {"passages": list_passages(passages), "drafts": shown})


def _show_draft(draft: Draft, name: str) -> dict[str, Any]:
    points = name_points(draft.knowledge_points)
    return {
        "draft": name,
        "question": draft.question,
        "answer": draft.answer,
        "knowledge_points": points,
        "logic": abbreviate_texts(draft.logic, points | {ANSWER_NAME: draft.answer}),
        "distractors": list(draft.distractors),
    }


def name_points(points: Sequence[str]) -> dict[str, str]:
    """The knowledge points that a draft claims, each under the name that it goes by in a review."""
    return {f"KP{number}": point for number, point in enumerate(points, 1)}


def read_review(reply: Reply, drafts: Sequence[Draft]) -> list[Review | Refusal]:
    """For each of `drafts` its review, or why there is none: one that cannot be read takes no other with it."""
    parts = read_parts(reply, "reviews")
    if isinstance(parts, Refusal):
        return [parts] * len(drafts)
    named = [_draft_name(part) for part in parts]
    if len(parts) == len(drafts) and not any(named):
        return [_read_part(part, draft) for part, draft in zip(parts, drafts, strict=True)]
    found: dict[str, list[Any]] = {}
    for name, part in zip(named, parts, strict=True):
        found.setdefault(name, []).append(part)
    return [_read_one(found.get(f"d{number}", []), draft) for number, draft in enumerate(drafts, 1)]


def _draft_name(part: Any) -> str:
    """The draft that a part of the reply names; empty where it names none."""
    fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    return str(fields.get("draft", "")).strip().lower()


def _read_one(parts: Sequence[Any], draft: Draft) -> Review | Refusal:
    """The review in those parts of a reply that name the draft: one, or the same several times."""
    if not parts:
        return unreadable_refusal("the reply leaves this draft out")
    if any(part != parts[0] for part in parts):
        return unreadable_refusal("the reply must hold one review of a draft; it holds several")
    return _read_part(parts[0], draft)


def _read_part(part: Any, draft: Draft) -> Review | Refusal:
    value = read_part(part, PART_SCHEMA)
    if isinstance(value, Refusal):
        return value
    claimed = name_points(draft.knowledge_points)
    points = tuple(_spell_out(point, claimed) for point in value["knowledge_points"])
    used = {*points, *_labels(value["logic"])}
    if unknown := sorted(name for name in used if POINT_NAME.fullmatch(name) and name not in claimed):
        return unreadable_refusal(f"the draft claims no knowledge point {unknown[0]}")
    logic = fill_in_texts(value["logic"], claimed | {ANSWER_NAME: draft.answer})
    return Review(_read_judgement(value), Extraction(tuple(value["topic_entities"]), points, logic))


def _spell_out(point: str, claimed: Mapping[str, str]) -> str:
    """The claimed knowledge point that a name stands for; one that is written out, without a name before it."""
    name = point.strip(" \n\t`'\"")
    return claimed.get(name) or NAME_BEFORE.sub("", point, count=1)


def _labels(logic: str) -> list[str]:
    diagram = parse(logic)
    return [] if isinstance(diagram, Fault) else [node.label for node in diagram.nodes]


def _read_judgement(value: Mapping[str, Any]) -> Judgement:
    passed: dict[str, bool] = {name: not value[name] for name in CHECKS}
    quotes: dict[str, str] = {}
    for name in CRITERIA:
        said = value[name]
        passed[name], quotes[name] = (said, "") if isinstance(said, bool) else (said["ok"], said["quote"])
    return Judgement(passed=passed, quotes=quotes)
