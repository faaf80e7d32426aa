"""LLaMA-Factory: alpaca and sharegpt files, `dataset_info.json` and a training YAML.

Layouts: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from kdos.export.jsonl import write_list
from kdos.store import whole_file, whole_folder, write_json

ALPACA = {"prompt": "instruction", "query": "input", "response": "output"}
SHAREGPT = {"messages": "conversations"}
TRAINING = """\
# Full fine-tuning on the samples of this folder, where it is to be run:
#   llamafactory-cli train train.yaml
# Set the model, the chat template that belongs to it, and the batch that your memory allows.
model_name_or_path: Qwen/Qwen3-4B-Base
template: qwen

stage: sft
do_train: true
finetuning_type: full

dataset_dir: .
dataset: kdos_alpaca
cutoff_len: 1024
packing: true

output_dir: saves
logging_steps: 10
save_strategy: epoch

per_device_train_batch_size: 8
gradient_accumulation_steps: 4
learning_rate: 1.0e-5
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_steps: 100
bf16: true
"""
EVALUATION = """
eval_dataset: kdos_alpaca_test
eval_strategy: epoch
per_device_eval_batch_size: 8
"""


def write_llamafactory(splits: Mapping[str, pa.Table], out: Path) -> None:
    """Write the folder `out`: both layouts of every split, their description, a training YAML."""
    described: dict[str, Any] = {}
    with whole_folder(out) as folder:
        for split, samples in splits.items():
            suffix = "" if split == "train" else f"_{split}"
            alpaca, sharegpt = f"kdos_alpaca{suffix}", f"kdos_sharegpt{suffix}"
            write_list(samples, as_alpaca, folder / f"{alpaca}.json")
            write_list(samples, as_sharegpt, folder / f"{sharegpt}.json")
            described[alpaca] = {"file_name": f"{alpaca}.json", "columns": ALPACA}
            described[sharegpt] = {
                "file_name": f"{sharegpt}.json",
                "formatting": "sharegpt",
                "columns": SHAREGPT,
            }
        write_json(folder / "dataset_info.json", described)
        with whole_file(folder / "train.yaml") as file:
            file.write((TRAINING + EVALUATION * ("test" in splits)).encode())


def as_alpaca(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as an instruction and the output to learn."""
    return {"instruction": sample["question"], "input": "", "output": sample["answer"]}


def as_sharegpt(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as a conversation of one turn."""
    return {
        "conversations": [
            {"from": "human", "value": sample["question"]},
            {"from": "gpt", "value": sample["answer"]},
        ]
    }
