"""What synthesis works with: seeds with their extractions and passages, the space, the model."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from kdos.arrays import Float32Array, Int32Array, Int64Array
from kdos.checks import BenchmarkIndex, KnownQuestions
from kdos.config import Config, SynthesizeConfig
from kdos.density import Space
from kdos.logic import ShapeCounts
from kdos.pool import Draft, Extraction, Inventory, Passage, Refusal, Seed, column_values, row_values
from kdos.pool.sentences import is_mostly_unspaced
from kdos.pool.wording import fact_number, normalise_text
from kdos.sampler import Order, Pick, SeedGraph, SeedLinks, build_seed_graph, link_seeds

LONGEST_ENTITY = 8
"""Words of the longest topic entity that is looked for in knowledge points: names are shorter, titles may not be."""
LONGEST_UNSPACED_ENTITY = 16
"""Characters of the longest one in a script without spaces."""
RECORDS_CACHED = 16_384
"""Records of each kind that a library keeps at hand."""


class Library:
    """Row i of `extractions` belongs to row i of `seeds`; passages are found by their id.

    Records that were read lately are remembered: a pick comes back to each several times.
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

    def seed_links(self, inventory: Inventory) -> SeedLinks:
        """Which knowledge points, seeds and documents belong together."""
        points_of = [
            np.array(inventory.rows(texts), np.int64) for texts in column_values(self.extractions, "knowledge_points")
        ]
        documents = _number_names(column_values(self.seeds, "document"))
        # A given question may have no passage; it then counts as a passage of its own.
        seeds = self.seeds.select(["passage", "id"]).to_pylist()
        return link_seeds(
            points_of,
            cells=inventory.cells,
            keys=np.array([fact_number(text) for text in inventory.texts], np.uint64),
            documents=documents,
            passages=_number_names([s["passage"] or f"seed {s['id']}" for s in seeds]),
            entities_of_point=self._name_entities(inventory.texts, points_of, documents),
            domains=column_values(self.seeds, "domain"),
        )

    def _name_entities(
        self, texts: Sequence[str], points_of: Sequence[Int64Array], documents: Int32Array
    ) -> list[Int64Array]:
        """The entities that each knowledge point names, by number: topic entities of its documents' seeds."""
        known: dict[tuple[int, str], int] = {}
        longest = 1
        for document, names in zip(documents, column_values(self.extractions, "topic_entities"), strict=True):
            for name in map(normalise_text, names):
                known.setdefault((int(document), name), len(known))
                longest = max(longest, name.count(" ") + 1)
        documents_of: list[set[int]] = [set() for _ in texts]
        for document, points in zip(documents.tolist(), points_of, strict=True):
            for point in points.tolist():
                documents_of[point].add(document)
        longest = min(longest, LONGEST_ENTITY)
        return [
            _find_known(_word_runs(normalise_text(text), longest), of, known)
            for text, of in zip(texts, documents_of, strict=True)
        ]


@dataclass(frozen=True)
class SynthesisContext:
    """All that synthesis works with, made once for a run.

    `order` says what is wanted, of which cells and knowledge points. `inventory`, `known` and `shapes` grow with the
    pool: knowledge points with their cells, questions, and shapes of logic. `embed_texts` gives vectors of shape
    (n_texts, embedding_dim). `benchmarks` are the questions nobody may train on; `refuse_paraphrases` looks for them
    in other words. `embed_ahead`, where vectors come from a server and are kept, asks it for those of many texts
    before each is needed.
    """

    config: Config
    space: Space
    order: Order
    library: Library
    links: SeedLinks
    inventory: Inventory
    known: KnownQuestions
    embed_texts: Callable[[Sequence[str]], Float32Array]
    shapes: ShapeCounts = field(default_factory=ShapeCounts)
    benchmarks: BenchmarkIndex | None = None
    refuse_paraphrases: Callable[[Sequence[Draft]], list[Refusal | None]] | None = None
    embed_ahead: Callable[[Sequence[str]], object] | None = None

    @property
    def settings(self) -> SynthesizeConfig:
        """The part of the configuration that is about drafts and their acceptance."""
        return self.config.synthesize

    def discipline_of(self, pick: Pick) -> int:
        """The number of a pick's discipline: that of its first seed, as of the samples that come of it."""
        return int(self.links.disciplines.of_seed[pick.seeds[0]])

    @cached_property
    def discipline_of_point(self) -> Int32Array:
        """The number of each knowledge point's discipline, shape (n_points,): that of its first seed."""
        first = [seeds[0] if len(seeds) else 0 for seeds in self.links.seeds_of_point]
        return self.links.disciplines.of_seed[first]

    @cached_property
    def seed_graph(self) -> SeedGraph:
        """The graph of seeds and knowledge points, made when a walk first asks for it."""
        return build_seed_graph(self.links)

    def locate_texts(self, texts: Sequence[str]) -> tuple[Float32Array, Int32Array]:
        """The places of new knowledge points, shape (n_texts, dim), and their cells."""
        points = self.space.project(self.embed_texts(texts))
        return points, self.space.assign_cells(points)


def _word_runs(text: str, longest: int) -> Iterator[str]:
    """Every run of up to `longest` words of a normalised text; of unspaced scripts, of characters."""
    words = text.split()
    for start in range(len(words)):
        for end in range(start + 1, min(start + longest, len(words)) + 1):
            yield " ".join(words[start:end])
    for word in filter(is_mostly_unspaced, words):
        for start in range(len(word)):
            for end in range(start + 1, min(start + LONGEST_UNSPACED_ENTITY, len(word)) + 1):
                yield word[start:end]


def _find_known(runs: Iterable[str], documents: set[int], known: Mapping[tuple[int, str], int]) -> Int64Array:
    """The numbers of those word runs that are entities of any of these documents, each once, ascending."""
    found = {known[document, run] for run in runs for document in documents if (document, run) in known}
    return np.array(sorted(found), np.int64)


def _number_names(names: Sequence[str]) -> Int32Array:
    """Each name's number in the order of first appearance, shape (n_names,)."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int32)
