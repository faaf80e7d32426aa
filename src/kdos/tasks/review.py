"""A judgement and a fresh reading of drafts that share their passages, in one request (our design).

Judge and re-extraction look at the same draft and the same passages: asked apart, both are paid for twice. What is
given up for that: the reader of knowledge points sees the draft's logic and distractors, and the judgement before it,
where a call of its own would see the question, the answer and what is claimed; and drafts that are shown together may
be compared. The judgement is what a draft falls by. So it is written first, with its quotes, from what a judge alone
would see: the reading can follow the judgement, the judgement cannot follow the reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from kdos.pool import Draft, Extraction, Passage, Refusal
from kdos.tasks.extract import EXTRACT_SCHEMA
from kdos.tasks.judge import CHECKS, CRITERIA, CRITERION, QUOTED_CRITERIA, Judgement
from kdos.tasks.point_names import PointNames
from kdos.tasks.prompt import FLAG, a_list, an_object, list_passages, load_prompt
from kdos.tasks.reading import no_reply_refusal, read_part, read_parts, unreadable_refusal
from kdos.tasks.request import Reply, Request

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
    names = PointNames.of_points(point for draft in drafts for point in draft.knowledge_points)
    inputs = {
        "passages": list_passages(passages),
        "knowledge_points": names.texts,
        "drafts": [_show_draft(draft, f"d{number}", names) for number, draft in enumerate(drafts, 1)],
    }
    return Request(f"review/{name}", REVIEW_PROMPT, inputs)


def _show_draft(draft: Draft, name: str, names: PointNames) -> dict[str, Any]:
    return {
        "draft": name,
        "question": draft.question,
        "answer": draft.answer,
        "knowledge_points": names.name_points(draft.knowledge_points),
        "logic": names.name_logic(draft.logic, draft.answer),
        "distractors": list(draft.distractors),
    }


def read_review(reply: Reply, drafts: Sequence[Draft]) -> list[Review | Refusal]:
    """For each of `drafts` its review, or why there is none: one that cannot be read takes no other with it."""
    parts = no_reply_refusal(reply.error) if reply.error else read_parts(reply.text, "reviews")
    if isinstance(parts, Refusal):
        return [parts] * len(drafts)
    names = PointNames(reply.request.inputs["knowledge_points"])
    said = [_draft_name(part) for part in parts]
    if len(parts) == len(drafts) and not any(said):
        return [_read_part(part, draft, names) for part, draft in zip(parts, drafts, strict=True)]
    found: dict[str, list[Any]] = {}
    for name, part in zip(said, parts, strict=True):
        found.setdefault(name, []).append(part)
    return [_read_one(found.get(f"d{number}", []), draft, names) for number, draft in enumerate(drafts, 1)]


def _draft_name(part: Any) -> str:
    """The draft that a part of the reply names; empty where it names none."""
    fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    return str(fields.get("draft", "")).strip().lower()


def _read_one(parts: Sequence[Any], draft: Draft, names: PointNames) -> Review | Refusal:
    """The review in those parts of a reply that name the draft: one, or the same several times."""
    if not parts:
        return unreadable_refusal("the reply leaves this draft out")
    if any(part != parts[0] for part in parts):
        return unreadable_refusal("the reply must hold one review of a draft; it holds several")
    return _read_part(parts[0], draft, names)


def _read_part(part: Any, draft: Draft, names: PointNames) -> Review | Refusal:
    value = read_part(part, PART_SCHEMA)
    if isinstance(value, Refusal):
        return value
    points, logic = names.spell_points(value["knowledge_points"]), names.spell_logic(value["logic"], draft.answer)
    if unknown := names.unknown_name(points, logic):
        return unreadable_refusal(f"no knowledge point has the name {unknown}")
    return Review(_read_judgement(value), Extraction(tuple(value["topic_entities"]), points, logic))


def _read_judgement(value: dict[str, Any]) -> Judgement:
    passed: dict[str, bool] = {name: not value[name] for name in CHECKS}
    quotes: dict[str, str] = {}
    for name in CRITERIA:
        said = value[name]
        passed[name], quotes[name] = (said, "") if isinstance(said, bool) else (said["ok"], said["quote"])
    return Judgement(passed=passed, quotes=quotes)
