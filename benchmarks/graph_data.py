"""Graphs to walk on: a synthetic one with Zipf popularity, and those of public data sets."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from kdos.graph import Incidence, IncidenceBuilder, build_incidence

TRIPLES = ("entityquestions_train", "trex_kilt_dev", "zsre_kilt_dev", "rome_known_1000")


def zipf_graph(
    *, n_kps: int = 200_000, n_samples: int = 2_000_000, topics: int = 500, random_seed: int = 7
) -> tuple[Incidence, np.ndarray]:
    """Samples of 3 to 5 KPs of one topic, 15 % of them from anywhere; and each KP's topic.

    Popularity falls as rank^-0.85, over topics and within them.
    """
    rng = np.random.default_rng(random_seed)
    topic_of = np.sort(rng.integers(0, topics, n_kps))
    rising = np.concatenate([[0.0], np.cumsum((rng.permutation(n_kps) + 1.0) ** -0.85)])
    low, high = (rising[np.searchsorted(topic_of, np.arange(topics) + i)] for i in (0, 1))
    sizes = rng.choice([3, 4, 5, 6], n_samples, p=[0.3, 0.3, 0.25, 0.15])
    topic = np.repeat(rng.choice(topics, n_samples, p=(high - low) / rising[-1]), sizes)
    bottom, top = low[topic], high[topic]
    astray = rng.random(len(topic)) < 0.15
    bottom[astray], top[astray] = 0.0, rising[-1]
    points = bottom + (top - bottom) * rng.random(len(topic))
    kps = np.searchsorted(rising, points, side="right") - 1
    known, kps = np.unique(kps, return_inverse=True)
    return build_incidence(kps, sizes, n_kps=len(known)), topic_of[known]


def real_graphs(data: Path | None) -> dict[str, Incidence]:
    """Each real graph by name; none without a folder of data sets.

    `tal_routes`: TAL-SCQ5K, a KP is a whole route of the annotation, most samples have one.
    `tal_steps`: the same, each step of a route is a KP. `triples`: subject and object of four sets
    of triples, each triple a sample. `wikidata`: the same of SimpleQuestions on Wikidata.
    """
    if data is None:
        return {}
    routes = [row["knowledge_points"] for row in _rows(data, "exam/tal_scq5k")]
    steps = [[step for route in kps for step in route] for kps in routes]
    triples = [
        [row["subject"], row.get("object") or row["answers"][0]]
        for name in TRIPLES
        for row in _rows(data, f"triples/{name}")
    ]
    facts = _rows(data, "triples/simplequestions_wikidata")
    lists: dict[str, list[Any]] = {
        "tal_routes": routes,
        "tal_steps": steps,
        "triples": triples,
        "wikidata": [[row["subject"], row["object"]] for row in facts],
    }
    return {name: _graph(kps) for name, kps in lists.items()}


def _graph(lists: list[Any]) -> Incidence:
    builder = IncidenceBuilder()
    builder.add(pa.array(lists))
    return builder.build()[0]


def _rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(data / f"{name}.jsonl.gz") as file:
        for line in file:
            yield orjson.loads(line)
