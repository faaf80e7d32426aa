"""A dataset folder that `datasets.load_dataset` reads: Parquet shards and a card."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from kdos.export.card import DatasetCard, render_card
from kdos.store import PARQUET_OPTIONS, Seal, atomic_file, atomic_folder

# About 100 MB of compressed Parquet a shard for samples of 3 to 5 knowledge points.
SHARD_ROWS = 200_000
# Small enough that a reader streams, large enough that columns compress.
ROW_GROUP_ROWS = 10_000
SHARD_NAME = re.compile(r"\w+-\d{5}-of-\d{5}\.parquet")
"""What the files of a dataset are called; whatever else lies beside them is the user's."""


def write_dataset(
    samples: pa.Table | Mapping[str, pa.Table],
    card: DatasetCard,
    out: Path,
    *,
    shard_rows: int = SHARD_ROWS,
    seal: Seal | None = None,
) -> None:
    """Write the folder `out`, whole or not at all; equal rows and card give equal bytes.

    `samples` is a table, which becomes the split ``train``, or tables by split name. A split of
    N shards is ``train-00000-of-0000N.parquet`` and so on, rows in the order given.
    """
    splits = {"train": samples} if isinstance(samples, pa.Table) else samples
    with atomic_folder(out, seal=seal, is_ours=lambda name: bool(SHARD_NAME.fullmatch(name))) as folder:
        for name, table in splits.items():
            _write_shards(table, name, folder, shard_rows=shard_rows)
        with atomic_file(folder / "README.md") as file:
            file.write(render_card(card, splits).encode())


def _write_shards(table: pa.Table, split: str, folder: Path, *, shard_rows: int) -> None:
    """Write one split as shards of `shard_rows` rows; an empty split is one empty shard."""
    n_shards = max(1, -(-table.num_rows // shard_rows))
    for number in range(n_shards):
        shard = table.slice(number * shard_rows, shard_rows)
        _write_shard(shard, folder / f"{split}-{number:05d}-of-{n_shards:05d}.parquet")


def _write_shard(table: pa.Table, path: Path) -> None:
    """Write one Parquet file whose bytes depend on the rows alone."""
    # How a table is cut into chunks, and notes in its schema, would show in the bytes.
    plain = table.replace_schema_metadata(None).combine_chunks()
    with atomic_file(path) as file, open_parquet_writer(file, plain.schema) as writer:
        writer.write_table(plain, row_group_size=ROW_GROUP_ROWS)


def open_parquet_writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet file to fill, every setting that shows in its bytes fixed."""
    return pq.ParquetWriter(file, schema, version="2.6", compression_level=3, store_schema=False, **PARQUET_OPTIONS)
