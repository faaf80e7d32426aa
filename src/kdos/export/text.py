"""Text for continued training: one document a sample, or token sequences packed to a length."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from kdos.chance import generator
from kdos.export.dataset import parquet_writer
from kdos.export.jsonl import BATCH_ROWS, write_lines
from kdos.store import whole_file, whole_folder

SEQUENCES = pa.schema([("input_ids", pa.list_(pa.int32())), ("lengths", pa.list_(pa.int32()))])
SEQUENCES_AT_ONCE = 1_000


class Encoder(Protocol):
    """What turns texts into tokens."""

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text, ended by the token that ends a document."""
        ...


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing made of one split."""

    sequences: int
    tokens: int


def write_text(splits: Mapping[str, pa.Table], out: Path) -> None:
    """Write the folder `out` with ``SPLIT.jsonl``, a row `text` for each sample."""
    with whole_folder(out) as folder:
        for split, samples in splits.items():
            write_lines(samples, as_document, folder / f"{split}.jsonl")


def as_document(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as running text: question, answer, then the knowledge points.

    The answer comes before the facts that it follows from, so that a model learns to recall it
    and not to copy it.
    """
    points = " ".join(sample["knowledge_points"])
    return {"text": f"{sample['question']}\n{sample['answer']}\n\n{points}"}


def write_packed(
    splits: Mapping[str, pa.Table],
    encoder: Encoder,
    out: Path,
    *,
    length: int,
    random_seed: int,
) -> dict[str, Packed]:
    """Write the folder `out` with ``SPLIT.parquet``: sequences of at most `length` tokens.

    Samples are shuffled, for the rows of a pool lie in the order in which they were made. The
    columns are `input_ids` and `lengths`, the tokens of each sample within the sequence.
    """
    with whole_folder(out) as folder:
        return {
            split: write_sequences(
                pack(encoded(shuffled(samples, random_seed), encoder), length=length),
                folder / f"{split}.parquet",
            )
            for split, samples in splits.items()
        }


def shuffled(samples: pa.Table, random_seed: int) -> pa.Table:
    """The samples in an order that `random_seed` gives."""
    return samples.take(generator(random_seed, "pack").permutation(samples.num_rows))


def encoded(samples: pa.Table, encoder: Encoder) -> Iterator[list[int]]:
    """The tokens of each sample."""
    for batch in samples.to_batches(max_chunksize=BATCH_ROWS):
        yield from encoder.encode([as_document(row)["text"] for row in batch.to_pylist()])


def pack(documents: Iterable[list[int]], *, length: int) -> Iterator[list[list[int]]]:
    """Fill sequences of at most `length` tokens, in order; yields the documents of each.

    A document goes whole into a sequence. One longer than `length` is cut, each piece but the last
    a sequence of its own.
    """
    sequence: list[list[int]] = []
    free = length
    for document in documents:
        for start in range(0, len(document), length):
            piece = document[start : start + length]
            if len(piece) > free:
                yield sequence
                sequence, free = [], length
            sequence.append(piece)
            free -= len(piece)
    if sequence:
        yield sequence


def write_sequences(sequences: Iterable[list[list[int]]], path: Path) -> Packed:
    """Write packed sequences as Parquet."""
    rows = tokens = 0
    with whole_file(path) as file, parquet_writer(file, SEQUENCES) as writer:
        for block in batched(sequences, SEQUENCES_AT_ONCE):
            input_ids = [list(itertools.chain.from_iterable(pieces)) for pieces in block]
            lengths = [[len(piece) for piece in pieces] for pieces in block]
            columns = {"input_ids": input_ids, "lengths": lengths}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, SEQUENCES))
            rows += len(block)
            tokens += sum(map(len, input_ids))
    return Packed(rows, tokens)


def batched(sequences: Iterable[list[list[int]]], size: int) -> Iterator[list[list[list[int]]]]:
    """Runs of `size` sequences."""
    rest = iter(sequences)
    while block := list(itertools.islice(rest, size)):
        yield block
