"""Documents, seeds, drafts and samples: records in, columns out."""

from kdos.pool.grouping import Grouping, group_texts
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

__all__ = [
    "Document",
    "Draft",
    "ErrorClass",
    "Evidence",
    "Extraction",
    "Grouping",
    "Passage",
    "Refusal",
    "Sample",
    "Seed",
    "Verdict",
    "group_texts",
]
