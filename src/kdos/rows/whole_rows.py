"""A table's rows as they were, with all their columns: those of them that are kept."""

from collections.abc import Sequence
from itertools import islice

import pyarrow as pa

from kdos.errors import InputError
from kdos.rows.files import InputPath, list_file_states
from kdos.rows.table import asks_for_articles, read_table_rows
from kdos.rows.writing import join_tables


def read_whole_schema(path: InputPath, *, fields: Sequence[str] = ()) -> pa.Schema:
    """The columns of `read_kept_rows`, without its rows.

    Raises:
        InputError: A column has types in the files that are not one.
    """
    schemas = [rows.batch.schema for rows in read_table_rows(path, articles=asks_for_articles(fields))]
    return join_tables([schema.empty_table() for schema in schemas], str(path)).schema


def read_kept_rows(
    path: InputPath, kept: Sequence[bool], *, states: Sequence[object], fields: Sequence[str] = ()
) -> pa.Table:
    """The rows that are `kept`, of the first so many; in memory.

    `fields` are those that were read of them before: they say whether rows are SQuAD's articles. `states` is what
    `kdos.rows.list_file_states` gave then.

    Raises:
        InputError: A file was written to since then: its rows are no longer those that were read.
    """
    tables: list[pa.Table] = []
    masks = iter(kept)
    for rows in read_table_rows(path, articles=asks_for_articles(fields)):
        mask = list(islice(masks, len(rows.positions)))
        tables.append(pa.Table.from_batches([rows.batch.slice(0, len(mask)).filter(pa.array(mask, pa.bool_()))]))
    if list_file_states(path) != states:
        raise InputError.at(str(path), "must stay as it is while it is read. It was written to. Start again")
    return join_tables(tables, str(path))
