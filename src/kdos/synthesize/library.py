"""The shelf that drafts are written from: seeds, their extractions and passages, by row."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from kdos.arrays import AnyArray, Int32Array, Int64Array
from kdos.pool import Extraction, Inventory, Passage, Seed, row_of, values
from kdos.sampler import Links

REMEMBERED = 16_384
"""Records of each kind that a library keeps at hand."""


class Library:
    """Row i of `extractions` belongs to row i of `seeds`; passages are found by their id.

    Records that were read lately are remembered: a round comes back to each several times.
    """

    def __init__(self, *, seeds: pa.Table, extractions: pa.Table, passages: pa.Table) -> None:
        self.seeds = seeds
        self.extractions = extractions
        self.passages = passages
        self._passage_rows = {name: row for row, name in enumerate(values(passages, "id"))}
        self.seed = lru_cache(REMEMBERED)(self._seed)
        self.extraction = lru_cache(REMEMBERED)(self._extraction)
        self.passage = lru_cache(REMEMBERED)(self._passage)

    def _seed(self, row: int) -> Seed:
        """The seed in this row."""
        value = row_of(self.seeds, row)
        value["answers"] = tuple(value["answers"])
        return Seed(**value)

    def _extraction(self, row: int) -> Extraction:
        """The extraction of the seed in this row."""
        value = row_of(self.extractions, row)
        return Extraction(
            topic_entities=tuple(value["topic_entities"]),
            knowledge_points=tuple(value["knowledge_points"]),
            logic=value["logic"],
        )

    def _passage(self, name: str) -> Passage:
        """The passage of this id."""
        return Passage(**row_of(self.passages, self._passage_rows[name]))

    def shelf(self, seeds: Iterable[Seed]) -> list[Passage]:
        """The passages of seeds, in order, each once; a given question may have none."""
        names = dict.fromkeys(seed.passage for seed in seeds if seed.passage)
        return [self.passage(name) for name in names]

    def links(self, inventory: Inventory, *, n_cells: int) -> Links:
        """Which knowledge points, seeds and documents belong together."""
        points_of = [
            np.array(inventory.rows(texts), np.int64)
            for texts in values(self.extractions, "knowledge_points")
        ]
        seed_rows = np.repeat(np.arange(len(points_of)), [len(points) for points in points_of])
        held = np.concatenate([*points_of, np.zeros(0, np.int64)])
        documents, n_documents = _numbered(values(self.seeds, "document"))
        # A given question may have no passage; it is then a shelf of its own.
        shelves = zip(values(self.seeds, "passage"), values(self.seeds, "id"), strict=True)
        passages, n_passages = _numbered([passage or f"seed {name}" for passage, name in shelves])
        return Links(
            cells=inventory.cells,
            documents=documents,
            passages=passages,
            points_of=points_of,
            seeds_of=_groups(held, seed_rows, len(inventory)),
            points_in=_groups(inventory.cells, np.arange(len(inventory)), n_cells),
            points_at=_groups(np.repeat(passages, [len(p) for p in points_of]), held, n_passages),
            seeds_in=_groups(documents, np.arange(len(documents)), n_documents),
        )


def _numbered(names: Sequence[str]) -> tuple[Int32Array, int]:
    """Each name's number in the order of first appearance, shape (n_names,), and how many."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(name, len(numbers)) for name in names]
    return np.array(found, np.int32), len(numbers)


def _groups(keys: AnyArray, members: AnyArray, n_keys: int) -> list[Int64Array]:
    """The members of each key from 0 to n_keys - 1, in order."""
    order = np.argsort(keys, kind="stable")
    edges = np.searchsorted(keys[order], np.arange(n_keys + 1))
    ordered = members[order].astype(np.int64)
    return [ordered[edges[key] : edges[key + 1]] for key in range(n_keys)]
