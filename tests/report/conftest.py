"""A run on disk, small but made by the real space, target, steering and acceptance."""

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kdos.arrays import Float64Array
from kdos.chance import keyed_generator
from kdos.cost import Cost
from kdos.density import Reference, Space, fit_space, measure_health
from kdos.pool import ErrorClass
from kdos.report.saved_run import SavedRun, read_saved_run
from kdos.store import write_arrays, write_json, write_parquet
from kdos.targets import Gap, measure_gap, tempered_target, water_filled_quotas

PER_SAMPLE = 3
DRAFTS_PER_ROUND = 200
REASONS = {
    "answer_in_question": ErrorClass.QUESTION,
    "answer_not_in_passage": ErrorClass.ANSWER,
    "logic_unreadable": ErrorClass.KNOWLEDGE_LOGIC,
    "not_an_object": ErrorClass.FORMAT_MISMATCH,
}
VERDICTS = pa.schema(
    [
        ("draft", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("accepted", pa.bool_()),
        ("reason", pa.string()),
        ("error_class", pa.string()),
        ("detail", pa.string()),
        ("cells", pa.list_(pa.int32())),
        ("deficit", pa.float64()),
        ("domain", pa.string()),
    ]
)


@dataclass(frozen=True)
class Fact:
    """A knowledge point and the part of the source that it comes from."""

    text: str
    domain: str


def some_facts() -> list[Fact]:
    """Facts of uneven density: a few makers have most of the engines."""
    rng = keyed_generator(11, "facts")
    makers = ["Perkins", "Cummins", "Deutz", "Kubota", "Isuzu", "MTU", "Lister", "Ruston"]
    facts: dict[str, Fact] = {}
    while len(facts) < 420:
        maker = makers[min(int(rng.geometric(0.4)) - 1, 7)]
        number = int(rng.integers(100, 999))
        what = ["cylinders", "litres", "horsepower", "valves"][int(rng.integers(4))]
        text = f"The {maker} {number} diesel engine has {int(rng.integers(2, 99))} {what}."
        facts[text] = Fact(text, maker)
    return list(facts.values())


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a blind one beside it."""
    run = tmp_path_factory.mktemp("runs") / "engines"
    write_run(run, some_facts(), samples=240)
    return run


@pytest.fixture(scope="session")
def run(finished_run: Path) -> SavedRun:
    """What the report reads of the finished run."""
    return read_saved_run(finished_run)


HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "</style><style>body{display:none}</style>",
    "</textarea></title><svg onload=window.hacked=1>",
    "{{ 7 * 7 }} {% raw %} ${window.hacked=1}",
    "javascript:window.hacked=1 \u2028\u2029 &lt;b&gt;",
    "\u202eright to left\u202c שלום مرحبا 你好 🦜",
)


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose source was written to break the page."""
    run = tmp_path_factory.mktemp("runs") / "a<b>&\"'"
    facts = [
        Fact(f"The {fact.text.split()[1]} says {HOSTILE[i % len(HOSTILE)]} {i} times.", HOSTILE[i % 3])
        for i, fact in enumerate(some_facts())
    ]
    write_run(run, facts, samples=120)
    (run / "run.yaml").write_text("target: '</script><img src=x onerror=window.hacked=1>'\n")
    return run


@pytest.fixture
def running_run(finished_run: Path, tmp_path: Path) -> Path:
    """A run that is still going: no summary, no blind run."""
    run = tmp_path / "going"
    shutil.copytree(finished_run, run, ignore=shutil.ignore_patterns("blind", "summary.json"))
    return run


def write_run(run: Path, facts: Sequence[Fact], *, samples: int) -> None:
    """Write every artefact that the report reads, with a blind run beside it."""
    space, reference = fit_space([a_vector(fact) for fact in facts], embedder="by domain")
    write_reference(run, facts, space, reference)
    log_q = tempered_target(space.log_volumes, reference.counts, 0.5)
    quota = water_filled_quotas(log_q, samples * PER_SAMPLE)
    loop = Loop(facts, reference, log_q, quota, samples)
    parts = loop.write(run / "synthesize", rule="pace")
    write_parquet_of(
        run / "target.parquet",
        {
            "cell": pa.array(range(space.n_cells), pa.int32()),
            "quota": pa.array(quota, pa.int64()),
            "q": pa.array(np.exp(log_q), pa.float64()),
            "reachable": pa.array([cell != 5 for cell in range(space.n_cells)]),
        },
    )
    blind_parts = loop.write(run / "blind" / "synthesize", rule="all")
    write_json(run / "blind" / "summary.json", summarise(blind_parts, space))
    write_json(run / "summary.json", summarise(parts, space))


def a_vector(fact: Fact) -> Float64Array:
    """Facts of one domain lie together."""
    near = keyed_generator(5, fact.text).normal(scale=0.4, size=16)
    return keyed_generator(5, fact.domain).normal(size=16) + near


def write_reference(run: Path, facts: Sequence[Fact], space: Space, reference: Reference) -> None:
    """Configuration, space, seeds and the reference knowledge points."""
    run.mkdir(parents=True)
    (run / "run.yaml").write_text("embed: lexical\ntarget: sqrt\nfingerprint: 0f0f\n")
    header, arrays = space.to_arrays()
    header["health"] = measure_health([fact.text for fact in facts], reference.points, space).as_json()
    write_arrays(run / "space", header, arrays)
    domains = sorted({fact.domain for fact in facts})
    write_parquet_of(
        run / "seed" / "documents.parquet", {"id": domains, "title": domains, "licence": ["CC-BY-4.0"] * len(domains)}
    )
    write_parquet_of(
        run / "seed" / "seeds.parquet",
        {"id": [f"q{i}" for i in range(len(facts))], "domain": [fact.domain for fact in facts]},
    )
    write_parquet_of(
        run / "extract" / "knowledge_points.parquet",
        {
            "text": [fact.text for fact in facts],
            "multiplicity": pa.array([1] * len(facts), pa.int64()),
            "cell": pa.array(reference.cells, pa.int32()),
            "log10_density": reference.log_density / math.log(10),
            "novel": [False] * len(facts),
            "x": reference.points[:, 0],
            "y": reference.points[:, 1],
            "seeds": [[f"q{i}"] for i in range(len(facts))],
        },
    )


@dataclass
class Loop:
    """Drafts from random facts until the pool is full, kept or refused by a rule like the real one."""

    facts: Sequence[Fact]
    reference: Reference
    log_q: Any
    quota: Any
    wanted: int
    held: int = 0

    def write(self, folder: Path, *, rule: str) -> list[dict[str, Any]]:
        """Write the parts of a loop under `rule`; returns what each part.json holds."""
        counts = np.zeros(len(self.quota), np.int64)
        exposures: Counter[int] = Counter()
        parts: list[dict[str, Any]] = []
        held = 0
        while held < self.wanted and len(parts) < 30:
            drafts = list(self.drafts(rule, len(parts) + 1))
            judged = []
            for draft in drafts:
                verdict = self.judge(draft, counts, rule)
                if held + sum(v["accepted"] for v in judged) >= self.wanted:
                    break
                judged.append(verdict)
                if verdict["accepted"]:
                    np.add.at(counts, verdict["cells"], 1)
                    exposures.update(draft["points"])
            held += sum(verdict["accepted"] for verdict in judged)
            self.held = held
            gap = measure_gap(counts, self.log_q)
            order, filled = int(self.quota.sum()), int(np.minimum(counts, self.quota).sum())
            covered = {"distinct": len(exposures), "order": order, "filled": filled}
            parts.append(self.write_part(folder, drafts, judged, gap, len(parts) + 1, covered))
        write_parquet_of(folder / "knowledge_points.parquet", self.taught(exposures))
        return parts

    def drafts(self, rule: str, number: int) -> Iterator[dict[str, Any]]:
        """Facts of one domain each; where it is not blind, from a cell drawn evenly."""
        rng = keyed_generator(3, rule, number)
        cells = [np.flatnonzero(self.reference.cells == c) for c in range(len(self.quota))]
        domains = np.array([fact.domain for fact in self.facts])
        alike = {domain: np.flatnonzero(domains == domain) for domain in set(domains)}
        for i in range(DRAFTS_PER_ROUND):
            start = int(rng.integers(len(self.facts)))
            if rule != "all":
                start = int(rng.choice(cells[rng.integers(len(cells))]))
            others = rng.choice(alike[domains[start]], PER_SAMPLE - 1).tolist()
            yield {"id": f"{number:04d}-{i}", "points": [start, *others]}

    def judge(self, draft: dict[str, Any], counts: Any, rule: str) -> dict[str, Any]:
        """The verdict: every eleventh draft has an error, the others are kept while their cells have room."""
        number = int(draft["id"].rpartition("-")[2])
        start = self.facts[draft["points"][0]]
        cells = [int(self.reference.cells[k]) for k in draft["points"]]
        gain = float(np.mean(np.log(self.quota[cells] + 0.5) - np.log(counts[cells] + 0.5)))
        crowded = rule != "all" and bool(np.any(counts[cells] >= 1.2 * self.quota[cells]))
        reason, error_class = "crowded" if crowded else "", ErrorClass.DISTRIBUTION.value
        if number % 11 == 0:
            reason, error = list(REASONS.items())[number % 4]
            error_class = error.value
        return {
            "draft": draft["id"],
            "question": f"Which engine is it? {start.text}",
            "answer": answer_of(start.text),
            "accepted": not reason,
            "reason": reason,
            "error_class": error_class if reason else "",
            "detail": "",
            "cells": [] if error_class == ErrorClass.FORMAT_MISMATCH else cells,
            "deficit": gain,
            "domain": start.domain,
        }

    def write_part(
        self,
        folder: Path,
        drafts: Sequence[dict[str, Any]],
        judged: Sequence[dict[str, Any]],
        gap: Gap,
        number: int,
        covered: dict[str, int],
    ) -> dict[str, Any]:
        """Write one part's three files."""
        at = folder / f"part-{number:05d}"
        kept = [d for d, v in zip(drafts, judged, strict=False) if v["accepted"]]
        write_parquet(at / "verdicts.parquet", pa.Table.from_pylist(list(judged), VERDICTS), VERDICTS)
        write_parquet_of(at / "samples.parquet", self.samples(kept, number))
        refused = [v for v in judged if not v["accepted"]]
        record = {
            "part": number,
            "picks": len(judged),
            "drafts": len(judged),
            "accepted": len(kept),
            "refused": dict(Counter(v["reason"] for v in refused)),
            "classes": dict(Counter(v["error_class"] for v in refused)),
            "kl": gap.kl,
            "tv": gap.tv,
            "floor": gap.floor,
            "log10_density": 1.5 - 0.01 * number,
            "effective_cells": 50.0 + number,
            "effective_shapes": 2.0 + number,
            "samples": self.held,
            "knowledge_points": self.held * PER_SAMPLE,
            **covered,
            "failed": {},
            "unreachable_mass": 0.01,
            "seconds": 0.5,
            "needed": (self.wanted - self.held) // 2,
            "spent": asdict(Cost(50 + 2 * number, 1_000 + 900.0 * number, 100.0 * number, 0.01 * number)),
        }
        if number == 1:
            record["spent_before"] = asdict(Cost(50, 1_000, 0, 0.0))
        write_json(at / "part.json", record)
        return record

    def samples(self, kept: Sequence[dict[str, Any]], number: int) -> dict[str, Any]:
        """The columns of accepted samples."""
        points = [[self.facts[k].text for k in draft["points"]] for draft in kept]
        answers = [answer_of(texts[0]) for texts in points]
        return {
            "id": [draft["id"] for draft in kept],
            "question": [f"Which engine is it? {texts[0]}" for texts in points],
            "answer": answers,
            "answers": [[answer] for answer in answers],
            "topic_entities": [[texts[0].split()[1]] for texts in points],
            "knowledge_points": points,
            "logic": [a_logic(texts, a) for texts, a in zip(points, answers, strict=True)],
            "distractors": [["701", "702"] for _ in kept],
            "domain": [self.facts[draft["points"][0]].domain for draft in kept],
            "document": [self.facts[draft["points"][0]].domain for draft in kept],
            "answer_start": [4 for _ in kept],
            "answer_end": [7 for _ in kept],
            "seeds": [[f"q{k}" for k in draft["points"]] for draft in kept],
            "cells": pa.array(
                [[int(self.reference.cells[k]) for k in draft["points"]] for draft in kept], pa.list_(pa.int32())
            ),
            "engine": ["rules" for _ in kept],
            "part": [number for _ in kept],
        }

    def taught(self, exposures: Counter[int]) -> dict[str, Any]:
        """The columns of the pool's knowledge points."""
        rows = sorted(exposures)
        return {
            "text": [self.facts[k].text for k in rows],
            "cell": pa.array(self.reference.cells[rows], pa.int32()),
            "log10_density": self.reference.log_density[rows] / math.log(10),
            "x": self.reference.points[rows, 0],
            "y": self.reference.points[rows, 1],
            "exposures": pa.array([exposures[k] for k in rows], pa.int64()),
        }


def answer_of(text: str) -> str:
    """What a fact is asked for: its third word and the rest."""
    return " ".join(text.split()[2:])


def a_logic(points: Iterable[str], answer: str) -> str:
    """A flowchart from each knowledge point to the answer."""
    lines = [f'  k{i}["{point}"] --> a["{answer}"]' for i, point in enumerate(points)]
    return "\n".join(["flowchart TD", *lines])


def summarise(parts: Sequence[dict[str, Any]], space: Space) -> dict[str, Any]:
    """The summary that a finished run prints."""
    refused: Counter[str] = Counter()
    for record in parts:
        refused.update(record["refused"])
    drafts = sum(record["drafts"] for record in parts)
    accepted = sum(record["accepted"] for record in parts)
    last = parts[-1]
    return {
        "samples": accepted,
        "drafts": drafts,
        "refused": refused.total(),
        "llm_calls": 2 * drafts,
        **{key: last[key] for key in ("kl", "tv", "log10_density")},
        "unreachable_mass": 0.01,
        "stop_reason": "covered",
        "cost_usd": 0.0,
        "seconds": 12.5,
        "space": space.fingerprint,
        "target": "sqrt",
        "stages": {
            "document": {"in": 8, "out": 7, "refused": {"empty": 1}},
            "drafts": {"in": drafts, "out": accepted, "refused": dict(refused)},
        },
        "usage": {"prompt_tokens": 1_234_567, "completion_tokens": 89_012},
    }


def write_parquet_of(path: Path, columns: dict[str, Any]) -> None:
    """Write columns as one Parquet file."""
    table = pa.table(columns)
    write_parquet(path, table, table.schema)
