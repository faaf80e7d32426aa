"""Documents, seeds, drafts and samples: records in, columns out."""

from kdos.pool.columns import fields_of, row_of, values
from kdos.pool.grouping import Grouping, group_texts, normalise
from kdos.pool.inventory import Inventory
from kdos.pool.paraphrase import group_paraphrases
from kdos.pool.pool import Pool
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
    "fields_of",
    "group_paraphrases",
    "group_texts",
    "normalise",
    "row_of",
    "values",
]
