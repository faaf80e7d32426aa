"""A source in; documents, passages and seed questions out, as batches of tables."""

from kdos.seed.passages import cut
from kdos.seed.questions import open_questions
from kdos.seed.seeding import gather_seeds, make_seeds
from kdos.seed.sources import open_source
from kdos.seed.tables import DOCUMENTS, PASSAGES, REFUSALS, SEEDS, SeedBatch

__all__ = [
    "DOCUMENTS",
    "PASSAGES",
    "REFUSALS",
    "SEEDS",
    "SeedBatch",
    "cut",
    "gather_seeds",
    "make_seeds",
    "open_questions",
    "open_source",
]
