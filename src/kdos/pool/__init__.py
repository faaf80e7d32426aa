"""Documents, seeds, drafts and samples: records in, columns out."""

from kdos.pool.grouping import Grouping, group_texts, normalise_text
from kdos.pool.paraphrase import group_paraphrases
from kdos.pool.pool import Inventory, Pool
from kdos.pool.sample import (
    Document,
    Draft,
    ErrorClass,
    Evidence,
    Extraction,
    Passage,
    Refusal,
    Sample,
    Seed,
    Verdict,
    column_values,
    record_fields,
    row_values,
)
from kdos.pool.tally import Tally

__all__ = [
    "Document",
    "Draft",
    "ErrorClass",
    "Evidence",
    "Extraction",
    "Grouping",
    "Inventory",
    "Passage",
    "Pool",
    "Refusal",
    "Sample",
    "Seed",
    "Tally",
    "Verdict",
    "column_values",
    "group_paraphrases",
    "group_texts",
    "normalise_text",
    "record_fields",
    "row_values",
]
