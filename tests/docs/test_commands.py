"""Every command and Python block of the README and the docs is run, page by page, in order.

Each page gets a folder of its own with small real input, made from the documentation of this
Python. Where a page names a server, a mock server serves; where it names a budget, a smaller one is
put in. What cannot be run here is named in `NOT_RUN`.
"""

import gzip
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kdos.cli import main
from kdos.commands.serve_rules import PROMPTS
from kdos.config import SourceConfig, read_config
from kdos.export import read_samples
from kdos.llm.mock_server import MockServer, serve_app
from kdos.pool import Document
from kdos.rules import RulesEngine
from kdos.run import run_config
from kdos.scaling.collapse import recall_curve
from kdos.seed import cut_passages, open_source
from kdos.tasks import ask_seeds

ROOT = Path(__file__).parents[2]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])

RUN = {"bash", "console"}
SHOWN = {"text", "json", "mermaid"}
"""Languages of blocks that are for reading; `yaml` is read as a configuration besides."""
DIRECTIVE = re.compile(r"\{[a-z-]+\}")
"""The language of a block that the site fills in; building the site is its test."""

FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# (\S+\.yaml)\n")

NOT_RUN = {
    "make ": "runs these tests, or what is run here by its own name; the target must exist",
    "pip install 'kdos[": "asks the package index; the extras must exist",
    "pip install embedding-atlas": "asks the package index",
    "embedding-atlas ": "needs Embedding Atlas and a browser; tests/select/test_points.py tests what it reads",
    "python benchmarks/": "minutes of work on a quiet machine; the file must exist",
    "kdos demo": "more than a minute; tests/run tests what it does",
    "kdos train --proxy": "minutes of training; tests/train trains a few small ones",
    "kdos train --model": "needs weights; tests/train teaches a tiny model with random ones",
    "kdos sweep": "minutes of training; tests/train sweeps a small pool",
    "kdos evaluate --benchmark exam.jsonl --transformers": "needs weights; tests/evaluate asks a tiny model",
    "vllm serve": "needs a GPU and weights",
    "ollama pull": "needs Ollama and the network",
    "cd for-llamafactory && llamafactory-cli": "needs LLaMA-Factory and weights",
    "lm_eval run": "needs lm-evaluation-harness, weights and the network",
    "from trl import": "needs TRL and weights",
}
"""What a command or Python block that cannot be run begins with, and why it cannot."""

INSTEAD = {
    "budget: {samples: 5000": "budget: {samples: 12",
    '"budget": {"samples": 200}': '"budget": {"samples": 40}',
    '"source": {"kind": "pydocs"}': '"source": {"kind": "pydocs", "limit": 3}',
    "--budget 10000": "--budget 20",
    "--budget 20000": "--budget 20",
    "--benchmark nq_open": "--benchmark questions.jsonl",
    "measured.select(20_000,": "measured.select(20,",
    "measured.select(100,": "measured.select(20,",
    "--paths 100000": "--paths 200",
    "count=10_000": "count=100",
    "qwen3-32b": "rules",
    "Qwen/Qwen3-8B\n": "rules\n",
    "qwen3:8b\n": "rules\n",
    "deepseek-chat": "rules",
    "--test-share 0.2": "--test-share 0.5",
    "--port 8000": "--port 0",
    " --push you/articles": "",
    " --push you/facts": "",
}
"""Smaller budgets, and what stands in for models, downloads and the Hub."""

SERVERS = ("http://127.0.0.1:8000/v1", "http://127.0.0.1:11434/v1", "https://api.deepseek.com/v1")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` is that of its first line of text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its commands, comments left out and continued lines joined."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        commands = [line.removeprefix("$ ").strip() for line in lines]
        return [command for command in commands if command and not command.startswith("#")]


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, from top to bottom."""
    text = (ROOT / page).read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start(2)) + 1, found[1].strip(), found[2])
        for found in FENCE.finditer(text)
    ]


BLOCKS = {page: blocks_of(page) for page in PAGES}


def not_run(code: str) -> str | None:
    """Which entry of `NOT_RUN` a command or a Python block is, if any."""
    return next((start for start in NOT_RUN if code.startswith(start)), None)


def all_code() -> Iterator[str]:
    """Every command and every Python block of every page."""
    for block in (block for blocks in BLOCKS.values() for block in blocks):
        if block.language in RUN:
            yield from block.commands
        elif block.language == "python":
            yield block.text


class TestThePages:
    @pytest.mark.parametrize("page", PAGES)
    def test_a_block_has_a_language_that_is_known(self, page):
        for block in BLOCKS[page]:
            known = {*RUN, *SHOWN, "yaml", "python"}
            assert block.language in known or DIRECTIVE.fullmatch(block.language), (
                f"{page}:{block.line}: name the language of this block, one of {sorted(known)}. Got {block.language!r}"
            )

    @pytest.mark.parametrize("page", PAGES)
    def test_no_command_hides_in_a_block_that_is_not_run(self, page):
        for block in BLOCKS[page]:
            if block.language in SHOWN:
                assert not re.search(r"^(\$ |kdos |make |pip |python )", block.text, re.MULTILINE)

    def test_what_is_not_run_is_still_there(self):
        unused = set(NOT_RUN) - {not_run(code) for code in all_code()}
        # Benchmarks are named in running text and in tables; a block may name one at any time.
        assert unused <= {"python benchmarks/"}

    def test_what_is_put_in_is_still_needed(self):
        everything = "".join(b.text for blocks in BLOCKS.values() for b in blocks)
        assert [old for old in (*INSTEAD, *SERVERS) if old not in everything] == []

    def test_extras_targets_and_benchmarks_exist(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        makefile = (ROOT / "Makefile").read_text("utf-8")
        for code in all_code():
            words = shlex.split(code, comments=True) if not_run(code) else []
            if code.startswith("make "):
                assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), code
            elif code.startswith("pip install 'kdos["):
                extras = words[2].partition("[")[2].rstrip("]").split(",")
                assert set(extras) <= set(project["optional-dependencies"]), code
            elif code.startswith("python benchmarks/"):
                assert (ROOT / words[1]).exists(), code


@pytest.fixture(scope="module")
def workshop(tmp_path_factory) -> Path:
    """The files that the pages speak of, and a finished run."""
    folder = tmp_path_factory.mktemp("workshop")
    with gzip.open(folder / "articles.jsonl.gz", "wt", encoding="utf-8") as file:
        for document in some_documents():
            file.write(json.dumps({"id": document.id, "text": document.text[:2000]}) + "\n")
    (folder / "papers").mkdir()
    for document in some_documents():
        (folder / "papers" / f"{document.id}.txt").write_text(document.text[:2000], encoding="utf-8")
    source = {"kind": "pydocs", "limit": 3}
    run_config(read_config({"source": source, "budget": {"samples": 60}}), folder / "runs" / "corpus")
    shutil.copytree(folder / "runs" / "corpus", folder / "runs" / "articles")
    samples = read_samples(folder / "runs" / "corpus").to_pylist()
    write_questions(folder, samples)
    write_tables(folder, samples)
    write_measurements(folder / "lab" / "measurements.csv")
    law = ["--out", str(folder / "law.json"), "--json"]
    assert main(["scaling", "fit", str(folder / "lab" / "measurements.csv"), *law]) == 0
    (folder / "run.yaml").write_text("source: {kind: text, path: articles.jsonl.gz}\n")
    return folder


def some_documents() -> list[Document]:
    """The first modules of this Python's documentation."""
    found = open_source(SourceConfig(kind="pydocs"))
    return [item for item in islice(found, 5) if isinstance(item, Document)]


def write_questions(folder: Path, samples: list[dict[str, Any]]) -> None:
    """Questions with their answers, answers that are right but for the first, and samples."""
    asked = ("id", "question", "answers")
    rows = [{key: sample[key] for key in asked} for sample in samples]
    given = [{"id": sample["id"], "answer": sample["answer"]} for sample in samples]
    given[0]["answer"] = "I do not know."
    write_lines(folder / "questions.jsonl", rows)
    write_lines(folder / "benchmark.jsonl", rows[:20])
    write_lines(folder / "answers.jsonl", given)
    write_lines(folder / "samples.jsonl", samples)
    exam = {"choices": ["1 km", "2 km"], "answer": 0, "subject": "rivers"}
    write_lines(
        folder / "exam.jsonl", [{"id": str(n), "question": f"How long is river {n}?", **exam} for n in range(4)]
    )
    write_lines(folder / "chosen.jsonl", [{"id": str(n), "answer": "AB"[n % 2]} for n in range(4)])
    (folder / "questions.jsonl.gz").write_bytes(gzip.compress((folder / "questions.jsonl").read_bytes()))


def write_tables(folder: Path, samples: list[dict[str, Any]]) -> None:
    """The same in the layouts of others."""
    prompts = [{"prompt": s["question"], "completion": s["answer"]} for s in samples]
    squad = [
        {
            "id": s["id"],
            "question": s["question"],
            "answers": s["answers"],
            "context": " ".join(part["quote"] for part in s["evidence"]),
        }
        for s in samples[:8]
    ]
    pq.write_table(pa.Table.from_pylist(prompts), folder / "data.parquet")
    pq.write_table(pa.Table.from_pylist(squad), folder / "squad.parquet")
    (folder / "simpleqa.csv").write_text(
        "metadata,problem,answer\n{},In which year was the harbour of Port Alder opened?,1872\n"
    )


def write_measurements(path: Path) -> None:
    """Runs of made-up proxies that follow a power law."""
    rows = ["params,presentations,facts,recall,random_seed"]
    for params, shown in product((6144, 13_824, 24_576, 55_296), (96_000, 192_000)):
        k50 = 1400 * (params / 6144) ** 0.6 * (shown / 192_000) ** 0.4
        for facts in (round(k50 / 4 * 2 ** (step / 2)) for step in range(7)):
            recall = recall_curve(np.log(facts), np.log(k50), np.array(0.25), floor=1 / 64)
            rows += [f"{params},{shown},{facts},{float(recall):.4f},{seed}" for seed in (0, 1)]
    path.parent.mkdir()
    path.write_text("\n".join(rows) + "\n", "utf-8")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def given_names(folder: Path) -> dict[str, Any]:
    """What Python blocks take for granted."""
    passage = next(cut_passages(some_documents()[0]))
    samples = read_samples(folder / "runs" / "corpus")
    kps = {kp for row in samples.column("knowledge_points").to_pylist() for kp in row}
    return {"requests": [ask_seeds(passage, per_passage=2)], "batches": samples.to_batches(), "loss": [1.0] * len(kps)}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a mock server."""
    with serve_app(MockServer(RulesEngine(), PROMPTS).build_app()) as url:
        yield url


@dataclass
class Reader:
    """Somebody who does what a page says, in a folder, block after block."""

    folder: Path
    server: str
    names: dict[str, Any]

    def follow(self, block: Block) -> None:
        """Run a block, or read it as a configuration."""
        if block.language in RUN:
            for command in block.commands:
                if not not_run(command):
                    self.order(self.fitted(command))
        elif block.language == "python" and not not_run(block.text):
            script = self.folder / f"line_{block.line}.py"
            script.write_text(self.fitted(block.text), "utf-8")
            self.names |= runpy.run_path(str(script), self.names)
        elif block.language == "yaml":
            self.configure(self.fitted(block.text))

    def fitted(self, text: str) -> str:
        """The text with what stands in for what is not here."""
        for old, new in INSTEAD.items():
            text = text.replace(old, new)
        for old in SERVERS:
            text = text.replace(old, self.server)
        return text

    def order(self, command: str) -> None:
        """Run one command."""
        words = shlex.split(command, comments=True)
        if words[:2] == ["kdos", "serve-rules"]:
            check_serving(words[2:])
        elif words[0] == "kdos" and not re.search(r"[|&;<>$`]", command):
            assert call(words[1:]) == 0, command
        else:
            subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True, timeout=60)

    def configure(self, text: str) -> None:
        """Write a configuration that has a name; the parts of others must be readable."""
        if named := NAMED.match(text):
            (self.folder / named[1]).write_text(text, "utf-8")
        value = yaml.safe_load(text)
        read_config({"source": {"kind": "pydocs"}} | value)


def call(arguments: list[str]) -> int:
    """The exit code of `kdos` with these arguments, in this process: starting one takes longer."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


def check_serving(arguments: list[str]) -> None:
    """`kdos serve-rules` says where it answers, and goes on until it is stopped."""
    command = [sys.executable, "-m", "kdos", "serve-rules", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout
            assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
            assert process.poll() is None
        finally:
            process.kill()


def runs_something(page: str) -> bool:
    """Whether a page holds anything to follow."""
    return any(block.language in {*RUN, "python", "yaml"} for block in BLOCKS[page])


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runs_something(page)])
def test_a_page_does_what_it_says(page, workshop, server, tmp_path, monkeypatch):
    text = (ROOT / page).read_text("utf-8")
    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for key in re.findall(r"key_env: ([A-Z_]+)", text):
        monkeypatch.setenv(key, "a key that nobody asks for")
    reader = Reader(tmp_path, server, given_names(tmp_path))
    for name in re.findall(r"^kdos run (\w+)\.yaml", text, re.MULTILINE):
        shutil.rmtree(tmp_path / "runs" / name, ignore_errors=True)  # the page makes it itself
    for block in BLOCKS[page]:
        try:
            reader.follow(block)
        except Exception as error:
            error.add_note(f"{page}:{block.line}\n{block.text}")
            raise
