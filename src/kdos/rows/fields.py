"""Which field of a row holds what, by name; a dot goes into a struct, and a list item by item."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FIELD_ALIASES: Mapping[str, Sequence[str]] = {
    "text": (
        "text",
        "question",
        "knowledge_point",
        "content",
        "instruction",
        "prompt",
        "query",
        "passage",
        "paragraph",
        "body",
    ),
    "question": (
        "question",
        "query",
        "problem",
        "prompt",
        "instruction",
        "utterance",  # WebQuestions
    ),
    "answers": (
        "answers",
        "answer",
        "possible_answers",  # PopQA
        "targetvalue",  # WebQuestions
        "aliases",
        "completion",
        "output",
        "response",
        "target",
    ),
    "answer_patterns": ("answer_regex",),  # CuratedTREC
    "passage": ("passage", "context", "paragraph", "document_text", "source_text"),
    "id": ("id", "question_id", "questionid"),  # the last is TriviaQA's
    "title": ("title",),
    "domain": ("domain",),
    "lang": ("lang", "language"),
    "group": ("relation", "prop"),  # EntityQuestions, PopQA
    "benchmark": ("benchmark",),
    "knowledge_points": ("knowledge_points",),
    "topic_entities": ("topic_entities",),
    "logic": ("logic",),
    "distractors": ("distractors",),
    "evidence": ("evidence",),
    "document": ("document", "document_id"),
}
"""The lower-case names that each part of a row goes by, the likeliest first (our choice, after the
data sets we have seen). Every command looks fields up here."""


def candidate_fields(part: str, names: Sequence[str]) -> list[str]:
    """Those of `names`, in any case, that go by an alias of `part`, the likeliest first."""
    lower = {name.lower(): name for name in reversed(names)}
    return [lower[alias] for alias in FIELD_ALIASES[part] if alias in lower]


def resolve_field(part: str, names: Sequence[str]) -> str:
    """The field among `names` that most likely holds `part`; empty where no name says so."""
    return next(iter(candidate_fields(part, names)), "")


def value_at_path(row: Mapping[str, Any], field: str) -> Any:
    """What stands at `field`, which may be a dotted path; None where it leads nowhere.

    A list on the way gives the list of what stands in its items.
    """
    return row[field] if field in row else _follow_path(row, field.split("."))


def _follow_path(value: Any, path: Sequence[str]) -> Any:
    if not path:
        return value
    if isinstance(value, Mapping):
        return _follow_path(value.get(path[0]), path[1:])
    if isinstance(value, list):
        return [found for item in value for found in _as_list(_follow_path(item, path))]
    return None


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def list_field_paths(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every field of the rows, as dotted paths, in the order in which they first appear."""
    found = dict.fromkeys(name for row in rows for name in _paths_below(row))
    inner = {name.rpartition(".")[0] for name in found}
    return [name for name in found if name not in inner]


def _paths_below(value: Any) -> list[str]:
    """The dotted paths below a value; the empty path where it is no struct."""
    if isinstance(value, Mapping):
        return [f"{key}.{below}" if below else str(key) for key, item in value.items() for below in _paths_below(item)]
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return list_field_paths(item for item in value if isinstance(item, Mapping))
    return [""]
