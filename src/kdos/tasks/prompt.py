"""Prompts (Markdown files beside the code that sends them), JSON schemas, common inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

from kdos.package_data import read_package_text
from kdos.pool import Passage
from kdos.tasks.request import Prompt


def load_prompt(task: str, schema: Mapping[str, Any]) -> Prompt:
    """The prompt in ``tasks/TASK.md``."""
    text = read_package_text("kdos.tasks", f"{task}.md")
    return Prompt(task=task, text=text, schema=schema)


def list_passages(passages: Sequence[Passage]) -> list[dict[str, str]]:
    """Passages as the inputs of a request hold them."""
    return [{"id": p.id, "title": p.title, "text": p.text} for p in passages]


def an_object(**properties: object) -> dict[str, Any]:
    """The JSON schema of an object with exactly these properties, all of them required."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def a_list(items: object, **limits: int) -> dict[str, Any]:
    """The JSON schema of a list of `items`."""
    return {"type": "array", "items": items, **limits}


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
FLAG: dict[str, Any] = {"type": "boolean"}
