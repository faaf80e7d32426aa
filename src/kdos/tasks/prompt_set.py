"""The prompts that a run asks with: ours, or a user's versions of them, and samples that the drafter is shown."""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, cast

import orjson

from kdos.tasks.classify import CLASSIFY_PROMPT
from kdos.tasks.extract import EXTRACT_PROMPT, SEED_PROMPT
from kdos.tasks.judge import ANSWER_PROMPT, JUDGE_PROMPT
from kdos.tasks.prompt import Prompt, json_digest
from kdos.tasks.reading import schema_problem
from kdos.tasks.request import Exchange, OpenExchange, Reply, Request
from kdos.tasks.review import REVIEW_PROMPT
from kdos.tasks.synthesize import SYNTHESIZE_PROMPT

RUN_PROMPTS: Mapping[str, Prompt] = {
    prompt.task: prompt
    for prompt in (
        *(SEED_PROMPT, EXTRACT_PROMPT, SYNTHESIZE_PROMPT, REVIEW_PROMPT, JUDGE_PROMPT, ANSWER_PROMPT, CLASSIFY_PROMPT),
    )
}
"""What a run asks, by task."""
TASK_INPUTS: Mapping[str, tuple[str, ...]] = {
    "seed": ("title", "passage", "language", "per_passage"),
    "extract": ("question", "answer", "claimed", "passages"),
    "synthesize": (
        *("passages", "seeds", "knowledge_points", "domain", "language", "use", "avoid", "drafts", "variant"),
    ),
    "review": ("passages", "knowledge_points", "drafts"),
    "judge": ("question", "answer", "knowledge_points", "logic", "distractors", "passages"),
    "answer": ("question", "passages"),
    "classify": ("classes", "text"),
}
"""The keys of every request's inputs."""
OCCASIONAL_INPUTS: Mapping[str, tuple[str, ...]] = {"synthesize": ("failed",)}
"""The keys of some requests' inputs: of one for a draft that was refused, and why."""
EXAMPLES_SECTION = """## Samples as they are wanted

Each is an item of `drafts` as we want it, on passages that you do not see. Take its form and its style, never its \
content, and give every field, also one that is left out here."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)")


class PromptFault(NamedTuple):
    """What is wrong with a prompt's text, and in which line (from 1), where it is one."""

    found: str
    line: int | None = None


@dataclass(frozen=True)
class PromptSet:
    """The prompts of a run by task; `hash` names the wording and the schemas of all of them."""

    by_task: Mapping[str, Prompt]

    @classmethod
    def resolve(
        cls, texts: Mapping[str, str] | None = None, examples: Sequence[Mapping[str, Any]] = ()
    ) -> "PromptSet":
        """Our prompts, with a user's `texts` by task in place of ours, and `examples` shown to the drafter."""
        prompts = {task: replace(RUN_PROMPTS[task], text=text) for task, text in (texts or {}).items()}
        found = {**RUN_PROMPTS, **prompts}
        if examples:
            task = SYNTHESIZE_PROMPT.task
            found[task] = replace(found[task], text=f"{found[task].text.rstrip()}\n\n{_show_examples(examples)}\n")
        return cls(found)

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits."""
        return json_digest([self.by_task[task].hash for task in sorted(self.by_task)])[:16]

    def word_request(self, request: Request) -> Request:
        """The request in the wording of these prompts."""
        prompt = self.by_task.get(request.task, request.prompt)
        return request if prompt is request.prompt else replace(request, prompt=prompt)

    def word_exchange(self, open_exchange: OpenExchange) -> OpenExchange:
        """Opens exchanges as `open_exchange` does, whose requests go out in the wording of these prompts."""

        @contextmanager
        def open_worded() -> Generator[Exchange]:
            with open_exchange() as exchange:
                yield _WordedExchange(exchange, self)

        return open_worded


@dataclass(frozen=True, slots=True)
class _WordedExchange:
    """An exchange whose requests go out in the wording of `prompts`."""

    exchange: Exchange
    prompts: PromptSet

    @property
    def room(self) -> int:
        return self.exchange.room

    def submit(self, requests: Iterable[Request]) -> None:
        self.exchange.submit(map(self.prompts.word_request, requests))

    def receive(self) -> list[Reply]:
        return self.exchange.receive()


def _show_examples(examples: Sequence[Mapping[str, Any]]) -> str:
    blocks = (f"```json\n{orjson.dumps(each).decode()}\n```" for each in examples)
    return "\n\n".join([EXAMPLES_SECTION, *blocks])


def find_prompt_fault(task: str, text: str) -> PromptFault | None:
    """Why a user's text cannot stand for our prompt of a task, or None.

    It names every input and every field of the reply, and each JSON example in it is an input or a reply of the task.
    """
    if not text.strip():
        return PromptFault("must hold instructions. It is empty")
    if "\0" in text:
        return PromptFault("must be text. It holds a zero byte", text.count("\n", 0, text.index("\0")) + 1)
    inputs = (*TASK_INPUTS[task], *OCCASIONAL_INPUTS.get(task, ()))
    for kind, names in (("input", inputs), ("field of the reply", _field_names(RUN_PROMPTS[task].schema))):
        for name in names:
            if not re.search(rf"(?<!\w){name}(?!\w)", text):
                return PromptFault(f"must say what the {kind} `{name}` is. It does not name it")
    return next((fault for block in _fenced_blocks(text) if (fault := _block_fault(task, block))), None)


def _field_names(schema: Mapping[str, Any]) -> Iterator[str]:
    """The names of all fields that a schema asks for, at any depth."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from _field_names(inner)
    yield from _field_names(schema["items"]) if "items" in schema else ()


class _FencedBlock(NamedTuple):
    """A block between fences; `line` is the first fence's."""

    line: int
    language: str
    lines: list[str]
    is_closed: bool


def _fenced_blocks(text: str) -> Iterator[_FencedBlock]:
    """The fenced code blocks of a Markdown text (CommonMark, section 4.5)."""
    opened: _FencedBlock | None = None
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _FENCE.match(line)
        if opened is None:
            if found:
                fence, opened = found[1], _FencedBlock(number, found[2].lower(), [], False)
        elif found and found[1].startswith(fence) and not line[found.end(1) :].strip():
            yield opened._replace(is_closed=True)
            opened = None
        else:
            opened.lines.append(line)
    if opened:
        yield opened


def _block_fault(task: str, block: _FencedBlock) -> PromptFault | None:
    if not block.is_closed:
        return PromptFault("must close each block of code. The one that begins here has no end", block.line)
    if block.language != "json":
        return None
    try:
        value = orjson.loads("\n".join(block.lines))
    except orjson.JSONDecodeError as error:
        return PromptFault(f"must have examples that are JSON. {error.msg}", block.line + error.lineno)
    if isinstance(value, dict) and cast("dict[str, Any]", value).keys() >= set(TASK_INPUTS[task]):
        return None
    if problem := schema_problem(value, RUN_PROMPTS[task].schema):
        inputs = ", ".join(TASK_INPUTS[task])
        wanted = f"must have examples that are an input ({inputs}) or a reply as it is read"
        return PromptFault(f"{wanted}. As a reply, it{problem}", block.line)
    return None
