"""Documents, seeds, drafts and samples: records in, columns out."""

from kdos.pool.grouping import Grouping, group_paraphrases, group_texts
from kdos.pool.pool import Inventory, Pool, Tally, grown_rows
from kdos.pool.sample import (
    Document,
    Draft,
    ErrorClass,
    Evidence,
    Extraction,
    Passage,
    Refusal,
    Sample,
    Section,
    Seed,
    Verdict,
    column_values,
    record_fields,
    row_values,
)

__all__ = [
    "Document", "Draft", "ErrorClass", "Evidence", "Extraction", "Grouping", "Inventory", "Passage", "Pool", "Refusal",
    "Sample", "Section", "Seed", "Tally", "Verdict", "column_values", "group_paraphrases", "group_texts", "grown_rows",
    "record_fields", "row_values",
]  # fmt: skip
