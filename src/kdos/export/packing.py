"""Token sequences packed to a length, for continued training (extra `export`)."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kdos.chance import keyed_generator
from kdos.errors import InputError, KdosError
from kdos.export.dataset import open_parquet_writer
from kdos.export.trainers import ROWS_AT_ONCE, format_document
from kdos.store import atomic_file, atomic_folder

SEQUENCES = pa.schema([("input_ids", pa.list_(pa.int32())), ("lengths", pa.list_(pa.int32()))])
SEQUENCES_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class PackedCounts:
    """What packing made of one split."""

    sequences: int
    tokens: int


@dataclass(frozen=True, slots=True)
class FileTokenizer:
    """A tokenizer of the `tokenizers` library and the token that ends a document."""

    tokenizer: Any
    end: int

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text, ended by `end`."""
        encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [[*encoding.ids, self.end] for encoding in encodings]


def load_tokenizer(path: Path, *, end_token: str | None = None) -> FileTokenizer:
    """The tokenizer in a ``tokenizer.json`` or in a Hugging Face folder that holds one.

    Without `end_token` a document ends with the `eos_token` of the folder's ``tokenizer_config.json``.

    Raises:
        KdosError: The extra `export` is not installed.
        InputError: There is no tokenizer there, or it does not know the end token.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise KdosError(
            "Packing needs the tokenizers library. It is not installed. pip install 'kdos[export]'"
        ) from error
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"--tokenizer must be a tokenizer.json or its folder. Got {path}.")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise InputError.at(file, f"must be a file of the tokenizers library. {error}") from error
    token = end_token or _read_end_token(file.with_name("tokenizer_config.json"))
    end = None if token is None else tokenizer.token_to_id(token)
    if end is None:
        raise InputError.at(file, f"must know the token that ends a document. Got {token!r}. Name it by --end-token")
    return FileTokenizer(tokenizer, end)


def _read_end_token(config: Path) -> str | None:
    """The `eos_token` of a Hugging Face configuration, which is a string or a described token."""
    if not config.is_file():
        return None
    try:
        token = orjson.loads(config.read_bytes()).get("eos_token")
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise InputError.at(config, f"must hold a JSON object. {error}") from error
    return token.get("content") if isinstance(token, dict) else token


def write_packed(
    splits: Mapping[str, pa.Table], encoder: FileTokenizer, out: Path, *, length: int, random_seed: int
) -> dict[str, PackedCounts]:
    """Write the folder `out` with ``SPLIT.parquet``: sequences of at most `length` tokens.

    Samples are shuffled, for the rows of a pool lie in the order in which they were made. The
    columns are `input_ids` and `lengths`, the tokens of each sample within the sequence.
    """
    counts: dict[str, PackedCounts] = {}
    with atomic_folder(out) as folder:
        for split, samples in splits.items():
            order = keyed_generator(random_seed, "pack").permutation(samples.num_rows)
            documents = _encode_samples(samples.take(order), encoder)
            sequences = pack_documents(documents, length=length)
            counts[split] = _write_sequences(sequences, folder / f"{split}.parquet")
    return counts


def _encode_samples(samples: pa.Table, encoder: FileTokenizer) -> Iterator[list[int]]:
    for batch in samples.to_batches(max_chunksize=ROWS_AT_ONCE):
        yield from encoder.encode([format_document(row)["text"] for row in batch.to_pylist()])


def pack_documents(documents: Iterable[list[int]], *, length: int) -> Iterator[list[list[int]]]:
    """Fill sequences of at most `length` tokens, in order; yields the documents of each.

    First fit in the order given: a document that does not fit in what is left begins the next
    sequence. One longer than `length` is cut, each piece but the last a sequence of its own.
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


def _write_sequences(sequences: Iterable[list[list[int]]], path: Path) -> PackedCounts:
    rows = tokens = 0
    with atomic_file(path) as file, open_parquet_writer(file, SEQUENCES) as writer:
        rest = iter(sequences)
        while block := list(itertools.islice(rest, SEQUENCES_AT_ONCE)):
            input_ids = [list(itertools.chain.from_iterable(pieces)) for pieces in block]
            lengths = [[len(piece) for piece in pieces] for pieces in block]
            columns = {"input_ids": input_ids, "lengths": lengths}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, SEQUENCES))
            rows += len(block)
            tokens += sum(map(len, input_ids))
    return PackedCounts(rows, tokens)
