"""The answers of a question, in whatever form a data set has them."""

import re
from contextlib import suppress
from typing import Any

import orjson

from kdos.rows.labels import label_text

ANSWER_PARTS = ("value", "aliases", "Value", "Aliases", "text")
"""Parts of a struct that hold answers: TriviaQA's, SQuAD's."""
_FREEBASE = re.compile(r'\(description (?:"((?:[^"\\]|\\.)*)"|([^()]*))\)')


def read_answers(value: Any) -> tuple[str, ...]:
    """The answers, each once, blank ones left out: of a text, a list, a struct, Freebase's list, JSON in a cell."""
    texts = (label_text(answer).strip() for answer in _answer_values(value) if answer is not None)
    return tuple(dict.fromkeys(text for text in texts if text))


def _answer_values(value: Any) -> list[Any]:
    match value:
        case None:
            return []
        case dict():
            return [each for part in ANSWER_PARTS for each in read_answers(value.get(part))]
        case list() | tuple():
            return [each for item in value for each in (read_answers(item) if isinstance(item, dict) else [item])]
        case str() if value.startswith("(list (description"):
            return [quoted.replace('\\"', '"') or bare for quoted, bare in _FREEBASE.findall(value)]
        case str() if value.startswith('["'):
            with suppress(orjson.JSONDecodeError):
                found = orjson.loads(value)
                return found if isinstance(found, list) else [value]
            return [value]
        case _:
            return [value]
