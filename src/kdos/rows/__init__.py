"""The door to data files: JSONL, CSV, Parquet, hub and vector files in, Arrow batches out."""

from kdos.rows.fields import guess_field, pluck
from kdos.rows.files import bare_suffix, files_at, open_bytes, read_text, table_files
from kdos.rows.hub import hub_field_names, hub_records, read_hub
from kdos.rows.records import Record, bad_record, read_records, unit_of
from kdos.rows.table import Rows, field_names, read_rows
from kdos.rows.vectors import open_vectors

__all__ = [
    "Record",
    "Rows",
    "bad_record",
    "bare_suffix",
    "field_names",
    "files_at",
    "guess_field",
    "hub_field_names",
    "hub_records",
    "open_bytes",
    "open_vectors",
    "pluck",
    "read_hub",
    "read_records",
    "read_rows",
    "read_text",
    "table_files",
    "unit_of",
]
