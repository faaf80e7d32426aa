"""Which of a user's classes a document or a question belongs to."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from kdos.pool import ErrorClass, Refusal
from kdos.tasks.prompt import an_object, load_prompt
from kdos.tasks.request import Reply, Request

CLASSIFY_SCHEMA = an_object(**{"class": {"type": "string"}})
CLASSIFY_PROMPT = load_prompt("classify", CLASSIFY_SCHEMA)
SHOWN_CHARS = 200
"""Of a reply that names no class, in the refusal."""


class DescribedClass(Protocol):
    """A class as a model is told of it."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def short_description(self) -> str:
        """What it holds, in a line."""
        ...


def ask_class(name: str, *, excerpt: Sequence[str], classes: Iterable[DescribedClass]) -> Request:
    """Ask for the class of one text, given in pieces; `name` is that of the text."""
    # The classes first: what is the same in all requests is read once by a server that keeps its prompts.
    shown = [{"name": one.name, "description": one.short_description} for one in classes]
    inputs = {"classes": shown, "text": "\n\n…\n\n".join(excerpt)}
    return Request(f"classify/{name}", CLASSIFY_PROMPT, inputs, {"temperature": 0.0})


def read_class(reply: Reply) -> str | Refusal:
    """The name of the class, in any case and spelled with spaces or underscores; or why there is none."""
    value = reply.value
    if isinstance(value, Refusal):
        return value
    said = _plain_name(value["class"])
    known = {_plain_name(one["name"]): one["name"] for one in reply.request.inputs["classes"]}
    return known.get(said) or Refusal("unknown_class", ErrorClass.FORMAT_MISMATCH, value["class"][:SHOWN_CHARS])


def _plain_name(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
