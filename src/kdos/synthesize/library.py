"""The shelf that drafts are written from: seeds, their extractions and passages, by row."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kdos.pool import Extraction, Inventory, Passage, Seed, row_of, values
from kdos.sampler import Links


@dataclass(frozen=True)
class Library:
    """Row i of `extractions` belongs to row i of `seeds`; passages are found by their id."""

    seeds: pa.Table
    extractions: pa.Table
    passages: pa.Table
    passage_rows: dict[str, int]

    @classmethod
    def of(cls, *, seeds: pa.Table, extractions: pa.Table, passages: pa.Table) -> "Library":
        """The library over these tables."""
        rows = {name: row for row, name in enumerate(values(passages, "id"))}
        return cls(seeds, extractions, passages, rows)

    def seed(self, row: int) -> Seed:
        """The seed in this row."""
        value = row_of(self.seeds, row)
        value["answers"] = tuple(value["answers"])
        return Seed(**value)

    def extraction(self, row: int) -> Extraction:
        """The extraction of the seed in this row."""
        value = row_of(self.extractions, row)
        return Extraction(
            topic_entities=tuple(value["topic_entities"]),
            knowledge_points=tuple(value["knowledge_points"]),
            logic=value["logic"],
        )

    def passage(self, name: str) -> Passage:
        """The passage of this id."""
        return Passage(**row_of(self.passages, self.passage_rows[name]))

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
        numbers: dict[str, int] = {}
        names = values(self.seeds, "document")
        by_document = np.array([numbers.setdefault(n, len(numbers)) for n in names], np.int32)
        return Links(
            cells=inventory.cells,
            documents=by_document,
            points_of=points_of,
            seeds_of=_groups(held, seed_rows, len(inventory)),
            points_in=_groups(inventory.cells, np.arange(len(inventory)), n_cells),
            seeds_in=_groups(by_document, np.arange(len(by_document)), len(numbers)),
        )


def _groups(
    keys: npt.NDArray[Any], members: npt.NDArray[Any], n_keys: int
) -> list[npt.NDArray[np.int64]]:
    """The members of each key from 0 to n_keys - 1, in order."""
    order = np.argsort(keys, kind="stable")
    edges = np.searchsorted(keys[order], np.arange(n_keys + 1))
    ordered = members[order].astype(np.int64)
    return [ordered[edges[key] : edges[key + 1]] for key in range(n_keys)]
