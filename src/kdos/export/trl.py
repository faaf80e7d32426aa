"""TRL: prompt-completion and conversational JSONL, one folder each.

Layouts: https://huggingface.co/docs/trl/dataset_formats
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.export.jsonl import write_lines
from kdos.store import whole_folder


def write_trl(splits: Mapping[str, pa.Table], out: Path) -> None:
    """Write the folder `out` with ``prompt_completion/`` and ``conversational/``."""
    with whole_folder(out) as folder:
        for split, samples in splits.items():
            file = f"{split}.jsonl"
            write_lines(samples, as_prompt_completion, folder / "prompt_completion" / file)
            write_lines(samples, as_conversation, folder / "conversational" / file)


def as_prompt_completion(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as a text to go on from and the text to learn.

    The line end keeps the two apart for a base model, in any language.
    """
    return {"prompt": sample["question"] + "\n", "completion": sample["answer"]}


def as_conversation(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as messages; the model's chat template renders them."""
    return {
        "messages": [
            {"role": "user", "content": sample["question"]},
            {"role": "assistant", "content": sample["answer"]},
        ]
    }
