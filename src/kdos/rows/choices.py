"""A row of an examination: its choices, what each goes by, and the place of the right one, or why there is none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdos.rows.fields import choices_at, find_choice, key_text, split_choice_key, value_at_path
from kdos.rows.labels import label_text
from kdos.tasks.choose import LETTERS, match_choice_text

_LETTERED = re.compile(r"\s*\(?([A-Z])[).:．、]\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class RowChoices:
    """The choices of one question; `labels` are what the row tells each by, numbers where it has no others.

    Without a `right` one, `fault` says why: a reason in one word, and after a colon what was read.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    right: int | None
    fault: str = ""


def read_choices(row: Mapping[str, Any], choices: str, answers: str) -> RowChoices:
    """The choices at the field `choices`, and the right one by the field `answers`: both as the resolver has them."""
    items, names = choices_at(row, choices)
    spare = (None, "") if names else (None,)  # a table has as many columns as its longest row
    count = next((n for n in range(len(items), 0, -1) if items[n - 1] not in spare), 0)
    texts = tuple("" if item is None else label_text(item) for item in items[:count])
    key, base = split_choice_key(choices, answers)
    labels = tuple(names[:count]) or tuple(str(place + base) for place in range(count))
    told = value_at_path(row, key or answers)
    told = told[0] if isinstance(told, list) and len(told) == 1 else told
    bare = _without_own_letters(texts)
    if fault := _find_fault(texts, told):
        return RowChoices(bare, labels, None, fault)
    by_key = find_choice(texts, names, told, base=base)
    same = [] if by_key is None else [by_key]
    if not (key and same):  # a text, in a table of texts though it may read as a number or letter
        written = match_choice_text(texts, key_text(told)) or match_choice_text(bare, key_text(told))
        same = [*{*same, *written}] if isinstance(told, int) else written or same
    if len(same) != 1:
        reason = "ambiguous_answer" if same else "answer_is_no_choice"
        return RowChoices(bare, labels, None, f"{reason}: {key_text(told)[:60]!r} of {count} choices")
    return RowChoices(bare, labels, same[0])


def _without_own_letters(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Choices without the letter that each begins with, where all do: `A) 21`, `(B) 22`."""
    found = [_LETTERED.match(text) for text in texts]
    own = all(each and each[1] == letter for each, letter in zip(found, LETTERS, strict=False))
    if not own or not texts:
        return texts
    return tuple(text[each.end() :] for text, each in zip(texts, found, strict=True) if each)


def _find_fault(texts: tuple[str, ...], told: Any) -> str:
    """Why a row cannot be scored, whichever choice is right; empty where it can."""
    if len(texts) < 2 or len(texts) > len(LETTERS):
        return f"not_2_to_{len(LETTERS)}_choices: {len(texts)}"
    if not all(text.strip() for text in texts):
        return f"empty_choice: {LETTERS[next(place for place, text in enumerate(texts) if not text.strip())]}"
    if told in (None, "", []):
        return "no_gold_answer"
    return f"several_right_choices: {len(told)}" if isinstance(told, list) else ""
