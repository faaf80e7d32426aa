"""A user's prompt files and sample rows in, the prompts that a run asks with out; all of it checked before."""

import difflib
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, cast

import orjson

from kdos.checks import (
    check_answer_not_leaked,
    check_concrete_instances,
    check_knowledge_points,
    check_lengths,
    check_logic,
    check_not_multiple_choice,
)
from kdos.config import Config
from kdos.errors import InputError
from kdos.logic import parse
from kdos.pool import Draft, Refusal
from kdos.rows import Record, list_table_files, read_records, record_error, resolve_field, row_unit
from kdos.rows.files import decode_utf8
from kdos.tasks.prompt_set import RUN_PROMPTS, PromptSet, find_prompt_fault

PROMPT_SUFFIX = ".md"
MOST_PROMPT_BYTES = 65_536
"""Of one prompt file: ours have 8 kB at most, and each is a part of every request of its task (our choice)."""
MOST_EXAMPLES = 20
MOST_EXAMPLE_BYTES = 32_768
"""Of all sample rows, as JSON: some 8,000 tokens in every request for drafts (our choice)."""
ONE_VALUED = {"question": "question", "answers": "answer", "logic": "logic"}
"""Fields of which the first value is shown, and what the reply calls them."""
NEEDED_FIELDS = ("question", "answers", "knowledge_points", "logic")
SHOWN_FIELDS = (*NEEDED_FIELDS, "topic_entities", "distractors", "evidence")


def resolve_prompts(config: Config) -> PromptSet:
    """The prompts that a run of this configuration asks with.

    Raises:
        InputError: A prompt file or a row of the samples cannot be used.
    """
    texts = read_prompt_texts(Path(config.prompts)) if config.prompts else {}
    examples = read_examples(Path(config.examples)) if config.examples else []
    return PromptSet.resolve(texts, examples)


def prompt_paths(folder: Path) -> list[Path]:
    """The prompt files that are in a folder."""
    return [path for task in RUN_PROMPTS if (path := folder / f"{task}{PROMPT_SUFFIX}").exists()]


def read_prompt_texts(folder: Path) -> dict[str, str]:
    """A user's wording of prompts, by task; hidden files are none of them.

    Raises:
        InputError: It is no folder, holds none, or a file that is no prompt; or one of them cannot be used.
    """
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError.at(folder, f"`prompts` must be a folder of prompts. {error.strerror}. Check it") from error
    known = [f"{task}{PROMPT_SUFFIX}" for task in RUN_PROMPTS]
    for path in found:
        if path.name not in known:
            near = difflib.get_close_matches(path.name.lower(), known, n=1)
            advice = f"Did you mean {near[0]}?" if near else "Move it away."
            raise InputError.at(path, f"must be named as a prompt: {', '.join(known)}. {advice}")
    if not found:
        raise InputError.at(folder, f"`prompts` must hold at least one of {', '.join(known)}. Got none")
    return {path.stem: _read_prompt_text(path) for path in found}


def _read_prompt_text(path: Path) -> str:
    text = read_small_text(path, most=MOST_PROMPT_BYTES)
    if fault := find_prompt_fault(path.stem, text):
        raise InputError.at(path, f"{fault.found}. Begin with ours and change it", line=fault.line)
    return text


def read_small_text(path: Path, *, most: int) -> str:
    """The text of a file of at most `most` bytes, with the line ends of here.

    Raises:
        InputError: It is no file, cannot be read, is too large, or no UTF-8.
    """
    text = decode_utf8(_read_small_file(path, most).removeprefix(b"\xef\xbb\xbf"), path)
    return text.replace("\r\n", "\n")


def _read_small_file(path: Path, most: int) -> bytes:
    # Asked first: opening a pipe would wait for somebody to write into it.
    if not path.is_file():
        raise InputError.at(path, "must be a file. It is none, or leads nowhere. Mend it, or take it out")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError.at(path, f"must be a file that can be read. {error.strerror}. Mend it") from error
    if len(data) > most:
        raise InputError.at(path, f"must hold at most {most:,} bytes. Got more. Shorten it")
    return data


def read_examples(path: Path) -> list[dict[str, Any]]:
    """The samples that the drafter is shown, as items of its reply.

    Raises:
        InputError: There are none, too many or too large ones, or one that the free checks refuse.
    """
    if not path.is_file():
        raise InputError.at(path, "`examples` must be a file of samples. It is none. Check the path")
    list_table_files(path)  # refuses a file of another kind
    with closing(read_records(path)) as records:
        found = list(islice(records, MOST_EXAMPLES + 1))
    if not 1 <= len(found) <= MOST_EXAMPLES:
        got = "more" if found else "none"
        raise InputError.at(path, f"`examples` must hold 1 to {MOST_EXAMPLES} samples. Got {got}")
    examples = [_read_example(record, path) for record in found]
    size = sum(len(orjson.dumps(each)) for each in examples)
    if size > MOST_EXAMPLE_BYTES:
        limit = f"must come to at most {MOST_EXAMPLE_BYTES:,} bytes, for every request for drafts holds them"
        raise InputError.at(path, f"`examples` {limit}. Got {size:,}. Take some out")
    return examples


def _read_example(record: Record, path: Path) -> dict[str, Any]:
    """One row as an item of the drafter's reply, with the fields that it has."""

    def fault(message: str, field: str | None = None) -> InputError:
        return record_error(path, message, position=record.position, unit=row_unit(path), field=field)

    fields = {part: name for part in SHOWN_FIELDS if (name := resolve_field(part, list(record.row)))}
    example: dict[str, Any] = {}
    for part in SHOWN_FIELDS:
        items = list_items(record.row.get(fields.get(part, part)))
        kind, wanted = (_is_quote, "passages with quotes") if part == "evidence" else (_is_text, "text")
        if not all(map(kind, items)):
            raise fault(f"must be {wanted}. Mend the row", fields[part])
        if not items and part in NEEDED_FIELDS:
            raise fault("must be in every sample that is shown. Got none. Add it, or take the row out", part)
        if items:
            example |= {ONE_VALUED.get(part, part): items[0] if part in ONE_VALUED else items}
    if refusal := _refuse_example(example):
        what = f"must be a sample that the free checks let pass. Got {refusal.reason}: {refusal.detail}"
        raise fault(f"{what}. Mend the row, or take it out")
    return example


def list_items(value: Any) -> list[Any]:
    """A value's items: of a list, of a list written as JSON in a table's cell, or the value alone."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return [value]
    items = value if isinstance(value, list) else [value]
    return [item for item in cast("list[Any]", items) if item is not None and item != ""]


def _is_text(item: Any) -> bool:
    return isinstance(item, str) and bool(item.strip())


def _is_quote(item: Any) -> bool:
    return isinstance(item, dict) and set(item) == {"passage", "quote"} and all(map(_is_text, item.values()))


def _refuse_example(example: Mapping[str, Any]) -> Refusal | None:
    """What the checks that need neither passages nor a pool say of a sample."""
    texts = {name: tuple(example.get(name, ())) for name in ("topic_entities", "knowledge_points", "distractors")}
    draft = Draft(
        id="", question=example["question"], answer=example["answer"], logic=example["logic"], evidence=(), **texts
    )
    checks: tuple[Callable[[Draft], Refusal | None], ...] = (
        check_lengths,
        check_knowledge_points,
        check_not_multiple_choice,
        lambda draft: check_answer_not_leaked(draft, [draft.answer]),
        check_concrete_instances,
        lambda draft: check_logic(draft, parse(draft.logic)),
    )
    return next((refusal for check in checks if (refusal := check(draft))), None)
