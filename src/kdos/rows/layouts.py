"""The one resolver: a table's first rows in, the field of each part out, for every command alike.

It knows the layouts that trainers and benchmarks use: plain text, questions with answers, Alpaca, ShareGPT and OpenAI
messages, TRL's prompt and completion, preferences, SQuAD, multiple choice. A field is looked for by its name, and
taken only where the first rows hold there what the part needs, or nothing yet.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kdos.rows.fields import (
    FIELD_ALIASES,
    FROM_ONE,
    JOIN,
    KEY_DIGITS,
    candidate_fields,
    choices_at,
    find_choice,
    key_text,
    list_field_paths,
    read_list_cell,
    role_of_turn,
    split_choice_key,
    value_at_path,
)
from kdos.rows.labels import label_text
from kdos.tasks.choose import match_choice_text

Row = Mapping[str, Any]
LABELS = frozenset(("id", "title", "domain", "lang", "group", "benchmark", "document", "subject", "discipline"))
CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns")
REPLIES = ("output", "response", "completion", "answer")
INPUTS = ("input", "inputs")
PREFERRED = ("chosen", "preferred")
CHOICES = ("choices", "options", "endings", "answer_choices", "candidates")
CHOICE_COLUMNS = (
    *(tuple("ABCDEFGHIJ"[:count]) for count in range(10, 1, -1)),
    *(tuple("abcdefghij"[:count]) for count in range(10, 1, -1)),
    *(tuple(f"option_{letter}" for letter in "abcdefghij"[:count]) for count in range(10, 1, -1)),
    *(
        tuple(f"{name}{number}" for number in range(1, 1 + count))
        for name in ("option", "choice", "sol")
        for count in (5, 4, 3, 2)
    ),
    *(
        tuple(f"{name}{number}" for number in range(count))
        for name in ("ending", "option", "choice")
        for count in (5, 4, 3, 2)
    ),
    ("opa", "opb", "opc", "opd"),
)
CHOICE_KEYS = (
    "answerkey", "answer_key", "answer_idx", "answer_index", "answer_id", "correct_idx", "correct_index",
    "correct_option", "correct_answer", "answer", "answers", "correct", "label", "gold", "gold_index", "cop", "target",
)  # fmt: skip
"""What names the right choice: ARC, MedQA, MMLU, HellaSwag, MedMCQA and their kin."""
UNNAMED_COLUMN = re.compile(r"column_\d+")
"""What the columns of a table without a header are called here, counted from 1."""
_EXAM_LETTER = re.compile(r"[A-J]")
EXAM_COLUMNS = 4
"""Columns that a table of an examination without a header has more than: its question, three choices, the letter."""
_KEY_TEXT = re.compile(r"\(?[A-Za-z]\)?\.?|\d{1,2}|option_?\w|choice_?\w", re.ASCII)


def find_fields(rows: Sequence[Row], parts: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The field that holds each part: the given one, else the one that the first rows show; none for other parts."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    given = given or {}
    found = {part: given.get(part) or _find_field(part, rows, names) for part in parts}
    return {part: field for part, field in found.items() if field}


def _find_field(part: str, rows: Sequence[Row], names: Sequence[str]) -> str:
    match part:
        case "text":
            found = _text_fields(rows, names)
        case "question":
            found = _question_fields(rows, names)
        case "answers":
            found = _answer_fields(rows, names)
        case "choices":
            found = _choice_fields(rows, names)
        case _:
            found = _named_fields(part, rows, names)
    return next(iter(found), "")


def _text_fields(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """What a row is about: its task where it has one, else its text, its question or its conversation."""
    if (task := _first_of(("instruction",), names)) and _first_of(REPLIES, names) and holds_text(rows, task[0]):
        yield _with_input(task[0], rows, names)
    for name in (*candidate_fields("text", names), *candidate_fields("question", names)):
        if turns := _conversation(name, rows):
            yield _all_turns(name, turns)
        elif holds_text(rows, name):
            yield _with_input(name, rows, names)
    for name in _first_of((*CONVERSATIONS, *PREFERRED), names):
        if turns := _conversation(name, rows):
            yield _all_turns(name, turns)
        elif holds_text(rows, name) or holds_items(rows, name):
            yield name
    yield from _question_fields(rows, names)
    yield from _inner_fields("text", rows)
    yield from _unnamed_fields("text", rows, names)
    yield from candidate_fields("text", names)


def _question_fields(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    for name in candidate_fields("question", names):
        if turns := _conversation(name, rows):
            yield f"{name}[user][-1].{_content_name(turns)}"
        elif holds_text(rows, name):
            yield _with_input(name, rows, names)
    for names_of_turns, place in ((CONVERSATIONS, 0), (PREFERRED, -1)):
        for name in _first_of(names_of_turns, names):
            if turns := _conversation(name, rows):
                yield f"{name}[user][{place}].{_content_name(turns)}"
    yield from (name for name in _first_of(INPUTS, names) if holds_text(rows, name))
    yield from _inner_fields("question", rows)
    yield from _unnamed_fields("question", rows, names)


def _answer_fields(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    yield from _chosen_answers(rows, names)
    for name in candidate_fields("answers", names):
        if turns := _conversation(name, rows):
            yield f"{name}[assistant][-1].{_content_name(turns)}"
        elif any(isinstance(row.get(name), Mapping) and "text" in row[name] for row in rows):
            yield f"{name}.text"
        elif any(row.get(name) not in (None, "", []) for row in rows):
            yield name
    for name in _first_of(CONVERSATIONS, names):
        if turns := _conversation(name, rows):
            yield f"{name}[assistant][0].{_content_name(turns)}"
    for name in _first_of(PREFERRED, names):
        if turns := _conversation(name, rows):
            yield f"{name}[assistant][-1].{_content_name(turns)}"
        elif holds_text(rows, name):
            yield name
    yield from _first_of(("targets",), names)
    yield from _inner_fields("answers", rows)
    yield from _unnamed_fields("answers", rows, names)
    yield from candidate_fields("answers", names)


def _chosen_answers(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """The choice that a key names, where the rows hold choices and such a key."""
    if choices := _find_choices(rows, names):
        for key in _first_of(CHOICE_KEYS, names):
            if (
                key not in choices_at({}, choices)[1]
                and _holds_keys(rows, key)
                and not _tells_texts(rows, key, choices)
            ):
                yield f"{choices}[{key}{_base_of(rows, key, choices)}]"


def _choice_fields(rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """Where the choices stand, in rows that say which is right: by a key, or most of them by its text or one."""
    choices = _find_choices(rows, names)
    if choices and any(True for _ in _chosen_answers(rows, names)):
        yield choices
    elif choices and (answers := next(_answer_fields(rows, names), "")):
        given = [(row, told) for row in rows if (told := value_at_path(row, answers)) not in (None, "", [])]
        told = [find_choice(*choices_at(row, choices), next(iter(_items_or_one(told)))) for row, told in given]
        if 2 * sum(place is not None for place in told) > len(given):
            yield choices
    elif (answers := next(_unnamed_fields("answers", rows, names), "")).startswith("("):
        yield answers.rpartition("[")[0]


def _find_choices(rows: Sequence[Row], names: Sequence[str]) -> str:
    """The field of the rows' choices: a list, a struct, or as many columns as there are; else empty."""
    lower = {name.lower(): name for name in reversed(names)}
    for name in _first_of(CHOICES, names):
        if any(isinstance(found := read_list_cell(row.get(name)), list | Mapping) and found for row in rows):
            return f"{name}.text" if any(_has_labels(row.get(name)) for row in rows) else name
    columns = next((each for each in CHOICE_COLUMNS if {name.lower() for name in each} <= lower.keys()), ())
    return f"({', '.join(lower[name.lower()] for name in columns)})" if columns else ""


def _has_labels(choices: Any) -> bool:
    """Whether choices are texts beside labels, as ARC has them, in one struct or in one for each choice."""
    first = choices[0] if isinstance(choices, list) and choices else choices
    return isinstance(first, Mapping) and "text" in first


def _tells_texts(rows: Sequence[Row], key: str, choices: str) -> bool:
    """Whether what looks like numbers or letters of choices is their texts: all are, and not all are numbers in range.

    A number that is none of text is a place, whatever the choices are.
    """
    told = [(row, row[key]) for row in rows if row.get(key) not in (None, "", [])]
    return all(_is_among(value, row, choices) for row, value in told) and not all(
        isinstance(value, int) and 0 <= value < len(choices_at(row, choices)[0]) for row, value in told
    )


def _is_among(answer: Any, row: Row, choices: str) -> bool:
    """Whether an answer, or the first of several, is the text of one of a row's choices and no name of one."""
    texts, names = choices_at(row, choices)
    told = key_text(next(iter(_items_or_one(answer)), ""))
    return told not in names and bool(match_choice_text(list(map(label_text, texts)), told))


def recount_choices(rows: Sequence[Row], choices: str, answers: str) -> str:
    """The field of the answers, its numbers counted from where these rows show: the more, the surer."""
    key, _ = split_choice_key(choices, answers)
    return f"{choices}[{key}{_base_of(rows, key, choices)}]" if key else answers


def _base_of(rows: Sequence[Row], key: str, choices: str) -> str:
    """`FROM_ONE` where the numbers of the rows count from 1: more of them are the number of choices than are 0.

    Choices in columns, and those with labels, are told by these.
    """
    if choices.startswith("(") or choices.endswith(".text"):
        return ""
    told = [
        (int(label), len(choices_at(row, choices)[0]))
        for row in rows
        if (label := key_text(row.get(key))).isdecimal() and len(label) <= KEY_DIGITS
    ]
    last = sum(number == count for number, count in told)
    first = sum(number == 0 for number, _ in told)
    return FROM_ONE if last > first else ""


def _holds_keys(rows: Sequence[Row], name: str) -> bool:
    values = [item for row in rows for item in _items_or_one(row.get(name)) if item is not None]
    return bool(values) and all(
        (isinstance(value, int | float) and not isinstance(value, bool))
        or (isinstance(value, str) and _KEY_TEXT.fullmatch(value.strip()))
        for value in values
    )


def _items_or_one(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _named_fields(part: str, rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    found = candidate_fields(part, names)
    if part in LABELS:
        # Short values: a struct of that name is none, and neither is a field inside another.
        yield from (name for name in found if not holds_items(rows, name))
        return
    yield from (name for name in found if any(row.get(name) not in (None, "", []) for row in rows))
    yield from found
    yield from _inner_fields(part, rows)


def _inner_fields(part: str, rows: Sequence[Row]) -> list[str]:
    """Fields of that name inside a struct: `paragraphs.context`."""
    aliases = FIELD_ALIASES[part]
    paths = [path for path in list_field_paths(rows) if "." in path]
    named = {path: path.rpartition(".")[2].lower() for path in paths}
    return sorted((path for path in paths if named[path] in aliases), key=lambda path: aliases.index(named[path]))


def _unnamed_fields(part: str, rows: Sequence[Row], names: Sequence[str]) -> Iterator[str]:
    """The fields of a table without a header: questions end in a question mark, and answers stand after them."""
    if not all(UNNAMED_COLUMN.fullmatch(name) for name in names):
        return
    if len(names) > EXAM_COLUMNS and all(_EXAM_LETTER.fullmatch(str(row.get(names[-1]))) for row in rows):
        # An examination's, as MMLU's authors have it: question, choices, letter.
        yield f"({', '.join(names[1:-1])})[{names[-1]}]" if part == "answers" else names[0]
        return
    texts = {name: [str(row.get(name) or "").strip() for row in rows] for name in names}
    asked = [name for name in names if 2 * sum(text.endswith(("?", "？")) for text in texts[name]) > len(rows)]
    longest = sorted(names, key=lambda name: -sum(map(len, texts[name])))
    if part != "answers":
        yield from asked or (longest if part == "text" else [])
    elif asked:
        after = [*names[names.index(asked[0]) + 1 :]]
        if len(after) > 2 and _holds_keys(rows, after[-1]):
            yield f"({', '.join(after[:-1])})[{after[-1]}]"
        yield from after


def _first_of(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    lower = {name.lower(): name for name in reversed(names)}
    return [lower[name] for name in wanted if name in lower]


def _with_input(name: str, rows: Sequence[Row], names: Sequence[str]) -> str:
    """An instruction with the input that it is given, where one of the rows has any: the task may stand there."""
    if name.lower() != "instruction":
        return name
    inputs = [other for other in _first_of(INPUTS, names) if holds_text(rows, other)]
    return JOIN.join([name, *inputs[:1]])


def holds_text(rows: Sequence[Row], name: str) -> bool:
    """Whether a row holds text there, or a list of texts."""
    return any(
        (isinstance(value, str) and value.strip() != "")
        or (isinstance(value, list) and value and all(isinstance(item, str) for item in value))
        for value in (row.get(name) for row in rows)
    )


def holds_items(rows: Sequence[Row], name: str) -> bool:
    """Whether a row holds a list or a struct there that is not empty."""
    return any(isinstance(row.get(name), list | Mapping) and row[name] for row in rows)


def _conversation(name: str, rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """The turns that the first rows hold there; empty where it holds no conversations."""
    return [turn for row in rows for turn in _items_or_one(row.get(name)) if role_of_turn(turn) is not None]


def _content_name(turns: Sequence[Mapping[str, Any]]) -> str:
    name = next(
        (name for name in ("content", "value", "text", "message") if any(name in turn for turn in turns)), "content"
    )
    said = [turn[name] for turn in turns if turn.get(name) is not None]
    in_parts = bool(said) and all(isinstance(parts, list) for parts in said)
    return f"{name}.text" if in_parts else name


def _all_turns(name: str, turns: Sequence[Mapping[str, Any]]) -> str:
    """What the user and the assistant say; a system's words are the same in most rows."""
    spoken = {role_of_turn(turn) for turn in turns} <= {"user", "assistant"}
    return f"{name}{'' if spoken else '[user,assistant]'}.{_content_name(turns)}"
