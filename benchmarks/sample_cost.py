"""What a sample of prose costs in calls and tokens, by task and by part of the prompt; two source trees side by side.

    python benchmarks/sample_cost.py --data DATA [--before SRC] [--drafts 1 2 3 4] [--samples 1000] [--out FILE]

Runs go over HTTP to `serve-rules`, each in a process of its own; SRC is the `src` of an earlier version. The corpora
are articles of SQuAD and pages of a Wikipedia dump, as in `forecast.py`, with a cap on samples. `--drafts` repeats the
runs of this version with other numbers of drafts a call.

Tokens are counted twice: as the mock server says, a quarter of the bytes of the request's whole body and of the reply,
and by Llama 2's tokenizer (the one of `embed: static`) in the messages and the reply. Servers differ in whether a schema
that is forced costs tokens; the first count has it, the second has not. `cached` is the share of the prompt's tokens
that stand in a prefix, in blocks of 16, that an earlier request of the run began with: what a server that keeps
everything need not read again. Tasks are those of the loop, and `seed` and `extract` before it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import orjson
from forecast import corpora
from tokenizers import Tokenizer

import kdos
from kdos.commands.serve_rules import PROMPTS
from kdos.config import read_config
from kdos.llm.mock_server import MockServer, serve_app
from kdos.rules import RulesEngine
from kdos.run import run_config

CORPORA = ("squad articles", "wikipedia dump")
BLOCK = 16
"""Tokens that a prefix cache keeps or drops together: vLLM's default."""
LOOP = ("synthesize", "mend", "judge", "re-extract", "review")
FIGURES = (
    *("samples", "drafts", "refused", "llm_calls", "distinct", "coverage", "unreachable_mass", "kl", "tv"),
    *("adherence", "stop_reason"),
)


class CountingEngine(RulesEngine):
    """The built-in engine, which counts what it is sent and what it says."""

    def __init__(self):
        found = find_spec("wordllama")
        self.tokenizer = Tokenizer.from_file(
            str(Path(found.origin).parent / "tokenizers/l2_supercat_tokenizer_config.json")
        )
        self.blocks = set()
        self.counts = {}
        self.parts = {}

    def complete(self, requests):
        for reply in super().complete(requests):
            self.count_reply(reply)
            yield reply

    def read_tokens(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def count_reply(self, reply):
        request, task = reply.request, name_task(reply.request)
        tokens = [token for message in request.messages for token in self.read_tokens(message["content"])]
        counts = self.counts.setdefault(task, Counter())
        counts.update(
            calls=1, prompt=len(tokens), reply=len(self.read_tokens(reply.text)), cached=self.count_cached(tokens)
        )
        parts = self.parts.setdefault(task, Counter())
        parts["system"] += len(self.read_tokens(request.messages[0]["content"]))
        for name, value in request.inputs.items():
            parts[name] += len(self.read_tokens(orjson.dumps(value).decode()))
        for name, value in name_values(orjson.loads(reply.text)):
            parts[f"reply.{name}"] += len(self.read_tokens(orjson.dumps(value).decode()))

    def count_cached(self, tokens):
        """Tokens of the prefix that an earlier request had; whole blocks."""
        cached, before, known = 0, 0, True
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            before = hash((before, *tokens[start : start + BLOCK]))
            known = known and before in self.blocks
            cached += BLOCK if known else 0
            self.blocks.add(before)
        return cached


def name_task(request):
    """The task, where one prompt serves two: extraction before the loop and in it, a draft and its second try."""
    if request.task == "extract" and request.inputs["claimed"]:
        return "re-extract"
    return "mend" if "failed" in request.inputs else request.task


def name_values(value):
    """The values of a reply by name, those of lists of objects together."""
    for name, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            for each in item:
                yield from each.items()
        else:
            yield name, item


def measure(config, folder):
    """One run's figures."""
    engine, began = CountingEngine(), time.monotonic()
    with serve_app(MockServer(engine, PROMPTS).build_app()) as url:
        config = config | {"engine": {"kind": "http", "url": url, "model": "rules", "concurrency": 16}}
        summary = run_config(read_config(config), folder)
    counts, samples = engine.counts, summary["samples"]
    return {
        **{name: summary.get(name) for name in FIGURES},
        "knowledge_points": summary["reference"]["knowledge_points"],
        "refused_by_reason": {name: summary["stages"][name]["refused"] for name in ("calls", "drafts")},
        "per_sample": {
            "loop": per_sample(counts, LOOP, samples),
            "all": per_sample(counts, counts, samples),
            "as_served": sum(summary["usage"].values()) / samples,
        },
        "tasks": {task: dict(counts[task]) for task in sorted(counts)},
        "tokens_a_call": {
            task: {name: round(total / counts[task]["calls"], 1) for name, total in parts.items()}
            for task, parts in sorted(engine.parts.items())
        },
        "seconds": round(time.monotonic() - began, 1),
    }


def per_sample(counts, tasks, samples):
    """Calls and tokens a sample, of these tasks."""
    total = sum((counts[task] for task in tasks if task in counts), Counter())
    found = {name: round(total[name] / samples, 3) for name in ("calls", "prompt", "reply")}
    return found | {
        "tokens": round(found["prompt"] + found["reply"], 3),
        "cached": round(total["cached"] / total["prompt"], 3),
    }


def run_tree(source, config, folder):
    """`measure` in a process of its own, with the packages of a source tree."""
    (folder / "config.json").write_text(json.dumps(config))
    environment = os.environ | {"PYTHONPATH": str(source.resolve())}
    command = [sys.executable, __file__, "--measure", str(folder)]
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    return json.loads((folder / "found.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=150, help="of the Wikipedia dump")
    parser.add_argument("--drafts", type=int, nargs="+", default=[2])
    parser.add_argument("--corpus", nargs="+", default=CORPORA)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        found = measure(json.loads((args.measure / "config.json").read_text()), args.measure / "run")
        (args.measure / "found.json").write_text(json.dumps(found))
        return
    now = Path(kdos.__file__).parents[1]
    trees = [("before", args.before, 2)] if args.before else []
    trees += [("now", now, drafts) for drafts in args.drafts]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sources = corpora(args.data, Path(folder))
        for name in args.corpus:
            for tree, source, drafts in trees:
                own = Path(folder) / f"{len(results)}"
                own.mkdir()
                config = {
                    "source": sources[name] | ({"limit": args.pages} if "wiki" in name else {}),
                    "random_seed": 7,
                }
                config |= {"budget": {"samples": args.samples}, "synthesize": {"drafts_per_call": drafts}}
                found = run_tree(source, config, own)
                results.append({"corpus": name, "tree": tree, "drafts_per_call": drafts, **found})
                print(json.dumps(results[-1]), flush=True)
    if args.out:
        args.out.write_text(json.dumps({"benchmark": "sample_cost", "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
