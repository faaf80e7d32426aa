"""What synthesis works with: seeds with their extractions and passages, the space, the model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from kdos.arrays import AnyArray, Float32Array, Float64Array, Int32Array, Int64Array
from kdos.checks import BenchmarkIndex, KnownQuestions
from kdos.config import Config, SynthesizeConfig
from kdos.density import Space
from kdos.logic import ShapeCounts
from kdos.pool import Draft, Extraction, Inventory, Passage, Refusal, Seed, column_values, row_values
from kdos.sampler import SeedGraph, SeedLinks, build_seed_graph
from kdos.tasks import Ask

RECORDS_CACHED = 16_384
"""Records of each kind that a library keeps at hand."""


class Library:
    """Row i of `extractions` belongs to row i of `seeds`; passages are found by their id.

    Records that were read lately are remembered: a round comes back to each several times.
    """

    def __init__(self, *, seeds: pa.Table, extractions: pa.Table, passages: pa.Table) -> None:
        self.seeds = seeds
        self.extractions = extractions
        self.passages = passages
        self._passage_rows = {name: row for row, name in enumerate(column_values(passages, "id"))}
        self.seed = lru_cache(RECORDS_CACHED)(self._seed)
        self.extraction = lru_cache(RECORDS_CACHED)(self._extraction)
        self.passage = lru_cache(RECORDS_CACHED)(self._passage)

    def _seed(self, row: int) -> Seed:
        value = row_values(self.seeds, row)
        value["answers"] = tuple(value["answers"])
        return Seed(**value)

    def _extraction(self, row: int) -> Extraction:
        value = row_values(self.extractions, row)
        entities, points = value["topic_entities"], value["knowledge_points"]
        return Extraction(tuple(entities), tuple(points), value["logic"])

    def _passage(self, name: str) -> Passage:
        return Passage(**row_values(self.passages, self._passage_rows[name]))

    def passages_of(self, seeds: Iterable[Seed]) -> list[Passage]:
        """The passages of seeds, in order, each once; a given question may have none."""
        names = dict.fromkeys(seed.passage for seed in seeds if seed.passage)
        return [self.passage(name) for name in names]

    def link_seeds(self, inventory: Inventory, *, n_cells: int) -> SeedLinks:
        """Which knowledge points, seeds and documents belong together."""
        points_of = [
            np.array(inventory.rows(texts), np.int64) for texts in column_values(self.extractions, "knowledge_points")
        ]
        # Pairs of seed and knowledge point, one for each time that a seed holds one.
        sizes = [len(points) for points in points_of]
        seed_rows = np.repeat(np.arange(len(points_of)), sizes)
        held = np.concatenate([*points_of, np.zeros(0, np.int64)])
        documents, n_documents = _number_names(column_values(self.seeds, "document"))
        # A given question may have no passage; it then counts as a passage of its own.
        seeds = self.seeds.select(["passage", "id"]).to_pylist()
        passages, n_passages = _number_names([s["passage"] or f"seed {s['id']}" for s in seeds])
        return SeedLinks(
            cells=inventory.cells,
            documents=documents,
            passages=passages,
            points_of_seed=points_of,
            seeds_of_point=_group_rows(held, seed_rows, len(inventory)),
            points_in_cell=_group_rows(inventory.cells, np.arange(len(inventory)), n_cells),
            points_in_passage=_group_rows(passages[seed_rows], held, n_passages),
            seeds_in_document=_group_rows(documents, np.arange(len(documents)), n_documents),
        )


@dataclass(frozen=True)
class SynthesisContext:
    """All that synthesis works with, made once for a run.

    `log_q` is the target, shape (n_cells,), nats. `inventory`, `known` and `shapes` grow with the
    pool: knowledge points with their cells, questions, and shapes of logic. `ask` sends requests to
    a model, `embed_texts` gives vectors of shape (n_texts, embedding_dim). `benchmarks` are the
    questions nobody may train on; `refuse_paraphrases` looks for them in other words.
    """

    config: Config
    space: Space
    log_q: Float64Array
    library: Library
    links: SeedLinks
    inventory: Inventory
    known: KnownQuestions
    ask: Ask
    embed_texts: Callable[[Sequence[str]], Float32Array]
    shapes: ShapeCounts = field(default_factory=ShapeCounts)
    benchmarks: BenchmarkIndex | None = None
    refuse_paraphrases: Callable[[Sequence[Draft]], list[Refusal | None]] | None = None

    @property
    def settings(self) -> SynthesizeConfig:
        """The part of the configuration that is about drafts and their acceptance."""
        return self.config.synthesize

    @cached_property
    def seed_graph(self) -> SeedGraph:
        """The graph of seeds and knowledge points, made when a walk first asks for it."""
        return build_seed_graph(self.links)

    def locate_texts(self, texts: Sequence[str]) -> tuple[Float32Array, Int32Array]:
        """The places of new knowledge points, shape (n_texts, dim), and their cells."""
        points = self.space.project(self.embed_texts(texts))
        return points, self.space.assign_cells(points)


def _number_names(names: Sequence[str]) -> tuple[Int32Array, int]:
    """Each name's number in the order of first appearance, shape (n_names,), and how many."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(name, len(numbers)) for name in names]
    return np.array(found, np.int32), len(numbers)


def _group_rows(keys: AnyArray, members: AnyArray, n_keys: int) -> list[Int64Array]:
    """The members of each key from 0 to n_keys - 1, in order."""
    # One sort for all keys, then slices of it; a mask for each key would read all rows every time.
    order = np.argsort(keys, kind="stable")
    edges = np.searchsorted(keys[order], np.arange(n_keys + 1))
    ordered = members[order].astype(np.int64)
    return [ordered[edges[key] : edges[key + 1]] for key in range(n_keys)]
