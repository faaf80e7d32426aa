"""Which samples may be tested on: whole documents are held out, so that nothing leaks."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

import pyarrow as pa

from kdos.chance import key_bits

KEY_RANGE = 2**128
TRAIN, TEST, STRADDLING = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Split:
    """Samples by side; `straddling` counts those left out, made from documents of both sides."""

    tables: Mapping[str, pa.Table]
    straddling: int


def split_by_document(
    samples: pa.Table, seed_documents: Mapping[str, str], *, test_share: float, random_seed: int
) -> Split:
    """Hold out about `test_share` of the documents, with every sample made from them.

    A sample's documents are its own and those of its seeds, which `seed_documents` gives by seed
    id; a seed without one stands for itself. A document's side depends on nothing but its name
    and `random_seed`, so it stays where it is when the pool grows.
    """
    documents = source_documents(samples, seed_documents)
    return split_by_units(samples, documents, test_share=test_share, random_seed=random_seed)


def split_by_units(rows: pa.Table, units: Iterable[Set[str]], *, test_share: float, random_seed: int) -> Split:
    """Hold out about `test_share` of the units by their names; `units` gives those of each row, one or several."""
    bound = int(test_share * KEY_RANGE)
    sides: dict[str, int] = {}

    def choose_side(unit: str) -> int:
        if unit not in sides:
            sides[unit] = TEST if key_bits(random_seed, "test", unit) < bound else TRAIN
        return sides[unit]

    found = [_find_common_side({choose_side(unit) for unit in each}) for each in units]
    tables = {
        name: rows.filter(pa.array([side == number for side in found], pa.bool_()))
        for name, number in (("train", TRAIN), ("test", TEST))
    }
    return Split(tables, straddling=found.count(STRADDLING))


def _find_common_side(sides: set[int]) -> int:
    return sides.pop() if len(sides) == 1 else STRADDLING


def source_documents(samples: pa.Table, seed_documents: Mapping[str, str]) -> Iterator[set[str]]:
    """For each sample the documents that it was made from."""
    for batch in samples.select(["id", "document", "seeds"]).to_batches():
        for row in batch.to_pylist():
            units = {seed_documents.get(seed) or seed for seed in row["seeds"]}
            yield (units | {row["document"]} - {""}) or {row["id"]}
