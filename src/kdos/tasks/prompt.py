"""Prompts (Markdown files beside the code that sends them), JSON schemas, common inputs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import orjson

from kdos.package_data import read_package_text
from kdos.pool import Passage


@dataclass(frozen=True)
class Prompt:
    """A task's instructions, as Markdown, with the JSON schema of the answer."""

    task: str
    text: str
    schema: Mapping[str, Any]

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that name this very wording and schema."""
        return json_digest([self.task, self.text, self.schema])[:16]

    @cached_property
    def instructions(self) -> str:
        """The text with the form of the answer: a server that forces a schema does not show it."""
        return f"{self.text}\n\n{self.answer_form}" if self.schema else self.text

    @cached_property
    def answer_form(self) -> str:
        """The form of the answer in words; without a schema the answer is plain text, and this empty.

        Where the text shows a reply, the schema would say the same once more: then its fields are named alone.
        """
        if not self.schema:
            return ""
        only = "Answer with one JSON object and nothing else."
        blocks = self.text.split("```")[1::2]
        if any(block.startswith("json\n") and _has_fields(block[5:], self.schema) for block in blocks):
            return f"{only} Its fields: {', '.join(f'`{name}`' for name in self.schema['properties'])}."
        return f"{only} It fits this JSON schema:\n\n```json\n{orjson.dumps(self.schema).decode()}\n```"

    @cached_property
    def forced_schema(self) -> dict[str, Any]:
        """The schema without the lengths of its strings, which a server may refuse to force."""
        return _drop_text_lengths(self.schema)


def load_prompt(task: str, schema: Mapping[str, Any]) -> Prompt:
    """The prompt in ``tasks/TASK.md``."""
    text = read_package_text("kdos.tasks", f"{task}.md")
    return Prompt(task=task, text=text, schema=schema)


def list_passages(passages: Sequence[Passage]) -> list[dict[str, str]]:
    """Passages as the inputs of a request hold them."""
    return [{"id": passage.id, **name_place(passage), "text": passage.text} for passage in passages]


def name_place(passage: Passage) -> dict[str, str]:
    """The title of a passage's document and, where it stands under one, its heading."""
    return {"title": passage.title} | ({"heading": passage.heading} if passage.heading else {})


def an_object(**properties: object) -> dict[str, Any]:
    """The JSON schema of an object with exactly these properties, all of them required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def a_list(items: object, **limits: int) -> dict[str, Any]:
    """The JSON schema of a list of `items`."""
    return {"type": "array", "items": items, **limits}


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
FLAG: dict[str, Any] = {"type": "boolean"}


def _has_fields(block: str, schema: Mapping[str, Any]) -> bool:
    """Whether a block of JSON is an object with just the fields that a schema has, as an example of a reply is."""
    try:
        value = orjson.loads(block)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and cast("dict[str, Any]", value).keys() == schema["properties"].keys()


def _drop_text_lengths(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema without `minLength` and `maxLength`, at any depth."""
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            plain[key] = {name: _drop_text_lengths(item) for name, item in value.items()}
        elif key not in {"minLength", "maxLength"}:
            plain[key] = _drop_text_lengths(value) if key == "items" else value
    return plain


def json_digest(value: object) -> str:
    """64 hexadecimal digits of the canonical JSON of `value`."""
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=32).hexdigest()
