"""The door to data files: JSONL, CSV, Parquet, hub and vector files in, Arrow batches out; and back."""

from kdos.rows.answers import read_answers
from kdos.rows.choices import RowChoices, read_choices
from kdos.rows.fields import candidate_fields, list_field_paths, resolve_field, value_at_path
from kdos.rows.files import (
    InputPath,
    SeveralPaths,
    common_folder,
    list_file_states,
    list_files,
    list_folders_left_out,
    list_input_files,
    list_input_paths,
    list_table_files,
    open_decompressed,
    read_whole_file,
    uncompressed_suffix,
    walk_files,
)
from kdos.rows.labels import label_text
from kdos.rows.layouts import find_fields, recount_choices
from kdos.rows.questions import QuestionRow, TableFields, read_question_rows, resolve_fields
from kdos.rows.records import Record, read_hub_records, read_records, record_error, row_unit
from kdos.rows.table import (
    Rows,
    asks_for_articles,
    check_fields,
    find_table_fields,
    list_hub_fields,
    list_table_fields,
    read_first_hub_rows,
    read_first_rows,
    read_hub_rows,
    read_table_rows,
    require_first_rows,
)
from kdos.rows.whole_rows import read_kept_rows, read_whole_schema
from kdos.rows.writing import check_parquet_form, join_tables, write_rows

__all__ = [
    "InputPath",
    "QuestionRow",
    "Record",
    "RowChoices",
    "Rows",
    "SeveralPaths",
    "TableFields",
    "asks_for_articles",
    "candidate_fields",
    "check_fields",
    "check_parquet_form",
    "common_folder",
    "find_fields",
    "find_table_fields",
    "join_tables",
    "label_text",
    "list_field_paths",
    "list_file_states",
    "list_files",
    "list_folders_left_out",
    "list_hub_fields",
    "list_input_files",
    "list_input_paths",
    "list_table_fields",
    "list_table_files",
    "open_decompressed",
    "read_answers",
    "read_choices",
    "read_first_hub_rows",
    "read_first_rows",
    "read_hub_records",
    "read_hub_rows",
    "read_kept_rows",
    "read_question_rows",
    "read_records",
    "read_table_rows",
    "read_whole_file",
    "read_whole_schema",
    "record_error",
    "recount_choices",
    "require_first_rows",
    "resolve_field",
    "resolve_fields",
    "row_unit",
    "uncompressed_suffix",
    "value_at_path",
    "walk_files",
    "write_rows",
]  # fmt: skip
