"""Exports from Python: a run's samples, or any table of questions and answers, as trainers and the Hub read them."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from kdos.errors import UsageError
from kdos.export import (
    DatasetCard,
    check_hub_dataset,
    load_tokenizer,
    name_groups,
    push_folder,
    read_card,
    read_samples,
    read_seed_documents,
    read_table,
    source_documents,
    split_by_units,
    write_dataset,
    write_llamafactory,
    write_packed,
    write_text,
    write_trl,
)
from kdos.outputs import RUN, check_new_folder
from kdos.pool.duplicates import NEAR_DUPLICATE_JACCARD
from kdos.rows import InputPath, SeveralPaths

SEQUENCE_TOKENS = 4096
"""Tokens of a packed sequence: the context length that most base models are trained at."""
ExportLayout = Literal["datasets", "llamafactory", "trl", "text"]
_FOLDER_WRITERS = {"llamafactory": write_llamafactory, "trl": write_trl, "text": write_text}


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How a table is read, where no run is exported.

    `fields` are those of the parts (`question`, `answers`, or `text`, which is written as it is) whose names do not
    say so. `group` is the field whose equal values are never parted, the document, title or passage by default, and
    `similar` the Jaccard similarity, in (0, 1], from which questions are not.
    """

    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    group: str | None = None
    similar: float = NEAR_DUPLICATE_JACCARD


def export(
    data: str | Path | SeveralPaths,
    layout: ExportLayout,
    out: str | Path,
    *,
    table: TableOptions | None = None,
    test_share: float = 0.0,
    random_seed: int = 0,
    tokenizer: str | Path | None = None,
    sequence_tokens: int = SEQUENCE_TOKENS,
    end_token: str | None = None,
    push: str | None = None,
    public: bool = False,
) -> dict[str, Any]:
    """Write a run's dataset, or a table's questions and answers, for a trainer; returns how many rows went where.

    Args:
        data: The folder of a finished run; or a table, a folder of tables, or a pattern.
        layout: For Hugging Face `datasets`, `llamafactory`, `trl`, or plain `text`.
        out: A new or empty folder.
        table: How a table is read; a run takes none.
        test_share: Share of the documents, in [0, 1), held out with all their rows.
        random_seed: Draws the split and the order of packing.
        tokenizer: With `text`: pack whole sequences for this tokenizer.json or model folder.
        sequence_tokens: Tokens of a packed sequence.
        end_token: What ends a document in a packed sequence; the tokenizer's eos_token by default.
        push: Put the folder on the Hugging Face Hub, as the data set ``owner/name``, by the token in `HF_TOKEN`.
        public: Whether that data set is public.

    Raises:
        UsageError: An argument is out of its range, or the split leaves one side empty.
        InputError: The run is not there, or not finished, or the table cannot be read.
        KdosError: The Hub did not take the folder; it is written.
    """
    _check_export(layout, test_share, sequence_tokens, tokenizer)
    if public and push is None:
        raise UsageError("--public belongs to --push. Give both, or neither.")
    hub = None if push is None else check_hub_dataset(push, is_public=public)
    folder = check_new_folder(out)
    if isinstance(data, SeveralPaths) or not RUN.marks(Path(data)):
        source = data if isinstance(data, SeveralPaths) else Path(data)
        content = _read_table(source, layout, table or TableOptions(), folder, is_split=test_share > 0)
    elif table not in (None, TableOptions()):
        raise UsageError(f"fields and groups are named for tables. {data} is a run. Leave them out.")
    else:
        content = _read_run(Path(data))
    tables: Mapping[str, pa.Table] = {"train": content.rows}
    left_out = 0
    if test_share:
        split = split_by_units(content.rows, content.units(), test_share=test_share, random_seed=random_seed)
        tables, left_out = split.tables, split.straddling
        _check_both_sides(tables, test_share)
    written: dict[str, Any] = {}
    if tokenizer is not None:
        encoder = load_tokenizer(Path(tokenizer), end_token=end_token)
        packed = write_packed(tables, encoder, folder, length=sequence_tokens, random_seed=random_seed)
        written = {"packed": {name: asdict(one) for name, one in packed.items()}}
    elif layout == "datasets":
        write_dataset(tables, content.card(), folder)
    else:
        _FOLDER_WRITERS[layout](tables, folder)
    if hub is not None:
        written["pushed"] = push_folder(folder, hub)
    rows = {name: table.num_rows for name, table in tables.items()}
    return {"out": str(folder), "rows": rows, "left_out": left_out, **content.said, **written}


@dataclass(frozen=True)
class _Content:
    """What is exported: its rows, and what else is said of them.

    `units` gives what must not be parted of each row, and `card` what the card says, when they are wanted.
    """

    rows: pa.Table
    units: Callable[[], Iterable[AbstractSet[str]]]
    card: Callable[[], DatasetCard]
    said: Mapping[str, Any]


def _read_run(run: Path) -> _Content:
    samples = read_samples(run)
    return _Content(samples, lambda: source_documents(samples, read_seed_documents(run)), lambda: read_card(run), {})


def _read_table(
    source: InputPath, layout: ExportLayout, options: TableOptions, out: Path, *, is_split: bool
) -> _Content:
    table = read_table(source, options.fields, as_text=layout == "text")
    rows = table.read_whole(out) if layout == "datasets" else table.rows
    grouped_by = table.find_group_field(options.group) if is_split else None

    def units() -> Iterable[AbstractSet[str]]:
        names = name_groups(table.texts, table.read_documents(grouped_by), similar=options.similar)
        return ({name} for name in names)

    said = {"refused": dict(table.refused.most_common()), "fields": table.fields}
    return _Content(rows, units, table.describe, said | ({"grouped_by": grouped_by} if is_split else {}))


def _check_export(layout: str, test_share: float, sequence_tokens: int, tokenizer: str | Path | None) -> None:
    """Refuse what cannot be meant, before anything is read."""
    if not 0 <= test_share < 1:
        raise UsageError(f"--test-share must be in [0, 1). Got {test_share}.")
    if sequence_tokens < 1:
        raise UsageError(f"--length must be at least 1 token. Got {sequence_tokens}.")
    if tokenizer is not None and layout != "text":
        raise UsageError(f"--tokenizer belongs to --format text. Got --format {layout}.")


def _check_both_sides(tables: Mapping[str, pa.Table], test_share: float) -> None:
    empty = [name for name, table in tables.items() if not table.num_rows]
    if empty:
        raise UsageError(
            f"--test-share must leave samples on both sides. {test_share} leaves none to "
            f"{empty[0]}. Give another share or another --random-seed; of a table, another --group or --similar."
        )
