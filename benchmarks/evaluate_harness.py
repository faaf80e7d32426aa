"""Scores equal to lm-evaluation-harness's own, on the same answers.

    pip install lm-eval==0.4.13
    python benchmarks/evaluate_harness.py --data DATA [--questions 200]

The harness's tasks nq_open, triviaqa and webqs run as they are published, but read local rows; its
model is a script that gives each question an answer made from its gold answers. Each question is
asked once for each way to make an answer. The harness's score of every single answer is compared
with `em_harness`, and its mean with ours.
"""

import argparse
import gzip
import json
import os
import tempfile
from collections import Counter
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}

import lm_eval.tasks
import yaml
from density_worlds import write_down
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from kdos.scoring import BenchmarkQuestion, score_answer

TASKS = {"nq_open": "nq_open", "triviaqa": "triviaqa", "webqs": "webquestions"}
PUBLISHED = {"nq_open": "nq_open/nq_open.yaml", "triviaqa": "triviaqa/default.yaml", "webqs": "webqs/webqs.yaml"}
WAYS = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "an article before it": lambda gold: "the " + gold,
    "a capital article before it": lambda gold: "The " + gold,
    "a full stop": lambda gold: gold + ".",
    "spaces around it": lambda gold: f"  {gold} ",
    "two spaces for one": lambda gold: gold.replace(" ", "  "),
    "quotes": lambda gold: f'"{gold}"',
    "goes on": lambda gold: gold + " and more",
    "cut": lambda gold: gold[:-1],
    "in a sentence": lambda gold: f"It is {gold}",
    "nothing": lambda gold: "",
}


class Script(LM):
    """A model that answers each question as it was told to."""

    def generate_until(self, requests):
        return [request.doc["given"] for request in requests]

    def loglikelihood(self, requests):
        """Greedy decoding begins with a text where the answer, after its space, does."""
        pairs = [(request.args[1], " " + request.doc["given"]) for request in requests]
        return [(-1.0, answer.startswith(text)) for text, answer in pairs]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def rows_of(path, shape, n_questions):
    """Every question once for each way to answer it, in the layout of the task's dataset."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream][:n_questions]
    return [
        {
            "question": row["question"],
            "golds": row["answers"],
            "way": way,
            "given": make(row["answers"][number % len(row["answers"])]),
            **shape(row["answers"]),
        }
        for number, row in enumerate(rows)
        for way, make in WAYS.items()
    ]


SHAPES = {
    "nq_open": lambda golds: {"answer": golds},
    "triviaqa": lambda golds: {"answer": {"aliases": golds}},
    "webqs": lambda golds: {"answers": sorted(golds)},
}


def evaluated(task, rows, folder):
    """The harness's exact match of every row in its order, and its mean."""
    data, local = folder / f"{task}.jsonl", folder / f"{task}.yaml"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    changed = {
        "include": str(Path(lm_eval.tasks.__path__[0]) / PUBLISHED[task]),
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(data), "validation": str(data)}},
        "training_split": None,
    }
    local.write_text(yaml.safe_dump(changed), encoding="utf-8")
    found = lm_eval.simple_evaluate(
        Script(),
        tasks=[str(local)],
        num_fewshot=0,
        bootstrap_iters=0,
        task_manager=TaskManager(include_defaults=False),
    )
    samples = sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    (mean,) = (value for name, value in found["results"][task].items() if name.startswith("exact_match,"))
    return [float(sample["exact_match"]) for sample in samples], mean


def compared(task, path, folder, n_questions):
    """How many answers score alike, how many were right, and what differs by way."""
    rows = rows_of(path, SHAPES[task], n_questions)
    theirs, mean = evaluated(task, rows, folder)
    ours = [
        score_answer(
            row["given"], BenchmarkQuestion("", row["question"], tuple(row["golds"]), benchmark=TASKS[task])
        ).em_harness
        for row in rows
    ]
    differ = [row for row, a, b in zip(rows, ours, theirs, strict=True) if a != b]
    return {
        "answers": len(rows),
        "equal": len(rows) - len(differ),
        "harness_mean": float(mean),
        "our_mean": sum(ours) / len(ours),
        "differ_by_way": dict(Counter(row["way"] for row in differ)),
        "some_that_differ": [[row["given"], row["golds"][:3]] for row in differ[:8]],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=200, help="of each benchmark")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_HOME"] = folder
        figures = {
            task: compared(task, args.data / f"qa/{name}.jsonl.gz", Path(folder), args.questions)
            for task, name in TASKS.items()
        }
    write_down("evaluate_harness", {"tasks": figures}, "lm_eval")


if __name__ == "__main__":
    main()
