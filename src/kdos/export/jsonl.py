"""Rows of a table as lines of JSON."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from kdos.store import whole_file

BATCH_ROWS = 10_000
Render = Callable[[Mapping[str, Any]], dict[str, Any]]


def write_lines(samples: pa.Table, render: Render, path: Path) -> None:
    """Write one JSON object a line, `render` of each sample."""
    with whole_file(path) as file:
        for batch in samples.to_batches(max_chunksize=BATCH_ROWS):
            file.writelines(orjson.dumps(render(row)) + b"\n" for row in batch.to_pylist())


def write_list(samples: pa.Table, render: Render, path: Path) -> None:
    """Write one JSON list with `render` of each sample, an element a line."""
    with whole_file(path) as file:
        file.write(b"[")
        separator = b"\n"
        for batch in samples.to_batches(max_chunksize=BATCH_ROWS):
            for row in batch.to_pylist():
                file.write(separator + orjson.dumps(render(row)))
                separator = b",\n"
        file.write(b"\n]\n")
