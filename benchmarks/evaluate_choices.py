"""Multiple choice scores equal to lm-evaluation-harness's own, question by question.

    pip install 'lm-eval[hf]==0.4.13'
    python benchmarks/evaluate_choices.py --data DATA --model SmolLM2-135M-Instruct.Q4_1.gguf \\
        [--questions 500] [--fewer 500]

The harness's tasks mmlu, cmmlu and mmlu_continuation run as they are published, but read local rows; `kdos evaluate`
runs on the same rows, as its command. Two models: a small Llama of random weights with the real tokenizer of the one
that is given, and that one. Compared are the log-likelihood of each choice, and what each question scores.
"""

import argparse
import gzip
import json
import os
import tempfile
import time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}

import lm_eval.tasks
import torch
import transformers
import yaml
from density_worlds import write_down
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from kdos.api import Answerer, evaluate
from kdos.causal_lm import load_pretrained

TASKS = {"mmlu": ("mmlu", "mmlu/default/mmlu_{}.yaml", "letters"), "cmmlu": ("cmmlu", "cmmlu/cmmlu_{}.yaml", "letters"),
         "mmlu_continuation": ("mmlu", "mmlu/continuation/mmlu_{}.yaml", "texts")}  # fmt: skip
"""What the harness calls a task: its rows, where its configuration of a subject stands, and our name for it."""
MOST_SHOTS = 5
NATS = 1e-3
"""How far two sums of log-probabilities may lie apart: batches are padded differently."""


def rows_by_split(path, n_questions):
    """The first questions of each subject, as many of each, and the training rows of subjects that have enough."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    train = {}
    for row in rows:
        if row["split"] == "dev":
            train.setdefault(row["subject"], []).append(row)
    train = {subject: few for subject, few in train.items() if len(few) >= MOST_SHOTS}
    asked = {subject: [] for subject in train}
    for row in rows:
        if row["split"] == "test" and row["subject"] in asked:
            asked[row["subject"]].append(row)
    most = max(map(len, asked.values()))
    in_turn = [few[turn] for turn in range(most) for few in asked.values() if turn < len(few)][:n_questions]
    return in_turn, [row for few in train.values() for row in few]


def harness_row(row, name):
    """A row in the layout of the data set that the harness reads."""
    if name == "cmmlu":
        choices = dict(zip("ABCD", row["choices"], strict=True))
        return {"id": row["id"], "Question": row["question"], **choices, "Answer": "ABCD"[row["answer_index"]]}
    return {"id": row["id"], "question": row["question"], "choices": row["choices"], "answer": row["answer_index"]}


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def harness_scores(task, asked, train, model, *, shots, folder):
    """The harness's log-likelihoods and scores of each question, by its id."""
    name, published, _ = TASKS[task]
    local = []
    for subject in dict.fromkeys(row["subject"] for row in asked):
        here = folder / task / subject
        here.mkdir(parents=True, exist_ok=True)
        files = {
            split: write_rows(here / f"{split}.jsonl", [harness_row(r, name) for r in rows if r["subject"] == subject])
            for split, rows in (("test", asked), ("dev", train))
        }
        include = str(Path(lm_eval.tasks.__path__[0]) / published.format(subject))
        changed = {"include": include, "dataset_path": "json", "dataset_name": None, "task": f"{task}_{subject}"}
        (here / "task.yaml").write_text(yaml.safe_dump({**changed, "dataset_kwargs": {"data_files": files}}))
        local.append(str(here / "task.yaml"))
    found = lm_eval.simple_evaluate(
        model, tasks=local, num_fewshot=shots, bootstrap_iters=0, task_manager=TaskManager(include_defaults=False)
    )
    return {
        sample["doc"]["id"]: {
            "nats": [float(nats) for nats, _ in sample["filtered_resps"]],
            **{metric: sample[metric] for metric in ("acc", "acc_norm") if metric in sample},
        }
        for samples in found["samples"].values()
        for sample in samples
    }


def our_scores(task, asked, train, model_name, *, shots, folder):
    """The rows of scores.jsonl by id, and the summary."""
    here = folder / f"kdos-{task}-{shots}"
    here.mkdir()
    fields = ("id", "question", "choices", "answer_index", "subject", "category")
    test, dev = (
        write_rows(here / f"{split}.jsonl", [{field: row[field] for field in fields} for row in rows])
        for split, rows in (("test", asked), ("dev", train))
    )
    examples = {"examples": dev, "shots": shots} if shots else {}
    answerer = Answerer(transformers=model_name)
    summary = evaluate(test, here / "out", answerer, likelihood_of=TASKS[task][2], **examples)
    rows = map(json.loads, (here / "out/scores.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row for row in rows}, summary


def compared(task, data, model_name, *, shots, n_questions, folder):
    """How many questions score alike, and how far the likelihoods lie apart at most."""
    asked, train = rows_by_split(data / f"exam/{TASKS[task][0]}.jsonl.gz", n_questions)
    started = time.monotonic()
    ours, summary = our_scores(task, asked, train, model_name, shots=shots, folder=folder)
    our_seconds = time.monotonic() - started
    tokenizer, model = load_pretrained(transformers, model_name, dtype=torch.float32, option="--model")
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4)
    started = time.monotonic()
    theirs = harness_scores(task, asked, train, harness, shots=shots, folder=folder / str(shots))
    metrics = [name for name in ("acc", "acc_norm") if name in summary]
    equal = {m: sum(ours[name][m] == theirs[name][m] for name in ours) for m in metrics}
    apart = [abs(a - b) for n in ours for a, b in zip(ours[n]["log_likelihoods"], theirs[n]["nats"], strict=True)]
    found = {
        "questions": len(ours),
        "subjects": len(summary["subject"]),
        "equal": equal,
        "ours": {metric: summary[metric] for metric in metrics},
        "harness": {metric: sum(row[metric] for row in theirs.values()) / len(theirs) for metric in metrics},
        "intervals": summary["intervals"],
        "macro": summary["macro"]["correct"],
        "most_nats_apart": max(apart),
        "our_seconds": round(our_seconds, 1),
        "harness_seconds": round(time.monotonic() - started, 1),
    }
    assert len(theirs) == len(ours) == len(asked)
    assert max(apart) < NATS, max(apart)
    return found


def make_random_llama(folder, model_name):
    """A small Llama of random weights with the tokenizer of a model."""
    tokenizer, _ = load_pretrained(transformers, model_name, dtype=torch.float32, option="--model")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=4096,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True, help="a causal model: a folder or a .gguf")
    parser.add_argument("--questions", type=int, default=500, help="of each benchmark")
    parser.add_argument("--fewer", type=int, default=500, help="of what takes longest: texts, and five examples")
    args = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_HOME"] = folder
        models = {"given": args.model, "random Llama": make_random_llama(Path(folder) / "llama", args.model)}
        for name, shots in [("given", 0), ("random Llama", 0), ("random Llama", MOST_SHOTS), ("given", MOST_SHOTS)]:
            here = Path(folder) / f"{name}-{shots}"
            here.mkdir()
            for task in TASKS:
                few = shots or TASKS[task][2] == "texts"
                n_questions = args.fewer if few else args.questions
                found = compared(task, args.data, models[name], shots=shots, n_questions=n_questions, folder=here)
                figures.setdefault(f"{name}, {shots} shots", {})[task] = found
                record = {"model": Path(args.model).name, "scores": figures}
                write_down("evaluate_choices", record, "lm_eval", "transformers", "torch")


if __name__ == "__main__":
    main()
