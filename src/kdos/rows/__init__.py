"""The door to data files: JSONL, CSV, Parquet, hub and vector files in, Arrow batches out; and back."""

from kdos.rows.fields import candidate_fields, resolve_field
from kdos.rows.files import (
    list_file_states,
    list_files,
    list_folders_left_out,
    list_table_files,
    open_decompressed,
    read_text_file,
    uncompressed_suffix,
    walk_files,
)
from kdos.rows.labels import label_text
from kdos.rows.records import Record, read_hub_records, read_records, record_error, row_unit
from kdos.rows.table import Rows, list_hub_fields, list_table_fields, read_hub_rows, read_table_rows
from kdos.rows.writing import append_own_column, join_tables, write_rows

__all__ = [
    "Record", "Rows", "append_own_column", "candidate_fields", "join_tables", "label_text", "list_file_states",
    "list_files", "list_folders_left_out", "list_hub_fields", "list_table_fields", "list_table_files",
    "open_decompressed", "read_hub_records", "read_hub_rows", "read_records", "read_table_rows", "read_text_file",
    "record_error", "resolve_field", "row_unit", "uncompressed_suffix", "walk_files", "write_rows",
]  # fmt: skip
