"""What stands at a field of a row, and which of its fields goes by which name.

A field is a name, or says where to go: ``meta.title`` into a struct (of a list, item by item),
``messages[user][0].content`` to the first turn of the user, ``choices[answer]`` to the choice that the field `answer`
numbers, letters or labels, ``(A, B, C)[answer]`` to the column that it names, and ``instruction + input`` joins texts
by a blank line. A row's own field of exactly that name comes first.
"""

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from kdos.rows.labels import label_text
from kdos.tasks.choose import match_choice_text

PARAGRAPH_BREAK = "\n\n"
JOIN = " + "
FROM_ONE = "-1"
CELL_CHARS = 20_000
"""Characters of a cell that may hold all choices of a question, at most."""
KEY_DIGITS = 9
"""Digits of the number of a choice at most: more are none."""
ROLES: Mapping[str, frozenset[str]] = {
    "user": frozenset(("user", "human", "prompter", "instruction", "student", "customer")),
    "assistant": frozenset(("assistant", "gpt", "chatgpt", "bing", "bard", "bot", "model", "teacher", "agent")),
    "system": frozenset(("system", "developer")),
}
"""Whose turn it is, by what the formats of conversations call it: OpenAI, ShareGPT, OASST, Gemini."""
_COLUMNS = re.compile(r"\(([^()]+)\)\[([^\[\]]+)\]$")
_COLUMN_LIST = re.compile(r"\(([^()]+)\)")
_KEY_MARKS = re.compile(r"(?:option|choice)_?(?=\w$)", re.ASCII | re.IGNORECASE)
_ROOT = re.compile(r"[^.\[\]]+")
_STEP = re.compile(r"([^.\[\]]+)|\[([^\[\]]+)\]")
_BRACKET = re.compile(r"\[([^\[\]]+)\]")
_PLACE = re.compile(r"-?\d+")
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
        "context",
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
    # Of examinations: MMLU and CMMLU, MedMCQA, GPQA, SuperGPQA; then what MMLU-Pro and others have alone.
    "subject": ("subject", "subject_name", "subdomain", "subfield", "course"),
    "discipline": ("discipline", "category", "high-level domain", "supercategory", "domain"),
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
    """What stands at `field` of a row; None where it leads nowhere."""
    if field in row:
        return row[field]
    steps = read_field(field)
    if len(steps) == 1:
        return steps[0](row)
    texts = [label_text(value) for step in steps for value in _as_list(step(row))]
    return PARAGRAPH_BREAK.join(text for text in texts if text.strip()) or None


@cache
def read_field(field: str) -> tuple[Callable[[Mapping[str, Any]], Any], ...]:
    """The parts of a field that are joined, each as the way to its value."""
    return tuple(_read_way(part) for part in field.split(JOIN))


def field_roots(field: str, names: Iterable[str]) -> list[str]:
    """The names of a row's own fields that are needed for a field."""
    if field in names:
        return [field]
    found: list[str] = []
    for part in field.split(JOIN):
        columns = _COLUMNS.match(part)
        roots = _ROOT.findall(part)[:1] if _is_way(part) else [part]
        found += columns[1].split(", ") if columns else roots
        found += _chosen_by(part)
    return list(dict.fromkeys(found))


def _is_way(part: str) -> bool:
    """Whether it says where to go: names, dots and brackets that close."""
    return not _STEP.sub("", part).strip(".")


def _chosen_by(part: str) -> list[str]:
    keys = (bracket.removesuffix(FROM_ONE) for bracket in _BRACKET.findall(part))
    return [key for key in keys if key and not _PLACE.fullmatch(key) and not set(key.split(",")) <= set(ROLES)]


def _read_way(part: str) -> Callable[[Mapping[str, Any]], Any]:
    if "[" not in part:
        path = part.split(".")
        return lambda row: _follow_path(row, path)
    columns = _COLUMNS.match(part)
    if columns:
        names, key = columns[1].split(", "), columns[2]
        return lambda row: _choose({name: row.get(name) for name in names}, key, row)
    if not _is_way(part):
        return lambda row: row.get(part)
    steps = _STEP.findall(part)
    return lambda row: _follow_steps(row, steps, row)


def _follow_steps(value: Any, steps: Sequence[tuple[str, str]], row: Mapping[str, Any]) -> Any:
    labels: Any = None
    for name, bracket in steps:
        if name:
            # Beside the texts, not beside the choices: a row's own `label` may be its key.
            labels = None if value is row else _follow_path(value, ["label"])
            value = _follow_path(value, [name])
        elif _PLACE.fullmatch(bracket):
            value = _item_at(_as_list(value), int(bracket))
        elif set(bracket.split(",")) <= set(ROLES):
            value = _turns_of(_as_list(value), bracket.split(","))
        else:
            value = _choose(value, bracket, row, labels=labels)
    return value


def _turns_of(turns: Sequence[Any], roles: Sequence[str]) -> list[Any]:
    """The turns of some roles; of the assistant alone no greeting, which stands before the user's first."""
    said = list(map(role_of_turn, turns))
    start = said.index("user") if roles == ["assistant"] and "user" in said else 0
    return [turn for turn, role in zip(turns[start:], said[start:], strict=True) if role in roles]


def _choose(choices: Any, bracket: str, row: Mapping[str, Any], *, labels: Any = None) -> Any:
    """The choice that a row's field tells by its number (from 0, or from 1), letter, label, name or text."""
    base = 1 if bracket.endswith(FROM_ONE) else 0
    key = value_at_path(row, bracket.removesuffix(FROM_ONE))
    items, names = _items_and_names(choices, labels)
    if isinstance(key, list):
        return [_item_or_none(items, find_choice(items, names, one, base=base)) for one in key]
    return _item_or_none(items, find_choice(items, names, key, base=base))


def _item_or_none(items: Sequence[Any], place: int | None) -> Any:
    return None if place is None else items[place]


def _items_and_names(choices: Any, labels: Any) -> tuple[list[Any], list[str]]:
    """Choices with what each goes by: its key or column, or its label; no names where there are none."""
    choices = read_list_cell(choices)
    if isinstance(choices, Mapping):
        return list(choices.values()), list(map(str, choices))
    return _as_list(choices), list(map(label_text, labels)) if isinstance(labels, list) else []


def read_list_cell(value: Any) -> Any:
    """A list or an object that a cell of a delimited table holds, as JSON or as Python writes it; else the value."""
    if not isinstance(value, str) or len(value) > CELL_CHARS or value[:1] + value[-1:] not in ("[]", "{}"):
        return value
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return read(value)
    return value


def choices_at(row: Mapping[str, Any], field: str) -> tuple[list[Any], list[str]]:
    """The choices at a field, ``choices``, ``choices.text`` or ``(A, B)``, and the names they go by there, if any."""
    if columns := _COLUMN_LIST.fullmatch(field):
        names = columns[1].split(", ")
        return [row.get(name) for name in names], names
    labels = value_at_path(row, field.removesuffix(".text") + ".label") if field.endswith(".text") else None
    return _items_and_names(value_at_path(row, field), labels)


def find_choice(items: Sequence[Any], names: Sequence[str], key: Any, *, base: int = 0) -> int | None:
    """The place of the choice that a key tells: by name, by number (from `base`) or letter, by text; None of none.

    In this order: choices may themselves be numbers or letters, and what a column of numbers tells is places.
    """
    if key is None or isinstance(key, bool | Mapping | list):
        return None
    told = key_text(key)
    bare = _KEY_MARKS.sub("", told.strip("()."))
    places = [_place_of_name(names, bare), _number(bare, base)]
    found = next((place for place in places if place is not None and 0 <= place < len(items)), None)
    same = match_choice_text(list(map(label_text, items)), told) if found is None else []
    return same[0] if len(same) == 1 else found


def split_choice_key(choices: str, answers: str) -> tuple[str, int]:
    """The field of the key that tells a choice, and what its numbers count from; no field where answers are texts."""
    if not answers.startswith(f"{choices}["):
        return "", 0
    key = answers.removeprefix(f"{choices}[").removesuffix("]")
    return key.removesuffix(FROM_ONE), 1 if key.endswith(FROM_ONE) else 0


def key_text(key: Any) -> str:
    """What tells a choice as text: 1 where a table with gaps made 1.0 of it."""
    return label_text(int(key) if isinstance(key, float) and key.is_integer() else key).strip()


def _place_of_name(names: Sequence[str], told: str) -> int | None:
    """Which of the names is told: ``B`` of A, B or option_a, option_b; ``2`` of option1, option2."""
    for place, name in enumerate(names):
        if told.lower() in {name.lower(), name.lower().rpartition("_")[2]} or name.rstrip("0123456789") + told == name:
            return place
    return None


def _number(told: str, base: int) -> int:
    """The place that a number or a letter tells; -1 where it tells none."""
    if told.isascii() and told.isdigit():
        return int(told) - base if len(told) <= KEY_DIGITS and int(told) >= base else -1
    return ord(told.upper()) - ord("A") if len(told) == 1 and told.isascii() and told.isalpha() else -1


def _item_at(items: Sequence[Any], place: int) -> Any:
    """An item by its place; a place of -1 is the last only where the list is one of turns."""
    if place < 0 and items and role_of_turn(items[-1]) is None:
        return None
    return items[place] if -len(items) <= place < len(items) else None


def role_of_turn(turn: Any) -> str | None:
    """Whose turn of a conversation it is: user, assistant or another; None where it is no turn."""
    if not isinstance(turn, Mapping):
        return None
    said = turn.get("role", turn.get("from", turn.get("speaker")))
    if not isinstance(said, str):
        return None
    return next((role for role, names in ROLES.items() if said.lower() in names), said.lower())


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
