"""Samples in the file layouts of trainers: LLaMA-Factory, TRL, and plain text.

Layouts: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md and
https://huggingface.co/docs/trl/dataset_formats
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kdos.package_data import read_package_text
from kdos.store import atomic_file, atomic_folder, write_json

ROWS_AT_ONCE = 10_000
RenderSample = Callable[[Mapping[str, Any]], dict[str, Any]]

ALPACA_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
SHAREGPT_COLUMNS = {"messages": "conversations"}
LLAMAFACTORY_EVALUATION = """
eval_dataset: kdos_alpaca_test
eval_strategy: epoch
per_device_eval_batch_size: 8
"""


def write_llamafactory(splits: Mapping[str, pa.Table], out: Path) -> None:
    """Write the folder `out`: both layouts of every split, their description, a training YAML."""
    described: dict[str, Any] = {}
    with atomic_folder(out) as folder:
        for split, samples in splits.items():
            suffix = "" if split == "train" else f"_{split}"
            alpaca, sharegpt = f"kdos_alpaca{suffix}", f"kdos_sharegpt{suffix}"
            _write_json_list(samples, _format_alpaca, folder / f"{alpaca}.json")
            _write_json_list(samples, _format_sharegpt, folder / f"{sharegpt}.json")
            described[alpaca] = {"file_name": f"{alpaca}.json", "columns": ALPACA_COLUMNS}
            described[sharegpt] = {
                "file_name": f"{sharegpt}.json",
                "formatting": "sharegpt",
                "columns": SHAREGPT_COLUMNS,
            }
        write_json(folder / "dataset_info.json", described)
        with atomic_file(folder / "train.yaml") as file:
            training = read_package_text("kdos.export", "llamafactory.yaml")
            file.write((training + LLAMAFACTORY_EVALUATION * ("test" in splits)).encode())


def _format_alpaca(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {"instruction": sample["question"], "input": "", "output": sample["answer"]}


def _format_sharegpt(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "conversations": [{"from": "human", "value": sample["question"]}, {"from": "gpt", "value": sample["answer"]}]
    }


def write_trl(splits: Mapping[str, pa.Table], out: Path) -> None:
    """Write the folder `out` with ``prompt_completion/`` and ``conversational/``."""
    with atomic_folder(out) as folder:
        for split, samples in splits.items():
            completions = folder / "prompt_completion" / f"{split}.jsonl"
            _write_json_lines(samples, _format_prompt_completion, completions)
            conversations = folder / "conversational" / f"{split}.jsonl"
            _write_json_lines(samples, _format_conversation, conversations)


def _format_prompt_completion(sample: Mapping[str, Any]) -> dict[str, Any]:
    # The line end keeps the two apart for a base model, in any language.
    return {"prompt": sample["question"] + "\n", "completion": sample["answer"]}


def _format_conversation(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": sample["question"]},
            {"role": "assistant", "content": sample["answer"]},
        ]
    }


def write_text(splits: Mapping[str, pa.Table], out: Path) -> None:
    """Write the folder `out` with ``SPLIT.jsonl``, a row `text` for each sample."""
    with atomic_folder(out) as folder:
        for split, samples in splits.items():
            _write_json_lines(samples, format_document, folder / f"{split}.jsonl")


def format_document(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as running text: question, answer, then the knowledge points if there are any; a text as it is.

    The answer comes before the facts that it follows from, so that a model learns to recall it and not to copy it.
    """
    if "text" in sample:
        return {"text": sample["text"]}
    points = " ".join(sample.get("knowledge_points") or ())
    return {"text": f"{sample['question']}\n{sample['answer']}" + (f"\n\n{points}" if points else "")}


def _write_json_lines(samples: pa.Table, render: RenderSample, path: Path) -> None:
    with atomic_file(path) as file:
        for batch in samples.to_batches(max_chunksize=ROWS_AT_ONCE):
            file.writelines(orjson.dumps(render(row)) + b"\n" for row in batch.to_pylist())


def _write_json_list(samples: pa.Table, render: RenderSample, path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"[")
        separator = b"\n"
        for batch in samples.to_batches(max_chunksize=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                file.write(separator + orjson.dumps(render(row)))
                separator = b",\n"
        file.write(b"\n]\n")
